#!/bin/sh
# SPDX-License-Identifier: MIT
# check-models.sh [model …]: check models/*.pml with Spin.  What to run stands in each model:
#     RUN flags   there must be no error
#     BUG flags   a seeded mistake: Spin must find an error
#     NAP flags   the same, for the documented cases in which only a nap wakes a sleeper
cd "$(dirname "$0")/.." || exit 2
passed=0 failed=0

number() { # of the line that matches, in pan's output
    sed -n "s/$1/\1/p" "$out/pan.log" | head -n 1
}

run() { # model, wanted: 0 or 1 errors, flags…
    model=$1 wanted=$2
    shift 2
    rm -f "$out"/pan* "$out"/*.trail
    # shellcheck disable=SC2086
    (cd "$out" && spin $* -a "../../../models/$model.pml" >spin.log 2>&1 &&
        ${CC:-cc} -O2 -w -DSAFETY -DNOREDUCE -DMEMLIM=1900 -o pan pan.c &&
        timeout 120 ./pan -m1000000 -w22 >pan.log 2>&1)
    status=$?
    errors=$(number '.*errors: \([0-9]*\).*')
    complete=$(grep -c 'Search not completed\|max search depth too small' "$out/pan.log")
    states=$(number ' *\([0-9.e+]*\) states, stored.*')
    depth=$(number '.*depth reached \([0-9]*\).*')
    verdict=ok
    [ "$status" = 0 ] && [ "${errors:-none}" = "$wanted" ] || verdict=FAILED
    [ "$wanted" = 1 ] || [ "$complete" = 0 ] || verdict=FAILED
    printf '%-8s %-44s %10s states, depth %5s, %s errors  %s\n' "$model" "$*" "${states:-?}" \
        "${depth:-?}" "${errors:-?}" "$verdict"
    if [ "$verdict" = ok ]; then passed=$((passed + 1)); return; fi
    failed=$((failed + 1))
    cat "$out/spin.log"
    grep '^pan' "$out/pan.log"
    # shellcheck disable=SC2086
    [ ! -f "$out/$model.pml.trail" ] || (cd "$out" && spin $* -k "$model.pml.trail" -p "../../../models/$model.pml") | tail -n 120
}

[ $# -gt 0 ] || set -- $(ls models/*.pml | xargs -n 1 basename -s .pml | grep -v '^kernel$')
for m in "$@"; do
    out=build/models/$m
    mkdir -p "$out"
    sed -n 's/^ \* \(RUN\|BUG\|NAP\) \([^	]*\).*/\1 \2/p' "models/$m.pml" >"$out/$m.runs"
    while read -r kind flags; do
        wanted=1
        [ "$kind" = RUN ] && wanted=0
        # shellcheck disable=SC2086
        run "$m" $wanted $flags
    done <"$out/$m.runs"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
