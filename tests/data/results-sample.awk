#!/usr/bin/awk -f
# SPDX-License-Identifier: MIT
# Makes SYNTHETIC results for tests of the report: no figure in here was measured.
#
#   awk -v traces=4 -v blocks=5 -f tests/data/results-sample.awk > tests/data/results-sample.jsonl
#
# Holds everything the report must cope with: a skipped baseline, stopped and failed cells, an
# algorithm the plots do not know, options in a name, the A/A series, an unknown kind of line.
# -v toy=NAME renames the unknown algorithm, -v without=NAME leaves one out.

function noise(scale) { return exp(scale * (rand() + rand() + rand() - 1.5)) }
function number(x) { return sprintf("%.4g", x) }

function contender(name, family, summary, ns, cold, memory, net_live)
{
    n_algorithms++
    algorithm[n_algorithms] = name
    base_ns[n_algorithms] = ns
    base_cold[n_algorithms] = cold
    base_memory[n_algorithms] = memory
    live_slope[n_algorithms] = net_live
    family_of[n_algorithms] = family
    if (name == without)
        return
    printf "{\"kind\":\"contender\",\"algorithm\":\"%s\",\"summary\":\"%s\",\"family\":\"%s\",\"order\":%d}\n", \
        name, summary, family, n_algorithms
}

function trace(name, program, ops, peak, ns_factor, memory_factor)
{
    if (n_traces >= traces)
        return
    n_traces++
    trace_name[n_traces] = name
    trace_ops[n_traces] = ops
    trace_peak[n_traces] = peak
    trace_ns[n_traces] = ns_factor
    trace_memory[n_traces] = memory_factor
    printf "{\"kind\":\"trace\",\"trace\":\"%s\",\"file\":\"traces/%s.acr\",\"ops\":%d,\"objects\":%d,\"peak_live\":%d,\"program\":\"%s\"}\n", \
        name, name, ops, ops / 2, peak, program
}

# How well an algorithm does on a trace, the same in each run.
function taste(a, t) { return 1 + 0.18 * sin(a * 12.9898 + t * 78.233) }
function memory_taste(a, t) { return 1 + 0.12 * sin(a * 7.1 + t * 3.7) }

function status_of(name, t)
{
    if (name == "simple_seq_fit" && t % 3 == 2) return "stopped"
    if (name == "boost_simple_seq_fit" && t % 3 == 1) return "stopped"
    if (name == "buddy" && t == 3) return "failed"
    return "ok"
}

function replay(a, t, b, position,    name, status, warm, cold, harness, share, peak)
{
    name = algorithm[a]
    status = status_of(name, t)
    share = status == "ok" ? 1 : (status == "stopped" ? 0.43 : 0.08)
    harness = 3.3 * noise(0.01) * drift[b]
    warm = (base_ns[a] - 3.3) * trace_ns[t] * taste(a, t) * noise(0.03) * drift[b] + harness
    if (name == "null") warm = harness * noise(0.004)
    if (name == "jemalloc(A/A)") warm = (base_ns[a] - 3.3) * trace_ns[t] * taste(jemalloc, t) * noise(0.03) * drift[b] + harness
    cold = warm * base_cold[a] * noise(0.03)
    peak = trace_peak[t]
    printf "{\"kind\":\"replay\",\"trace\":\"%s\",\"algorithm\":\"%s\",\"block\":%d,\"position\":%d,\"ops\":%d,", \
        trace_name[t], name, b, position, trace_ops[t] * share
    printf "\"ns_per_op_cold\":%s,\"ns_per_op_warm\":%s,\"ns_per_op_warm_min\":%s,\"harness_ns_per_op\":%s,\"harness_ns_per_op_cold\":%s,", \
        number(cold), number(warm), number(warm * 0.96), number(harness), number(harness * 2.1)
    printf "\"peak_live\":%d,\"peak_used\":%d,\"peak_rss\":%d,\"minor_faults\":%d,\"status\":\"%s\",\"share\":%s,\"touch\":\"line\"}\n", \
        peak, peak * base_memory[a], peak * base_memory[a] * 0.97, peak * base_memory[a] / 4096, status, share
}

