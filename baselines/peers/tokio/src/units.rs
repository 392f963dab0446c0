//! The cases, as one writes them for Tokio.
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, AtomicU8, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::{mpsc, Notify, Semaphore};
use tokio::task::{yield_now, JoinHandle};

use rows::{pin_to_one_cpu, stamp, stop, timed_pairs, Options, Sheet, CHILDREN, FAN, FAN_ROOM, WARM_UP_NS};

/// Of the tuned one: polls of tasks between two looks at the drivers, which have nothing to say here.
const SELDOM: u32 = 1024;

/// Threads for calls that block: as many as the suite has such calls at once, and more than by default.
const MOST_BLOCKING: usize = 2048;

/// One thread: the runtime that has no other; more: workers that steal.
pub fn runtime(o: &Options) -> Runtime {
    let mut builder = if o.threads == 1 {
        pin_to_one_cpu();
        Builder::new_current_thread()
    } else {
        Builder::new_multi_thread()
    };
    if o.tuned() {
        builder.event_interval(SELDOM).global_queue_interval(SELDOM);
    }
    if matches!(o.case.as_str(), "lateness" | "timers") {
        builder.enable_time(); // where it is needed: a round of the scheduler then looks at it as well
    }
    builder.worker_threads(o.threads).max_blocking_threads(MOST_BLOCKING).build()
        .unwrap_or_else(|error| rows::fail(&format!("no runtime: {error}")))
}

/// Starts a task. The tuned ones have no budget of operations, so that none goes round by the scheduler for fairness.
pub fn go<T: Send + 'static>(tuned: bool, future: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
    if tuned { tokio::spawn(tokio::task::unconstrained(future)) } else { tokio::spawn(future) }
}

/// Runs the future as a task, so that on several threads it is a worker that runs it.
pub fn run<T: Send + 'static>(runtime: &Runtime, future: impl Future<Output = T> + Send + 'static) -> T {
    runtime.block_on(async { tokio::spawn(future).await.expect("a task panicked") })
}

pub struct Latch {
    missing: AtomicUsize,
    complete: Notify,
}

impl Latch {
    pub fn new(n: usize) -> Arc<Latch> {
        Arc::new(Latch { missing: AtomicUsize::new(n), complete: Notify::new() })
    }

    pub fn done(&self) {
        if self.missing.fetch_sub(1, SeqCst) == 1 {
            self.complete.notify_one();
        }
    }

    pub async fn wait(&self) {
        if self.missing.load(SeqCst) > 0 {
            self.complete.notified().await;
        }
    }
}

// ---- memory, spawn -------------------------------------------------------------------------------------------------

pub fn memory(o: &Options) -> bool {
    let (n, tasks) = (o.n, runtime(o));
    run(&tasks, async {});
    stop();
    let ran = Arc::new(AtomicUsize::new(0));
    let (arrived, finished, gate) = (Latch::new(n), Latch::new(n), Arc::new(Semaphore::new(0)));
    let shared = (ran.clone(), arrived.clone(), finished.clone(), gate.clone());
    run(&tasks, async move {
        for _ in 0..n {
            let (ran, arrived, finished, gate) = shared.clone();
            tokio::spawn(async move {
                ran.fetch_add(1, Relaxed);
                arrived.done();
                let _ = gate.acquire().await; // closed in the end
                finished.done();
            });
        }
        shared.1.wait().await;
        yield_now().await;
    });
    stop();
    gate.close();
    run(&tasks, async move { finished.wait().await });
    stop();
    let mut s = Sheet::new(o, "");
    (s.asked, s.made) = (n, ran.load(SeqCst));
    s.row(0, "units", s.made as f64);
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
    let tasks = runtime(o);
    let marks: Arc<Vec<AtomicU8>> = Arc::new((0..o.n).map(|_| AtomicU8::new(0)).collect());
    rows::spawn_rounds(o, || {
        let ns = run(&tasks, spawn_round(marks.clone()));
        (ns, marks.iter().map(|mark| mark.load(SeqCst) as usize).sum())
    })
}

// ---- two tasks -----------------------------------------------------------------------------------------------------

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
    let (tasks, tuned) = (runtime(o), o.tuned());
    timed_pairs(o, "", |n| {
        let pair = Arc::new(Passing::default());
        let shared = pair.clone();
        run(&tasks, async move {
            let sides = [1, 2].map(|me| go(tuned, yield_side(shared.clone(), me, n)));
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
    let (tasks, tuned) = (runtime(o), o.tuned());
    timed_pairs(o, if o.threads == 1 { "same" } else { "across" }, |n| {
        run(&tasks, async move {
            let ((there, out), (home, mut back)) = (mpsc::channel(1), mpsc::channel(1));
            let other = go(tuned, pong(out, home));
            let side = go(tuned, async move {
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
                (ns, warmed, errors)
            });
            let (ns, warmed, errors) = side.await.expect("a side panicked");
            let ops = n + other.await.expect("the other side panicked") - warmed;
            (ns, if errors > 0 { 0 } else { ops })
        })
    })
}

// ---- programs of many ----------------------------------------------------------------------------------------------

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

/// Of several receivers only the channels of others know: async-channel is the usual one.
async fn fan(n: u64) -> u64 {
    let ((out, words), (back, mut results)) = (async_channel::bounded(FAN_ROOM), mpsc::channel(FAN_ROOM));
    for _ in 0..FAN {
        let (words, back) = (words.clone(), back.clone());
        tokio::spawn(async move {
            while let Ok(word) = words.recv().await {
                back.send(word + 1).await.expect("the sum is gone");
            }
        });
    }
    tokio::spawn(async move {
        for i in 0..n {
            out.send(i).await.expect("the fan is gone");
        }
    });
    let mut sum = 0;
    for _ in 0..n {
        sum += results.recv().await.expect("the fan is gone");
    }
    sum
}

async fn skynet_by_channel(n: u64) -> u64 {
    let (to, mut from) = mpsc::channel(1);
    tokio::spawn(sender(0, n, to));
    from.recv().await.expect("the root is gone")
}

pub fn scale(o: &Options) -> bool {
    let tasks = runtime(o);
    match o.variant.as_str() {
        "skynet" => rows::programs(o, |n| run(&tasks, node(0, n))),
        "skynet-chan" => rows::programs(o, |n| run(&tasks, skynet_by_channel(n))),
        "fan" => rows::programs(o, |n| run(&tasks, fan(n))),
        _ => rows::fail("--case=scale --variant: use skynet, skynet-chan or fan"),
    }
}
