# SPDX-License-Identifier: MIT
# Memory held by the heap while one trace runs, above the live bytes (filled).
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

mib = 1024.0 * 1024
shown(n) = !style_is_variant(n) && !style_is_reference(n)
trace_name = ""; ops = 0
stats DATA using (trace_name = strcol(2), ops = $3 > ops ? $3 : ops, $3) nooutput
stats DATA using (shown(strcol(1)) ? (style_note(strcol(1)), style_widen($5)) : 0) nooutput
n = words(names)
eval style_sort
scale = ops > 2e6 ? 1e6 : 1e3

height = 400 + 20 * style_key_rows(n + 1)
eval style_open(900, height)
eval style_legend(n + 1, height)
set lmargin at screen 0.085
set rmargin at screen 0.975
set bmargin 3.4
set xrange [0 : ops / scale]
set yrange [0 : *]
set grid noxtics ytics
set xlabel sprintf("%s operations of %s", scale > 1e3 ? "million" : "thousand", trace_name)
set ylabel "MiB"
plot DATA index 0 using ($3 / scale):($4 / mib) with filledcurves y1=0 fillstyle solid 0.25 noborder linecolor rgb STYLE_BAND title "live", \
     for [i=1:n] DATA using (word(names, i) eq strcol(1) ? $3 / scale : 1/0):($5 / mib) \
         with lines linewidth 1.8 linecolor rgb style_color(word(names, i)) title word(names, i)
