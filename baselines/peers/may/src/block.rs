//! What blocking costs others, sleeps, and timers.
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::Arc;
use std::time::Duration;

use may::coroutine::{sleep, yield_now};
use rows::{kept_every, stamp, stop, Delays, Options, Sheet, SLEEPS};

use crate::units::{go, run, Latch};

/// Units that compute and yield until it is over.
struct Workers {
    pieces: Arc<Vec<rows::Counter>>,
    over: Arc<AtomicBool>,
    finished: Arc<Latch>,
}

impl Workers {
    fn start(n: usize) -> Workers {
        let pieces: Arc<Vec<rows::Counter>> = Arc::new((0..n).map(|_| rows::Counter::default()).collect());
        let w = Workers { pieces, over: Arc::default(), finished: Latch::new(n) };
        for i in 0..n {
            let (pieces, over, finished) = (w.pieces.clone(), w.over.clone(), w.finished.clone());
            go(move || {
                let mut x = i as u64;
                while !over.load(Relaxed) {
                    x = rows::piece(x);
                    pieces[i].0.store(pieces[i].0.load(Relaxed) + 1, Relaxed);
                    yield_now();
                }
                finished.done();
            });
        }
        w
    }

    fn end(&self) {
        self.over.store(true, SeqCst);
        self.finished.wait();
    }
}

/// A read that blocks, which may knows nothing of: it has no call for it.
pub fn progress(o: &Options) -> bool {
    crate::configure(o);
    rows::progress(o, |o, pipe| {
        let workers = Workers::start(2 * o.threads);
        let (entered, over) = (Arc::new(AtomicUsize::new(0)), Latch::new(o.n));
        let (n, block, reader) = (o.n, Arc::new(AtomicBool::new(false)), pipe.reader.as_raw_fd());
        let (seen, ended, told) = (entered.clone(), over.clone(), block.clone());
        go(move || {
            while !told.load(SeqCst) {
                yield_now();
            }
            for _ in 0..n {
                let (seen, ended) = (seen.clone(), ended.clone());
                go(move || {
                    seen.fetch_add(1, SeqCst);
                    rows::read_byte(reader);
                    ended.done();
                });
            }
        });
        let bins = rows::conduct(o, &workers.pieces, &entered, || block.store(true, SeqCst));
        workers.over.store(true, SeqCst);
        pipe.release(o.n);
        over.wait();
        workers.end();
        bins
    })
}

pub fn lateness(o: &Options) -> bool {
    let busy = rows::sleeps_busy(o);
    crate::configure(o);
    for rep in 0..o.reps {
        for (ns, times) in SLEEPS {
            let workers = Workers::start(if busy { o.threads } else { 0 });
            let samples = run(move || (0..times).map(|_| {
                let from = stamp();
                sleep(Duration::from_nanos(ns));
                stamp() - from
            }).collect::<Vec<u64>>());
            if busy {
                workers.end();
            }
            let mut s = Sheet::new(o, &o.variant);
            (s.n, s.asked, s.made, s.ops) = (ns as usize, 1, 1, times);
            s.samples(rep, "sleep_ns", &samples);
        }
    }
    true
}

/// It has no timers: a coroutine that sleeps stands for one.
pub fn timers(o: &Options) -> bool {
    if o.variant != "sleep" {
        rows::fail("--case=timers --variant: use sleep");
    }
    crate::configure(o);
    let (n, every) = (o.n, kept_every(o.n));
    let late: Arc<Vec<AtomicU64>> = Arc::new((0..n.div_ceil(every)).map(|_| AtomicU64::new(0)).collect());
    let (fired, over, mut delays) = (Arc::new(AtomicUsize::new(0)), Latch::new(n), Delays(o.seed));
    run(|| {});
    stop();
    let (late_all, fired_all, over_all) = (late.clone(), fired.clone(), over.clone());
    let (took, early) = run(move || {
        let from = stamp();
        for i in 0..n {
            let (late, fired, over) = (late_all.clone(), fired_all.clone(), over_all.clone());
            let due = stamp() + delays.draw();
            go(move || {
                sleep(Duration::from_nanos(due.saturating_sub(stamp())));
                if i % every == 0 {
                    late[i / every].store(stamp().saturating_sub(due), Relaxed);
                }
                fired.fetch_add(1, Relaxed);
                over.done();
            });
        }
        (stamp() - from, fired_all.load(SeqCst))
    });
    stop();
    over.wait();
    stop();
    let late: Vec<u64> = late.iter().map(|ns| ns.load(SeqCst)).collect();
    rows::timers(o, took, early, fired.load(SeqCst), &late)
}
