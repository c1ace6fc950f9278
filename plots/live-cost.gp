# SPDX-License-Identifier: MIT
# Cost of one allocation and one free while so many blocks are live; log-log.  Dashed: the theory, put
# through the first two points.  A cross at the top: stopped, no steady state within its time.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

shown(n) = !style_is_reference(n)
x0 = 1e300; x1 = 0
theories = ""
see(n, v) = shown(n) ? (style_note(n), style_widen(v)) : 0
note(n, g) = style_knows(n) || !shown(n) ? 0 : (theories = theories." ".g, style_note(n))
stats DATA using (x1 = $2 > x1 ? $2 : x1, x0 = $2 < x0 ? $2 : x0, note(strcol(1), strcol(5)), $2) nooutput
stats DATA using (valid(3) ? see(strcol(1), $3) : 0) nooutput
n = words(names)
unsorted = names
eval style_sort

place(i) = (sum [k=1:words(unsorted)] (word(unsorted, k) eq word(names, i) ? k : 0))
theory(i) = word(theories, place(i))
written(g) = g eq "O(log_n)" ? ", O(log n)" : g eq "-" ? "" : ", ".g
entry(i) = style_base(word(names, i)).written(theory(i))
is(i) = (word(names, i) eq strcol(1))
top = style_hi * 2.2

rows = (n + 5) / 3
height = 440 + 20 * rows
eval style_open(900, height)
eval style_legend(3 * rows + 1, height)
set key maxrows rows
set tmargin at screen 1 - (14.0 + 20 * rows) / height
set lmargin at screen 0.125
set rmargin at screen 0.975
set bmargin 3.4
set logscale xy
set xtics ("10" 10, "100" 100, "1 000" 1e3, "10 000" 1e4, "100 000" 1e5, "1 million" 1e6, "10 million" 1e7)
set ytics (1, 2, 5, 10, 20, 50, 100, 200, 500, "1 000" 1000, "2 000" 2000, "5 000" 5000, "10 000" 1e4, "20 000" 2e4, "50 000" 5e4, "100 000" 1e5, "1 million" 1e6)
set xrange [x0 / 1.25 : x1 * 1.6]
set yrange [style_lo / 1.2 : top * 1.15]
set xlabel "live blocks"
set ylabel "ns for alloc + free"
plot for [i=1:n] DATA using (is(i) ? $2 : 1/0):6 \
         with lines linewidth 0.9 dashtype (6,6) linecolor rgb style_color(word(names, i)) notitle, \
     for [i=1:n] DATA using (is(i) ? $2 : 1/0):3 \
         with linespoints linewidth 1.8 pointtype style_filled(word(names, i)) pointsize 0.70 linecolor rgb style_color(word(names, i)) title entry(i), \
     for [i=1:n] DATA using (is(i) && strcol(4) eq "stopped" ? $2 * 1.07 ** (i - (n + 1) / 2.0) : 1/0):(top) \
         with points pointtype 2 pointsize 0.9 linewidth 2 linecolor rgb style_color(word(names, i)) notitle, \
     1/0 with lines linewidth 0.9 dashtype (6,6) linecolor rgb STYLE_INK title "theory", \
     1/0 with points pointtype 2 pointsize 0.9 linewidth 2 linecolor rgb STYLE_INK title "stopped"
