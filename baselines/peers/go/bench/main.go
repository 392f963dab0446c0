// gobench measures goroutines as gosbench measures its contenders: same options, same work, same rows
// (results/README.md). Standard library only. scripts/bench.py starts it as the contender `go`.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"runtime/debug"
	"sort"
	"strings"
	"syscall"
	"unsafe"
)

type options struct {
	name     string // of the case
	n        int    // units, operations a sample, or what the case says; 0: chosen so that a sample takes about 20 ms
	threads  int
	reps     int
	launch   int
	cap      int
	seed     int64
	variant  string
	depth    int
	source   string // gosbench, for events from outside the process
	lockstep bool   // a repetition begins when standard input says so
}

var standardInput = bufio.NewReader(os.Stdin)

// Before a repetition (docs/ADDING-A-CONTENDER.md). False: no more are wanted.
func (o *options) turnComes() bool {
	if !o.lockstep {
		return true
	}
	fmt.Println("ready")
	_, err := standardInput.ReadString('\n')
	return err == nil
}

var cases = map[string]func(*options) bool{
	"memory": caseMemory, "spawn": caseSpawn, "yield": caseYield, "handover": caseHandover, "depth": caseDepth,
	"descent": caseDescent, "burst": caseBurst,
	"progress": caseProgress, "handoff": caseHandoff, "lateness": caseLateness, "wakeup": caseWakeup,
	"scale": caseScale, "sync": caseSync, "timers": caseTimers,
}

func fail(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "gobench: "+format+"\n", args...)
	os.Exit(2)
}

func caseNames() string {
	names := make([]string, 0, len(cases))
	for name := range cases {
		names = append(names, name)
	}
	sort.Strings(names)
	return strings.Join(names, ", ")
}

type cpuSet [1024 / 64]uint64

// The CPUs that the process could use at first.
var atFirst = affinity()

func affinity() (set cpuSet) {
	syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(set), uintptr(unsafe.Pointer(&set)))
	return set
}

// Starts a child that may use all of these, on a thread that is bound again afterwards.
func startUnbound(child *exec.Cmd) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	set := affinity()
	setAffinity(0, &atFirst)
	defer setAffinity(0, &set)
	return child.Start()
}

func setAffinity(tid int, set *cpuSet) {
	syscall.RawSyscall(syscall.SYS_SCHED_SETAFFINITY, uintptr(tid), unsafe.Sizeof(*set), uintptr(unsafe.Pointer(set)))
}

func allowedCPUs() []int {
	set := affinity()
	var cpus []int
	for cpu := 0; cpu < len(set)*64; cpu++ {
		if set[cpu/64]&(1<<(cpu%64)) != 0 {
			cpus = append(cpus, cpu)
		}
	}
	return cpus
}

func bindThread(tid, cpu int) {
	var set cpuSet
	set[cpu/64] = 1 << (cpu % 64)
	setAffinity(tid, &set)
}

// Binds every thread of the process, and so those that they start, to the highest CPU that it may use.
func pinToOneCPU() {
	cpus := allowedCPUs()
	for range [2]int{} { // again, for a thread started meanwhile
		entries, _ := os.ReadDir("/proc/self/task")
		for _, entry := range entries {
			tid := 0
			fmt.Sscan(entry.Name(), &tid)
			bindThread(tid, cpus[len(cpus)-1])
		}
	}
}

func main() {
	var o options
	var contender, rows, json string
	flag.StringVar(&o.name, "case", "", "what to measure")
	flag.StringVar(&contender, "contender", "go", "go, or go-nogc: without garbage collection")
	flag.IntVar(&o.n, "n", 0, "units, or operations a sample")
	flag.IntVar(&o.threads, "threads", 1, "GOMAXPROCS; with 1 the process is bound to one CPU")
	flag.IntVar(&o.reps, "reps", 5, "repetitions")
	flag.IntVar(&o.launch, "launch", 0, "number of this process, for its rows")
	flag.IntVar(&o.cap, "cap", 60, "spawning stops after this many seconds")
	flag.Int64Var(&o.seed, "seed", 1, "of what is drawn")
	flag.IntVar(&o.depth, "depth", 0, "bytes of stack to touch (depth, descent, burst)")
	flag.StringVar(&o.variant, "variant", "", "of the case")
	flag.StringVar(&o.source, "source", "", "path of gosbench (wakeup)")
	flag.StringVar(&rows, "rows", "", "file to append rows to")
	flag.StringVar(&json, "json", "", "not used")
	flag.BoolVar(&o.lockstep, "lockstep", false, "a repetition for each line of standard input")
	flag.Parse()
	run, known := cases[o.name]
	if !known || flag.NArg() > 0 {
		fail("--case is one of %s, and nothing follows the options", caseNames())
	}
	if contender == "go-nogc" {
		debug.SetGCPercent(-1)
	} else if contender != "go" {
		fail("--contender=%s: use go or go-nogc", contender)
	}
	rowsTo(rows, contender)
	runtime.GOMAXPROCS(o.threads)
	if !run(&o) {
		os.Exit(1)
	}
}
