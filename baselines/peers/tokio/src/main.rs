//! tokiobench measures Tokio's tasks as gosbench measures its contenders: same options, same work, same rows
//! (results/README.md). scripts/bench.py starts it as the contender `tokio`.
//!
//! Tasks are stackless: what they wait for they wait for in async functions all the way up.
mod rows;
mod units;

use rows::Options;

fn fail(message: &str) -> ! {
    eprintln!("tokiobench: {message}");
    std::process::exit(2)
}

fn number(name: &str, text: &str) -> usize {
    text.parse().unwrap_or_else(|_| fail(&format!("--{name}={text}: use a whole number")))
}

fn parse() -> Options {
    let mut o = Options { case: String::new(), n: 0, threads: 1, reps: 5, launch: 0, variant: String::new(), rows: None,
                          lockstep: false };
    for argument in std::env::args().skip(1) {
        if argument == "--lockstep" {
            o.lockstep = true;
            continue;
        }
        let (name, value) = argument.strip_prefix("--").and_then(|rest| rest.split_once('='))
            .unwrap_or_else(|| fail(&format!("'{argument}': options are --NAME=VALUE")));
        match name {
            "case" => o.case = value.to_string(),
            "contender" if value == "tokio" => {}
            "n" => o.n = number(name, value),
            "threads" => o.threads = number(name, value),
            "reps" => o.reps = number(name, value),
            "launch" => o.launch = number(name, value),
            "variant" => o.variant = value.to_string(),
            "rows" => o.rows = Some(value.to_string()),
            "cap" | "seed" | "json" => {}
            _ => fail(&format!("--{name}={value}: no such option, or no such value for it")),
        }
    }
    o
}

fn main() {
    let o = parse();
    rows::to(o.rows.as_deref());
    let run: fn(&Options) -> bool = match o.case.as_str() {
        "memory" => units::memory,
        "spawn" => units::spawn,
        "yield" => units::yields,
        "handover" => units::handover,
        "scale" => units::scale,
        _ => fail("--case is one of handover, memory, scale, spawn, yield"),
    };
    if !run(&o) {
        std::process::exit(1);
    }
}
