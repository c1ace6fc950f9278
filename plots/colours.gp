# SPDX-License-Identifier: MIT
# Prints "name colour order" for each algorithm in DATA to OUT, and the colours that the page
# replaces (@ink …), for whoever cannot ask style.gp.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

set print OUT
stats DATA using (style_note(strcol(1)), 0) nooutput
do for [i=1:words(names)] {
    print sprintf("%s %s %d", word(names, i), style_color(word(names, i)), style_order(word(names, i)))
}
print "@ink ".STYLE_INK." 0"
print "@grid ".STYLE_GRID." 0"
print "@band ".STYLE_BAND." 0"
