//! The cases, as one writes them for Tokio.
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicU8, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, Notify, Semaphore};
use tokio::task::{yield_now, JoinHandle};

use crate::rows::{pin_to_one_cpu, stamp, usage, Options, Sheet};

const SAMPLE_NS: u64 = 10_000_000;
const WARM_UP_NS: u64 = 5_000_000;
const PILOT_OPS: usize = 1000;

/// One thread: the runtime that has no other; more: workers that steal.
fn runtime(threads: usize) -> Runtime {
    if threads == 1 {
        pin_to_one_cpu();
        Builder::new_current_thread().build()
    } else {
        Builder::new_multi_thread().worker_threads(threads).build()
    }
    .unwrap_or_else(|error| crate::fail(&format!("no runtime: {error}")))
}

/// Runs the future as a task, so that on several threads it is a worker that runs it.
fn run<T: Send + 'static>(runtime: &Runtime, future: impl Future<Output = T> + Send + 'static) -> T {
    runtime.block_on(async { tokio::spawn(future).await.expect("a task panicked") })
}

struct Latch {
    missing: AtomicUsize,
    complete: Notify,
}

impl Latch {
    fn new(n: usize) -> Arc<Latch> {
        Arc::new(Latch { missing: AtomicUsize::new(n), complete: Notify::new() })
    }

    fn done(&self) {
        if self.missing.fetch_sub(1, SeqCst) == 1 {
            self.complete.notify_one();
        }
    }

    async fn wait(&self) {
        if self.missing.load(SeqCst) > 0 {
            self.complete.notified().await;
        }
    }
}

fn sheet<'a>(o: &'a Options, variant: &'a str) -> Sheet<'a> {
    Sheet { options: o, variant, n: o.n, asked: 0, made: 0, ops: 0 }
}

// ---- memory, spawn -------------------------------------------------------------------------------------------------

pub fn memory(o: &Options) -> bool {
    let (n, tasks) = (o.n, runtime(o.threads));
    let (before, parked, retained, ran) = run(&tasks, async move {
        let ran = Arc::new(AtomicUsize::new(0));
        let (arrived, finished, gate) = (Latch::new(n), Latch::new(n), Arc::new(Semaphore::new(0)));
        usage();
        let before = usage();
        for _ in 0..n {
            let (ran, arrived, finished, gate) = (ran.clone(), arrived.clone(), finished.clone(), gate.clone());
            tokio::spawn(async move {
                ran.fetch_add(1, Relaxed);
                arrived.done();
                let _ = gate.acquire().await; // closed in the end
                finished.done();
            });
        }
        arrived.wait().await;
        yield_now().await;
        let parked = usage();
        gate.close();
        finished.wait().await;
        (before, parked, usage(), ran.load(SeqCst))
    });
    let mut s = sheet(o, "");
    (s.asked, s.made) = (n, ran);
    let more = |after: f64, before: f64| (after - before).max(0.0);
    s.row(0, "rss_bytes", more(parked.rss, before.rss));
    s.row(0, "pte_bytes", more(parked.pte, before.pte));
    s.row(0, "pss_bytes", more(parked.pss, before.pss));
    s.row(0, "kernel_stack_bytes", more(parked.threads, before.threads) * 16384.0);
    s.row(0, "mappings", more(parked.mappings, before.mappings));
    s.row(0, "retained_rss_bytes", more(retained.rss, before.rss));
    true
}

/// Nanoseconds for one round.
async fn spawn_round(marks: Arc<Vec<AtomicU8>>) -> u64 {
    for mark in marks.iter() {
        mark.store(0, Relaxed);
    }
    let finished = Latch::new(marks.len());
    let from = stamp();
    for i in 0..marks.len() {
        let (marks, finished) = (marks.clone(), finished.clone());
        tokio::spawn(async move {
            marks[i].fetch_add(1, Relaxed);
            finished.done();
        });
    }
    finished.wait().await;
    stamp() - from
}

