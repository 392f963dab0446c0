//! What the programs of the Rust peers share: gosbench's options, rows, the clock, and where memory is read.
use std::fs::{File, OpenOptions};
use std::io::{PipeReader, PipeWriter, Write};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed, Ordering::SeqCst};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

/// As gosbench: a timed sample, the warm-up before it, and a short run from which its length comes.
pub const SAMPLE_NS: u64 = 10_000_000;
pub const WARM_UP_NS: u64 = 5_000_000;
pub const PILOT_OPS: usize = 1000;

pub struct Options {
    pub case: String,
    pub contender: String,
    /// Units, operations a sample, or what the case says; 0: chosen so that a sample takes about 10 ms.
    pub n: usize,
    pub threads: usize,
    pub reps: usize,
    pub launch: usize,
    pub depth: usize,
    pub seed: u64,
    pub variant: String,
    /// A repetition begins when standard input says so.
    lockstep: bool,
}

impl Options {
    /// Whether the contender is the second of the two: the same, tuned.
    pub fn tuned(&self) -> bool {
        self.contender.ends_with("-tuned")
    }

    /// Before a repetition (docs/ADDING-A-CONTENDER.md). False: no more are wanted.
    fn turn_comes(&self) -> bool {
        if !self.lockstep {
            return true;
        }
        println!("ready");
        std::io::stdin().read_line(&mut String::new()).is_ok_and(|bytes| bytes > 0)
    }
}

pub struct Case {
    pub name: &'static str,
    pub run: fn(&Options) -> bool,
}

static PROGRAM: Mutex<&str> = Mutex::new("");
static ROWS: Mutex<Option<File>> = Mutex::new(None);

/// One line and exit status 2: the command line is wrong.
pub fn fail(message: &str) -> ! {
    eprintln!("{}: {message}", *PROGRAM.lock().unwrap());
    std::process::exit(2)
}

fn number(name: &str, text: &str) -> usize {
    text.parse().unwrap_or_else(|_| fail(&format!("--{name}={text}: use a whole number")))
}

fn parse(contenders: &[&str]) -> Options {
    let mut o = Options {
        case: String::new(), contender: contenders[0].to_string(), n: 0, threads: 1, reps: 5, launch: 0, depth: 0,
        seed: 1, variant: String::new(), lockstep: false,
    };
    for argument in std::env::args().skip(1) {
        if argument == "--lockstep" {
            o.lockstep = true;
            continue;
        }
        let (name, value) = argument.strip_prefix("--").and_then(|rest| rest.split_once('='))
            .unwrap_or_else(|| fail(&format!("'{argument}': options are --NAME=VALUE")));
        match name {
            "case" => o.case = value.to_string(),
            "contender" if contenders.contains(&value) => o.contender = value.to_string(),
            "n" => o.n = number(name, value),
            "threads" => o.threads = number(name, value),
            "reps" => o.reps = number(name, value),
            "launch" => o.launch = number(name, value),
            "depth" => o.depth = number(name, value),
            "seed" => o.seed = number(name, value) as u64,
            "variant" => o.variant = value.to_string(),
            "rows" => rows_to(value),
            "cap" | "json" => {}
            _ => fail(&format!("--{name}={value}: no such option, or no such value for it")),
        }
    }
    o
}

fn rows_to(path: &str) {
    match OpenOptions::new().append(true).create(true).open(path) {
        Ok(file) => *ROWS.lock().unwrap() = Some(file),
        Err(error) => fail(&format!("--rows={path}: {error}")),
    }
}

/// A program's main: runs the case that its command line names.
pub fn main(program: &'static str, contenders: &[&str], cases: &[Case]) {
    *PROGRAM.lock().unwrap() = program;
    let o = parse(contenders);
    let names: Vec<&str> = cases.iter().map(|case| case.name).collect();
    let case = cases.iter().find(|case| case.name == o.case)
        .unwrap_or_else(|| fail(&format!("--case is one of {}", names.join(", "))));
    let ok = (case.run)(&o);
    // Not by way of destructors: parked units may be left.
    std::process::exit(i32::from(!ok));
}

