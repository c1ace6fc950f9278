# SPDX-License-Identifier: MIT
# Messages of 64 bytes from one process to another.
XLABEL = "million messages a second (right is faster)"
CASES = 1
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/sync-rows.gp"
