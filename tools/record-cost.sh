#!/bin/sh
# SPDX-License-Identifier: MIT
# record-cost.sh [THREADS]: what the recorder costs a program, ns an operation: pairs of malloc and
# free of 16 to 527 bytes with 1,024 blocks live, bare and recorded, seven times in turn.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
recorder=${ACRE_RECORDER:-$top/build/libacre_record.so}
dir=$(mktemp -d "${TMPDIR:-/tmp}/acre-cost-XXXXXX")
trap 'rm -rf "$dir"' EXIT
cat > "$dir/pairs.c" <<'C'
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
enum { PAIRS = 2000000, LIVE = 1024 };
static void *work(void *seed)
{
    void *live[LIVE] = {0};
    unsigned x = (unsigned)(size_t)seed;
    for (long i = 0; i < PAIRS; i++) {
        x = x * 1664525 + 1013904223;
        free(live[x >> 22]);
        live[x >> 22] = malloc(16 + (x >> 10 & 511));
    }
    return NULL;
}
int main(int argc, char **argv)
{
    struct timespec a, b;
    pthread_t threads[64];
    int n = argc > 1 ? atoi(argv[1]) : 1;
    clock_gettime(CLOCK_MONOTONIC, &a);
    for (int i = 1; i < n && i < 64; i++)
        pthread_create(&threads[i], NULL, work, (void *)(size_t)i);
    work(NULL);
    for (int i = 1; i < n && i < 64; i++)
        pthread_join(threads[i], NULL);
    clock_gettime(CLOCK_MONOTONIC, &b);
    printf("%.2f\n", ((b.tv_sec - a.tv_sec) * 1e9 + (b.tv_nsec - a.tv_nsec)) / (2.0 * PAIRS));
    return 0;
}
C
${CC:-cc} -O2 -fno-builtin -pthread "$dir/pairs.c" -o "$dir/pairs"
for round in 1 2 3 4 5 6 7; do
    mkdir "$dir/raw"
    bare=$("$dir/pairs" "${1:-1}")
    recorded=$(ACRE_RECORD_DIR=$dir/raw LD_PRELOAD=$recorder "$dir/pairs" "${1:-1}")
    rm -rf "$dir/raw"
    echo "$bare $recorded"
done | awk '{ print $2 - $1, $1, $2 }' | sort -n |
    awk '{ d[NR] = $1; line[NR] = $0 } END { split(line[4], m); printf "recorder: %.1f ns an operation (median of 7; %.1f to %.1f); bare %.1f, recorded %.1f\n", m[1], d[1], d[7], m[2], m[3] }'
