# SPDX-License-Identifier: MIT
# Objects by name: what finding one, and constructing and destroying one, costs among so many; a panel each, log-log.
# Rows of DATA: table, what, names, ns, a word that says nothing.
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/style.gp"

PANEL_LABEL = "ns"
PANEL_LOG = 1
PANEL_OWN = 1
PANEL_X = "names"
PANEL_FROM = 10
PANEL_TICS = 'set xtics ("10" 10, "100" 100, "1 k" 1e3, "10 k" 1e4, "100 k" 1e5, "1 M" 1e6)'
panel_value(v) = v
panel_dashes = 0
panel_dash(s) = 0
panel_limits = 0
panel_limit(n) = 0
load (exists("STYLE_DIR") ? STYLE_DIR : ".")."/panels.gp"
