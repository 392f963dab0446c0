package main

import (
	"math"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"
)

// The cases of stacks in use, as benches/case_depth.c: the same recursion, counted, through frames of about 64 bytes.

const (
	warmCalls   = 200000
	keptBytes   = 16 << 10
	unitsInWave = 500
	periodMs    = 40
)

func down(calls int, bottom func()) int { return downBy(calls, bottom, 0, 0, 0, 0) }

// The unused arguments make the frame as large as the others' is: they have their places in it, and cost nothing.
//
//go:noinline
func downBy(calls int, bottom func(), a, b, c, d int) int {
	if calls == 0 {
		if bottom != nil {
			bottom()
		}
		return 0
	}
	return downBy(calls-1, bottom, a, b, c, d) + 1
}

// Bytes of stack that a call of down takes.
func downFrame() int {
	var at [2]uintptr
	down(1000, nil) // the stack has grown: it does not move below
	for i := range at {
		down(i+1, func() {
			var here byte
			at[i] = uintptr(unsafe.Pointer(&here))
		})
	}
	return int(at[0] - at[1])
}

func callsFor(bytes int) int {
	if bytes == 0 {
		return 0
	}
	return max(1, bytes/downFrame())
}

func caseDepth(o *options) bool {
	s := newSheet(o, "at")
	s.Depth = &o.depth
	after := o.variant == "after"
	if after {
		s.Variant = "after"
	}
	var arrived, finished sync.WaitGroup
	var ran, reached int64
	gate := make(chan struct{})
	calls := callsFor(o.depth)
	park := func() {
		arrived.Done()
		<-gate
	}
	stopForReading()
	arrived.Add(o.n)
	finished.Add(o.n)
	for i := 0; i < o.n; i++ {
		go func() {
			atomic.AddInt64(&ran, 1)
			if calls > 0 && after {
				atomic.AddInt64(&reached, int64(down(calls, nil)))
			} else if calls > 0 {
				atomic.AddInt64(&reached, int64(down(calls, park)))
			}
			if calls == 0 || after {
				park()
			}
			finished.Done()
		}()
	}
	arrived.Wait()
	stopForReading()
	close(gate)
	finished.Wait()
	s.Asked, s.Made = o.n, int(ran)
	if int(reached) != calls*o.n {
		return s.without("failed", "rss_bytes", "the units made %d calls instead of %d", reached, calls*o.n)
	}
	s.row(0, "units", float64(ran))
	return true
}

func caseDescent(o *options) bool {
	s := newSheet(o, "first")
	calls := callsFor(o.depth)
	each := calls + 1
	times := warmCalls/each + 1
	s.Depth, s.N, s.Ops, s.Asked, s.Made = &o.depth, each, each, 1, 1
	made := 0
	var first int64
	warm := make([]int64, o.reps)
	var finished sync.WaitGroup
	finished.Add(1)
	go func() {
		from := stamp()
		made += down(calls, nil)
		first = stamp() - from
		for i := range warm {
			from = stamp()
			for k := 0; k < times; k++ {
				made += down(calls, nil)
			}
			warm[i] = stamp() - from
		}
		finished.Done()
	}()
	finished.Wait()
	if made != calls*(1+times*o.reps) {
		return s.without("failed", "ns_per_op", "the recursion made %d calls", made)
	}
	s.row(0, "ns_per_op", float64(first)/float64(each))
	s.Variant, s.Ops = "warm", each*times
	for i, ns := range warm {
		s.row(i, "ns_per_op", float64(ns)/float64(each*times))
	}
	return true
}

type moment struct {
	at    int64
	rss   float64
	phase int32
}

var phaseNames = []string{"spawn", "shallow", "burst", "after", "second", "deep", "over"}

// Samples resident memory until the phase is the last one.
func watch(phase *int32, moments *[]moment, over *sync.WaitGroup) {
	for {
		at := atomic.LoadInt32(phase)
		if int(at) == len(phaseNames)-1 {
			break
		}
		*moments = append(*moments, moment{stamp(), residentBytes(), at})
		time.Sleep(periodMs * time.Millisecond)
	}
	over.Done()
}

type wave struct {
	start, rise [2]chan struct{}
	deep, risen [2]sync.WaitGroup
}

// Read by the process itself: the other cases stop for it.
func residentBytes() float64 { return procNumber(procText("/proc/self/status"), "VmRSS:") * 1024 }

func caseBurst(o *options) bool {
	s := newSheet(o, "")
	s.Depth = &o.depth
	var phase int32
	var reached int64
	moments := make([]moment, 0, 4000)
	deepCalls, keptCalls := callsFor(o.depth), callsFor(keptBytes)
	waves := make([]wave, (o.n+unitsInWave-1)/unitsInWave)
	for i := range waves {
		for round := 0; round < 2; round++ {
			waves[i].start[round], waves[i].rise[round] = make(chan struct{}), make(chan struct{})
		}
	}
	var arrived, finished, over sync.WaitGroup
	gate := make(chan struct{})
	downAndUp := func(w *wave, round int) {
		calls := down(deepCalls, func() {
			w.deep[round].Done()
			<-w.rise[round]
		})
		atomic.AddInt64(&reached, int64(calls))
	}
	unit := func(i int) {
		w := &waves[i/unitsInWave]
		arrived.Done()
		<-w.start[0]
		downAndUp(w, 0)
		w.risen[0].Done()
		<-w.start[1]
		if i%2 == 0 {
			atomic.AddInt64(&reached, int64(down(keptCalls, func() {
				downAndUp(w, 1)
				w.risen[1].Done()
				<-gate
			})))
		} else {
			w.deep[1].Done()
			w.risen[1].Done()
			<-gate
		}
		finished.Done()
	}
	enter := func(next int32, hold time.Duration) {
		atomic.StoreInt32(&phase, next)
		time.Sleep(hold * time.Millisecond)
	}
	runWaves := func(round int) {
		for i := range waves {
			close(waves[i].start[round])
			waves[i].deep[round].Wait()
			close(waves[i].rise[round])
			waves[i].risen[round].Wait()
		}
	}
	before := residentBytes()
	over.Add(1)
	go watch(&phase, &moments, &over)
	arrived.Add(o.n)
	finished.Add(o.n)
	for i := 0; i < o.n; i++ {
		for round := 0; round < 2; round++ {
			waves[i/unitsInWave].deep[round].Add(1)
			waves[i/unitsInWave].risen[round].Add(1)
		}
	}
	for i := 0; i < o.n; i++ {
		go unit(i)
	}
	arrived.Wait()
	enter(1, 400)
	enter(2, 0)
	runWaves(0)
	enter(3, 1500)
	enter(4, 0)
	runWaves(1)
	enter(5, 2500)
	enter(6, 0)
	over.Wait()
	close(gate)
	finished.Wait()
	s.Asked, s.Made = o.n, o.n
	if wanted := o.n*deepCalls + (o.n+1)/2*(deepCalls+keptCalls); int(reached) != wanted {
		return s.without("failed", "rss_bytes", "the units made %d calls instead of %d", reached, wanted)
	}
	for i, m := range moments {
		at := float64(m.at-moments[0].at) / 1e6
		s.Variant, s.AtMs = phaseNames[m.phase], &at
		s.row(i, "rss_bytes", math.Max(m.rss-before, 0))
	}
	return true
}
