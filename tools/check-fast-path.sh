#!/bin/sh
# SPDX-License-Identifier: MIT
# check-fast-path.sh sharded.o: count the instructions of the ways that nearly all calls of `sharded` go: from the
# function's start straight on to its first `ret`, no jump taken.  None may be locked, a division or a system
# call.  With an acre_local at hand 20 to allocate and 22 to free (checks=0) are the limit.
object=$1 passed=0 failed=0
case $(uname -m) in x86_64) ;; *) echo "0 passed, 0 failed"; exit 0 ;; esac

way() { # function: its instructions up to the first ret
    objdump -d --no-show-raw-insn "$object" |
        awk -v name="<$1>:" '$2 == name { on = 1; next } on { sub(/^[^\t]*\t/, ""); print } on && /^ret/ { exit }'
}

check() { # function, most instructions
    n=$(way "$1" | wc -l)
    bad=$(way "$1" | grep -cE '^(lock|xchg|mfence|div|idiv|syscall|call)')
    verdict=ok
    [ "$n" -gt 1 ] && [ "$n" -le "$2" ] && [ "$bad" = 0 ] || verdict=FAILED
    printf '%-28s %3d instructions, at most %d; %d that may not be  %s\n' "$1" "$n" "$2" "$bad" $verdict
    if [ $verdict = ok ]; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
}

check shard_local_take 20
check shard_local_give_unjudged 22
check shard_take 24
check shard_give_unjudged 28
check shard_give 68
echo "$passed passed, $failed failed"
[ $failed = 0 ]
