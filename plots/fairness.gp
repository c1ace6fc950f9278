# SPDX-License-Identifier: MIT
# Jain's index of what each worker got done, against how many they are: a panel a pattern.  Dashed: one does all.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

PANEL_LABEL = "fairness"
PANEL_LOG = 0
PANEL_LOW = 0
PANEL_HIGH = 1.04
PANEL_FROM = 2
panel_value(v) = v
panel_dashes = 0
panel_dash(s) = 0
panel_limits = 1
panel_limit(n) = 1 / n
set ytics 0, 0.25, 1
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/panels.gp"
