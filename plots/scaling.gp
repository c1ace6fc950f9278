# SPDX-License-Identifier: MIT
# What workers get done together, against how many they are: a panel a pattern; log-log.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

patterns = ""
x1 = 1
knows(p) = (strstrt(" ".patterns." ", " ".p." ") > 0)
note(p) = knows(p) ? 0 : (patterns = patterns." ".p, 1)
stats DATA using (style_note(strcol(1)), note(strcol(2)), x1 = $3 > x1 ? $3 : x1, style_widen($4 / 1e6), $4) nooutput
n = words(names)
m = words(patterns)
eval style_sort

height = 400 + 20 * style_key_rows(n)
eval style_open(900, height)
set multiplot
set logscale xy
set xtics (1, 2, 4, 8, 16, 32, 64)
set ytics (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, "1 000" 1000)
set xrange [0.8 : x1 * 1.25]
set yrange [style_lo / 1.3 : style_hi * 1.3]
set xlabel "workers"
set bmargin at screen 62.0 / height
left = 0.085
gap = 0.02
wide = (0.985 - left - gap * (m - 1)) / m
do for [k=1:m] {
    p = word(patterns, k)
    set lmargin at screen left + (k - 1) * (wide + gap)
    set rmargin at screen left + (k - 1) * (wide + gap) + wide
    if (k == 1) { eval style_legend(n, height) } else { unset key; set format y ""; unset ylabel }
    if (k == 1) { set ylabel "million operations a second" }
    set tmargin at screen 1 - (46.0 + 20 * style_key_rows(n)) / height
    set label 1 p at graph 0.5, graph 1.05 center textcolor rgb STYLE_INK
    plot for [i=1:n] DATA using (strcol(1) eq word(names, i) && strcol(2) eq p ? $3 : 1/0):($4 / 1e6) \
             with linespoints linewidth 1.8 pointtype style_filled(word(names, i)) pointsize 0.75 \
             linecolor rgb style_color(word(names, i)) title word(names, i)
}
unset multiplot
