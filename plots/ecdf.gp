# `data`: blocks of line within panel: time in ns, share of all samples up to it, name, panel.
# Panels of equal size share both axes; the key stands at the right of all.
set logscale x
set grid xtics
set yrange [0:1.02]
set multiplot
do for [panel=0:panels-1] {
    if (panel > 0) { unset label; load layout.'.blank' }
    if (panel == panels-1) { load layout.'.key' }
    set lmargin at screen left + panel * (right - left + gap) / panels
    set rmargin at screen left + panel * (right - left + gap) / panels + (right - left + gap) / panels - gap
    set title word(titles, panel+1) font 'DejaVu Sans,15' offset 0,-0.3
    load layout.'.plot'.panel
}
unset multiplot
