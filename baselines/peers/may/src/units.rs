//! Parked, started and switched coroutines, and programs of many, as one writes them for may.
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicU64, AtomicU8, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::Arc;

use may::coroutine::{spawn, yield_now, JoinHandle};
use may::sync::{mpmc, mpsc, spsc, Semphore, SyncFlag};
use rows::{stamp, stop, timed_pairs, Options, Sheet, CHILDREN, FAN, FAN_ROOM, WARM_UP_NS};

/// may's spawn is unsafe since a coroutine must not use thread-local storage, nor overrun its stack: none here does.
pub fn go<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> JoinHandle<T> {
    // SAFETY: see above.
    unsafe { spawn(work) }
}

/// Runs it as a coroutine and waits for its result.
pub fn run<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    go(work).join().expect("a coroutine panicked")
}

pub struct Latch {
    missing: AtomicUsize,
    complete: SyncFlag,
}

impl Latch {
    pub fn new(n: usize) -> Arc<Latch> {
        Arc::new(Latch { missing: AtomicUsize::new(n), complete: SyncFlag::new() })
    }

    pub fn done(&self) {
        if self.missing.fetch_sub(1, SeqCst) == 1 {
            self.complete.fire();
        }
    }

    pub fn wait(&self) {
        if self.missing.load(SeqCst) > 0 {
            self.complete.wait();
        }
    }
}

// ---- memory, spawn -------------------------------------------------------------------------------------------------

/// Every stack is two mappings, and may panics where it gets none: as many as there are.
fn spawn_parked(n: usize, ran: &Arc<AtomicUsize>, arrived: &Arc<Latch>, gate: &Arc<SyncFlag>, finished: &Arc<Latch>)
    -> usize {
    std::panic::set_hook(Box::new(|_| {}));
    for made in 0..n {
        let (ran, arrived, gate, finished) = (ran.clone(), arrived.clone(), gate.clone(), finished.clone());
        let spawned = catch_unwind(AssertUnwindSafe(|| go(move || {
            ran.fetch_add(1, Relaxed);
            arrived.done();
            gate.wait();
            finished.done();
        })));
        if spawned.is_err() {
            return made;
        }
    }
    n
}

pub fn memory(o: &Options) -> bool {
    crate::configure(o);
    let n = o.n;
    run(|| {});
    stop();
    let ran = Arc::new(AtomicUsize::new(0));
    let (arrived, finished, gate) = (Latch::new(n), Latch::new(n), Arc::new(SyncFlag::new()));
    let shared = (ran.clone(), arrived.clone(), gate.clone(), finished.clone());
    let made = run(move || spawn_parked(n, &shared.0, &shared.1, &shared.2, &shared.3));
    for _ in made..n {
        arrived.done();
        finished.done();
    }
    arrived.wait();
    stop();
    gate.fire();
    finished.wait();
    stop();
    let mut s = Sheet::new(o, "");
    (s.asked, s.made) = (n, ran.load(SeqCst));
    if made < n {
        s.stopped = format!("no stack for another one: {made} of two mappings each, vm.max_map_count is the bound");
    }
    s.row(0, "units", s.made as f64);
    true
}

pub fn spawn_units(o: &Options) -> bool {
    crate::configure(o);
    let marks: Arc<Vec<AtomicU8>> = Arc::new((0..o.n).map(|_| AtomicU8::new(0)).collect());
    rows::spawn_rounds(o, || {
        let shared = marks.clone();
        let ns = run(move || {
            for mark in shared.iter() {
                mark.store(0, Relaxed);
            }
            let finished = Latch::new(shared.len());
            let from = stamp();
            for i in 0..shared.len() {
                let (marks, finished) = (shared.clone(), finished.clone());
                go(move || {
                    marks[i].fetch_add(1, Relaxed);
                    finished.done();
                });
            }
            finished.wait();
            stamp() - from
        });
        (ns, marks.iter().map(|mark| mark.load(SeqCst) as usize).sum())
    })
}

