# memory.tsv: one block a contender: units, bytes per unit (median, low, high), samples, contender.
set logscale xy
set grid xtics
last = words(styles) - 1
style(i) = word(styles, i + 1) + 0
plot for [i=0:last] 'memory.tsv' index i using 1:2:3:4 with yerrorbars lt style(i) dt 1 pt 0 lw 1.2, \
     for [i=0:last] 'memory.tsv' index i using 1:2 with linespoints lt style(i)