pub fn spawn(o: &Options) -> bool {
    let tasks = runtime(o.threads);
    let marks: Arc<Vec<AtomicU8>> = Arc::new((0..o.n).map(|_| AtomicU8::new(0)).collect());
    for rep in 0..=o.reps {
        if !o.turn_comes() {
            break;
        }
        let mut s = sheet(o, if rep == 0 { "cold" } else { "warm" });
        s.asked = o.n;
        let until = stamp() + WARM_UP_NS;
        while rep > 0 && stamp() < until {
            run(&tasks, spawn_round(marks.clone()));
            s.asked += o.n;
        }
        let ns = run(&tasks, spawn_round(marks.clone()));
        let ran: usize = marks.iter().map(|mark| mark.load(SeqCst) as usize).sum();
        if ran != o.n {
            return s.fail("ns_per_op", &format!("{ran} of {} units did their work", o.n));
        }
        (s.made, s.ops) = (s.asked, o.n);
        s.row(rep.saturating_sub(1), "ns_per_op", ns as f64 / o.n as f64);
    }
    true
}

// ---- two tasks -----------------------------------------------------------------------------------------------------

/// Runs `pair` (nanoseconds and operations), with n for about SAMPLE_NS, as often as asked.
fn timed_pairs(o: &Options, variant: &str, pair: impl Fn(&Runtime, usize) -> (u64, usize)) -> bool {
    let tasks = runtime(o.threads);
    let n = if o.n > 0 {
        o.n
    } else {
        let (ns, _) = pair(&tasks, PILOT_OPS);
        PILOT_OPS.max((SAMPLE_NS as f64 * PILOT_OPS as f64 / (ns + 1) as f64) as usize)
    };
    for rep in 0..o.reps {
        if !o.turn_comes() {
            break;
        }
        let (ns, ops) = pair(&tasks, n);
        let mut s = sheet(o, variant);
        (s.n, s.asked, s.made, s.ops) = (2 * n, 2, 2, ops);
        if ops == 0 {
            return s.fail("ns_per_op", "the units counted no operation, or a word came over wrong");
        }
        s.row(rep, "ns_per_op", ns as f64 / ops as f64);
    }
    true
}

#[derive(Default)]
struct Passing {
    started: AtomicUsize,
    ended: AtomicUsize,
    last: AtomicUsize,
    passed: AtomicUsize,
    from: AtomicU64,
    to: AtomicU64,
}

async fn yield_side(pair: Arc<Passing>, me: usize, n: usize) {
    let warm = stamp() + WARM_UP_NS;
    while stamp() < warm {
        for _ in 0..64 {
            yield_now().await;
        }
    }
    pair.started.fetch_add(1, SeqCst);
    while pair.started.load(SeqCst) < 2 {
        yield_now().await;
    }
    let _ = pair.from.compare_exchange(0, stamp(), SeqCst, SeqCst);
    let mut mine = 0;
    for _ in 0..n {
        if pair.last.load(Relaxed) != me {
            pair.last.store(me, Relaxed);
            mine += 1;
        }
        yield_now().await;
    }
    pair.passed.fetch_add(mine, SeqCst);
    if pair.ended.fetch_add(1, SeqCst) == 0 {
        pair.to.store(stamp(), SeqCst);
    }
}

pub fn yields(o: &Options) -> bool {
    timed_pairs(o, "", |tasks, n| {
        let pair = Arc::new(Passing::default());
        let shared = pair.clone();
        run(tasks, async move {
            let sides = [1, 2].map(|me| tokio::spawn(yield_side(shared.clone(), me, n)));
            for side in sides {
                side.await.expect("a side panicked");
            }
        });
        (pair.to.load(SeqCst) - pair.from.load(SeqCst), pair.passed.load(SeqCst))
    })
}

const GAME_OVER: u64 = u64::MAX;

