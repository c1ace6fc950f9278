# SPDX-License-Identifier: MIT
# One row a bench, one mark an implementation, with a line from the fastest to the slowest
# repetition; marks of one row stand below each other.  Loaded by the scripts that set
#      XLABEL  what is shown           CASES  1: a row's label has the case, too
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

row_names = ""
row_label(p, c) = CASES ? p."/".c : p
row_knows(r) = (strstrt(" ".row_names." ", " ".r." ") > 0)
row_longest = 0
row_note(r) = row_knows(r) ? 0 : (row_names = row_names." ".r, row_longest = strlen(r) > row_longest ? strlen(r) : row_longest, 1)
row_of(r) = (sum [row_i=1:words(row_names)] (word(row_names, row_i) eq r ? row_i : 0))

stats DATA using (style_note(strcol(1)), row_note(row_label(strcol(2), strcol(3))), style_widen($5), style_widen($6), 0) nooutput
n = words(names)
rows = words(row_names)
eval style_sort

height = 70 + 20 * style_key_rows(n) + (14 + 7 * n) * rows
eval style_open(900, height)
eval style_legend(n, height)
set key width 0
set lmargin at screen (row_longest * 8.1 + 30.0) / 900
set rmargin at screen 0.975
set bmargin 3.2
set logscale x
eval style_log_tics
set xtics add ("1 000" 1000, "2 000" 2000, "5 000" 5000, 0.05, 0.02, 0.01)
set xrange [style_lo / 1.2 : style_hi * 1.2]
set yrange [-rows - 0.5 : -0.5]
unset ytics
set grid xtics noytics
set xlabel XLABEL
do for [r=1:rows-1] { set arrow r from graph 0, first -r - 0.5 to graph 1, first -r - 0.5 nohead linecolor rgb STYLE_GRID linewidth 0.7 back }
step = 0.66 / (n > 1 ? n - 1 : 1)
spread(i) = n > 1 ? 0.33 - (i - 1) * step : 0
row_y(i) = -row_of(row_label(strcol(2), strcol(3))) + spread(i)
do for [r=1:rows] { set label r word(row_names, r) at graph 0, first -r right offset -1,0 textcolor rgb STYLE_INK }
plot for [i=1:n] DATA using (word(names, i) eq strcol(1) ? $4 : 1/0):(row_y(i)):5:6 \
         with xerrorbars pointtype style_point(word(names, i)) pointsize 0.78 linewidth 1.6 linecolor rgb style_color(word(names, i)) title word(names, i)