// ---- two coroutines ------------------------------------------------------------------------------------------------

#[derive(Default)]
struct Passing {
    started: AtomicUsize,
    ended: AtomicUsize,
    last: AtomicUsize,
    passed: AtomicUsize,
    from: AtomicU64,
    to: AtomicU64,
}

fn yield_side(pair: &Passing, me: usize, n: usize) {
    let warm = stamp() + WARM_UP_NS;
    while stamp() < warm {
        for _ in 0..64 {
            yield_now();
        }
    }
    pair.started.fetch_add(1, SeqCst);
    while pair.started.load(SeqCst) < 2 {
        yield_now();
    }
    let _ = pair.from.compare_exchange(0, stamp(), SeqCst, SeqCst);
    let mut mine = 0;
    for _ in 0..n {
        if pair.last.load(Relaxed) != me {
            pair.last.store(me, Relaxed);
            mine += 1;
        }
        yield_now();
    }
    pair.passed.fetch_add(mine, SeqCst);
    if pair.ended.fetch_add(1, SeqCst) == 0 {
        pair.to.store(stamp(), SeqCst);
    }
}

pub fn yields(o: &Options) -> bool {
    crate::configure(o);
    timed_pairs(o, "", |n| {
        let pair = Arc::new(Passing::default());
        let shared = pair.clone();
        // From a coroutine: what comes from elsewhere waits until the worker has nothing of its own.
        run(move || {
            let sides = [1, 2].map(|me| {
                let pair = shared.clone();
                go(move || yield_side(&pair, me, n))
            });
            for side in sides {
                side.join().expect("a side panicked");
            }
        });
        (pair.to.load(SeqCst) - pair.from.load(SeqCst), pair.passed.load(SeqCst))
    })
}

const GAME_OVER: u64 = u64::MAX;

/// A way to pass words: may's channels have no bound, and there is no rendezvous.
struct Ways {
    send: Box<dyn Fn(u64) + Send>,
    receive: Box<dyn Fn() -> u64 + Send>,
}

/// Two ends of two channels: the general one, or, tuned, the one for a single sender.
fn ways(tuned: bool) -> (Ways, Ways) {
    if tuned {
        let ((a, b), (c, d)) = (spsc::channel(), spsc::channel());
        (Ways { send: Box::new(move |word| a.send(word).unwrap()), receive: Box::new(move || d.recv().unwrap()) },
         Ways { send: Box::new(move |word| c.send(word).unwrap()), receive: Box::new(move || b.recv().unwrap()) })
    } else {
        let ((a, b), (c, d)) = (mpsc::channel(), mpsc::channel());
        (Ways { send: Box::new(move |word| a.send(word).unwrap()), receive: Box::new(move || d.recv().unwrap()) },
         Ways { send: Box::new(move |word| c.send(word).unwrap()), receive: Box::new(move || b.recv().unwrap()) })
    }
}

fn ping(way: &Ways, words: usize) -> usize {
    (0..words as u64).map(|i| {
        (way.send)(i);
        usize::from((way.receive)() != i + 1)
    }).sum()
}

pub fn handover(o: &Options) -> bool {
    crate::configure(o);
    let tuned = o.tuned();
    timed_pairs(o, if o.threads == 1 { "same" } else { "across" }, |n| {
        run(move || {
            let (mine, theirs) = ways(tuned);
            let other = go(move || {
                let mut words = 0;
                loop {
                    let word = (theirs.receive)();
                    if word == GAME_OVER {
                        return words;
                    }
                    (theirs.send)(word + 1);
                    words += 1;
                }
            });
            let (mut warmed, mut errors) = (0, 0);
            let warm = stamp() + WARM_UP_NS;
            while stamp() < warm {
                errors += ping(&mine, 64);
                warmed += 64;
            }
            let from = stamp();
            errors += ping(&mine, n);
            let ns = stamp() - from;
            (mine.send)(GAME_OVER);
            let ops = n + other.join().expect("the other side panicked") - warmed;
            (ns, if errors > 0 { 0 } else { ops })
        })
    })
}

