package main

// Programs of many goroutines: the counterparts of workload_scale.c, as a Go programmer writes them.

import (
	"sync"
	"sync/atomic"
)

const children, ringSize, tokens, fanSize, fanRoom = 10, 1000, 16, 100, 64

type result struct {
	value, expected, ops int
	ns                   int64 // where the program times itself
}

func skynetNode(first, size int, sum *int, joined *sync.WaitGroup) {
	if size == 1 {
		*sum = first
	} else {
		var below sync.WaitGroup
		var part [children]int
		below.Add(children)
		for i := range part {
			go skynetNode(first+i*(size/children), size/children, &part[i], &below)
		}
		below.Wait()
		total := 0
		for _, value := range part {
			total += value
		}
		*sum = total
	}
	joined.Done()
}

func treeUnits(n int) int {
	units := 1
	for ; n > 1; n /= children {
		units += n
	}
	return units
}

func skynet(n int) result {
	var joined sync.WaitGroup
	sum := 0
	joined.Add(1)
	go skynetNode(0, n, &sum, &joined)
	joined.Wait()
	return result{sum, n * (n - 1) / 2, treeUnits(n), 0}
}

func skynetSender(first, size int, parent chan<- int) {
	if size == 1 {
		parent <- first
		return
	}
	below := make(chan int, children)
	sum := 0
	for i := 0; i < children; i++ {
		go skynetSender(first+i*(size/children), size/children, below)
	}
	for i := 0; i < children; i++ {
		sum += <-below
	}
	parent <- sum
}

func skynetChan(n int) result {
	c := make(chan int, 1)
	go skynetSender(0, n, c)
	return result{<-c, n * (n - 1) / 2, treeUnits(n), 0}
}

func ring(n int) result {
	var into [ringSize]chan int
	var finished, ended sync.WaitGroup
	var all int64
	finished.Add(tokens)
	ended.Add(ringSize)
	for i := range into {
		into[i] = make(chan int, 1)
	}
	for i := range into {
		go func(in <-chan int, out chan<- int, last bool) {
			hops := int64(0)
			for token := range in {
				hops++
				if token > 1 {
					out <- token - 1
				} else {
					finished.Done()
				}
			}
			if !last {
				close(out)
			}
			atomic.AddInt64(&all, hops)
			ended.Done()
		}(into[i], into[(i+1)%ringSize], i+1 == ringSize)
	}
	from := stamp()
	for i := 0; i < tokens; i++ {
		into[i*(ringSize/tokens)] <- n / tokens
	}
	finished.Wait()
	ns := stamp() - from
	close(into[0])
	ended.Wait()
	return result{int(all), n / tokens * tokens, n / tokens * tokens, ns}
}

func fan(n int) result {
	out, in := make(chan int, fanRoom), make(chan int, fanRoom)
	for i := 0; i < fanSize; i++ {
		go func() {
			for word := range out {
				in <- word + 1
			}
		}()
	}
	go func() {
		for i := 0; i < n; i++ {
			out <- i
		}
		close(out)
	}()
	sum := 0
	for i := 0; i < n; i++ {
		sum += <-in
	}
	return result{sum, n * (n + 1) / 2, n, 0}
}

func fibUnit(n int, value *int, joined *sync.WaitGroup) {
	*value = fib(n)
	joined.Done()
}

func fib(n int) int {
	if n < 2 {
		return n
	}
	var joined sync.WaitGroup
	var larger int
	joined.Add(1)
	go fibUnit(n-1, &larger, &joined)
	smaller := fib(n - 2)
	joined.Wait()
	return larger + smaller
}

func tree(n int) result {
	before, units, a, b := 0, 0, 0, 1
	for i := 1; i < n; i++ {
		before, units = units, 1+units+before
	}
	for i := 0; i < n; i++ {
		a, b = b, a+b
	}
	return result{fib(n), a, units, 0}
}

var programs = map[string]struct {
	run func(int) result
	n   int
}{"skynet": {skynet, 1000000}, "skynet-chan": {skynetChan, 1000000}, "ring": {ring, 200000}, "fan": {fan, 100000},
	"tree": {tree, 25}}

func caseScale(o *options) bool {
	program, known := programs[o.variant]
	if !known {
		fail("--case=scale --variant: use skynet, skynet-chan, ring, fan or tree")
	}
	if o.n == 0 {
		o.n = program.n
	}
	if o.threads == 1 {
		pinToOneCPU()
	}
	for rep := 0; rep < o.reps; rep++ {
		for warm := stamp() + 4*warmUpNs; stamp() < warm; {
			program.run(o.n)
		}
		from := stamp()
		r := program.run(o.n)
		ns := stamp() - from
		if r.ns != 0 {
			ns = r.ns
		}
		s := newSheet(o, o.variant)
		s.Ops = r.ops
		if r.value != r.expected {
			return s.without("failed", "ns_per_op", "the result is %d, not %d", r.value, r.expected)
		}
		s.row(rep, "ns_per_op", float64(ns)/float64(r.ops))
	}
	return true
}
