# SPDX-License-Identifier: MIT
# What two processes get done together, in each other's way.
XLABEL = "million operations a second, both together (right is faster)"
CASES = 0
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/sync-rows.gp"
