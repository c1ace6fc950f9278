# SPDX-License-Identifier: MIT
# Time against memory, both as ratios, down and left is better; the front is the stairs.  The
# places of the labels come with the data (bench/report_pareto.c knows this picture's size).
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

borders(a, b, c, d, e) = (x0 = a, x1 = b, y0 = c, y1 = d, harness = e)
harness = 0
reference = ""
stats DATA index 0 using (reference = strcol(7), borders($2, $3, $4, $5, valid(6) ? $6 : 0)) nooutput
stats DATA index 1 using (style_note(strcol(1)), $2) nooutput
n = words(names)

eval style_open(900, 520)
set lmargin at screen 0.09
set rmargin at screen 0.09 + 770.0 / 900
set bmargin at screen 0.125
set tmargin at screen 0.125 + 440.0 / 520
set logscale xy
eval style_log_tics
set ytics (1, 1.05, 1.1, 1.15, 1.2, 1.3, 1.4, 1.5, 1.7, 2, 2.5, 3, 4, 5, 7, 10, 20, 50)
set format x "%g×"
set format y "%g×"
set xrange [x0 : x1]
set yrange [y0 : y1]
set key off
set xlabel "time per operation, ".reference." = 1 (left is faster)"
set ylabel "memory needed / peak live (down is smaller)" offset -0.5,0
plot DATA index 2 using 2:3 with steps linewidth 2 linecolor rgb STYLE_BAND, \
     DATA index 1 using ($7 == 1 ? $2 : 1/0):3:($4 - $2):($5 - $3) with vectors nohead linewidth 0.8 linecolor rgb STYLE_BAND, \
     for [i=1:n] DATA index 1 using (word(names, i) eq strcol(1) ? $2 : 1/0):3 \
         with points pointtype style_point(word(names, i)) pointsize 0.96 linewidth 1.6 linecolor rgb style_color(word(names, i)), \
     DATA index 1 using (strcol(6) eq "L" ? $4 : 1/0):5:(strcol(1).($9 == 1 ? "" : "*")) with labels left textcolor rgb STYLE_INK, \
     DATA index 1 using (strcol(6) eq "R" ? $4 : 1/0):5:(strcol(1).($9 == 1 ? "" : "*")) with labels right textcolor rgb STYLE_INK, \
     DATA index 1 using (strcol(6) eq "C" ? $4 : 1/0):5:(strcol(1).($9 == 1 ? "" : "*")) with labels center textcolor rgb STYLE_INK
