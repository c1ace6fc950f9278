# SPDX-License-Identifier: MIT
# What safety costs: from the bare algorithm to journal and lock, ns per operation, a bar an algorithm.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

stats DATA using (style_note(strcol(1)), style_widen($2), style_widen($4), style_widen($5), $2) nooutput
n = words(names)
most(a, b) = a > b ? a : b
row(s) = -style_index(s)
height = 110 + 34 * n
eval style_open(900, height)
eval style_legend(4, height)
set lmargin at screen style_left(900)
set rmargin at screen 0.86
set bmargin 3.2
set xrange [0 : style_hi * 1.02]
set yrange [-n - 0.6 : -0.4]
unset ytics
set grid xtics noytics
set xlabel "ns per operation, warm, with the harness (left is faster)"
set style fill solid 0.85 noborder
j(b) = most($3, $2)
s(b) = most($4, j(b))
r(b) = most($5, s(b))
plot DATA using 2:(row(strcol(1))):(0):2:(row(strcol(1)) - 0.32):(row(strcol(1)) + 0.32) \
         with boxxyerror linecolor rgb style_color("rbtree_best_fit") title "bare", \
     DATA using 2:(row(strcol(1))):2:(j(0)):(row(strcol(1)) - 0.32):(row(strcol(1)) + 0.32) \
         with boxxyerror linecolor rgb style_color("mimalloc") title "journal", \
     DATA using 2:(row(strcol(1))):(j(0)):(s(0)):(row(strcol(1)) - 0.32):(row(strcol(1)) + 0.32) \
         with boxxyerror linecolor rgb style_color("acre") title "spin lock", \
     DATA using 2:(row(strcol(1))):(s(0)):(r(0)):(row(strcol(1)) - 0.32):(row(strcol(1)) + 0.32) \
         with boxxyerror linecolor rgb style_color("boost") title "robust lock instead", \
     DATA using (0):(row(strcol(1))):1 with labels right offset -1,0 textcolor rgb STYLE_INK notitle, \
     DATA using (style_hi * 1.02):(row(strcol(1))):(sprintf("%.1f to %.1f", $2, r(0))) with labels left offset 1,0 textcolor rgb STYLE_INK notitle
