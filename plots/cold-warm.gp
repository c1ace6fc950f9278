# SPDX-License-Identifier: MIT
# First pass (cold: fresh pages, cold caches) against later passes (warm), geometric means.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

stats DATA using (style_note(strcol(1)), style_widen($2)) nooutput
stats DATA using (style_widen($3)) nooutput
n = words(names)

eval style_open(900, 70 + 28 * n)
set lmargin at screen style_left(900)
set rmargin at screen 0.855
set tmargin 0.6
set bmargin 3.2
set logscale x
eval style_log_tics
lo = style_lo / 1.15; hi = style_hi * 1.15
set xrange [lo : hi]
set yrange [-n - 0.6 : -0.4]
unset ytics
set grid xtics noytics
set key off
set xlabel "ns per operation with the harness: filled warm, hollow cold"
ns(v) = sprintf(v < 99.5 ? "%.1f" : "%.0f", v)
row(s) = -style_index(s)
plot for [i=1:n] DATA using (word(names, i) eq strcol(1) ? $2 : 1/0):(row(strcol(1))):($3 - $2):(0) \
         with vectors nohead linewidth 1.2 linecolor rgb STYLE_BAND, \
     for [i=1:n] DATA using (word(names, i) eq strcol(1) ? $3 : 1/0):(row(strcol(1))) \
         with points pointtype 6 pointsize 0.70 linewidth 2 linecolor rgb style_color(word(names, i)), \
     for [i=1:n] DATA using (word(names, i) eq strcol(1) ? $2 : 1/0):(row(strcol(1))) \
         with points pointtype 7 pointsize 0.78 linecolor rgb style_color(word(names, i)), \
     DATA using (lo):(row(strcol(1))):1 with labels right offset -1.5,0 textcolor rgb STYLE_INK, \
     DATA using (hi):(row(strcol(1))):(ns($2)." → ".ns($3)) with labels left offset 0.3,0 textcolor rgb STYLE_INK
