package main

// The case sync: a lock here, words in words.go; the counterparts of workload_sync.c.

import (
	"runtime"
	"sync"
)

const crowdSize = 100

// What a variant does: run gives the operations that were right, and the time.
type syncProgram struct {
	units, n int
	run      func(n int) (right int, ns int64)
}

var syncPrograms = map[string]syncProgram{
	"recv":     {2, 400000, received},
	"select":   {2, 200000, selected},
	"buffered": {2, 1000000, buffered},
	"mutex":    {1, 500000, lockProgram{1, false}.run},
	"crowd":    {crowdSize, 400000, lockProgram{crowdSize, false}.run},
	"held":     {crowdSize, 50000, lockProgram{crowdSize, true}.run},
}

type lockProgram struct {
	units  int
	yields bool
}

func (p lockProgram) hold(mutex *sync.Mutex, held *int, times int) {
	for i := 0; i < times; i++ {
		mutex.Lock()
		*held++
		if p.yields {
			runtime.Gosched()
		}
		mutex.Unlock()
	}
}

// How often it was held, and the time.
func (p lockProgram) run(n int) (held int, ns int64) {
	var mutex sync.Mutex
	var finished sync.WaitGroup
	gate := make(chan struct{})
	finished.Add(p.units)
	for i := 0; i < p.units; i++ {
		go func() {
			<-gate
			p.hold(&mutex, &held, n/p.units)
			finished.Done()
		}()
	}
	from := stamp()
	close(gate)
	finished.Wait()
	return held, stamp() - from
}

func caseSync(o *options) bool {
	program, known := syncPrograms[o.variant]
	if !known {
		fail("--case=sync --variant: use recv, select, buffered, mutex, crowd or held")
	}
	if o.n == 0 {
		o.n = program.n
	}
	if o.n%program.units != 0 {
		fail("--case=sync --variant=%s: --n is a multiple of %d", o.variant, program.units)
	}
	if o.threads == 1 {
		pinToOneCPU()
	}
	program.run(o.n) // a warm-up
	for rep := 0; rep < o.reps; rep++ {
		right, ns := program.run(o.n)
		s := newSheet(o, o.variant)
		s.Asked, s.Made, s.Ops = program.units, program.units, right
		if right != o.n {
			return s.without("failed", "ns_per_op", "%d of %d operations were done", right, o.n)
		}
		s.row(rep, "ns_per_op", float64(ns)/float64(o.n))
	}
	return true
}
