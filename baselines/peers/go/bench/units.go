package main

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	sampleNs = 10_000_000 // a timed sample
	warmUpNs = 5_000_000  // as gosbench
	pilotOps = 1000
)

var begin = time.Now()

// For intervals: the runtime's clock, without a system call.
func stamp() int64 { return int64(time.Since(begin)) }

// ---- memory ----------------------------------------------------------------------------------------------------

var procBuffer [1 << 20]byte

// Reads a file of /proc without help of the runtime, so that reading changes as little as can be.
func procText(path string) []byte {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer syscall.Close(fd)
	total := 0
	for total < len(procBuffer) {
		n, err := syscall.Read(fd, procBuffer[total:])
		if n <= 0 || err != nil {
			break
		}
		total += n
	}
	return procBuffer[:total]
}

func procNumber(text []byte, key string) float64 {
	at := bytes.Index(text, []byte(key))
	if at < 0 {
		return 0
	}
	value := 0.0
	for _, c := range text[at+len(key):] {
		if c >= '0' && c <= '9' {
			value = value*10 + float64(c-'0')
		} else if value > 0 || c == '\n' {
			break
		}
	}
	return value
}

// Says that memory may be read now, and waits until it has been (results/README.md, memory).
func stopForReading() {
	fmt.Println("stop")
	standardInput.ReadString('\n')
}

// Why spawning has to stop; "": it can go on.
func stopper(seconds int) func() string {
	left := func() float64 { return procNumber(procText("/proc/meminfo"), "MemAvailable:") }
	atStart, end := left(), stamp()+int64(seconds)*int64(time.Second)
	return func() string {
		if left() < atStart/5 {
			return fmt.Sprintf("safety stop: 80 %% of the %.1f GiB of free memory are used", atStart/(1<<20))
		} else if stamp() > end {
			return fmt.Sprintf("time cap: spawning took longer than %d s", seconds)
		}
		return ""
	}
}

func caseMemory(o *options) bool {
	s := newSheet(o, "")
	var arrived, finished sync.WaitGroup
	var ran int64
	gate := make(chan struct{})
	stopForReading()
	why, stop := "", stopper(o.cap)
	for i := 0; i < o.n && why == ""; i++ {
		if i%1024 == 0 {
			why = stop()
		}
		arrived.Add(1)
		finished.Add(1)
		go func() {
			atomic.AddInt64(&ran, 1)
			arrived.Done()
			<-gate
			finished.Done()
		}()
	}
	arrived.Wait()
	stopForReading()
	close(gate)
	finished.Wait()
	stopForReading()
	s.Asked, s.Made = o.n, int(ran)
	if why != "" {
		s.Status, s.Why = "stopped", why
	}
	s.row(0, "units", float64(ran))
	return true
}

// ---- spawn -----------------------------------------------------------------------------------------------------

func marking(mark *byte, finished *sync.WaitGroup) {
	*mark++
	finished.Done()
}

// Nanoseconds for one round.
func spawnRound(marks []byte) int64 {
	var finished sync.WaitGroup
	for i := range marks {
		marks[i] = 0
	}
	finished.Add(len(marks))
	from := stamp()
	for i := range marks {
		go marking(&marks[i], &finished)
	}
	finished.Wait()
	return stamp() - from
}

func caseSpawn(o *options) bool {
	if o.threads == 1 {
		pinToOneCPU()
	}
	marks := make([]byte, o.n)
	for rep := -1; rep < o.reps && o.turnComes(); rep++ {
		s := newSheet(o, "warm")
		s.Asked = o.n
		if rep < 0 {
			s.Variant = "cold"
		}
		for warm := stamp() + warmUpNs; rep >= 0 && stamp() < warm; s.Asked += o.n {
			spawnRound(marks)
		}
		ns := spawnRound(marks)
		ran := 0
		for _, mark := range marks {
			ran += int(mark)
		}
		if ran != o.n {
			return s.without("failed", "ns_per_op", "%d of %d units did their work", ran, o.n)
		}
		s.Made, s.Ops = s.Asked, o.n
		s.row(max(rep, 0), "ns_per_op", float64(ns)/float64(o.n))
	}
	return true
}

