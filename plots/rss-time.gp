# rss-time.tsv: one block a contender: place on the time axis, bytes per unit, contender, phase.
set logscale y
last = words(styles) - 1
style(i) = word(styles, i + 1) + 0
plot for [i=0:last] 'rss-time.tsv' index i using 1:2 with lines lt style(i)
