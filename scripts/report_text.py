"""What REPORT.md says in words that no run changes. Numbers in here are settings of the method, never results:
tests/unit/test_prose.py compares each with the source that sets it."""

TITLE = "# Gossamer: what a task costs, measured beside threads and fixed stacks"

QUESTION = """What does it cost to have, to start, to switch and to run a task of gossamer, next to one pthread per
task, a pool of pthreads, coroutines on fixed stacks, and gossamer's own scheduler on fixed stacks? How many can
there be, and what stops the others? A *unit* below is one independently running function of any contender: a task, a
thread, a coroutine."""

CLAIMS = """Each claim's test and threshold stand in one file, [benches/claims.toml](benches/claims.toml). A test
holds, or does not, if the whole interval lies on one side of the threshold; it is not resolved if it straddles it."""

RELATED = """\
- **Why tasks at all.** The Go FAQ's *Why goroutines instead of threads?* (go.dev/doc/faq#goroutines) is the
  claim that is tested here. Anderson, Bershad, Lazowska, Levy: *Scheduler Activations* (SOSP 1991) is why a
  blocked thread must not block the others; von Behren et al.: *Capriccio* (SOSP 2003) put servers on threads of
  small linked stacks.
- **Stacks.** Split stacks in gcc (gcc.gnu.org/wiki/SplitStacks, Taylor) are the check that gossamer keeps and
  the runtime that it replaces. Go gave them up for copied ones because of the hot split (Randall: *Contiguous
  stacks*, 2013). Leijen's libmprompt grows stacks in place, in virtual memory.
- **Scheduling.** Blumofe, Leiserson: *Scheduling Multithreaded Computations by Work Stealing* (1999); Frigo,
  Leiserson, Randall: *Cilk-5* (PLDI 1998); Vyukov: *Scalable Go Scheduler Design Doc* (2012).
- **Measuring.** Hoefler, Belli: *Scientific Benchmarking of Parallel Computing Systems* (SC 2015); Kalibera,
  Jones: *Rigorous Benchmarking in Reasonable Time* (ISMM 2013); Mytkowicz et al.: *Producing Wrong Data Without
  Doing Anything Obviously Wrong!* (ASPLOS 2009) and Curtsinger, Berger: *Stabilizer* (ASPLOS 2013) on link
  order and layout; Barrett et al.: *Virtual Machine Warmup Blows Hot and Cold* (OOPSLA 2017) on steady states;
  Bulej et al.: *Duet Benchmarking* (ICPE 2020) on arms side by side; Heiser's *Systems Benchmarking Crimes*."""

METHOD = """Every contender runs the same workload through one table of operations and counts the units that it
really made; the harness compares that with what it asked for. A contender that meets a limit is *stopped*: what it
had made stays in the figures, with the cause. Raw samples are in `rows.jsonl`; none is dropped.

The estimate of a quantity is the median over launches (processes) of each launch's median over its repetitions. Its
interval is a pair of order statistics over launches, which assumes nothing about the distribution. Memory per unit
is the least-squares slope over all sizes, so that fixed costs fall out. Ratios to gossamer are medians of the ratios
within each launch, with their own interval."""

TURNS = """Rows on one CPU (yield, hand-over, start + run + finish) are measured *in turns*: the processes of all
contenders, and gossamer once more as a control and once made slower on purpose, wait for a token and do
one repetition when they have it, in an order drawn anew each round; a ratio is that of two turns of one
round. Launches take in turn three programs that hold the same objects linked in different orders, and
each process starts with environment padding of random length. Between turns an *anchor*, a loop of
multiplications in registers, tells whether the processor itself was slower."""

MEMORY = """Units are made, park, and are counted and weighed while all of them are parked. Bytes per unit are the
slope of resident memory + page tables + kernel stack over the number of units; the three parts are given beside the
sum, and in brackets the proportional set size and the mappings that a unit adds. Resident memory and page tables are
read from the kernel; a kernel stack counts 16 KiB for each thread that was added."""

RETAINED = "What a contender keeps resident after all its units have ended, at its largest size:"

SPAWN = """From the first start to the end of the last unit, divided by their number. *Cold*: the first time in a
process, which includes first touch of all memory. *Warm*: the same again in the same process. The figure is for one
worker thread; the kernel may spread pthreads over all processors in any case. A line ends at the largest number that
was tried with its contender."""

SWITCH = """*Yield*: two units pass the processor to each other; the time is that of one passage. *Hand-over*: a word
goes from one unit to another, which was waiting for it, through the contender's own means. With *one CPU* the whole
process is bound to one; with *two CPUs* the contender may use both, but nothing forces the two units apart, whereas
the futex and pipe bounds are bound to one each. The bounds work without any scheduler of their own."""

CHECK = """The same functions compiled with and without `-fsplit-stack`. Instructions are counted under callgrind, as
the slope over two sizes, and are exact; times are measured. *Crossing* is a call whose frame does not fit the
nursery: it runs in a deep region and comes back."""

LIMITS = """- One machine, and where it is a virtual one, shared: absolute times move with the neighbours; ratios
  within a launch move less. Nothing here says how the ratios change on other processors.
- Code layout alone can move a short loop by several per cent. The real programs are linked in several orders of their
  functions, one for each launch; the other cases in few or one, where time differences of the check below about 5 %
  should not be read as its cost; the instruction counts can.
- Page tables and kernel stacks are counted; the kernel's other memory per thread (slab) is not, which favours
  threads.
- Two units that pass control do nothing else: caches stay warm, which favours everybody and the cheapest most.
- Contenders are configured as baselines/README.md says; other settings give other numbers."""

REPRODUCE = """`make setup bench` measures on this machine and writes a report about it. `make plots report
RESULTS=@DIR@` draws the figures and writes this file again from the raw data, without measuring; the result is the
same to the byte. `@DIR@/report.html` holds the same numbers to hover over and to filter."""