async fn pong(mut there: mpsc::Receiver<u64>, back: mpsc::Sender<u64>) -> usize {
    let mut words = 0;
    while let Some(word) = there.recv().await {
        if word == GAME_OVER {
            break;
        }
        back.send(word + 1).await.expect("the other side is gone");
        words += 1;
    }
    words
}

async fn ping(there: &mpsc::Sender<u64>, back: &mut mpsc::Receiver<u64>, words: usize) -> usize {
    let mut errors = 0;
    for i in 0..words as u64 {
        there.send(i).await.expect("the other side is gone");
        errors += usize::from(back.recv().await != Some(i + 1));
    }
    errors
}

/// Channels of one word: there is no rendezvous.
pub fn handover(o: &Options) -> bool {
    timed_pairs(o, if o.threads == 1 { "same" } else { "across" }, |tasks, n| {
        run(tasks, async move {
            let ((there, out), (home, mut back)) = (mpsc::channel(1), mpsc::channel(1));
            let other = tokio::spawn(pong(out, home));
            let (mut warmed, mut errors) = (0, 0);
            let warm = stamp() + WARM_UP_NS;
            while stamp() < warm {
                errors += ping(&there, &mut back, 64).await;
                warmed += 64;
            }
            let from = stamp();
            errors += ping(&there, &mut back, n).await;
            let ns = stamp() - from;
            there.send(GAME_OVER).await.expect("the other side is gone");
            let ops = n + other.await.expect("the other side panicked") - warmed;
            (ns, if errors > 0 { 0 } else { ops })
        })
    })
}

// ---- skynet --------------------------------------------------------------------------------------------------------

const CHILDREN: u64 = 10;

fn node(first: u64, size: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if size == 1 {
            return first;
        }
        let below = size / CHILDREN;
        let children: [JoinHandle<u64>; CHILDREN as usize] =
            std::array::from_fn(|i| tokio::spawn(node(first + i as u64 * below, below)));
        let mut sum = 0;
        for child in children {
            sum += child.await.expect("a child panicked");
        }
        sum
    })
}

fn sender(first: u64, size: u64, parent: mpsc::Sender<u64>) -> Pin<Box<dyn Future<Output = ()> + Send>> {
    Box::pin(async move {
        let mut sum = first;
        if size > 1 {
            let below = size / CHILDREN;
            let (to, mut from) = mpsc::channel(CHILDREN as usize);
            for i in 0..CHILDREN {
                tokio::spawn(sender(first + i * below, below, to.clone()));
            }
            sum = 0;
            for _ in 0..CHILDREN {
                sum += from.recv().await.expect("a child is gone");
            }
        }
        parent.send(sum).await.expect("the parent is gone");
    })
}

async fn skynet(n: u64, by_channel: bool) -> u64 {
    if !by_channel {
        return node(0, n).await;
    }
    let (to, mut from) = mpsc::channel(1);
    tokio::spawn(sender(0, n, to));
    from.recv().await.expect("the root is gone")
}

pub fn scale(o: &Options) -> bool {
    let by_channel = match o.variant.as_str() {
        "skynet" => false,
        "skynet-chan" => true,
        _ => crate::fail("--case=scale --variant: use skynet or skynet-chan"),
    };
    let n = if o.n == 0 { 1_000_000 } else { o.n as u64 };
    let (tasks, expected) = (runtime(o.threads), n * (n - 1) / 2);
    let mut s = sheet(o, &o.variant);
    s.n = n as usize;
    let mut level = n;
    s.ops = 1;
    while level > 1 {
        s.ops += level as usize;
        level /= CHILDREN;
    }
    for rep in 0..o.reps {
        let until = stamp() + 4 * WARM_UP_NS;
        while stamp() < until {
            run(&tasks, skynet(n, by_channel));
        }
        let from = stamp();
        let sum = run(&tasks, skynet(n, by_channel));
        let ns = stamp() - from;
        if sum != expected {
            return s.fail("ns_per_op", &format!("the result is {sum}, not {expected}"));
        }
        s.row(rep, "ns_per_op", ns as f64 / s.ops as f64);
    }
    true
}
