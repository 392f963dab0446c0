# peers.tsv: one block a quantity: place on the y axis, peer's cost over gossamer's (median, low, high), pairs,
# contender, quantity.
set multiplot
set logscale x
set grid noytics noxtics
do for [panel=0:panels-1] {
    if (panel > 0) { unset label; unset arrow }
    load layout.'.panel'.panel
    over = 1 - above - row * (panel / columns)
    beside = left + (panel % columns) * (right - left + gap) / columns
    set tmargin at screen over - top
    set bmargin at screen over - row + bottom
    set lmargin at screen beside
    set rmargin at screen beside + (right - left + gap) / columns - gap
    plot 'peers.tsv' index panel using 2:1:3:4 with xerrorbars lt 4 dt 1 lw 1.4 pt 0, \
         'peers.tsv' index panel using ($2 >= 1 ? $2 : NaN):1 with points lt 4 pt 7 ps 0.9, \
         'peers.tsv' index panel using ($2 < 1 ? $2 : NaN):1 with points lt 2 pt 5 ps 0.9
}
unset multiplot
