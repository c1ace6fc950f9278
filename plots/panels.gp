# SPDX-License-Identifier: MIT
# A panel a pattern, a line an algorithm, against the workers.  Rows of DATA: algorithm, pattern, workers, value.
#
# In:  PANEL_LABEL  of the upright axis        panel_value(v)  what is drawn of column 4
#      PANEL_LOG    1: upright axis log        PANEL_LOW, PANEL_HIGH  (optional) its limits
#      PANEL_OWN    1: each panel has its own limits of a log axis
#      PANEL_X, PANEL_TICS  (optional) what lies along, instead of workers, and the command that sets its marks
#      panel_dashes 1: panel_dash(s) tells of a row's fifth word whether it is drawn dashed
#      panel_limits 1: panel_limit(n) is a dashed line

PANEL_COLUMNS = 4
patterns = ""
panel_x = 1
panel_knows(p) = (strstrt(" ".patterns." ", " ".p." ") > 0)
panel_note(p) = panel_knows(p) ? 0 : (patterns = patterns." ".p, 1)
stats DATA using (style_note(strcol(1)), panel_note(strcol(2)), panel_x = $3 > panel_x ? $3 : panel_x, $3) nooutput
stats DATA using (valid(4) ? style_widen(panel_value($4)) : 0) nooutput
n = words(names)
m = words(patterns)
eval style_sort

across = m < PANEL_COLUMNS ? m : PANEL_COLUMNS
down = (m + across - 1) / across
tall = down == 1 ? 300.0 : 170.0
above = 14 + 20.0 * style_key_rows(n)
height = above + down * (tall + 34) + 24
eval style_open(900, height)
set multiplot
set logscale x
if (PANEL_LOG) set logscale y
set xtics (1, 2, 4, 8, 16, 32, 64, 128, 256)
if (exists("PANEL_TICS")) eval PANEL_TICS
set xrange [(exists("PANEL_FROM") ? PANEL_FROM : 1) * 0.8 : panel_x * 1.25]
set yrange [exists("PANEL_LOW") ? PANEL_LOW : style_lo / 1.3 : exists("PANEL_HIGH") ? PANEL_HIGH : style_hi * (PANEL_LOG ? 1.3 : 1.05)]
set format y (exists("PANEL_FORMAT") ? PANEL_FORMAT : "%g")
# Every power of ten; two marks more in each; seven more.
panel_decades = 'set ytics (0.0001, 0.001, 0.01, 0.1, 1, 10, 100, "1 000" 1000)'
panel_steps = 'set ytics (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, "1 000" 1000)'
panel_fine = panel_steps; do for [e=-4:2] { do for [d=3:9] { if (d != 5) { panel_fine = panel_fine.sprintf("; set ytics add (%g)", d * 10.0 ** e) } } }
panel_left = 0.085
panel_own = exists("PANEL_OWN") && PANEL_OWN
panel_gap = panel_own ? 0.06 : 0.02
panel_wide = (0.985 - panel_left - panel_gap * (across - 1)) / across
panel_top(r) = 1 - (above + r * (tall + 34) + 20) / height
set label 2 PANEL_LABEL at screen 0.018, screen 0.5 center rotate textcolor rgb STYLE_INK
do for [k=1:m] {
    p = word(patterns, k)
    c = (k - 1) % across
    r = (k - 1) / across
    if (k == 1) { eval style_legend(n, height) } else { unset key; unset label 2 }
    if (panel_own) {
        style_lo = 1e300; style_hi = -1e300
        set yrange [*:*]
        stats DATA using (strcol(2) eq p && valid(4) ? style_widen(panel_value($4)) : 1/0) nooutput
        set yrange [style_lo / 1.4 : style_hi * 1.4]
        if (style_hi / style_lo > 40) { eval panel_decades } else { eval panel_steps }
        if (style_hi / style_lo < 3) { eval panel_fine }
    }
    set format y (c == 0 || panel_own ? (exists("PANEL_FORMAT") ? PANEL_FORMAT : "%g") : "")
    set xlabel (k + across > m ? (exists("PANEL_X") ? PANEL_X : "workers") : "") offset 0, 0.4
    set lmargin at screen panel_left + c * (panel_wide + panel_gap)
    set rmargin at screen panel_left + c * (panel_wide + panel_gap) + panel_wide
    set tmargin at screen panel_top(r)
    set bmargin at screen panel_top(r) - (tall - 22) / height
    set label 1 p at graph 0.5, graph 1.0 offset 0, 0.7 center textcolor rgb STYLE_INK
    plot for [q=1:panel_limits] panel_limit(x) with lines linewidth 0.9 dashtype (6,6) linecolor rgb STYLE_INK notitle, \
         for [i=1:panel_dashes * n] DATA using (strcol(1) eq word(names, i) && strcol(2) eq p && panel_dash(strcol(5)) ? $3 : 1/0):(panel_value($4)) \
             with linespoints linewidth 1.8 dashtype (5,4) pointtype style_point(word(names, i)) pointsize 0.7 \
             linecolor rgb style_color(word(names, i)) notitle, \
         for [i=1:n] DATA using (strcol(1) eq word(names, i) && strcol(2) eq p && !panel_dash(strcol(5)) ? $3 : 1/0):(panel_value($4)) \
             with linespoints linewidth 1.8 pointtype style_point(word(names, i)) pointsize 0.7 \
             linecolor rgb style_color(word(names, i)) title word(names, i)
}
unset multiplot