function fit(a, t,    name, status, ratio)
{
    name = algorithm[a]
    if (name == "null" || name == "jemalloc(A/A)")
        return
    status = status_of(name, t)
    ratio = 1 + (base_memory[a] - 1) * trace_memory[t] * memory_taste(a, t)
    printf "{\"kind\":\"fit\",\"trace\":\"%s\",\"algorithm\":\"%s\",\"s_min\":%s,\"peak_live\":%d,\"status\":\"%s\",\"measure\":\"%s\"}\n", \
        trace_name[t], name, status == "ok" ? sprintf("%d", ratio * trace_peak[t]) : "null", \
        trace_peak[t], status, family_of[a] == "malloc" ? "resident" : "segment"
}

function timeline(a, t,    i, n, live, used, ops, high)
{
    n = 200
    high = 0
    for (i = 0; i < n; i++) {
        live = trace_peak[t] * (0.15 + 0.6 * i / n + 0.25 * sin(i / 9) * (i / n)) * (i > 185 ? (n - i) / 15 : 1)
        used = live * (1 + (base_memory[a] - 1) * (0.6 + 0.4 * i / n))
        if (used > high) high = used; else used = high * (0.9 + 0.1 * used / high)
        ops = ops (i ? "," : "") int(trace_ops[t] * i / (n - 1))
        lives = (i ? lives "," : "") int(live)
        useds = (i ? useds "," : "") int(used)
    }
    printf "{\"kind\":\"timeline\",\"trace\":\"%s\",\"algorithm\":\"%s\",\"op\":[%s],\"live\":[%s],\"used\":[%s]}\n", \
        trace_name[t], algorithm[a], ops, lives, useds
}

function live_cost(a,    n, e, ns, status)
{
    for (e = 2; e <= 6; e++) {
        n = 10 ^ e
        ns = base_ns[a] * 2.2 * (1 + live_slope[a] * (e - 2)) * (e > 4 ? 1 + 0.35 * (e - 4) : 1) * noise(0.03)
        status = "ok"
        if (algorithm[a] ~ /simple_seq_fit/) {
            ns = 40 * (n / 100) ^ 0.9
            if (e > 4) status = "stopped"
        }
        printf "{\"kind\":\"live_cost\",\"algorithm\":\"%s\",\"live\":%d,\"ns_per_op\":%s,\"status\":\"%s\"}\n", \
            algorithm[a], n, number(ns), status
    }
}

