# `data`: blocks of contender within variant: x, y (median, low, high), samples, contender, variant.
# Panels of equal size share the y axis; the names stand at the right of all.
set logscale xy
set grid xtics
style(i) = word(styles, i + 1) + 0
set multiplot
do for [panel=0:panels-1] {
    if (panel > 0) { unset label; load layout.'.blank' }
    if (panel == panels-1) { load layout.'.names' }
    set lmargin at screen left + panel * (right - left + gap) / panels
    set rmargin at screen left + panel * (right - left + gap) / panels + (right - left + gap) / panels - gap
    set title word(titles, panel+1) font 'DejaVu Sans,15' offset 0,-0.3
    first = word(firsts, panel+1) + 0
    styles = word(groups, panel+1)
    last = words(styles) - 1
    plot for [i=0:last] data index first+i using 1:2:3:4 with yerrorbars lt style(i) dt 1 pt 0 lw 1.2, \
         for [i=0:last] data index first+i using 1:2 with linespoints lt style(i)
}
unset multiplot