/// What the rows of one measurement share; the names are those of results/README.md.
pub struct Sheet<'a> {
    pub options: &'a Options,
    pub variant: &'a str,
    pub n: usize,
    pub asked: usize,
    pub made: usize,
    pub ops: usize,
    /// Why a limit ended it early; empty: none did.
    pub stopped: String,
    extra: String,
}

impl<'a> Sheet<'a> {
    pub fn new(options: &'a Options, variant: &'a str) -> Self {
        Sheet { options, variant, n: options.n, asked: 0, made: 0, ops: 0, stopped: String::new(), extra: String::new() }
    }

    pub fn depth(mut self) -> Self {
        self.extra = format!(",\"depth\":{}", self.options.depth);
        self
    }

    fn put(&self, rep: usize, metric: &str, value: Option<f64>, more: &str, status: &str, why: &str) {
        let (o, value) = (self.options, value.map_or("null".to_string(), |value| value.to_string()));
        let line = format!(
            "{{\"case\":\"{}\",\"contender\":\"{}\",\"variant\":\"{}\",\"n\":{},\"threads\":{},\"launch\":{},\
             \"rep\":{rep},\"metric\":\"{metric}\",\"value\":{value}{more},\"units_asked\":{},\"units_made\":{},\
             \"ops\":{},\"status\":\"{status}\",\"why\":\"{why}\"}}\n",
            o.case, o.contender, self.variant, self.n, o.threads, o.launch, self.asked, self.made, self.ops);
        match ROWS.lock().unwrap().as_mut() {
            Some(file) => file.write_all(line.as_bytes()).expect("the rows cannot be written"),
            None => print!("{line}"),
        }
    }

    pub fn row(&self, rep: usize, metric: &str, value: f64) {
        let status = if self.stopped.is_empty() { "ok" } else { "stopped" };
        self.put(rep, metric, Some(value), &self.extra, status, &self.stopped);
    }

    /// A distribution: its median as the value, all of it beside.
    pub fn samples(&self, rep: usize, metric: &str, values: &[u64]) {
        let words: Vec<String> = values.iter().map(u64::to_string).collect();
        self.put(rep, metric, Some(median(values)), &format!(",\"samples\":[{}]", words.join(",")), "ok", "");
    }

    pub fn fail(&self, metric: &str, why: &str) -> bool {
        eprintln!("{}: FAILED: {}: {why}", *PROGRAM.lock().unwrap(), self.options.case);
        self.put(0, metric, None, &self.extra, "failed", why);
        false
    }
}

