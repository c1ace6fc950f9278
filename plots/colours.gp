# SPDX-License-Identifier: MIT
# Prints "name colour order" for each algorithm in DATA to OUT, for whoever cannot ask style.gp.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

set print OUT
stats DATA using (style_note(strcol(1)), 0) nooutput
do for [i=1:words(names)] {
    print sprintf("%s %s %d", word(names, i), style_color(word(names, i)), style_order(word(names, i)))
}
