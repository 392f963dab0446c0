package main

// A lock: the counterparts of workload_sync.c.

import (
	"runtime"
	"sync"
)

const crowdSize = 100

type lockProgram struct {
	units, n int
	yields   bool
}

var lockPrograms = map[string]lockProgram{
	"mutex": {1, 500000, false},
	"crowd": {crowdSize, 400000, false},
	"held":  {crowdSize, 50000, true},
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
	program, known := lockPrograms[o.variant]
	if !known {
		fail("--case=sync --variant: use mutex, crowd or held")
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
		held, ns := program.run(o.n)
		s := newSheet(o, o.variant)
		s.Asked, s.Made, s.Ops = program.units, program.units, held
		if held != o.n {
			return s.without("failed", "ns_per_op", "%d of %d operations were done", held, o.n)
		}
		s.row(rep, "ns_per_op", float64(ns)/float64(o.n))
	}
	return true
}