BEGIN {
    if (!traces) traces = 4
    if (!blocks) blocks = 5
    if (!toy) toy = "toy"
    srand(20240229)
    printf "{\"kind\":\"run\",\"command\":\"acre compare (SYNTHETIC sample for tests)\",\"date\":\"2024-02-29T12:00:00Z\",\"commit\":\"0000000\",\"quick\":true,\"fingerprint\":{\"cpu\":\"Sample CPU @ 2.00GHz\",\"cores\":2,\"kernel\":\"6.1.0-sample\",\"governor\":\"none\",\"thp\":\"madvise\",\"libc\":\"glibc 2.36\",\"compiler\":\"gcc 12.2.0\",\"flags\":\"-O2\",\"aslr\":\"on\",\"pmu\":\"none\",\"clocksource\":\"tsc\"}}\n"
    contender("sharded", "acre", "sharded slabs, magazines, bitmaps", 6.6, 1.9, 1.15, 0.03)
    contender("tlsf", "acre", "two-level segregated fit", 13, 1.5, 1.13, 0.02)
    contender("rbtree_best_fit", "acre", "best fit, red-black tree", 22, 1.35, 1.11, 0.06)
    contender("rbtree_best_fit:lock=none,journal=off", "acre", "best fit without lock and journal", 14, 1.4, 1.11, 0.06)
    contender("rbtree_best_fit:journal=off", "acre", "best fit without journal", 19, 1.37, 1.11, 0.06)
    contender("segregated_pools", "acre", "pools that keep their blocks", 11, 1.6, 1.32, 0.02)
    contender("adaptive_pools", "acre", "pools that give blocks back", 14.5, 1.5, 1.21, 0.02)
    contender("buddy", "acre", "binary buddy", 19, 1.5, 1.62, 0.04)
    contender("simple_seq_fit", "acre", "address-ordered first fit", 410, 1.05, 1.09, 1)
    contender(toy, "acre", "an algorithm the plots do not know", 17, 1.5, 1.4, 0.1)
    contender("mimalloc", "malloc", "mimalloc 2.0.9", 8.4, 1.95, 1.30, 0.02)
    contender("jemalloc", "malloc", "jemalloc 5.3.0", 12.8, 1.5, 1.27, 0.03)
    jemalloc = n_algorithms
    contender("libc", "malloc", "glibc 2.36", 14, 1.4, 1.18, 0.05)
    contender("boost_rbtree_best_fit", "boost", "Boost.Interprocess rbtree_best_fit", 118, 1.15, 1.174, 0.08)
    contender("boost_rbtree_best_fit:lock=none", "boost", "the same with null_mutex", 92, 1.2, 1.174, 0.08)
    contender("boost_simple_seq_fit", "boost", "Boost.Interprocess simple_seq_fit", 520, 1.05, 1.1, 1)
    contender("bump", "reference", "only advances", 4.2, 6, 21, 0.01)
    contender("null", "reference", "answers a constant", 3.3, 1.1, 1, 0)
    contender("jemalloc(A/A)", "malloc", "jemalloc again", 12.8, 1.5, 1.27, 0.03)
    printf "{\"kind\":\"skipped\",\"algorithm\":\"tcmalloc\",\"reason\":\"libtcmalloc_minimal.so.4 is not installed (Debian: libtcmalloc-minimal4)\"}\n"
    printf "{\"kind\":\"some-later-kind\",\"value\":1}\n"
    trace("sqlite3", "sqlite3 :memory: < speedtest.sql", 1203456, 6291456, 0.9, 0.8)
    trace("python3", "python3 -m json.tool big.json", 2101234, 25165824, 1.1, 0.9)
    trace("cc1", "cc1 -O2 file.c", 812345, 33554432, 1.5, 0.7)
    trace("lua", "lua binarytrees.lua", 1503210, 1572864, 1.0, 1.9)
    trace("cmake", "cmake -S . -B build", 2304567, 3145728, 0.75, 2.6)
    trace("redis", "redis-server, 100k mixed requests", 990000, 15728640, 0.95, 0.8)
    trace("perl", "perl wordcount.pl", 1700000, 5242880, 0.95, 1.0)
    trace("gawk", "gawk -f report.awk", 1100000, 2097152, 0.85, 1.1)
    trace("jq", "jq .", 1800000, 9437184, 1.15, 1.2)
    trace("cobc", "cobc -x program.cob", 450000, 4194304, 1.2, 0.9)
    trace("cc1plus", "cc1plus -O2 file.cc", 1900000, 52428800, 0.85, 0.8)
    for (b = 1; b <= blocks; b++)
        drift[b] = noise(0.05)
    for (t = 1; t <= n_traces; t++)
        for (b = 1; b <= blocks; b++)
            for (a = 1; a <= n_algorithms; a++)
                if (algorithm[a] != without)
                    replay(a, t, b, (a * 7 + b * 3) % n_algorithms + 1)
    for (t = 1; t <= n_traces; t++)
        for (a = 1; a <= n_algorithms; a++)
            if (algorithm[a] != without)
                fit(a, t)
    for (a = 1; a <= n_algorithms; a++)
        if (algorithm[a] !~ /null|A\/A|:|bump/ && algorithm[a] != without) {
            timeline(a, 1)
            live_cost(a)
        }
}
