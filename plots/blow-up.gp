# SPDX-License-Identifier: MIT
# The most that a heap held over the most that was live in it: a panel a pattern; log-log.  Dashed: growth of
# memory of a malloc's processes instead of a segment's high water.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

PANEL_LABEL = "bytes held / bytes live"
PANEL_LOG = 1
PANEL_FORMAT = "%g×"
panel_value(v) = v
panel_dashes = 1
panel_dash(s) = (s eq "resident")
panel_limits = 1
panel_limit(n) = 1
set ytics (0.25, 0.5, 1, 1.5, 2, 3, 4, 6, 8, 16, 32)
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/panels.gp"
