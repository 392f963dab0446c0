"""Why another contender is better than gossamer in a quantity, and what would close it: the one place for both.

An entry names quantities by a pattern (as report_losses.py calls them) and contenders; a loss without an entry stands
in the report as not explained, and tests/unit/test_report.py fails on it for the committed run.
"""
import re

STACKLESS = ("tokio", "tokio-tuned", "cxx20", "cxx20-pool")
FIXED = ("fixed", "fixed-bare", "gossamer-fixed")
# Units of one thread that share nothing with another: no lock, no stealing, no preemption.
LIBRARIES = ("fcontext", "st", "st-small", "boost-fiber-pool")
MILLISECONDS = ("go", "tokio", "erlang", "java")

REASONS = (
    ("bytes per parked unit", STACKLESS,
     "a stackless task is the variables that live across its wait; ours keeps a whole stack, of 768 bytes",
     "packing cold tasks (gossamer-cold), which takes them below all of these once they have waited for long"),
    ("bytes per parked unit", ("gossamer-cold",),
     "it packs tasks that have been parked for half a second", "nothing: it is gossamer with GOS_DEBUG=cold"),
    ("spawn, .*", ("cxx20", "cxx20-pool"),
     "a coroutine is started by filling in its frame; ours gets a stack, registers and a place in a queue that "
     "others may "
     "steal from", "nothing found: the switches to the task and back are most of what is left"),
    ("most units parked", STACKLESS,
     "where memory is the limit, a smaller unit goes farther", "packing cold tasks, as above"),
    ("spawn, .*", ("gossamer-fixed", "pool", "tbb", "fixed", "fixed-bare", "fcontext"),
     "a unit that ends at once touches the same few lines, whichever stack it has, and a job has none", "nothing to "
     "close"),
    ("yield, one way", (*FIXED, *STACKLESS),
     "one thread and one queue, without atomics: no door that other threads may take the worker at, no slice that ends",
     "an exchange with the next of the own queue that does not pass the scheduler"),
    ("(hand-over, .*|ring on .*)", (*FIXED, *STACKLESS, *LIBRARIES),
     "their channel is plain memory of one thread; ours may be used by all threads, so a word passes its lock, the "
     "list "
     "of waiters and a queue that others steal from",
     "a hand-over that goes straight to the receiver, as long as one thread has both"),
    ("fan on .*", ("fixed-bare", "st", "st-small", "fcontext"),
     "a hundred units share two channels, and each word wakes one of them", "waking fewer: one wake for several words"),
    ("(skynet|skynet-chan|tree) on .*", (*FIXED, *LIBRARIES),
     "one thread starts and joins without atomics", "join counts that stay with one worker"),
    ("hand-off of a worker, (first|raw)", ("pthread", "pthread-min"),
     "the kernel itself sees a thread block; a monitor has to notice it, which takes it some 50 µs of looking",
     "gos_block_begin round the call, or a kernel that tells when a thread blocks"),
    ("hand-off of a worker, posix", ("go",),
     "Go owns its descriptors: each is registered once and does not wait; what a program opens may be anybody's, so "
     "ours asks by a call that must not wait and, for what is no socket, arms the descriptor at each park",
     "registrations that are kept for pipes as well (docs/decisions/0010)"),
    ("sleep of .*", ("go", "pthread", "gossamer-fixed", "java", "may"),
     "what is asked of the kernel's timer is the same; its slack and who else is awake decide", "nothing found"),
    ("wake-up by an event, .*", ("pthread", "go"),
     "the kernel wakes the one thread that waits for the descriptor; ours wakes a poller, which readies the task",
     "a poll of its own for a task that is alone"),
    ("timers .*, (processor time of one|to start)", (*MILLISECONDS, "java-tuned", "erlang-tuned", "tokio-tuned"),
     "each timer is met within microseconds, by a thread that spins for the next; these count in milliseconds and "
     "fire many "
     "at a time, that much late", "slack that the program allows, so that timers that are due together share a wake"),
    ("timers .*, memory of all", (*MILLISECONDS, "java-tuned", "erlang-tuned", "tokio-tuned"),
     "what sleeps is the variables of a stackless task, or an entry of a heap; a task of ours keeps its stack",
     "timers (gos_timer_new) in the place of tasks that sleep, and packing"),
    ("memory of a unit .*", ("go", "fixed", "gossamer-fixed", "pthread", "fixed-bare"),
     "a task that is parked deep holds a region of whole pages, where a stack that was copied to grow, or is one "
     "block, "
     "holds what it touched", "regions smaller than a page at their start"),
    ("recursion of .*, the first time", ("fixed", "pthread", "gossamer-fixed", "go", "java", "may", "erlang"),
     "leaving the nursery borrows a region, once, and beyond 124 KiB a large one; their stack is there already, or "
     "the pages "
     "of a new one are faulted in by larger steps", "a region lent at the start to functions that are known to go "
     "deep"),
    ("recursion of .*, again", ("go", "java", "java-tuned", "erlang", "erlang-tuned"),
     "another compiler's code of the same recursion: its time per call is as low where no stack changes",
     "nothing here: calls cost what the C compiler makes of them"),
    ("recursion of .*, again", ("fixed", "gossamer-fixed", "pthread", "may"),
     "each descent crosses to a region, and beyond 124 KiB to a second one, and is then as fast as theirs",
     "regions that grow to the depth a function had before"),
    ("server, .* latency, 99 %", ("epoll", "libuv", "tokio", "go", "pthread"),
     "not found yet: some requests wait much longer where wrk's load begins as soon as the server has started; hardly "
     "where it begins half a second later, and not with the client of the open loops",
     "knowing what the server does in its first moments"),
    ("server, .*", ("epoll", "libuv", "tokio"),
     "a loop learns of many requests by one call and answers them one after the other; ours wakes a task for each, "
     "which "
     "reads, writes and asks once more", "answering from the poller's batch, without a try that finds nothing"),
    ("server, .*", ("erlang", "erlang-tuned"),
     "its emulator parses HTTP itself, in the driver of the socket, as the bytes arrive",
     "parsing where the bytes arrive, before a task is woken"),
    ("server at .*", ("epoll", "go", "pthread"),
     "at a share of the weakest server's rate the tail is queueing on one CPU, which a cheaper request shortens",
     "the processor time of a request, as above"),
    ("server, .*", ("pthread", "go"),
     "with few connections the thread that waits for a socket is woken by the kernel itself, without a poller between",
     "a blocking read for a task that is alone on its worker"),
    ("a lock, by .*", ("go", "pthread"),
     "an atomic instruction to take it and one to leave it are all there is; Go's are compiled into the caller where "
     "ours are calls, and the kernel lets one thread go on for long while the others of a crowd sleep",
     "a lock of plain memory, biased to the worker that uses it"),
    ("slowdown of others by .*", ("pthread", "pthread-min", "go"),
     "who blocked was a competitor for the processors before, and a yield among fewer threads is cheaper; those of "
     "ours "
     "keep what they had", "nothing for a few; for 1,000 threads to be started sooner, by the monitor"),
    ("slowdown of others by .*", ("tokio", "tokio-tuned", "java", "java-tuned", "may", "may-tuned"),
     "the call is told to the runtime beforehand, so that it goes to a thread made for it", "gos_block_begin does "
     "the same"),
)


def reason(what, contender):
    """(why, what would close it), or None: not known yet."""
    return next(((why, close) for pattern, names, why, close in REASONS
                 if contender in names and re.fullmatch(pattern, what)), None)
