package main

// Many timers: the counterpart of case_timers.c.

import (
	"sync"
	"sync/atomic"
	"time"
)

const leastDelay, delaySpread, keptTimers = 2 * time.Second, time.Second, 1000

func caseTimers(o *options) bool {
	if o.variant != "timer" && o.variant != "sleep" {
		fail("--case=timers --variant: use timer or sleep")
	}
	if o.threads == 1 {
		pinToOneCPU()
	}
	every := max(1, o.n/keptTimers)
	late := make([]int64, (o.n+every-1)/every)
	random := uint64(o.seed)
	var fired int64
	var over sync.WaitGroup
	over.Add(o.n)
	fire := func(i int, due int64) {
		if i%every == 0 {
			late[i/every] = stamp() - due
		}
		atomic.AddInt64(&fired, 1)
		over.Done()
	}
	stopForReading()
	from := stamp()
	for i := 0; i < o.n; i++ {
		i := i
		random = random*6364136223846793005 + 1442695040888963407
		delay := leastDelay + time.Duration(random>>33)%delaySpread
		due := stamp() + int64(delay)
		if o.variant == "timer" {
			time.AfterFunc(delay, func() { fire(i, due) })
		} else {
			go func() {
				time.Sleep(time.Duration(due - stamp()))
				fire(i, due)
			}()
		}
	}
	ns, early := stamp()-from, atomic.LoadInt64(&fired)
	stopForReading()
	over.Wait()
	stopForReading()
	s := newSheet(o, o.variant)
	s.Asked, s.Made, s.Ops = o.n, int(fired), o.n
	s.row(0, "ns_per_op", float64(ns)/float64(o.n))
	s.samples(0, "late_ns", late)
	s.row(0, "fired_early", float64(early))
	s.row(0, "units", float64(fired))
	return true
}
