# SPDX-License-Identifier: MIT
# How many operations take longer than so long; log-log.  Lines: each operation's least over several
# passes; dotted: one pass as measured, other processes' disturbances included.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

shown(n) = !style_is_reference(n)
least = 1
stats DATA using (shown(strcol(1)) ? (style_note(strcol(1)), style_widen($3 > 5 ? $3 : 5), style_widen($4 > 5 ? $4 : 5)) : 0, least = $2 > 0 && $2 < least ? $2 : least, $2) nooutput
n = words(names)
eval style_sort
rows = (n + 4) / 3
height = 420 + 20 * rows
eval style_open(900, height)
eval style_legend(3 * rows + 1, height)
set key maxrows rows
set tmargin at screen 1 - (14.0 + 20 * rows) / height
set lmargin at screen 0.125
set rmargin at screen 0.96
set bmargin 3.4
set logscale xy
set xtics ("5" 5, "10" 10, "20" 20, "50" 50, "100" 100, "200" 200, "500" 500, "1 µs" 1e3, "10 µs" 1e4, "100 µs" 1e5, "1 ms" 1e6, "10 ms" 1e7)
set ytics ("all" 1, "1 in 10" 0.1, "1 in 100" 0.01, "1 in 10³" 1e-3, "1 in 10⁴" 1e-4, "1 in 10⁵" 1e-5, "1 in 10⁶" 1e-6)
set xrange [5 : style_hi * 1.3]
set yrange [least / 1.5 : 1.2]
set xlabel "ns of one operation (left is faster)"
set ylabel "operations that take longer"
is(i) = (word(names, i) eq strcol(1) && $2 > 0)
at(v) = v > 5 ? v : 5
plot for [i=1:n] DATA using (is(i) ? at($3) : 1/0):2 \
         with lines linewidth 0.8 dashtype (2,4) linecolor rgb style_color(word(names, i)) notitle, \
     for [i=1:n] DATA using (is(i) ? at($4) : 1/0):2 \
         with lines linewidth 2 linecolor rgb style_color(word(names, i)) title style_base(word(names, i)), \
     1/0 with lines linewidth 0.8 dashtype (2,4) linecolor rgb STYLE_INK title "one pass, as measured"
