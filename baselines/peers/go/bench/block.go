package main

// What blocking costs others: the counterparts of case_progress.c and case_latency.c.

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"
)

const steps = 700 // of a piece of work, about 1 us

var sink uint64

type workCount struct {
	n    uint64
	rest [56]byte // a line of its own
}

func piece(x uint64) uint64 {
	for i := 0; i < steps; i++ {
		x = x*6364136223846793005 + 1
	}
	return x
}

// A piece of work, then the others' turn, until it is to end.
func working(mine *workCount, end *int32, finished *sync.WaitGroup) {
	x := uint64(uintptr(unsafe.Pointer(mine)))
	for atomic.LoadInt32(end) == 0 {
		x = piece(x)
		atomic.StoreUint64(&mine.n, mine.n+1)
		runtime.Gosched()
	}
	atomic.AddUint64(&sink, x)
	finished.Done()
}

// The scheduler is told, as by every system call of Go's library, but nothing polls.
func rawRead(fd int) {
	var b [1]byte
	for {
		n, _, _ := syscall.Syscall(syscall.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b)), 1)
		if n == 1 {
			return
		}
	}
}

func blockingPipe() [2]int {
	var fd [2]int
	if err := syscall.Pipe2(fd[:], syscall.O_CLOEXEC); err != nil {
		fail("no pipe: %v", err)
	}
	return fd
}

// ---- progress ----------------------------------------------------------------------------------------------------

const (
	binTime                              = 10 * time.Millisecond
	warmBins, beforeBins, blockedBins    = 10, 15, 15 // as case_progress.c
	mostEnteringBins, patience, settling = 150, 20, 2
)

type conductor struct {
	work    []workCount
	entered int64
	bins    []int64
}

func (c *conductor) sum() (sum uint64) {
	for i := range c.work {
		sum += atomic.LoadUint64(&c.work[i].n)
	}
	return sum
}

// Sleeps in the kernel, on the thread that conducts, so that no timer of the runtime is in between.
func (c *conductor) bin(keep bool) {
	before, from := c.sum(), clock()
	t := syscall.NsecToTimespec(int64(binTime))
	syscall.Nanosleep(&t, nil)
	if keep {
		c.bins = append(c.bins, int64(float64(c.sum()-before)*1e9/float64(clock()-from)))
	}
}

func (c *conductor) waitForEntries(blockers int) {
	seen := int64(0)
	for i, since := 0, 0; i < mostEnteringBins && since < patience; i, since = i+1, since+1 {
		c.bin(true)
		entered := atomic.LoadInt64(&c.entered)
		if entered == int64(blockers) {
			return
		}
		if entered != seen {
			since = 0
		}
		seen = entered
	}
}

func caseProgress(o *options) bool {
	for rep := 0; rep < o.reps; rep++ {
		fd := blockingPipe()
		c := conductor{work: make([]workCount, 2*o.threads)}
		var finished sync.WaitGroup
		var end int32
		finished.Add(len(c.work) + o.n)
		runtime.LockOSThread()
		for i := range c.work {
			go working(&c.work[i], &end, &finished)
		}
		for i := 0; i < warmBins; i++ {
			c.bin(false)
		}
		for i := 0; i < beforeBins; i++ {
			c.bin(true)
		}
		for i := 0; i < o.n; i++ {
			go func() {
				atomic.AddInt64(&c.entered, 1)
				rawRead(fd[0])
				finished.Done()
			}()
		}
		c.waitForEntries(o.n)
		for i := 0; i < settling; i++ {
			c.bin(true)
		}
		from, entered := len(c.bins), atomic.LoadInt64(&c.entered)
		for i := 0; i < blockedBins; i++ {
			c.bin(true)
		}
		atomic.StoreInt32(&end, 1)
		for i := 0; i < o.n; i++ {
			syscall.Write(fd[1], []byte{0})
		}
		finished.Wait()
		syscall.Close(fd[0])
		syscall.Close(fd[1])
		s := newSheet(o, "")
		s.Asked, s.Made, s.Ops = len(c.work)+o.n, len(c.work)+int(c.entered), int(c.sum())
		s.row(rep, "work_before", medianOf(c.bins[:beforeBins]))
		s.row(rep, "work_blocked", medianOf(c.bins[from:]))
		s.row(rep, "units_blocked", float64(entered))
		s.row(rep, "blocked_from_bin", float64(from))
		s.samples(rep, "work_in_bin", c.bins)
	}
	return true
}

// ---- handoff ---------------------------------------------------------------------------------------------------

const handoffs, mostBusyNs = 301, 100000

func caseHandoff(o *options) bool {
	if o.variant == "" {
		o.variant = "raw"
	}
	s := newSheet(o, o.variant)
	s.N = handoffs
	if o.variant == "hint" {
		return s.without("not-run", "latency_ns", "every system call of Go's library is a hint: see raw")
	}
	pinToOneCPU()
	for rep := 0; rep < o.reps; rep++ {
		s.Asked, s.Made, s.Ops = 2, 2, handoffs
		s.samples(rep, "latency_ns", handoffOnce(o))
	}
	return true
}

