//! Rows, the clock, and what the kernel says about the process.
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::sync::{LazyLock, Mutex};
use std::time::Instant;

pub struct Options {
    pub case: String,
    /// Units, operations a sample, or what the case says; 0: chosen so that a sample takes about 20 ms.
    pub n: usize,
    pub threads: usize,
    pub reps: usize,
    pub launch: usize,
    pub variant: String,
    pub rows: Option<String>,
    /// A repetition begins when standard input says so.
    pub lockstep: bool,
}

impl Options {
    /// Before a repetition (docs/ADDING-A-CONTENDER.md). False: no more are wanted.
    pub fn turn_comes(&self) -> bool {
        if !self.lockstep {
            return true;
        }
        println!("ready");
        std::io::stdin().read_line(&mut String::new()).is_ok_and(|bytes| bytes > 0)
    }
}

static ROWS: Mutex<Option<File>> = Mutex::new(None);

pub fn to(path: Option<&str>) {
    if let Some(path) = path {
        match OpenOptions::new().append(true).create(true).open(path) {
            Ok(file) => *ROWS.lock().unwrap() = Some(file),
            Err(error) => crate::fail(&format!("--rows={path}: {error}")),
        }
    }
}

/// What the rows of one measurement share; the names are those of results/README.md.
pub struct Sheet<'a> {
    pub options: &'a Options,
    pub variant: &'a str,
    pub n: usize,
    pub asked: usize,
    pub made: usize,
    pub ops: usize,
}

impl Sheet<'_> {
    fn put(&self, rep: usize, metric: &str, value: Option<f64>, status: &str, why: &str) {
        let value = value.map_or("null".to_string(), |value| value.to_string());
        let line = format!(
            "{{\"case\":\"{}\",\"contender\":\"tokio\",\"variant\":\"{}\",\"n\":{},\"threads\":{},\"launch\":{},\
             \"rep\":{rep},\"metric\":\"{metric}\",\"value\":{value},\"units_asked\":{},\"units_made\":{},\"ops\":{},\
             \"status\":\"{status}\",\"why\":\"{why}\"}}\n",
            self.options.case, self.variant, self.n, self.options.threads, self.options.launch, self.asked, self.made,
            self.ops);
        match ROWS.lock().unwrap().as_mut() {
            Some(file) => file.write_all(line.as_bytes()).expect("the rows cannot be written"),
            None => print!("{line}"),
        }
    }

    pub fn row(&self, rep: usize, metric: &str, value: f64) {
        self.put(rep, metric, Some(value), "ok", "");
    }

    pub fn fail(&self, metric: &str, why: &str) -> bool {
        eprintln!("tokiobench: FAILED: {}: {why}", self.options.case);
        self.put(0, metric, None, "failed", why);
        false
    }
}

/// Nanoseconds since the first call.
pub fn stamp() -> u64 {
    static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
    BEGIN.elapsed().as_nanos() as u64
}

#[derive(Clone, Copy)]
pub struct Usage {
    pub rss: f64,
    pub pte: f64,
    pub pss: f64,
    pub threads: f64,
    pub mappings: f64,
}

fn number_behind(text: &str, key: &str) -> f64 {
    text.lines().find_map(|line| line.strip_prefix(key))
        .and_then(|rest| rest.split_whitespace().next()).and_then(|word| word.parse().ok()).unwrap_or(0.0)
}

pub fn usage() -> Usage {
    let read = |path| fs::read_to_string(path).unwrap_or_default();
    let status = read("/proc/self/status");
    Usage {
        rss: number_behind(&status, "VmRSS:") * 1024.0,
        pte: number_behind(&status, "VmPTE:") * 1024.0,
        threads: number_behind(&status, "Threads:"),
        pss: number_behind(&read("/proc/self/smaps_rollup"), "Pss:") * 1024.0,
        mappings: read("/proc/self/maps").lines().count() as f64,
    }
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
