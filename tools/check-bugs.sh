#!/bin/sh
# SPDX-License-Identifier: MIT
# check-bugs.sh BUILD-FOLDER [N…]: do the tests have teeth?  Each bug of tests/bugs.def (or those named) is
# switched on, and exactly the test that is named there must fail: by a failed check, a crash or the time
# limit, not by not starting.  Without the bug the same test must pass.  Two at a time.  Writes
# build/bugs.json, ends with «N passed, M failed».
#   ACRE_SEED (1)   of random tests        BUG_SECONDS (100)   the time limit of one test
cd "$(dirname "$0")/.." || exit 2
B=$1
shift
table=tests/bugs.def out=$B/bugs
export ACRE_SEED="${ACRE_SEED:-1}" ACRE_BUILD_DIR="$out"

# The table without comments and padding: n|file|what|test.
rows() {
    sed -e '/^#/d' -e 's/ *| */|/g' -e 's/^ *//' -e 's/ *$//' $table
}

# ---- one run: prints how it ended: passed, check, crash, time limit, «did not run» ----

criterion_end() { # log, exit status
    line=$(sed 's/\x1b\[[0-9;]*m//g' "$1" | grep -a 'Synthesis:' | tail -n 1)
    case "$2|$line" in
    124*|137*) echo 'time limit' ;;
    *'Tested: 0 '*) echo 'did not run' ;;
    *'Crashing: 0'*'Failing: 0'*|*'Failing: 0'*'Crashing: 0'*) [ "$2" = 0 ] && echo passed || echo 'did not run' ;;
    *'Crashing: 0'*) echo check ;;
    *Crashing:*) echo crash ;;
    *) echo 'did not run' ;;
    esac
}

laboratory_end() { # log, exit status
    case "$2|$(tail -n 1 "$1")" in
    124*|137*) echo 'time limit' ;;
    '0|0 passed'*) echo 'did not run' ;;
    0*', 0 failed') echo passed ;;
    1*passed,*failed) awk '/ injected /{for (i = 2; i <= NF; i++) if ($i ~ /^(lost|doubled|unsound|hangs)$/ && $(i-1) > 0) s = s " " $i} END {print s ? substr(s, 2) : "did not run"}' "$1" ;;
    *) echo 'did not run' ;;
    esac
}

run_test() { # bug, log, program, arguments…
    bug=$1 log=$2 program=$3
    shift 3
    limit="timeout -k 5 ${BUG_SECONDS:-100}"
    if [ "$program" = crash ]; then
        ACRE_BUG=$bug $limit "$B/crash" --quick "$@" >"$log" 2>&1
        laboratory_end "$log" $?
    else
        ACRE_BUG=$bug $limit "$B/tests/$program" --jobs 1 --filter "$@" >"$log" 2>&1
        criterion_end "$log" $?
    fi
}

# ---- one job of xargs: a bug, or a test without any ----

if [ "$1" = --one ]; then
    begun=$(date +%s)
    # shellcheck disable=SC2086
    end=$(run_test "$2" "$out/$3.log" $4)
    printf '%s\n' "$end" >"$out/$3.end"
    printf '%-4s %-14s %3d s  %s\n' "$2" "$end" $(($(date +%s) - begun)) "$4"
    exit 0
fi

# ---- the table and the sources belong together ----

problems=$(
    rows | while IFS='|' read -r n file rest; do
        grep -q "ACRE_BUG_IS($n)" "$file" || echo "bug $n is not in $file"
    done
    grep -rhoE 'ACRE_BUG_IS\([0-9]+\)' sync alloc segment | tr -cd '0-9\n' | sort -nu |
        while read -r n; do rows | grep -q "^$n|" || echo "bug $n is not in $table"; done
    rows | cut -d'|' -f1 | sort -n | uniq -d | sed 's/^/twice: bug /'
)
[ -z "$problems" ] || { echo "$problems"; exit 2; }

rm -rf "$out"
mkdir -p "$out"
wanted=" $* "
chosen() {
    rows | while IFS='|' read -r n rest; do
        case "$wanted" in "  " | *" $n "*) echo "$n|$rest" ;; esac
    done
}
# A line a job: bug, name of its files, test.  First each test without a bug.
jobs() {
    chosen | cut -d'|' -f4 | sort -u | awk '{print 0 "\t" "test" NR "\t" $0}' | tee "$out/tests"
    chosen | awk -F'|' '{print $1 "\t" "bug" $1 "\t" $4}'
}
jobs | tr '\t\n' '\0\0' | xargs -0 -n 3 -P 2 "$0" "$B" --one

# ---- the verdicts ----

passed=0 failed=0 separator=
exec 3>build/bugs.json
printf '[\n' >&3
while IFS='|' read -r n file what test; do
    name=$(awk -F'\t' -v t="$test" '$3 == t {print $2}' "$out/tests")
    without=$(cat "$out/$name.end") with=$(cat "$out/bug$n.end")
    caught=false
    case $with in passed | 'did not run') ;; *) [ "$without" = passed ] && caught=true ;; esac
    printf '%s{"n": %d, "file": "%s", "what": "%s", "test": "%s", "without": "%s", "with": "%s", "caught": %s}' \
        "$separator" "$n" "$file" "$what" "$test" "$without" "$with" "$caught" >&3
    separator=$(printf ',\n ')
    if [ $caught = true ]; then passed=$((passed + 1)); verdict=caught
    else failed=$((failed + 1)); verdict="NOT CAUGHT (without the bug: $without)"; fi
    printf '%3d  %-24s %-82s %-13s %s\n' "$n" "$file" "$what" "$with" "$verdict"
done <<END
$(chosen)
END
printf '\n]\n' >&3
echo "$passed passed, $failed failed"
[ "$failed" = 0 ] && [ "$passed" != 0 ]
