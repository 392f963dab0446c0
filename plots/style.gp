# One look for every figure. Line style = contender (plots/rows.py holds the assignment).
# Colours: Okabe and Ito's palette, which colour-blind readers can tell apart; dash and point differ as well, so that
# a figure still reads when printed in grey. gossamer alone is thick, solid and filled.
# `width`, `height`, `out` and `layout` come from plots.py.

set encoding utf8
set datafile separator tab
set datafile commentschars '#'
set terminal svg size width,height font 'DejaVu Sans,15' background '#ffffff' linewidth 1.0 dashlength 0.8
set output out

ORANGE = '#E69F00'; SKY = '#56B4E9'; GREEN = '#009E73'; YELLOW = '#D9C62E'; BLUE = '#0072B2'
RED = '#D55E00'; PURPLE = '#CC79A7'; BLACK = '#000000'; GREY = '#767676'

set linetype  1 lc rgb RED    lw 4.0 dt 1        pt 7  ps 1.0
set linetype  2 lc rgb ORANGE lw 2.2 dt (12,4)   pt 5  ps 0.8
set linetype  3 lc rgb SKY    lw 2.2 dt (6,3)    pt 9  ps 0.9
set linetype  4 lc rgb BLUE   lw 2.2 dt 1        pt 8  ps 0.9
set linetype  5 lc rgb GREEN  lw 2.2 dt (10,3,2,3) pt 13 ps 1.0
set linetype  6 lc rgb BLACK  lw 2.2 dt 1        pt 4  ps 0.8
set linetype  7 lc rgb GREY   lw 2.2 dt (6,3)    pt 6  ps 0.8
set linetype  8 lc rgb PURPLE lw 2.2 dt (12,4)   pt 12 ps 1.0
# Spare styles: colours again, with dashes and points not paired above.
set linetype  9 lc rgb YELLOW lw 2.2 dt 1        pt 12 ps 1.0
set linetype 10 lc rgb PURPLE lw 2.2 dt (2,3)    pt 10 ps 0.9
set linetype 11 lc rgb GREEN  lw 2.2 dt (2,3)    pt 14 ps 0.9
set linetype 12 lc rgb BLUE   lw 2.2 dt (10,3,2,3) pt 15 ps 0.9
set linetype 13 lc rgb GREY   lw 2.2 dt (12,3,2,3) pt 1 ps 0.8
set linetype 14 lc rgb BLACK  lw 2.2 dt (2,3)    pt 13 ps 0.9
set linetype 15 lc rgb SKY    lw 2.2 dt 1        pt 15 ps 0.9
set linetype 16 lc rgb ORANGE lw 2.2 dt (2,3)    pt 5  ps 0.8
colours = GREEN.' '.PURPLE.' '.BLUE.' '.SKY.' '.ORANGE.' '.BLACK.' '.GREY.' '.YELLOW
do for [i=17:26] {
    set linetype i lc rgb word(colours, (i - 17) % 8 + 1) lw 1.4 dt (4,2,1,2,1,2) pt i - 13 ps 0.8
}

set border 3 lc rgb '#555555' lw 1
set grid lc rgb '#E2E2E2' lw 1 dt 1
set grid noxtics nomxtics ytics nomytics back
set tics nomirror out scale 0.6,0.3 offset 0,0 textcolor rgb '#333333'
set xtics offset 0,0.3
set xlabel offset 0,0.5
set title offset 0,-0.3 font 'DejaVu Sans,15' noenhanced
set key off
# Labels inside a panel stand on white, so that no line runs through them.
set style textbox opaque noborder fillcolor rgb '#ffffff' margins 0.4,0.2

load layout
