# SPDX-License-Identifier: MIT
# Live bytes by size, and where the classes are: the tuned ones through the picture, the algorithm's below it.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

name = ""; largest = 0
stats DATA index 0 using (name = strcol(1), largest = $2, $2) nooutput
stats DATA index 1 using (style_widen($2)) nooutput
top = style_hi * 1.08
strip = style_hi * 0.035

eval style_open(900, 440)
eval style_legend(5, 440)
set lmargin at screen 0.085
set rmargin at screen 0.975
set bmargin 3.4
set xrange [0 : largest + 8]
set yrange [-2.6 * strip : top]
set grid noxtics ytics
set xtics largest > 2048 ? 512 : largest > 1024 ? 256 : largest > 512 ? 128 : 64
set format y "%g %%"
set xlabel "bytes asked for"
set ylabel "live bytes, of peak live" offset -0.5,0
set style fill solid 0.85 noborder
plot DATA index 3 using 1:(0):(0):(top) with vectors nohead linewidth 0.9 dashtype (4,3) linecolor rgb style_color("mimalloc") title "a tuned class", \
     DATA index 1 using ($1 - 8):($2 / 2):(7):($2 / 2) with boxxyerror linecolor rgb style_color(name) title "live bytes of so large objects", \
     DATA index 2 using 1:(-0.6 * strip):(0):(-1.7 * strip) with vectors nohead linewidth 1.4 linecolor rgb style_color("jemalloc") title "a class of ".name." as it is"
