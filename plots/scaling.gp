# SPDX-License-Identifier: MIT
# What workers get done together, against how many they are: a panel a pattern, each with
# its own limits; log-log.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

PANEL_LABEL = "million operations a second"
PANEL_LOG = 1
PANEL_OWN = 1
panel_value(v) = v / 1e6
panel_dashes = 0
panel_dash(s) = 0
panel_limits = 0
panel_limit(n) = 0
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/panels.gp"
