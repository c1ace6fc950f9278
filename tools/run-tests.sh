#!/bin/sh
# SPDX-License-Identifier: MIT
# run-tests.sh BUILD-FOLDER TEST…: run Criterion binaries one after the other, add up what they
# counted, and end with what failed, a line each, and «N passed, N failed».  RUNNER is put in front
# of each (valgrind).
B=$1
shift
export ACRE_BUILD_DIR="$B"
# (clang 14 takes the stack of a cancelled thread for poisoned when it gives the signal stack back.)
export ASAN_OPTIONS="${ASAN_OPTIONS:-detect_leaks=1:handle_segv=0:use_sigaltstack=0}"
export LSAN_OPTIONS="${LSAN_OPTIONS:-suppressions=tests/lsan.supp:print_suppressions=0}"
passed=0 failed=0 skipped=0
mkdir -p "$B/log"
plain() { sed 's/\x1b\[[0-9;]*m//g' "$log"; }
failures=""
for t in "$@"; do
    name=$(basename "$t")
    log="$B/log/$name.log"
    start=$(date +%s)
    # shellcheck disable=SC2086
    timeout 1500 $RUNNER "$t" ${RUNNER:+-j1} --jobs "${JOBS:-2}" >"$log" 2>&1
    status=$?
    line=$(plain | grep -a 'Synthesis:' | tail -n 1)
    number() { printf '%s' "$line" | sed -n "s/.*$1: *\([0-9]*\).*/\1/p"; }
    p=$(number Passing) f=$(number Failing) c=$(number Crashing) all=$(number Tested)
    p=${p:-0} f=${f:-0} c=${c:-0} all=${all:-0}
    bad=$((f + c))
    [ "$status" = 0 ] || [ "$bad" != 0 ] || bad=1
    [ "$all" != 0 ] || { bad=1; echo "$name ran no test"; }
    printf '%-20s %4d passed %3d failed  %3d s\n' "$name" "$p" "$bad" $(($(date +%s) - start))
    [ "$bad" = 0 ] || {
        plain | tail -n 60
        why=$(plain | grep -aE '^\[(FAIL|----)\]|^#|CRASH|TIMEOUT' | tail -n 12)
        failures="$failures
failed in $B/$name (exit $status): $why"
    }
    passed=$((passed + p)) failed=$((failed + bad))
done
[ -z "$failures" ] || printf '%s\n' "$failures"
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
