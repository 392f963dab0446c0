# check.tsv: blocks of build within metric: place on the y axis, value (median, low, high), samples, build, variant.
set multiplot
set style fill solid 1.0 noborder
set boxwidth 0.34
set grid noytics xtics
do for [panel=0:panels-1] {
    if (panel > 0) { unset label }
    load layout.'.panel'.panel
    set lmargin at screen left + panel * (right - left + gap) / panels
    set rmargin at screen left + panel * (right - left + gap) / panels + (right - left + gap) / panels - gap
    plot for [i=0:1] 'check.tsv' index 2*panel+i using (0):1:(0):2:($1-0.17):($1+0.17) \
         with boxxyerror dt 1 lc rgb word('#BDBDBD #D55E00', i+1), \
         for [i=0:1] 'check.tsv' index 2*panel+i using 2:1:3:4 with xerrorbars lc rgb '#000000' dt 1 lw 1.2 pt 0
}
unset multiplot
