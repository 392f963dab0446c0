module gossamer/bench

go 1.18
