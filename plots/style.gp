# SPDX-License-Identifier: MIT
# How every picture looks, and the only place where an algorithm's colour, order and point type
# are fixed.  Each script loads it first.
#
# In:  DATA    the .dat file               OUT     the picture to write
#      FORMAT  "svg" (default) or "png"    STYLE_DIR  where this file is (default ".")

# One line an algorithm, in legend order: name, colour, point type.
# What synchronises stands below the algorithms, then what finds by name.
# One family of hues for each kind: acre's algorithms blue to green, private mallocs orange to
# red, the original (Boost) violet, reference points grey.  Every colour has a contrast of at
# least 2.9 on white and on #14171c.  Point types are the filled ones (odd); an algorithm with
# options (name:option=value) gets its base's colour and the hollow point beside it.
STYLE = "\
sharded                 #0a7dd1  7 \
rbtree_best_fit         #0f9b8e 13 \
tlsf                    #3f6fe0  9 \
segregated_pools        #2f9bbf  5 \
adaptive_pools          #6a7de0 15 \
buddy                   #4f9d69 11 \
simple_seq_fit          #5a83a6  5 \
mimalloc                #c98a00  9 \
jemalloc                #e0600f  7 \
tcmalloc                #d2476b 13 \
libc                    #b3702c  5 \
boost_rbtree_best_fit   #b057c9  7 \
boost_simple_seq_fit    #8f63d9  5 \
bump                    #7b8794 11 \
null                    #868e96  9 \
null_call               #9a948c  5 \
acre                    #0a7dd1  7 \
pthread                 #e0600f  9 \
pthread_robust          #c98a00 11 \
posix                   #d2476b 13 \
boost                   #b057c9  5 \
pipe                    #7b8794 15 \
acre_hash               #0a7dd1  7 \
acre_ordered            #0f9b8e 13 \
acre_flat               #3f6fe0  9 \
boost_iset              #b057c9  7 \
boost_iunordered_set    #8f63d9  5 \
boost_map               #d2476b 13 \
boost_flat_map          #c98a00  9 \
std_unordered_map       #7b8794 15 "

# An algorithm that is not in the table gets one of these, always the same for one name.
STYLE_OTHERS = "#8a8f2a #a5705c #6f8f5a #9a7a9a #9c8420 #5f8f8f"

style_rows = words(STYLE) / 3
style_letters = "abcdefghijklmnopqrstuvwxyz0123456789_-"
style_cut(n, at) = at > 0 ? n[1:at-1] : n
style_base(n) = style_cut(style_cut(n, strstrt(n, ":")), strstrt(style_cut(n, strstrt(n, ":")), "("))
style_row(n) = (sum [style_i=1:style_rows] (word(STYLE, 3*style_i-2) eq style_base(n) ? style_i : 0))
style_hash(n) = (sum [style_i=1:strlen(n)] (style_i * strstrt(style_letters, n[style_i:style_i])))
style_other(n) = word(STYLE_OTHERS, 1 + int(style_hash(style_base(n))) % words(STYLE_OTHERS))
style_is_variant(n) = (strstrt(n, ":") > 0)
style_color(n) = style_row(n) ? word(STYLE, 3*style_row(n)-1) : style_other(n)
style_filled(n) = style_row(n) ? int(word(STYLE, 3*style_row(n))) : 11
style_point(n) = style_filled(n) - style_is_variant(n)
style_order(n) = style_row(n) ? style_row(n) : style_rows + 1
style_is_reference(n) = (style_base(n) eq "null" || style_base(n) eq "null_call" || style_base(n) eq "bump")

# Collecting the different names of a column: plot or stats with style_note(strcol(1)).
names = ""
style_knows(n) = (strstrt(" ".names." ", " ".n." ") > 0)
style_longest = 0
style_note(n) = style_knows(n) ? 0 : (names = names." ".n, style_longest = strlen(n) > style_longest ? strlen(n) : style_longest, 1)
# The left margin that holds the longest name, as a part of a picture that is w pixels wide.
style_left(w) = (style_longest * 7.9 + 34.0) / w
style_index(n) = (sum [style_i=1:words(names)] (word(names, style_i) eq n ? style_i : 0))

# eval style_sort: names in the order of the table.
style_sort = 'style_sorted = ""; do for [r=1:style_rows+1] { do for [k=1:words(names)] { if (style_order(word(names, k)) == r) { style_sorted = style_sorted." ".word(names, k) } } }; names = style_sorted'

# A legend of n entries above the picture: its rows, and eval style_legend(n, height of picture).
style_key_rows(n) = (n + 3) / 4
style_legend(n, h) = sprintf("set key at screen 0.015, screen %f left top Left reverse vertical maxrows %d samplen 1.2 width %d spacing 1; set tmargin at screen %f", 1 - 4.0 / h, style_key_rows(n), FORMAT eq "png" ? 0 : -3, 1 - (14.0 + 20 * style_key_rows(n)) / h)

# The page replaces ink and grid by its own colours, so that a picture follows light and dark.
STYLE_INK = "#5b6471"
STYLE_GRID = "#c3c8cf"
STYLE_BAND = "#9aa3ad"

if (!exists("FORMAT")) FORMAT = "svg"
style_svg(w, h) = sprintf("set terminal svg size %d,%d dynamic noenhanced font 'sans-serif,14' linewidth 1.2; set output OUT", w, h)
style_png(w, h) = sprintf("set terminal pngcairo size %d,%d noenhanced font 'DejaVu Sans,20' linewidth 2.4 pointscale 2.7 background 'white'; set output OUT", 2*w, 2*h)
# eval style_open(width, height): the size is that of the SVG in pixels; PNG is twice as large.
style_open(w, h) = FORMAT eq "png" ? style_png(w, h) : style_svg(w, h)

set encoding utf8
set datafile missing "?"
set border 0
set tics nomirror scale 0 textcolor rgb STYLE_INK
set xlabel textcolor rgb STYLE_INK
set ylabel textcolor rgb STYLE_INK
set key textcolor rgb STYLE_INK noenhanced
set grid xtics ytics linetype 1 linecolor rgb STYLE_GRID linewidth 0.7
set errorbars 0
set pointsize 0.55

style_times(v) = sprintf(v < 9.995 ? "%.2f×" : v < 99.95 ? "%.1f×" : "%.0f×", v)
style_log_tics = "set xtics (0.1, 0.2, 0.3, 0.5, 1, 2, 3, 5, 10, 20, 30, 50, 100, 200, 300, 500, 1000)"

# Widening a pair of limits by values: style_widen(v) inside stats.
style_lo = 1e300; style_hi = -1e300
style_widen(v) = (style_lo = v < style_lo ? v : style_lo, style_hi = v > style_hi ? v : style_hi, v)
set format x "%g"
set format y "%g"
