# SPDX-License-Identifier: MIT
# Cost of one allocation and one free while so many blocks are live; log-log.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

shown(n) = !style_is_variant(n) && !style_is_reference(n)
x0 = 1e300; x1 = 0
see(n, v) = shown(n) ? (style_note(n), style_widen(v)) : 0
stats DATA using (x1 = $2 > x1 ? $2 : x1, x0 = $2 < x0 ? $2 : x0, $2) nooutput
stats DATA using (valid(3) ? see(strcol(1), $3) : 0) nooutput
n = words(names)
eval style_sort

height = 420 + 20 * style_key_rows(n)
eval style_open(900, height)
eval style_legend(n, height)
set lmargin at screen 0.085
set rmargin at screen 0.975
set bmargin 3.4
set logscale xy
set xtics ("10" 10, "100" 100, "1 000" 1e3, "10 000" 1e4, "100 000" 1e5, "1 million" 1e6, "10 million" 1e7)
set ytics (1, 2, 5, 10, 20, 50, 100, 200, 500, "1 000" 1000, "2 000" 2000, "5 000" 5000, "10 000" 1e4, "100 000" 1e5)
set xrange [x0 / 1.25 : x1 * 1.25]
set yrange [style_lo / 1.2 : style_hi * 1.2]
set xlabel "live blocks"
set ylabel "ns for alloc + free"
plot for [i=1:n] DATA using (word(names, i) eq strcol(1) ? $2 : 1/0):3 \
         with linespoints linewidth 1.8 pointtype style_point(word(names, i)) pointsize 0.70 linecolor rgb style_color(word(names, i)) title word(names, i)
