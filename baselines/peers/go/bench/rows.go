package main

import (
	"encoding/json"
	"fmt"
	"os"
	"sort"
	"syscall"
	"unsafe"
)

// What the rows of one measurement share; the names are those of results/README.md.
type sheet struct {
	Case      string   `json:"case"`
	Contender string   `json:"contender"`
	Variant   string   `json:"variant"`
	N         int      `json:"n"`
	Threads   int      `json:"threads"`
	Launch    int      `json:"launch"`
	Rep       int      `json:"rep"`
	Metric    string   `json:"metric"`
	Value     *float64 `json:"value"`
	Samples   []int64  `json:"samples,omitempty"`
	Depth     *int     `json:"depth,omitempty"`
	AtMs      *float64 `json:"at_ms,omitempty"`
	Asked     int      `json:"units_asked"`
	Made      int      `json:"units_made"`
	Ops       int      `json:"ops,omitempty"`
	Status    string   `json:"status"`
	Why       string   `json:"why"`
}

var rowsFile = os.Stdout
var contenderName string

func rowsTo(path, contender string) {
	contenderName = contender
	if path == "" {
		return
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		fail("--rows: %v", err)
	}
	rowsFile = file
}

func newSheet(o *options, variant string) sheet {
	return sheet{Case: o.name, Contender: contenderName, Variant: variant, N: o.n, Threads: o.threads,
		Launch: o.launch, Status: "ok"}
}

func (s sheet) row(rep int, metric string, value float64) {
	s.Rep, s.Metric, s.Value = rep, metric, &value
	s.put()
}

// A distribution: its median as the value, all of it beside.
func (s sheet) samples(rep int, metric string, values []int64) {
	s.Samples = values
	s.row(rep, metric, medianOf(values))
}

func (s sheet) put() {
	line, err := json.Marshal(s)
	if err != nil {
		fail("%v", err)
	}
	rowsFile.Write(append(line, '\n'))
}

func (s *sheet) without(status, metric, format string, args ...any) bool {
	s.Status, s.Why, s.Metric, s.Value = status, fmt.Sprintf(format, args...), metric, nil
	s.put()
	if status == "failed" {
		fmt.Fprintf(os.Stderr, "gobench: FAILED: %s: %s\n", s.Case, s.Why)
	}
	return status != "failed"
}

// Nanoseconds of CLOCK_MONOTONIC, which other processes share; time.Now's monotonic part counts from the start.
func clock() int64 {
	var t syscall.Timespec
	syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, 1, uintptr(unsafe.Pointer(&t)), 0)
	return t.Nano()
}

func medianOf(values []int64) float64 {
	sorted := append([]int64(nil), values...)
	sort.Slice(sorted, func(i, j int) bool { return sorted[i] < sorted[j] })
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return float64(sorted[(n-1)/2]+sorted[n/2]) / 2
}

// The language has it since 1.21; older versions shall do.
func max(a, b int) int {
	if a > b {
		return a
	}
	return b
}
