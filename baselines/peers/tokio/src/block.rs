//! What blocking costs others, sleeps, and timers.
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rows::{kept_every, stamp, stop, Counter, Delays, Options, Sheet, SLEEPS};
use tokio::runtime::Runtime;
use tokio::sync::Notify;
use tokio::task::{block_in_place, spawn_blocking, yield_now};

use crate::units::{run, runtime, Latch};

/// Tasks that compute and yield until it is over.
struct Workers {
    pieces: Arc<Vec<Counter>>,
    over: Arc<AtomicBool>,
    finished: Arc<Latch>,
}

impl Workers {
    fn start(tasks: &Runtime, n: usize) -> Workers {
        let pieces: Arc<Vec<Counter>> = Arc::new((0..n).map(|_| Counter::default()).collect());
        let w = Workers { pieces, over: Arc::default(), finished: Latch::new(n) };
        for i in 0..n {
            let (pieces, over, finished) = (w.pieces.clone(), w.over.clone(), w.finished.clone());
            tasks.spawn(async move {
                let mut x = i as u64;
                while !over.load(Relaxed) {
                    x = rows::piece(x);
                    pieces[i].0.store(pieces[i].0.load(Relaxed) + 1, Relaxed);
                    yield_now().await;
                }
                finished.done();
            });
        }
        w
    }

    fn end(&self, tasks: &Runtime) {
        self.over.store(true, SeqCst);
        self.wait(tasks);
    }

    fn wait(&self, tasks: &Runtime) {
        let finished = self.finished.clone();
        run(tasks, async move { finished.wait().await });
    }
}

/// A read that blocks, told as the documentation asks for: on the threads for blocking work; tuned: on the worker itself,
/// which gives its tasks away first.
pub fn progress(o: &Options) -> bool {
    let tasks = runtime(o);
    let tuned = o.tuned() && o.threads > 1;
    rows::progress(o, |o, pipe| {
        let workers = Workers::start(&tasks, 2 * o.threads);
        let (entered, over, block) = (Arc::new(AtomicUsize::new(0)), Latch::new(o.n), Arc::new(Notify::new()));
        let (n, reader) = (o.n, pipe.reader.as_raw_fd());
        let (seen, ended, told) = (entered.clone(), over.clone(), block.clone());
        tasks.spawn(async move {
            told.notified().await;
            for _ in 0..n {
                let (seen, ended) = (seen.clone(), ended.clone());
                tokio::spawn(async move {
                    let call = move || {
                        seen.fetch_add(1, SeqCst);
                        rows::read_byte(reader);
                    };
                    if tuned { block_in_place(call) } else { spawn_blocking(call).await.expect("the call panicked") }
                    ended.done();
                });
            }
        });
        // A runtime of one thread runs nothing by itself: its thread is the one that does.
        let bins = std::thread::scope(|scope| {
            let conductor = scope.spawn(|| {
                let bins = rows::conduct(o, &workers.pieces, &entered, || block.notify_one());
                workers.over.store(true, SeqCst);
                bins
            });
            workers.wait(&tasks);
            conductor.join().expect("the conductor panicked")
        });
        pipe.release(o.n);
        run(&tasks, async move { over.wait().await });
        bins
    })
}

/// The timers of the library count in milliseconds.
pub fn lateness(o: &Options) -> bool {
    let (busy, tasks) = (rows::sleeps_busy(o), runtime(o));
    for rep in 0..o.reps {
        for (ns, times) in SLEEPS {
            let workers = Workers::start(&tasks, if busy { o.threads } else { 0 });
            let samples = run(&tasks, async move {
                let mut samples = Vec::with_capacity(times);
                for _ in 0..times {
                    let from = stamp();
                    tokio::time::sleep(Duration::from_nanos(ns)).await;
                    samples.push(stamp() - from);
                }
                samples
            });
            if busy {
                workers.end(&tasks);
            }
            let mut s = Sheet::new(o, &o.variant);
            (s.n, s.asked, s.made, s.ops) = (ns as usize, 1, 1, times);
            s.samples(rep, "sleep_ns", &samples);
        }
    }
    true
}

/// A timer is a future, and a task is what waits for it.
pub fn timers(o: &Options) -> bool {
    if o.variant != "sleep" {
        rows::fail("--case=timers --variant: use sleep");
    }
    let tasks = runtime(o);
    let (n, every) = (o.n, kept_every(o.n));
    let late: Arc<Vec<AtomicU64>> = Arc::new((0..n.div_ceil(every)).map(|_| AtomicU64::new(0)).collect());
    let (fired, over, mut delays) = (Arc::new(AtomicUsize::new(0)), Latch::new(n), Delays(o.seed));
    run(&tasks, async {});
    stop();
    let (late_all, fired_all, over_all) = (late.clone(), fired.clone(), over.clone());
    let (took, early) = run(&tasks, async move {
        let from = stamp();
        for i in 0..n {
            let (late, fired, over) = (late_all.clone(), fired_all.clone(), over_all.clone());
            let due = Instant::now() + Duration::from_nanos(delays.draw());
            tokio::spawn(async move {
                tokio::time::sleep_until(due.into()).await;
                if i % every == 0 {
                    late[i / every].store(due.elapsed().as_nanos() as u64, Relaxed);
                }
                fired.fetch_add(1, Relaxed);
                over.done();
            });
        }
        // A runtime of one thread has only queued them so far.
        yield_now().await;
        (stamp() - from, fired_all.load(SeqCst))
    });
    stop();
    let all = over.clone();
    run(&tasks, async move { all.wait().await });
    stop();
    let late: Vec<u64> = late.iter().map(|ns| ns.load(SeqCst)).collect();
    rows::timers(o, took, early, fired.load(SeqCst), &late)
}
