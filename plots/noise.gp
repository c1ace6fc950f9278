# SPDX-License-Identifier: MIT
# A/A: the reference against itself, one point a run.  What this picture scatters, no comparison
# in this report can see; the band is the noise floor of the whole.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

rows = 0; mean = 1; floor_at = 1
note(v) = (floor_at = v, v)
stats DATA using (rows = $1 > rows ? $1 : rows, style_widen($4)) nooutput
stats DATA using (valid(8) ? note($8) : 1) nooutput
stats DATA using (valid(5) ? (mean = $5, $5) : 1) nooutput
pc(v) = (v - 1) * 100
last = 0
far = abs(pc(style_lo)) > abs(pc(style_hi)) ? abs(pc(style_lo)) : abs(pc(style_hi))
far = (pc(floor_at) > far ? pc(floor_at) : far) * 1.15

eval style_open(900, 70 + 30 * rows)
set lmargin at screen 0.13
set rmargin at screen 0.975
set tmargin 0.8
set bmargin 3.4
set xrange [-far : far]
set yrange [-rows - 0.6 : -0.4]
unset ytics
set grid xtics noytics
set format x "%+g %%"
set xtics add ("0" 0)
set key off
set xlabel "second run of the reference against the first, same block"
set object 1 rectangle from pc(1 / floor_at), graph 0 to pc(floor_at), graph 1 fillcolor rgb STYLE_BAND fillstyle solid 0.25 noborder behind
set arrow 1 from 0, graph 0 to 0, graph 1 nohead linecolor rgb STYLE_INK linewidth 1.2
set arrow 2 from pc(mean), graph 0 to pc(mean), graph 1 nohead linecolor rgb style_color("jemalloc") linewidth 1.6 dashtype 2
plot DATA using (-far):($1 != last ? (last = $1, -$1) : 1/0):2 with labels right offset -1,0 textcolor rgb STYLE_INK, \
     DATA using (pc($4)):(-$1) with points pointtype 7 pointsize 0.52 linecolor rgb style_color("jemalloc")
