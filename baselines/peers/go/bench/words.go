package main

// Words through channels: the counterparts of workload_sync.c.

import "sync"

const (
	buffer   = 64
	lastWord = ^uint64(0) // of a channel
)

// A word by a plain receive, or by a select with a channel that stays silent.
func receive(from, silent chan uint64) uint64 {
	if silent == nil {
		return <-from
	}
	select {
	case word := <-from:
		return word
	case word := <-silent:
		return word
	}
}

// To and fro; words that were right, and the time.
func toAndFro(n int, silent [2]chan uint64) (right int, ns int64) {
	var finished sync.WaitGroup
	there, back := make(chan uint64), make(chan uint64)
	finished.Add(2)
	go func() {
		from := stamp()
		for i := uint64(0); i < uint64(n/2); i++ {
			there <- i
			if receive(back, silent[0]) == i+1 {
				right += 2
			}
		}
		ns = stamp() - from
		there <- lastWord
		finished.Done()
	}()
	go func() {
		for word := receive(there, silent[1]); word != lastWord; word = receive(there, silent[1]) {
			back <- word + 1
		}
		finished.Done()
	}()
	finished.Wait()
	return right, ns
}

func received(n int) (int, int64) {
	return toAndFro(n, [2]chan uint64{})
}

func selected(n int) (int, int64) {
	return toAndFro(n, [2]chan uint64{make(chan uint64), make(chan uint64)})
}

// One way, through a channel with room.
func buffered(n int) (right int, ns int64) {
	var finished sync.WaitGroup
	var from, to int64
	there := make(chan uint64, buffer)
	finished.Add(2)
	go func() {
		from = stamp()
		for i := uint64(0); i < uint64(n); i++ {
			there <- i
		}
		finished.Done()
	}()
	go func() {
		for i := uint64(0); i < uint64(n); i++ {
			if <-there == i {
				right++
			}
		}
		to = stamp()
		finished.Done()
	}()
	finished.Wait()
	return right, to - from
}