// ---- two goroutines ------------------------------------------------------------------------------------------

// Runs pair(n), which gives nanoseconds and operations, as often as asked, with n for about sampleNs.
func timedPairs(o *options, variant string, pair func(n int) (int64, int)) bool {
	if o.threads == 1 {
		pinToOneCPU()
	}
	n := o.n
	if n == 0 {
		ns, _ := pair(pilotOps)
		n = max(pilotOps, int(float64(sampleNs)*pilotOps/float64(ns+1)))
	}
	for rep := 0; rep < o.reps && o.turnComes(); rep++ {
		ns, ops := pair(n)
		s := newSheet(o, variant)
		s.N, s.Asked, s.Made, s.Ops = 2*n, 2, 2, ops
		if ops == 0 {
			return s.without("failed", "ns_per_op", "the units counted no operation")
		}
		s.row(rep, "ns_per_op", float64(ns)/float64(ops))
	}
	return true
}

func yieldPair(n int) (int64, int) {
	var started, ended, passed int64
	var last, from, to int64
	var finished sync.WaitGroup
	finished.Add(2)
	side := func(me int64) {
		for warm := stamp() + warmUpNs; stamp() < warm; {
			for i := 0; i < 64; i++ {
				runtime.Gosched()
			}
		}
		atomic.AddInt64(&started, 1)
		for atomic.LoadInt64(&started) < 2 {
			runtime.Gosched()
		}
		atomic.CompareAndSwapInt64(&from, 0, stamp())
		mine := int64(0)
		for i := 0; i < n; i++ {
			if last != me { // one thread: no atomics needed
				last = me
				mine++
			}
			runtime.Gosched()
		}
		atomic.AddInt64(&passed, mine)
		if atomic.AddInt64(&ended, 1) == 1 {
			to = stamp()
		}
		finished.Done()
	}
	go side(1)
	go side(2)
	finished.Wait()
	return to - from, int(passed)
}

func caseYield(o *options) bool { return timedPairs(o, "", yieldPair) }

const gameOver = ^uint64(0)

func pong(there, back chan uint64) int {
	words := 0
	for {
		word := <-there
		if word == gameOver {
			return words
		}
		back <- word + 1
		words++
	}
}

func ping(there, back chan uint64, words int) (errors int) {
	for i := 0; i < words; i++ {
		there <- uint64(i)
		if <-back != uint64(i)+1 {
			errors++
		}
	}
	return errors
}

// apart: each side locked to a thread that is bound to its own CPU.
func handover(n int, apart bool) (int64, int) {
	there, back := make(chan uint64), make(chan uint64)
	words := make(chan int)
	cpus := allowedCPUs()
	go func() {
		if apart {
			runtime.LockOSThread() // not unlocked: the thread ends with the goroutine
			bindThread(0, cpus[0])
		}
		words <- pong(there, back)
	}()
	result := make(chan [2]int64)
	go func() {
		if apart {
			runtime.LockOSThread()
			bindThread(0, cpus[len(cpus)-1])
		}
		warmed, errors := 0, 0
		for warm := stamp() + warmUpNs; stamp() < warm; warmed += 64 {
			errors += ping(there, back, 64)
		}
		from := stamp()
		errors += ping(there, back, n)
		ns := stamp() - from
		there <- gameOver
		ops := n + <-words - warmed
		if errors > 0 {
			ops = 0
		}
		result <- [2]int64{ns, int64(ops)}
	}()
	done := <-result
	return done[0], int(done[1])
}

func caseHandover(o *options) bool {
	variant := o.variant
	if variant == "" {
		variant = map[bool]string{true: "same", false: "across"}[o.threads == 1]
	}
	return timedPairs(o, variant, func(n int) (int64, int) { return handover(n, variant == "pinned") })
}
