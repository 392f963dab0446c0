# headline.tsv: one line a contender: place on the y axis, bytes per unit (median, low, high), most units, contender.
set multiplot
set grid noytics xtics
set logscale x
do for [panel=0:1] {
    if (panel == 1) { unset label }
    load layout.'.panel'.panel
    set lmargin at screen left + panel * (right - left + gap) / 2
    set rmargin at screen left + panel * (right - left + gap) / 2 + (right - left + gap) / 2 - gap
    plot for [i=0:words(styles)-1] 'headline.tsv' every ::i::i \
         using (panel ? $5 : $2):1:(panel ? $5 : $3):(panel ? $5 : $4) \
         with xerrorbars lt word(styles, i+1)+0 dt 1 lw 1.5 ps (i == us ? 1.9 : 1.5)
}
unset multiplot
