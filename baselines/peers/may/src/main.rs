//! maybench measures the coroutines of may as gosbench measures its contenders: same options, same work, same rows
//! (results/README.md). scripts/bench.py starts it as the contenders `may` and `may-tuned` (README.md beside this).
mod block;
mod units;

use rows::{Case, Options};

const WORD: usize = std::mem::size_of::<usize>();
/// Of the tuned one: bytes of stack that suffice for the units of the suite, and, where units come and go, as many stacks
/// made beforehand as there are units at once.
const SMALL_STACK: usize = 8 << 10;
const CACHED: usize = 12_000;

/// Before the first coroutine: as many workers as gosbench has threads.
pub fn configure(o: &Options) {
    if o.threads == 1 {
        rows::pin_to_one_cpu();
    }
    let config = may::config();
    config.set_workers(o.threads);
    if o.tuned() {
        config.set_stack_size(SMALL_STACK / WORD);
    }
    if o.tuned() && matches!(o.case.as_str(), "spawn" | "scale") {
        config.set_pool_capacity(CACHED);
    }
    if o.depth > 0 {
        config.set_stack_size((o.depth * 2 + (64 << 10)) / WORD);
    }
}

fn main() {
    rows::main("maybench", &["may", "may-tuned"], &[
        Case { name: "descent", run: units::descent },
        Case { name: "handover", run: units::handover },
        Case { name: "lateness", run: block::lateness },
        Case { name: "memory", run: units::memory },
        Case { name: "progress", run: block::progress },
        Case { name: "scale", run: units::scale },
        Case { name: "spawn", run: units::spawn_units },
        Case { name: "timers", run: block::timers },
        Case { name: "yield", run: units::yields },
    ]);
}
