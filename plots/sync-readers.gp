# SPDX-License-Identifier: MIT
# Reading processes side by side: operations of all together.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

x1 = 1
stats DATA using (style_note(strcol(1)), style_widen($6), x1 = $7 > x1 ? $7 : x1, 0) nooutput
n = words(names)
eval style_sort

height = 360 + 20 * style_key_rows(n)
eval style_open(900, height)
eval style_legend(n, height)
set key width 0
set lmargin at screen 0.085
set rmargin at screen 0.975
set bmargin 3.4
set logscale x 2
set xtics (1, 2, 4, 8, 16, 32)
set xrange [0.93 : x1 * 1.07]
set yrange [0 : style_hi * 1.08]
set xlabel "processes that read"
set ylabel "million operations a second, all together"
plot for [i=1:n] DATA using (word(names, i) eq strcol(1) ? $7 : 1/0):4:5:6 \
         with yerrorlines linewidth 1.8 pointtype style_point(word(names, i)) pointsize 0.8 linecolor rgb style_color(word(names, i)) title word(names, i)
