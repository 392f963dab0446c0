# ratios.tsv: blocks of contender within panel: place on the y axis, ratio (median, low, high), samples, who, panel.
# The grey band is what gossamer differs from itself by: a mark inside it is no difference.
set logscale x
set grid noytics xtics
set multiplot
do for [panel=0:panels-1] {
    if (panel > 0) { unset label }
    load layout.'.panel'.panel
    set lmargin at screen left + panel * (right - left + gap) / panels
    set rmargin at screen left + panel * (right - left + gap) / panels + (right - left + gap) / panels - gap
    set title word(titles, panel+1) font 'DejaVu Sans,15' offset 0,-0.3
    first = word(firsts, panel+1) + 0
    styles = word(groups, panel+1)
    plot for [i=0:words(styles)-1] data index first+i using 2:1:3:4 with xerrorbars \
         lt word(styles, i+1)+0 dt 1 lw 2 ps 1.2
}
unset multiplot
