# SPDX-License-Identifier: MIT
# There and back between two processes, on two CPUs and on one.
XLABEL = "µs for a round trip (left is faster)"
CASES = 1
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/sync-rows.gp"
