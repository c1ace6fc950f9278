# SPDX-License-Identifier: MIT
# Memory needed by trace: smallest segment (mallocs: growth of resident memory) over the peak of
# live bytes.  Left out here: algorithms with options, and the reference points.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

rows = 0
shown(n) = !style_is_variant(n) && !style_is_reference(n)
see(n, v) = shown(n) ? (style_note(n), style_widen(v)) : 0
stats DATA using (rows = $2 > rows ? $2 : rows, $2) nooutput
stats DATA using (valid(4) ? see(strcol(1), $4) : 0) nooutput
n = words(names)
eval style_sort
if (style_lo > 1) style_lo = 1

height = 70 + 20 * style_key_rows(n) + 34 * rows
eval style_open(900, height)
eval style_legend(n, height)
set lmargin at screen 0.13
set rmargin at screen 0.975
set bmargin 3.2
set logscale x
set xtics (0.5, 0.7, 0.8, 0.9, 1, 1.1, 1.2, 1.3, 1.5, 1.7, 2, 2.5, 3, 4, 5, 7, 10, 20, 50, 100)
set format x "%g×"
set xrange [style_lo / 1.02 : style_hi * 1.05]
set yrange [-rows - 0.6 : -0.4]
unset ytics
set grid xtics noytics
set xlabel "memory needed / peak of live bytes (left is smaller; 1× would be perfect)"
set arrow 1 from 1, graph 0 to 1, graph 1 nohead linecolor rgb STYLE_INK linewidth 1.2
plot DATA index 0 using (style_lo / 1.02):(-$2):3 with labels right offset -1,0 textcolor rgb STYLE_INK notitle, \
     for [i=1:n] DATA using (word(names, i) eq strcol(1) ? $4 : 1/0):(-$2) \
         with points pointtype style_point(word(names, i)) pointsize 0.78 linecolor rgb style_color(word(names, i)) title word(names, i)