pub fn median(values: &[u64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    match sorted.len() {
        0 => 0.0,
        n => (sorted[(n - 1) / 2] + sorted[n / 2]) as f64 / 2.0,
    }
}

/// Nanoseconds since the first call.
pub fn stamp() -> u64 {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGIN.elapsed().as_nanos() as u64
}

/// Says that memory may be read now, and waits until it has been (results/README.md, memory).
pub fn stop() {
    println!("stop");
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// Runs `pair` (nanoseconds and operations), with n for about SAMPLE_NS, as often as asked.
pub fn timed_pairs(o: &Options, variant: &str, pair: impl Fn(usize) -> (u64, usize)) -> bool {
    let n = if o.n > 0 {
        o.n
    } else {
        let (ns, _) = pair(PILOT_OPS);
        PILOT_OPS.max((SAMPLE_NS as f64 * PILOT_OPS as f64 / (ns + 1) as f64) as usize)
    };
    for rep in (0..o.reps).take_while(|_| o.turn_comes()) {
        let (ns, ops) = pair(n);
        let mut s = Sheet::new(o, variant);
        (s.n, s.asked, s.made, s.ops) = (2 * n, 2, 2, ops);
        if ops == 0 {
            return s.fail("ns_per_op", "the units counted no operation, or a word came over wrong");
        }
        s.row(rep, "ns_per_op", ns as f64 / ops as f64);
    }
    true
}

/// Rounds of `n` units; `round` gives its nanoseconds and how many did their work.
pub fn spawn_rounds(o: &Options, round: impl Fn() -> (u64, usize)) -> bool {
    for rep in (0..=o.reps).take_while(|_| o.turn_comes()) {
        let mut s = Sheet::new(o, if rep == 0 { "cold" } else { "warm" });
        s.asked = o.n;
        let until = stamp() + WARM_UP_NS;
        while rep > 0 && stamp() < until {
            round();
            s.asked += o.n;
        }
        let (ns, ran) = round();
        if ran != o.n {
            return s.fail("ns_per_op", &format!("{ran} of {} units did their work", o.n));
        }
        (s.made, s.ops) = (s.asked, o.n);
        s.row(rep.saturating_sub(1), "ns_per_op", ns as f64 / o.n as f64);
    }
    true
}

pub const CHILDREN: u64 = 10;
pub const FAN: usize = 100;
pub const FAN_ROOM: usize = 64;

/// A program of many units, proved by its result.
pub fn programs(o: &Options, run: impl Fn(u64) -> u64) -> bool {
    let fan = o.variant == "fan";
    let n = match (o.n, fan) { (0, true) => 100_000, (0, false) => 1_000_000, (n, _) => n as u64 };
    let mut s = Sheet::new(o, &o.variant);
    (s.n, s.ops) = (n as usize, n as usize);
    if !fan {
        let mut level = n;
        s.ops = 1;
        while level > 1 {
            s.ops += level as usize;
            level /= CHILDREN;
        }
    }
    let expected = if fan { n * (n + 1) / 2 } else { n * (n - 1) / 2 };
    for rep in 0..o.reps {
        let until = stamp() + 4 * WARM_UP_NS;
        while stamp() < until {
            run(n);
        }
        let from = stamp();
        let result = run(n);
        let ns = stamp() - from;
        if result != expected {
            return s.fail("ns_per_op", &format!("the result is {result}, not {expected}"));
        }
        s.row(rep, "ns_per_op", ns as f64 / s.ops as f64);
    }
    true
}

/// Sleeps of the lateness case: nanoseconds and how many.
pub const SLEEPS: [(u64, usize); 4] = [(50_000, 201), (100_000, 201), (1_000_000, 101), (10_000_000, 21)];

/// Delays of the timers case, drawn as benches/case_timers.c draws them.
pub struct Delays(pub u64);

impl Delays {
    const LEAST_NS: u64 = 2_000_000_000;
    const SPREAD_NS: u64 = 1_000_000_000;

    pub fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        Self::LEAST_NS + (self.0 >> 33) % Self::SPREAD_NS
    }
}

/// How late every so-manieth timer is kept: about a thousand of them.
pub fn kept_every(n: usize) -> usize {
    (n / 1000).max(1)
}

/// A piece of work of about a microsecond.
pub fn piece(mut x: u64) -> u64 {
    for _ in 0..700 {
        x = std::hint::black_box(x.wrapping_mul(6364136223846793005).wrapping_add(1));
    }
    x
}

extern "C" {
    fn sched_getaffinity(pid: i32, size: usize, set: *mut u64) -> i32;
    fn sched_setaffinity(pid: i32, size: usize, set: *const u64) -> i32;
}

/// Binds the calling thread, and those that it will start, to the highest CPU that it may use.
pub fn pin_to_one_cpu() {
    let mut set = [0u64; 16];
    let size = std::mem::size_of_val(&set);
    // SAFETY: both calls get the size of the set that they get.
    unsafe {
        if sched_getaffinity(0, size, set.as_mut_ptr()) != 0 {
            return;
        }
        let word = set.iter().rposition(|&word| word != 0).unwrap_or(0);
        let highest = 63 - set[word].max(1).leading_zeros();
        set = [0; 16];
        set[word] = 1 << highest;
        sched_setaffinity(0, size, set.as_ptr());
    }
}

// ---- what blocking costs others: as benches/case_progress.c --------------------------------------------------------

/// A counter on a cache line of its own.
#[derive(Default)]
#[repr(align(64))]
pub struct Counter(pub AtomicU64);

const BIN: Duration = Duration::from_millis(10);
const WARM_BINS: usize = 10;
const BEFORE_BINS: usize = 15;
const BLOCKED_BINS: usize = 15;
const MOST_ENTERING_BINS: usize = 150;
const PATIENCE: usize = 20;
const SETTLING_BINS: usize = 2;

/// What `conduct` counted: pieces of work a second in each bin, from which bin on all that could had blocked, and how
/// many had.
pub struct Bins {
    bins: Vec<u64>,
    from: usize,
    entered: usize,
    pieces: u64,
}

fn sum(work: &[Counter]) -> u64 {
    work.iter().map(|counter| counter.0.load(Relaxed)).sum()
}

fn bin(work: &[Counter]) -> u64 {
    let (before, from) = (sum(work), stamp());
    std::thread::sleep(BIN);
    ((sum(work) - before) as f64 * 1e9 / (stamp() - from) as f64) as u64
}

/// On a thread that no contender can hold up: counts work, has units block, counts again.
pub fn conduct(o: &Options, work: &[Counter], entered: &AtomicUsize, block: impl FnOnce()) -> Bins {
    for _ in 0..WARM_BINS {
        bin(work);
    }
    let mut bins: Vec<u64> = (0..BEFORE_BINS).map(|_| bin(work)).collect();
    block();
    let (mut seen, mut since) = (0, 0);
    for _ in 0..MOST_ENTERING_BINS {
        bins.push(bin(work));
        let now = entered.load(SeqCst);
        since = if now != seen { 0 } else { since + 1 };
        seen = now;
        if now == o.n || since >= PATIENCE {
            break;
        }
    }
    bins.extend((0..SETTLING_BINS).map(|_| bin(work)));
    let (from, entered) = (bins.len(), entered.load(SeqCst));
    bins.extend((0..BLOCKED_BINS).map(|_| bin(work)));
    Bins { bins, from, entered, pieces: sum(work) }
}

/// What the blocking calls read from.
pub struct Pipe {
    pub reader: PipeReader,
    writer: PipeWriter,
}

impl Pipe {
    /// Lets n readers go on.
    pub fn release(&mut self, n: usize) {
        self.writer.write_all(&vec![0; n]).expect("the pipe cannot be written");
    }
}

extern "C" {
    fn read(fd: i32, buffer: *mut u8, size: usize) -> isize;
}

/// The plain system call.
pub fn read_byte(fd: i32) {
    let mut byte = 0;
    // SAFETY: there is room for the one byte.
    while unsafe { read(fd, &mut byte, 1) } != 1 {}
}

pub fn progress(o: &Options, once: impl Fn(&Options, &mut Pipe) -> Bins) -> bool {
    for rep in 0..o.reps {
        let (reader, writer) = std::io::pipe().unwrap_or_else(|error| fail(&format!("no pipe: {error}")));
        let found = once(o, &mut Pipe { reader, writer });
        let mut s = Sheet::new(o, "");
        let units = 2 * o.threads + o.n;
        (s.asked, s.made, s.ops) = (units, units, found.pieces as usize);
        s.row(rep, "work_before", median(&found.bins[..BEFORE_BINS]));
        s.row(rep, "work_blocked", median(&found.bins[found.from..]));
        s.row(rep, "units_blocked", found.entered as f64);
        s.row(rep, "blocked_from_bin", found.from as f64);
        s.samples(rep, "work_in_bin", &found.bins);
    }
    true
}

/// Whether units compute beside the one that sleeps.
pub fn sleeps_busy(o: &Options) -> bool {
    match o.variant.as_str() {
        "own" => false,
        "own-busy" => true,
        _ => fail("--case=lateness --variant: use own or own-busy"),
    }
}

/// The rows of n timers that have all fired.
pub fn timers(o: &Options, took: u64, early: usize, fired: usize, late: &[u64]) -> bool {
    let mut s = Sheet::new(o, &o.variant);
    (s.asked, s.made, s.ops) = (o.n, fired, o.n);
    s.row(0, "ns_per_op", took as f64 / o.n as f64);
    s.samples(0, "late_ns", late);
    s.row(0, "fired_early", early as f64);
    s.row(0, "units", fired as f64);
    fired == o.n
}