// ---- deep recursion ------------------------------------------------------------------------------------------------

const FRAME: usize = 64;
const WARM_CALLS: usize = 200_000;

#[inline(never)]
fn down(calls: usize, frame: &mut [usize; 3]) -> usize {
    let mut next = [calls, frame[0], frame[1]];
    if calls == 0 { 0 } else { down(std::hint::black_box(calls - 1), std::hint::black_box(&mut next)) + 1 }
}

/// On a stack that was made large enough, since it cannot grow.
pub fn descent(o: &Options) -> bool {
    crate::configure(o);
    let (calls, reps) = ((o.depth / FRAME).max(1), o.reps);
    let each = calls + 1;
    let times = WARM_CALLS / each + 1;
    let (first, warm, made) = run(move || {
        let from = stamp();
        let mut made = down(calls, &mut [0; 3]);
        let first = stamp() - from;
        let warm: Vec<u64> = (0..reps).map(|_| {
            let from = stamp();
            made += (0..times).map(|_| down(calls, &mut [0; 3])).sum::<usize>();
            stamp() - from
        }).collect();
        (first, warm, made)
    });
    let mut s = Sheet::new(o, "first").depth();
    (s.n, s.asked, s.made, s.ops) = (each, 1, 1, each);
    if made != calls * (1 + times * reps) {
        return s.fail("ns_per_op", &format!("the recursion made {made} calls"));
    }
    s.row(0, "ns_per_op", first as f64 / each as f64);
    (s.variant, s.ops) = ("warm", each * times);
    for (rep, ns) in warm.iter().enumerate() {
        s.row(rep, "ns_per_op", *ns as f64 / s.ops as f64);
    }
    true
}

// ---- programs of many ----------------------------------------------------------------------------------------------

fn node(first: u64, size: u64) -> u64 {
    if size == 1 {
        return first;
    }
    let below = size / CHILDREN;
    let children: [JoinHandle<u64>; CHILDREN as usize] =
        std::array::from_fn(|i| go(move || node(first + i as u64 * below, below)));
    children.into_iter().map(|child| child.join().expect("a child panicked")).sum()
}

fn sender(first: u64, size: u64, parent: &mpsc::Sender<u64>) {
    let mut sum = first;
    if size > 1 {
        let below = size / CHILDREN;
        let (to, from) = mpsc::channel();
        for i in 0..CHILDREN {
            let to = to.clone();
            go(move || sender(first + i * below, below, &to));
        }
        sum = (0..CHILDREN).map(|_| from.recv().expect("a child is gone")).sum();
    }
    parent.send(sum).expect("the parent is gone");
}

/// A channel of many receivers has no bound here, so a semaphore holds the feeder back.
fn fan(n: u64) -> u64 {
    let ((out, words), (back, results)) = (mpmc::channel(), mpsc::channel());
    let room = Arc::new(Semphore::new(FAN_ROOM));
    for _ in 0..FAN {
        let (words, back, room) = (words.clone(), back.clone(), room.clone());
        go(move || {
            while let Ok(word) = words.recv() {
                room.post();
                back.send(word + 1).expect("the sum is gone");
            }
        });
    }
    go(move || {
        for i in 0..n {
            room.wait();
            out.send(i).expect("the fan is gone");
        }
    });
    (0..n).map(|_| results.recv().expect("the fan is gone")).sum()
}

pub fn scale(o: &Options) -> bool {
    crate::configure(o);
    let program: fn(u64) -> u64 = match o.variant.as_str() {
        "skynet" => |n| node(0, n),
        "skynet-chan" => |n| {
            let (to, from) = mpsc::channel();
            go(move || sender(0, n, &to));
            from.recv().expect("the root is gone")
        },
        "fan" => fan,
        _ => rows::fail("--case=scale --variant: use skynet, skynet-chan or fan"),
    };
    rows::programs(o, |n| run(move || program(n)))
}
