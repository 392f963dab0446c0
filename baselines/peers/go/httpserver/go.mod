module gossamer/httpserver

go 1.18