func handoffOnce(o *options) []int64 {
	reader, writer, err := os.Pipe()
	if err != nil {
		fail("no pipe: %v", err)
	}
	fd := blockingPipe()
	samples := make([]int64, 0, handoffs)
	var armed int32
	var called int64
	var finished sync.WaitGroup
	finished.Add(2)
	go func() { // calls
		random := uint64(o.seed)
		var b [1]byte
		for i := 0; i < handoffs; i++ {
			random = random*6364136223846793005 + 1442695040888963407
			for until := stamp() + int64(random>>33)%mostBusyNs; stamp() < until; {
			}
			called = stamp()
			atomic.StoreInt32(&armed, 1)
			if o.variant == "posix" {
				reader.Read(b[:])
			} else {
				rawRead(fd[0])
			}
			runtime.Gosched()
		}
		finished.Done()
	}()
	go func() { // waits for its turn
		for i := 0; i < handoffs; i++ {
			for atomic.LoadInt32(&armed) == 0 {
				runtime.Gosched()
			}
			samples = append(samples, stamp()-called)
			atomic.StoreInt32(&armed, 0)
			if o.variant == "posix" {
				writer.Write([]byte{0})
			} else {
				syscall.Write(fd[1], []byte{0})
			}
		}
		finished.Done()
	}()
	finished.Wait()
	reader.Close()
	writer.Close()
	syscall.Close(fd[0])
	syscall.Close(fd[1])
	return samples
}

// ---- lateness ----------------------------------------------------------------------------------------------------

const hogs, hogsSleep = 1000, 1000000

func hogging(end *int32, finished *sync.WaitGroup) {
	x := uint64(1)
	for atomic.LoadInt32(end) == 0 {
		x = piece(x)
	}
	atomic.AddUint64(&sink, x)
	finished.Done()
}

func caseLateness(o *options) bool {
	posix, busy := strings.HasPrefix(o.variant, "posix"), strings.HasSuffix(o.variant, "-busy")
	beside := 0
	if strings.HasSuffix(o.variant, "-hogs") {
		beside = hogs
	}
	for rep := 0; rep < o.reps; rep++ {
		for _, sleep := range []struct{ ns, times int }{{50000, 201}, {100000, 201}, {1000000, 101}, {10000000, 21}} {
			if beside > 0 && sleep.ns != hogsSleep {
				continue
			}
			samples := make([]int64, sleep.times)
			var work [64]workCount
			var end int32
			var finished sync.WaitGroup
			finished.Add(beside)
			for i := 0; i < beside; i++ {
				go hogging(&end, &finished)
			}
			for i := 0; busy && i < o.threads; i++ {
				finished.Add(1)
				go working(&work[i], &end, &finished)
			}
			finished.Add(1)
			go func() {
				t := syscall.NsecToTimespec(int64(sleep.ns))
				for i := range samples {
					from := stamp()
					if posix {
						// The runtime's own signals, by which it preempts, end a sleep early.
						for left := t; syscall.Nanosleep(&left, &left) == syscall.EINTR; {
						}
					} else {
						time.Sleep(time.Duration(sleep.ns))
					}
					samples[i] = stamp() - from
				}
				atomic.StoreInt32(&end, 1)
				finished.Done()
			}()
			finished.Wait()
			s := newSheet(o, o.variant)
			s.N, s.Asked, s.Made, s.Ops = sleep.ns, 1, 1, sleep.times
			s.samples(rep, "sleep_ns", samples)
		}
	}
	return true
}

// ---- wakeup ------------------------------------------------------------------------------------------------------

const events, warmEvents, eventsASecond = 800, 50, 2000

// Words from gosbench in a process of its own, on the other CPU.
func eventsByPipe(o *options, samples []int64) error {
	source := exec.Command(o.source, fmt.Sprint("--events=", len(samples)), fmt.Sprint("--n=", o.n),
		fmt.Sprint("--seed=", o.seed))
	pipe, err := source.StdoutPipe()
	if err == nil {
		err = startUnbound(source)
	}
	if err != nil {
		return err
	}
	for i := range samples {
		var word [8]byte
		if _, err := pipe.Read(word[:]); err != nil {
			return err
		}
		samples[i] = clock() - int64(binary.LittleEndian.Uint64(word[:]))
	}
	return source.Wait()
}

func caseWakeup(o *options) bool {
	if o.n == 0 {
		o.n = eventsASecond
	}
	s := newSheet(o, o.variant)
	if !strings.HasPrefix(o.variant, "pipe") {
		return s.without("not-run", "latency_ns", "Go has no threads but its own: see pipe")
	}
	if o.source == "" {
		fail("--case=wakeup needs --source, the path of gosbench")
	}
	if len(allowedCPUs()) < 2 {
		return s.without("not-run", "latency_ns", "needs two CPUs, the process may use one")
	}
	pinToOneCPU()
	for rep := 0; rep < o.reps; rep++ {
		var work workCount
		var end int32
		var finished sync.WaitGroup
		samples := make([]int64, events+warmEvents)
		done := make(chan error)
		go func() { done <- eventsByPipe(o, samples) }()
		if strings.HasSuffix(o.variant, "-busy") {
			finished.Add(1)
			go working(&work, &end, &finished)
		}
		err := <-done
		atomic.StoreInt32(&end, 1)
		finished.Wait()
		if err != nil {
			return s.without("failed", "latency_ns", "events: %v", err)
		}
		s.Asked, s.Made, s.Ops = 1, 1, len(samples)
		s.samples(rep, "latency_ns", samples[warmEvents:])
	}
	return true
}
