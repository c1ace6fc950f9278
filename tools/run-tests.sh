#!/bin/sh
# SPDX-License-Identifier: MIT
# run-tests.sh BUILD-FOLDER TEST…: run Criterion binaries one after the other, add up what they
# counted, and end with what failed, a line each, and «N passed, N failed».
#
# RUNNER  is put in front of each (valgrind)
# JOBS    of its tests at a time (2)
# FILTER  which of them, a pattern of SUITE/TEST (all)
# RETRY   not empty: a program that fails is run once more, one test at a time.  Processes are killed,
#         stopped and waited for with a deadline here: on a machine that others use too such a
#         wait can be too short.  What passed only then is told at the end as well.
B=$1
shift
export ACRE_BUILD_DIR="$B"
# (clang 14 takes the stack of a cancelled thread for poisoned when it gives the signal stack back.)
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:handle_segv=0:use_sigaltstack=0}"
export LSAN_OPTIONS="${LSAN_OPTIONS:-suppressions=tests/lsan.supp:print_suppressions=0}"
passed=0 failed=0 troubles=""
mkdir -p "$B/log"

plain() { sed 's/\x1b\[[0-9;]*m//g' "$log"; }
number() { plain | grep -a 'Synthesis:' | tail -n 1 | sed -n "s/.*$1: *\([0-9]*\).*/\1/p"; }
why() { plain | grep -aE '^\[(FAIL|----)\]|^#|CRASH|TIMEOUT|TEST ABORTED|runtime error|^==[0-9]+==ERROR|^SUMMARY' | tail -n 12; }

# PROGRAM JOBS: run it; what it counted in p and bad.
run() {
    start=$(date +%s)
    # shellcheck disable=SC2086
    timeout 1500 $RUNNER "$1" ${RUNNER:+-j1} --jobs "$2" --filter "${FILTER:-*/*}" >"$log" 2>&1
    status=$?
    p=$(number Passing) f=$(number Failing) c=$(number Crashing) all=$(number Tested)
    p=${p:-0} bad=$((${f:-0} + ${c:-0}))
    [ "$status" = 0 ] || [ "$bad" != 0 ] || bad=1
    [ "${all:-0}" != 0 ] || { bad=1; echo "$name ran no test"; }
    printf '%-20s %4d passed %3d failed  %3d s\n' "$name" "$p" "$bad" $(($(date +%s) - start))
    [ "$bad" = 0 ] && return
    plain | tail -n 60
    troubles="$troubles
failed in $B/$name (exit $status): $(why)"
}

for t in "$@"; do
    name=$(basename "$t")
    log="$B/log/$name.log"
    run "$t" "${JOBS:-2}"
    if [ "$bad" != 0 ] && [ -n "${RETRY:-}" ]; then
        run "$t" 1
        [ "$bad" != 0 ] || troubles="$troubles
  ($name passed when run again, one test at a time)"
    fi
    passed=$((passed + p)) failed=$((failed + bad))
done
[ -z "$troubles" ] || printf '%s\n' "$troubles"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
