# SPDX-License-Identifier: MIT
# Warm time by trace: one row a trace, one point an algorithm; the bar on the left is the harness.
# Left out here: algorithms with options (name:option), and the reference points.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

rows = 0
shown(n) = !style_is_variant(n) && !style_is_reference(n)
see(n, v) = shown(n) ? (style_note(n), style_widen(v)) : 0
stats DATA using (rows = $2 > rows ? $2 : rows, $2) nooutput
stats DATA using (valid(4) ? see(strcol(1), $4) : 0) nooutput
stats DATA using (valid(7) ? style_widen($7) : 0) nooutput
n = words(names)
eval style_sort

height = 70 + 20 * style_key_rows(n + 1) + 34 * rows
eval style_open(900, height)
eval style_legend(n + 1, height)
set lmargin at screen 0.13
set rmargin at screen 0.975
set bmargin 3.2
set logscale x
eval style_log_tics
set xrange [style_lo / 1.12 : style_hi * 1.12]
set yrange [-rows - 0.6 : -0.4]
unset ytics
set grid xtics noytics
set xlabel "ns per operation, warm, with the harness (left is faster)"
plot DATA using (style_lo / 1.12):(-$2):3 every ::0 index 0 with labels right offset -1,0 textcolor rgb STYLE_INK notitle, \
     DATA index 0 using (style_lo / 1.12):(-$2):(style_lo / 1.12):7:(-$2 - 0.3):(-$2 + 0.3) \
         with boxxyerror fillstyle solid 0.25 noborder linecolor rgb STYLE_BAND title "harness", \
     for [i=1:n] DATA using (word(names, i) eq strcol(1) ? $4 : 1/0):(-$2) \
         with points pointtype style_point(word(names, i)) pointsize 0.78 linecolor rgb style_color(word(names, i)) title word(names, i)
