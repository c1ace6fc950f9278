# SPDX-License-Identifier: MIT
# What one operation costs when nobody else is there.
XLABEL = "ns (left is faster)"
CASES = 0
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/sync-rows.gp"
