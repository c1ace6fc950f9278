#!/bin/sh
# SPDX-License-Identifier: MIT
# newcomer.sh: «adding a memory algorithm is one file plus one line»: in a copy of the tree, the
# example becomes alloc/toy.c, algorithms.def gets its line, and the tests, the tool, a replay, the
# benches and a report's data have it with no other edit.  Objects are reused, so it is quick.
set -eu
unset BXFI_MAP || true # a Criterion program started by another would take itself for its worker
tree=$(mktemp -d "${TMPDIR:-/tmp}/acre-newcomer-XXXXXX")
trap 'rm -rf "$tree"' EXIT INT TERM
B=build/release

fail() { echo "newcomer: $*" >&2; exit 1; }
expect() { # WHAT COMMAND…: its output names toy
    what=$1; shift
    "$@" >"$tree/out" 2>"$tree/err" || fail "$what: $(tail -n 3 "$tree/err")"
    grep -q toy "$tree/out" || fail "toy is missing in $what"
    echo "toy is in $what"
}

git ls-files -z | xargs -0 cp -p --parents -t "$tree" 2>/dev/null || [ -f "$tree/Makefile" ] ||
    fail "cannot copy the tree"
mkdir -p "$tree/build"
cp -rp "$B" "$tree/build/" 2>/dev/null || true
cp examples/algorithm/toy_algorithm.c "$tree/alloc/toy.c"
echo 'ACRE_ALGORITHM(toy)' >>"$tree/alloc/algorithms.def"
cd "$tree"
changed='alloc/toy.c and one line'
env -u MAKEFLAGS -u MFLAGS make -j2 VARIANT=release "$B/acre" "$B/tests/test_alloc" "$B/tests/test_kill" \
    $([ -f "$B/acre-bench" ] && echo "$B/acre-bench") >"$tree/log" 2>&1 ||
    fail "does not build with $changed: $(tail -n 5 "$tree/log")"

expect 'the list' "$B/acre" algorithms
expect "the conformance tests' list" "$B/tests/test_alloc" --list
expect "the crash tests' list" "$B/tests/test_kill" --list
"$B/tests/test_alloc" --filter 'toy/*' >"$tree/out" 2>&1 || fail "conformance: $(tail -n 5 "$tree/out")"
echo "toy passes the conformance tests"
trace=$(ls -S traces/*.acr | tail -n 1)
expect 'a replay' "$B/acre" replay --json -a toy --repeat 1 "$trace"
[ ! -f "$B/acre-bench" ] || expect 'the benches' "$B/acre-bench" --benchmark_list_tests
"$B/acre" compare --plan-only -o "$tree/report" "$trace" >"$tree/out" 2>&1 ||
    fail "compare: $(tail -n 3 "$tree/out")"
expect "a comparison's plan" cat "$tree/report/plan.jsonl"
"$B/acre" compare --quick --blocks=2 -a toy,libc -o "$tree/report2" "$trace" >"$tree/log" 2>&1 ||
    fail "compare: $(tail -n 3 "$tree/log")"
expect "a report's data" cat "$tree/report2/results.jsonl"
expect 'a report' cat "$tree/report2/index.html"
