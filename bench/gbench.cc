/* SPDX-License-Identifier: MIT */
/* gbench.cc: Google Benchmark (1.7) behind the C interface of bench.h. */
#include "bench/bench.h"

#include <benchmark/benchmark.h>

using benchmark::Counter;
using benchmark::State;

/* One registered benchmark.  Lives as long as the program, longer than the library's own list. */
struct bench {
    benchmark::internal::Benchmark *registered;
    bench_function *run;
    void *context;
    bench_hook *setup, *teardown;
    bool manual, skipped;
    double seconds; /* that the rounds took, if manual */
    bench *next;
};

namespace
{

thread_local State *running;
thread_local bench *current;
bench *all;

/* One batch is the whole run: max_iterations is fixed before it, and the second question ends it.
 */
void gbench_run(bench *b, State &state)
{
    running = &state;
    current = b;
    b->skipped = false;
    if (b->setup)
        b->setup(b->context);
    while (!b->skipped && state.KeepRunningBatch(state.max_iterations)) {
        b->run(b->context, static_cast<size_t>(state.max_iterations));
        if (b->manual)
            state.SetIterationTime(b->seconds);
    }
    if (b->teardown)
        b->teardown(b->context);
    running = nullptr;
}

} // namespace

extern "C" {

bench *bench_add(const char *name, bench_function *run, void *context)
{
    bench *b = new bench{nullptr, run, context, nullptr, nullptr, false, false, 0, all};
    all = b;
    b->registered = benchmark::RegisterBenchmark(name, [b](State &state) { gbench_run(b, state); });
    return b;
}

bench *bench_setup(bench *b, bench_hook *setup, bench_hook *teardown)
{
    b->setup = setup;
    b->teardown = teardown;
    return b;
}

bench *bench_threads(bench *b, int threads)
{
    b->registered->Threads(threads);
    return b;
}

bench *bench_iterations(bench *b, size_t n)
{
    b->registered->Iterations(static_cast<benchmark::IterationCount>(n));
    return b;
}

bench *bench_repetitions(bench *b, int n)
{
    b->registered->Repetitions(n);
    return b;
}

bench *bench_min_time(bench *b, double seconds)
{
    b->registered->MinTime(seconds);
    return b;
}

bench *bench_real_time(bench *b)
{
    b->registered->UseRealTime();
    return b;
}

bench *bench_manual_time(bench *b)
{
    b->manual = true;
    b->registered->UseManualTime();
    return b;
}

void bench_counter(const char *name, double value, int flags)
{
    int how = Counter::kDefaults;
    how |= flags & BENCH_RATE ? Counter::kIsRate : 0;
    how |= flags & BENCH_PER_THREAD ? Counter::kAvgThreads : 0;
    how |= flags & BENCH_INVERT ? Counter::kInvert : 0;
    running->counters[name] = Counter(value, static_cast<Counter::Flags>(how));
}

void bench_items(uint64_t n)
{
    running->SetItemsProcessed(static_cast<int64_t>(n));
}

void bench_items_in(uint64_t n, double seconds)
{
    running->counters["items_per_second"] = Counter(static_cast<double>(n) / seconds);
}

void bench_bytes(uint64_t n)
{
    running->SetBytesProcessed(static_cast<int64_t>(n));
}

void bench_label(const char *text)
{
    running->SetLabel(text);
}

void bench_skip(const char *reason)
{
    current->skipped = true;
    running->SkipWithError(reason);
}

void bench_round_seconds(double s)
{
    current->seconds = s;
}

int bench_thread_index(void)
{
    return running->thread_index();
}

int bench_thread_count(void)
{
    return running->threads();
}

void bench_context(const char *key, const char *value)
{
    benchmark::AddCustomContext(key, value);
}

int bench_main(int argc, char **argv)
{
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv))
        return 2;
    benchmark::RunSpecifiedBenchmarks();
    benchmark::Shutdown();
    return 0;
}

} // extern "C"
