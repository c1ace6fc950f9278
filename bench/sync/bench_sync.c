/* SPDX-License-Identifier: MIT */
/* bench_sync.c: build/bench-sync: every synchronisation primitive beside its peers.
 *
 * Benches are named PRIMITIVE/CASE/IMPLEMENTATION, and nothing is appended to that: what
 * bench_real_time() and its like would add is avoided by taking wall time here (team.c). */
#include "bench/bench.h"
#include "bench/fingerprint.h"
#include "bench/library.h"
#include "bench/sync/suites.h"

int main(int argc, char **argv)
{
    const boost_sync *boost = acre_library_boost_sync();
    bench_context("commit", acre_fingerprint_commit());
    bench_context("boost", boost ? boost->version : "libacre_boost_sync.so is not built");
    hold_suite();
    turn_suite();
    channel_suite();
    return bench_main(argc, argv);
}
