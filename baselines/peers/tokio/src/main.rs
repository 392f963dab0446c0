//! tokiobench measures Tokio's tasks as gosbench measures its contenders: same options, same work, same rows
//! (results/README.md). scripts/bench.py starts it as the contenders `tokio` and `tokio-tuned` (README.md beside this).
//!
//! Tasks are stackless: what they wait for they wait for in async functions all the way up.
mod block;
mod units;

use rows::Case;

fn main() {
    rows::main("tokiobench", &["tokio", "tokio-tuned"], &[
        Case { name: "handover", run: units::handover },
        Case { name: "lateness", run: block::lateness },
        Case { name: "memory", run: units::memory },
        Case { name: "progress", run: block::progress },
        Case { name: "scale", run: units::scale },
        Case { name: "spawn", run: units::spawn },
        Case { name: "timers", run: block::timers },
        Case { name: "yield", run: units::yields },
    ]);
}
