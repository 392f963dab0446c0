# server.tsv: blocks of contender: connections, value (median, low, high), samples, contender, metric; first the rates,
# then the latencies. Two panels, each with a y axis of its own; the names stand at the right of the second.
set logscale x
set grid xtics
style(i) = word(styles, i + 1) + 0
last = words(styles) - 1
set multiplot
do for [panel=0:1] {
    if (panel == 1) { unset label; set logscale y }
    load layout.(panel ? '.tail' : '.rate')
    set lmargin at screen left + panel * (right - left + gap) / 2
    set rmargin at screen left + panel * (right - left + gap) / 2 + (right - left + gap) / 2 - gap
    set title word(titles, panel+1) font 'DejaVu Sans,15' offset 0,-0.3
    first = panel * (last + 1)
    plot for [i=0:last] data index first+i using 1:2:3:4 with yerrorbars lt style(i) dt 1 pt 0 lw 1.2, \
         for [i=0:last] data index first+i using 1:2 with linespoints lt style(i)
}
unset multiplot
