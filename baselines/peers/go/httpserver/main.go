// httpserver: Go's net/http as one uses it, answering with the bytes of benches/server/http.c.
package main

import (
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"
)

var served, open, connections int64

func counts() {
	var used syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &used)
	fmt.Printf("{\"served\": %d, \"refused\": 0, \"connections\": %d, \"turned_away\": 0, \"open\": %d, \"cpu_ns\": %d, "+
		"\"parser\": \"net/http\"}\n", atomic.LoadInt64(&served), atomic.LoadInt64(&connections),
		atomic.LoadInt64(&open), used.Utime.Nano()+used.Stime.Nano())
}

func main() {
	port := flag.Int("port", 0, "0: a free one")
	timeout := flag.Int("timeout", 30, "seconds without a byte after which a connection is closed")
	flag.Parse()
	listener, err := net.Listen("tcp4", fmt.Sprintf("127.0.0.1:%d", *port))
	if err != nil {
		fmt.Fprintln(os.Stderr, "httpserver:", err)
		os.Exit(1)
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT)
	go func() {
		for s := range signals {
			counts()
			if s != syscall.SIGUSR1 {
				os.Exit(0)
			}
		}
	}()
	answer := []byte("Hello, world\n")
	limit := time.Duration(*timeout) * time.Second
	server := &http.Server{
		ReadTimeout: limit, WriteTimeout: limit, IdleTimeout: limit, MaxHeaderBytes: 8 << 10,
		ConnState: func(_ net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				atomic.AddInt64(&connections, 1)
				atomic.AddInt64(&open, 1)
			case http.StateClosed:
				atomic.AddInt64(&open, -1)
			}
		},
		Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			header := w.Header()
			header["Date"] = nil // the others send none
			header["Content-Type"] = []string{"text/plain"}
			header["Content-Length"] = []string{"13"}
			w.Write(answer)
			atomic.AddInt64(&served, 1)
		}),
	}
	fmt.Printf("listening %d\n", listener.Addr().(*net.TCPAddr).Port)
	fmt.Fprintln(os.Stderr, "httpserver:", server.Serve(listener))
	os.Exit(1)
}
