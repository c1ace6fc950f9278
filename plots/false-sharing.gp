# SPDX-License-Identifier: MIT
# How fast a worker writes to its block, of what it does alone, against how many they are: a panel a pattern.
# Dashed: nothing shared but processors.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

cpus = 0
stats DATA using (valid(5) ? (cpus = $5, $5) : 0) nooutput
PANEL_LABEL = "speed of a worker, alone = 1"
PANEL_LOG = 0
PANEL_LOW = 0
panel_value(v) = v
panel_dashes = 0
panel_dash(s) = 0
panel_limits = 1
panel_limit(n) = cpus == 0 || n <= cpus ? 1 : cpus / n
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/panels.gp"
