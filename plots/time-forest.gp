# SPDX-License-Identifier: MIT
# Warm time of each algorithm as a ratio to the reference, with 95 % intervals; net of the harness
# as a ring.  The grey band is the A/A noise floor; * marks a mean over fewer traces.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

band = 0
floor_of(v) = (band = v > 1 ? v : band, v)
reference = ""
stats DATA using (style_note(strcol(1)), reference = strcol(14), style_widen($2)) nooutput
stats DATA using (valid(11) ? floor_of($11) : 1) nooutput
n = words(names)
lo = style_lo < 1 ? style_lo : 1
hi = style_hi > 1 ? style_hi : 1

eval style_open(900, 70 + 30 * n)
set lmargin at screen style_left(900)
set rmargin at screen 0.90
set tmargin 0.6
set bmargin 3.2
set logscale x
eval style_log_tics
set format x "%g×"
set xrange [lo / 1.15 : hi * 1.15]
set yrange [-n - 0.6 : -0.4]
unset ytics
set grid xtics noytics
set key off
set xlabel "time per operation, ".reference." = 1 (left is faster)"
if (band > 1) set object 1 rectangle from 1/band, graph 0 to band, graph 1 fillcolor rgb STYLE_BAND fillstyle solid 0.22 noborder behind
set arrow 1 from 1, graph 0 to 1, graph 1 nohead linecolor rgb STYLE_INK linewidth 1.2
row(s) = -style_index(s)
left(i) = valid(i) ? column(i) : column(2)
plot for [i=1:n] DATA using (word(names, i) eq strcol(1) && !style_is_reference(strcol(1)) ? $5 : 1/0):(row(strcol(1))) \
         with points pointtype 6 pointsize 0.5 linecolor rgb style_color(word(names, i)) linewidth 1, \
     for [i=1:n] DATA using (word(names, i) eq strcol(1) ? $2 : 1/0):(row(strcol(1))):(left(3)):(left(4)) \
         with xerrorbars pointtype style_point(word(names, i)) pointsize 0.9 linewidth 2.4 linecolor rgb style_color(word(names, i)), \
     DATA using (lo / 1.15):(row(strcol(1))):(strcol(1).($12 < $13 ? " *" : "")) with labels right offset -1.5,0 textcolor rgb STYLE_INK, \
     DATA using (hi * 1.15):(row(strcol(1))):(style_times($2)) with labels left offset 1,0 textcolor rgb STYLE_INK
