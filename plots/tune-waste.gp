# SPDX-License-Identifier: MIT
# Bytes that blocks take beyond what was asked for, of peak live, over the number of size classes: the best table of so many,
# the same for traces that had no part in it, and the algorithm's standard classes as a point.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

name = ""; at = 0; left_out = 0; most = 0
note(n, k, v, traces) = (name = n, at = k, left_out = traces > 1, style_widen(v))
stats DATA index 0 using (note(strcol(1), $2, $3, $4)) nooutput
stats DATA index 1 using (most = $1 > most ? $1 : most, $1 >= 4 ? style_widen($2) : 0) nooutput
if (left_out) stats DATA index 1 using ($1 >= 4 ? style_widen($3) : 0) nooutput

eval style_open(900, 440)
eval style_legend(left_out ? 5 : 2, 440)
set lmargin at screen 0.085
set rmargin at screen 0.975
set bmargin 3.4
set xrange [3.5 : (most > at ? most : at) + 0.7]
set yrange [0 : style_hi * 1.06]
set xtics 4
set format y "%g %%"
set xlabel "size classes"
set ylabel "wasted, of peak live" offset -0.5,0
others = !left_out ? "" : 'DATA index 1 using 1:($1 >= 4 ? $3 : 1/0) with linespoints linewidth 1.4 dashtype (6,4) pointtype 6 pointsize 0.5 \
    linecolor rgb style_color("mimalloc") title "a trace with the best table for the others",'
plot DATA index 1 using 1:($1 >= 4 ? $2 : 1/0) \
         with linespoints linewidth 1.8 pointtype 7 pointsize 0.5 linecolor rgb style_color(name) title "the best table", \
     @others DATA index 0 using 2:3 with points pointtype 9 pointsize 1.5 linecolor rgb style_color("jemalloc") title name." as it is", \
     DATA index 0 using 2:3:(sprintf("%.2f %%", $3)) with labels right offset -1.2,0.2 textcolor rgb STYLE_INK notitle
