# hot-split.tsv: a line a build: place on the y axis, ns per call (median, low, high), samples, colour, build.
set logscale x
set grid noytics xtics
colour(text) = int(sprintf('0x%s', text[2:7]))
plot 'hot-split.tsv' using 2:1:3:4:(colour(strcol(6))) with xerrorbars lc rgb variable dt 1 lw 2 pt 7 ps 1.4
