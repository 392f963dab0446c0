# scale.tsv: one block a mark: place on the y axis, ns (median, low, high), samples, contender, program, threads.
set logscale x
set grid noytics xtics
plot for [i=0:words(styles)-1] 'scale.tsv' index i using 2:1:3:4 with xerrorbars \
     lt word(styles, i+1)+0 dt 1 lw 2 pt int(word(points, i+1)) ps 1.15
