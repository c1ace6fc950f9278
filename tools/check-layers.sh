#!/bin/sh
# SPDX-License-Identifier: MIT
# check-layers.sh: who may include whom.  A folder's internal.h is its own; below, each folder names
# the folders whose headers it may include with quotes.  Public headers (<acre/…>) are everybody's.
cd "$(dirname "$0")/.." || exit 2
status=0
allow() { # folder, pattern of allowed folders
    for f in $(git ls-files -co --exclude-standard "$1" | grep -E '\.(c|h|cc|def)$'); do
        grep -nE '^#include "' "$f" | while IFS= read -r line; do
            number=${line%%:*}
            target=$(printf '%s' "$line" | sed 's/.*#include "\([^"]*\)".*/\1/')
            from=${target%%/*}
            if ! printf '%s' "$from" | grep -qxE "$2"; then
                echo "$f:$number: $1 may not include $target"
            elif [ "${target##*/}" = internal.h ] && [ "$from" != "$1" ]; then
                echo "$f:$number: $target is internal to $from"
            fi
        done
    done
}
problems=$(
    allow sync 'sync'
    allow alloc 'alloc|sync'
    allow segment 'segment|alloc|sync'
    allow traces 'traces'
    allow bench 'bench|traces'
    allow cli 'cli|bench|traces|segment|sync'
    allow examples 'algorithm'
)
[ -z "$problems" ] || { echo "$problems"; status=1; }
exit $status
