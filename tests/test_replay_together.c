/* SPDX-License-Identifier: MIT */
/* One trace, replayed by several workers between them: everything is done once and in order, what one
 * allocates another frees, nobody waits for ever, and whoever dies is told. */
#include "tests/support_together.h"

/* ---- Playing --------------------------------------------------------------------------------- */

static acre_contender contender_of(const char *spec)
{
    acre_contender c;
    ACRE_CHECK_EQUAL(acre_contender_find(&c, spec), 0);
    return c;
}

/* Every object is freed by another worker than allocated it. */
static acre_together play(const char *spec, const acre_image *m, uint32_t processes,
                          uint32_t threads, uint32_t cross, acre_together_plan plan)
{
    static acre_together t;
    acre_contender c = contender_of(spec);
    acre_shares p = shares_of(m, processes * threads, ACRE_SHARES_OBJECTS, cross);
    plan.parts = &p;
    plan.processes = processes;
    plan.threads = threads;
    ACRE_CHECK(acre_together_run(&c, &plan, &t) == 0, "%s", spec);
    acre_shares_free(&p);
    return t;
}

static void play_is_right(const char *spec, const acre_image *m, uint32_t processes,
                          uint32_t threads, acre_together_plan plan)
{
    acre_together t = play(spec, m, processes, threads, 100, plan);
    ACRE_CHECK(t.status == ACRE_REPLAY_OK, "%s, %u x %u: operation %llu: %s", spec, processes,
               threads, (unsigned long long)t.op, t.what);
    ACRE_CHECK(!t.checked || t.sound, "%s, %u x %u: the heap is not sound", spec, processes,
               threads);
    ACRE_CHECK_EQUAL(t.passes, plan.warm);
    ACRE_CHECK(t.cold > 0 && t.ops_per_s > 0 && t.fairness > 0 && t.fairness < 1.0001);
    ACRE_CHECK(t.waited_share >= 0 && t.waited_share < 1);
}

static void all_crossing(const char *spec, bool processes)
{
    acre_image m = image_random(acre_test_seed(), acre_test_rounds(20000), 300, 1);
    acre_together_plan plan = {.warm = 1, .verify = true, .lead = ACRE_TOGETHER_APART};
    play_is_right(spec, &m, 1, 2, plan);
    play_is_right(spec, &m, 1, 4, plan);
    if (processes) {
        play_is_right(spec, &m, 2, 1, plan);
        play_is_right(spec, &m, 4, 1, plan);
    }
    acre_image_unmap(&m);
}

ACRE_TEST(together, all_is_freed_elsewhere_sharded)
{
    all_crossing("sharded", true);
}

ACRE_TEST(together, all_is_freed_elsewhere_rbtree_best_fit)
{
    all_crossing("rbtree_best_fit", true);
}

ACRE_TEST(together, all_is_freed_elsewhere_libc)
{
    all_crossing("libc", false);
}

/* Processes with threads.  The thread sanitizer sees one process: what came back through another has, for
 * it, no order. */
ACRE_TEST(together, every_algorithm_serves_it)
{
#ifdef __SANITIZE_THREAD__
    acre_test_skip("the thread sanitizer sees one process only");
#endif
    acre_image m = image_random(acre_test_seed(), acre_test_rounds(8000), 200, 1);
    acre_together_plan plan = {.warm = 1, .verify = true, .lead = ACRE_TOGETHER_APART};
    const acre_algorithm *a;
    for (size_t i = 0; (a = acre_algorithm_at(i)); i++)
        if (!(a->flags & (ACRE_REFERENCE | ACRE_NO_FREE)))
            play_is_right(a->name, &m, 2, 2, plan);
    acre_image_unmap(&m);
}

ACRE_TEST(together, every_touch_and_the_null_harness)
{
    acre_image m = image_random(14, 3000, 100, 1);
    for (int touch = 0; touch < ACRE_TOUCH_KINDS; touch++) {
        acre_together_plan plan = {.warm = 2, .touch = touch, .lead = ACRE_TOGETHER_APART};
        play_is_right("tlsf", &m, 2, 1, plan);
    }
    acre_together_plan plan = {.warm = 2, .touch = ACRE_TOUCH_LINE, .lead = ACRE_TOGETHER_APART};
    play_is_right("null", &m, 2, 2, plan);
    acre_image_unmap(&m);
}

/* One operation after the other, whoever does them: the heap is as after a replay by one. */
ACRE_TEST(together, lockstep_places_blocks_as_one_worker_does)
{
    acre_image m = image_random(acre_test_seed(), acre_test_rounds(20000), 200, 1);
    acre_contender c = contender_of("rbtree_best_fit");
    acre_timing_plan one = {.touch = ACRE_TOUCH_LINE};
    acre_timing t;
    acre_together_plan plan = {.lead = 0, .verify = true};
    ACRE_CHECK_EQUAL(acre_replay_time(&m, &c, &one, &t), 0);
    ACRE_CHECK(t.peak_used > 0);
    ACRE_CHECK_EQUAL(play("rbtree_best_fit", &m, 2, 1, 50, plan).peak_used, t.peak_used);
    ACRE_CHECK_EQUAL(play("rbtree_best_fit", &m, 1, 3, 100, plan).peak_used, t.peak_used);
    acre_image_unmap(&m);
}

/* With any lead all come to the end. */
ACRE_TEST(together, no_lead_stops_anybody)
{
    acre_image m = image_random(15, acre_test_rounds(8000), 100, 1);
    static const uint64_t lead[] = {1, 7, 1000, 1 << 30, UINT64_MAX - 1};
    for (size_t i = 0; i < sizeof lead / sizeof *lead; i++)
        play_is_right("sharded", &m, 4, 1, (acre_together_plan){.warm = 2, .lead = lead[i]});
    acre_image_unmap(&m);
}

/* A worker that has nothing to do holds nobody up. */
ACRE_TEST(together, idle_workers)
{
    script s = script_begin();
    uint64_t a = script_malloc_by(&s, 24, 0);
    script_free_by(&s, a, 0);
    acre_image m = script_end(&s);
    for (uint64_t lead = 0; lead < 2; lead++)
        play_is_right("tlsf", &m, 4, 1, (acre_together_plan){.warm = 3, .lead = lead});
    acre_image_unmap(&m);
}

/* ---- What is wrong is noticed ------------------------------------------------------------------ */

/* An allocator that is sound as long as its room lasts, and gives nothing back. */
enum { ARENA_BYTES = 1 << 26, ARENA_FAULT = 500 };

static struct {
    _Alignas(64) char room[ARENA_BYTES];
    _Atomic size_t next;
    _Atomic unsigned calls;
    char *_Atomic last;
} arena;

/* In front of each block stands its size. */
static void *arena_aligned(void *heap, size_t size, size_t align)
{
    (void)heap;
    size_t room = (size + 2 * align + 47) & ~(size_t)15, mask = align < 16 ? 15 : align - 1;
    char *p = arena.room + atomic_fetch_add(&arena.next, room);
    ACRE_CHECK(p + room <= arena.room + ARENA_BYTES);
    p += 16 + (-(uintptr_t)(p + 16) & mask);
    memcpy(p - 16, &size, sizeof size);
    return p;
}

static void *arena_alloc(void *heap, size_t size)
{
    return arena_aligned(heap, size, 16);
}

static void *arena_realloc(void *heap, void *p, size_t size)
{
    size_t old;
    memcpy(&old, (char *)p - 16, sizeof old);
    return memcpy(arena_alloc(heap, size), p, old < size ? old : size);
}

static void arena_free(void *heap, void *p)
{
    (void)heap, (void)p;
}

static bool arena_faulty(void)
{
    return atomic_fetch_add(&arena.calls, 1) % ARENA_FAULT == ARENA_FAULT - 1;
}

static size_t arena_size(const char *p)
{
    size_t size;
    memcpy(&size, p - 16, sizeof size);
    return size;
}

/* A block that somebody has, most likely the other worker; it fits, or what lies behind it would be
 * written to as well, and another fault be seen first. */
static void *broken_twice(void *heap, size_t size)
{
    char *p = atomic_load(&arena.last);
    if (!p || arena_size(p) < size || !arena_faulty())
        atomic_store(&arena.last, p = arena_alloc(heap, size));
    return p;
}

static void *broken_askew(void *heap, size_t size)
{
    return (char *)arena_alloc(heap, size + 4) + (arena_faulty() ? 4 : 0);
}

static void *broken_dirty(void *heap, size_t size)
{
    char *p = memset(arena_alloc(heap, size), 0, size);
    p[size / 2] = (char)(arena_faulty() ? 1 : 0);
    return p;
}

static void *broken_forget(void *heap, void *p, size_t size)
{
    return arena_faulty() ? arena_alloc(heap, size) : arena_realloc(heap, p, size);
}

static void *broken_full(void *heap, size_t size)
{
    return arena_faulty() ? NULL : arena_alloc(heap, size);
}

static acre_together arena_play(const acre_engine *engine)
{
    static acre_together t;
    acre_image m = image_random(16, 40000, 200, 1);
    acre_shares p = shares_of(&m, 2, ACRE_SHARES_OBJECTS, 100);
    acre_contender c = contender_of("libc");
    acre_together_plan plan = {.parts = &p,
                               .processes = 1,
                               .threads = 2,
                               .warm = 0,
                               .verify = true,
                               .lead = ACRE_TOGETHER_APART};
    c.engine = engine;
    ACRE_CHECK_EQUAL(acre_together_run(&c, &plan, &t), 0);
    acre_shares_free(&p);
    acre_image_unmap(&m);
    return t;
}

static acre_engine arena_engine(void)
{
    acre_engine e = *contender_of("libc").engine;
    e.alloc = e.calloc = arena_alloc;
    e.realloc = arena_realloc;
    e.aligned = arena_aligned;
    e.free = arena_free;
    return e;
}

static void arena_found(const acre_engine *e, const char *what)
{
    acre_together t = arena_play(e);
    ACRE_CHECK(t.status == ACRE_REPLAY_FAILED && strstr(t.what, what), "not «%s» but «%s»", what,
               t.what);
    ACRE_CHECK(!t.checked, "a heap that is not empty was judged");
}

ACRE_TEST(together, sound_arena_passes_verify)
{
    acre_engine e = arena_engine();
    acre_together t = arena_play(&e);
    ACRE_CHECK(t.status == ACRE_REPLAY_OK, "%s", t.what);
}

ACRE_TEST(together, verify_notices_a_block_given_twice)
{
    acre_engine e = arena_engine();
    e.alloc = broken_twice;
    arena_found(&e, "was overwritten");
}

ACRE_TEST(together, verify_notices_alignment_calloc_and_realloc)
{
    acre_engine e = arena_engine();
    e.alloc = broken_askew;
    arena_found(&e, "is not aligned");
    e = arena_engine();
    e.calloc = broken_dirty;
    arena_found(&e, "not zero");
    e = arena_engine();
    e.realloc = broken_forget;
    arena_found(&e, "lost its contents in realloc");
}

/* The other one waits for what will never be there: it ends as well. */
ACRE_TEST(together, no_room_is_told_and_ends_all)
{
    acre_engine e = arena_engine();
    acre_test_limit(60);
    e.alloc = broken_full;
    arena_found(&e, "no room for");
}

/* ---- Ends that come early ---------------------------------------------------------------------- */

ACRE_TEST(together, time_that_is_over_stops_all)
{
    acre_image m = image_random(17, 40000, 300, 1);
    acre_together_plan plan = {
        .warm = ACRE_WARM_MAX, .lead = 0, .verify = true, .budget_ns = 20000000};
    acre_test_limit(60);
    acre_together t = play("rbtree_best_fit", &m, 4, 1, 100, plan);
    ACRE_CHECK_EQUAL(t.status, ACRE_REPLAY_STOPPED);
    ACRE_CHECK(!t.checked && t.passes < ACRE_WARM_MAX);
    acre_image_unmap(&m);
}

ACRE_TEST(together, what_has_no_common_heap_is_refused)
{
    acre_image m = image_random(18, 500, 20, 1);
    static acre_together t;
    acre_shares p = shares_of(&m, 2, ACRE_SHARES_OBJECTS, 50);
    acre_together_plan plan = {.parts = &p, .processes = 2, .threads = 1};
    acre_contender libc = contender_of("libc"), bump = contender_of("bump"),
                   null = contender_of("null");
    ACRE_CHECK_EQUAL(acre_together_run(&libc, &plan, &t), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_together_run(&bump, &plan, &t), ENOSPC);
    plan.verify = true;
    ACRE_CHECK_EQUAL(acre_together_run(&null, &plan, &t), ENOSPC);
    plan.threads = 2;
    ACRE_CHECK_EQUAL(acre_together_run(&libc, &plan, &t), EINVAL);
    acre_shares_free(&p);
    acre_image_unmap(&m);
}

/* The parent of a process; 0: it has gone. */
static pid_t parent_of(pid_t pid)
{
    char path[64];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return 0;
    int n = fscanf(f, "%*d (%*[^)]) %*c %d", &parent);
    fclose(f);
    return n == 1 ? (pid_t)parent : 0;
}

/* Children of `of`, up to `most`; how many there are. */
static int children_of(pid_t of, pid_t *child, int most)
{
    DIR *d = opendir("/proc");
    int n = 0;
    ACRE_CHECK(d != NULL);
    for (struct dirent *e; n < most && (e = readdir(d));) {
        pid_t pid = (pid_t)atoi(e->d_name);
        if (pid > 0 && parent_of(pid) == of)
            child[n++] = pid;
    }
    closedir(d);
    return n;
}

static void nap_ms(long ms)
{
    nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* Kills one of the workers of the process arg points to, once all are there and at work. */
static void *killer(void *arg)
{
    pid_t of = *(pid_t *)arg, child[4];
    while (children_of(of, child, 4) < 4)
        nap_ms(1);
    nap_ms(30);
    kill(child[2], SIGKILL);
    return NULL;
}

static void killed_worker(const char *spec, uint64_t lead)
{
    acre_image m = image_random(19, 100000, 300, 1);
    static acre_together t;
    acre_shares p = shares_of(&m, 4, ACRE_SHARES_OBJECTS, 100);
    acre_together_plan plan = {
        .parts = &p, .processes = 4, .threads = 1, .warm = ACRE_WARM_MAX, .lead = lead};
    acre_contender c = contender_of(spec);
    pid_t me = getpid();
    pthread_t thread;
    acre_test_limit(60);
    ACRE_CHECK_EQUAL(pthread_create(&thread, NULL, killer, &me), 0);
    uint64_t start = acre_lab_now_ns();
    ACRE_CHECK_EQUAL(acre_together_run(&c, &plan, &t), ECHILD);
    ACRE_CHECK(acre_lab_now_ns() - start < 10000000000u, "the others hang");
    pthread_join(thread, NULL);
    ACRE_CHECK(waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD, "a worker is left");
    acre_shares_free(&p);
    acre_image_unmap(&m);
}

ACRE_TEST(together, a_killed_worker_ends_the_others)
{
    killed_worker("rbtree_best_fit", ACRE_TOGETHER_APART);
    killed_worker("sharded", 100);
}

/* ---- Where the segment lies -------------------------------------------------------------------- */

typedef struct seat {
    procs_heap *heap;
    uint32_t me;
    void *volatile *base;
} seat;

static void seat_join(void *arg)
{
    seat *s = arg;
    ACRE_CHECK_EQUAL(procs_heap_join(s->heap, s->me), 0);
    s->base[s->me] = s->heap->base;
}

/* Or addresses could be handed over as they are, and no test would notice. */
ACRE_TEST(together, every_process_has_the_segment_elsewhere)
{
    acre_contender c = contender_of("tlsf");
    procs_heap h;
    void **base = acre_lab_map_segment(4096);
    ACRE_CHECK(base && procs_heap_make(&h, &c, 1 << 22) == 0);
    base[3] = h.base;
    for (uint32_t i = 0; i < 3; i++) {
        seat s = {&h, i, base};
        acre_test_run(seat_join, &s);
        for (uint32_t k = 0; k < i; k++)
            ACRE_CHECK(base[i] != base[k], "%u and %u", i, k);
        ACRE_CHECK(base[i] && base[i] != base[3], "%u and the parent", i);
    }
    procs_heap_leave(&h);
    acre_lab_unmap(base, 4096);
}

/* ---- The command ------------------------------------------------------------------------------- */

#ifndef ACRE_TEST_PLAIN /* which has no command beside it */

static double real_of(const json_t *o, const char *key)
{
    const json_t *x = json_object_get(o, key);
    ACRE_CHECK(json_is_number(x), "%s is missing in %s", key, tool_text);
    return json_number_value(x);
}

static const char *text_of(const json_t *o, const char *key)
{
    const char *x = json_string_value(json_object_get(o, key));
    ACRE_CHECK(x != NULL, "%s is missing in %s", key, tool_text);
    return x;
}

/* A recording of git's five threads: what was done by which is what counts. */
ACRE_TEST(together_tool, a_recorded_trace_of_threads)
{
    static const char *const way[] = {"--procs 5", "--threads 5"};
    double crossed = 0;
    for (int i = 0; i < 2; i++) {
        char command[256];
        snprintf(command, sizeof command,
                 "replay --json --verify --together=threads -a sharded %s tests/data/threads.acr",
                 way[i]);
        json_t *o = tool_json(command), *x;
        size_t k;
        double sum = 0;
        json_array_foreach(json_object_get(o, "worker_ops"), k, x) sum += json_number_value(x);
        ACRE_CHECK(k == 5 && sum == real_of(o, "ops"), "%s", tool_text);
        ACRE_CHECK(!strcmp(text_of(o, "verify"), "ok") && !strcmp(text_of(o, "check"), "ok"));
        ACRE_CHECK(!strcmp(text_of(o, "split"), "threads") && !json_object_get(o, "cross"));
        ACRE_CHECK(real_of(o, "crossed_frees") > 1000 && real_of(o, "frees") > 4000);
        ACRE_CHECK(!i || real_of(o, "crossed_frees") == crossed);
        crossed = real_of(o, "crossed_frees");
        ACRE_CHECK(real_of(o, "harness_ns_per_op") > 0 && real_of(o, "ns_per_op_warm") > 0);
        ACRE_CHECK(real_of(o, "peak_used") > 0 &&
                   real_of(o, "most_live") >= real_of(o, "peak_live"));
        json_decref(o);
    }
}

ACRE_TEST(together_tool, a_trace_of_one_thread_is_dealt_out)
{
    json_t *o = tool_json("replay --json --together --threads 2 --lead 0 -a libc "
                          "tests/data/golden.acr");
    ACRE_CHECK(!strcmp(text_of(o, "split"), "objects") && real_of(o, "cross") == 25);
    ACRE_CHECK(real_of(o, "lead") == 0 && !json_object_get(o, "check"));
    json_decref(o);
    ACRE_CHECK(tool_run("replay --together=100 --procs 2 tests/data/golden.acr") == 0, "%s",
               tool_text);
    ACRE_CHECK(strstr(tool_text, "crossed") && strstr(tool_text, "100.00 %"), "%s", tool_text);
}

ACRE_TEST(together_tool, bad_usage_ends_with_2)
{
    static const char golden[] = "tests/data/golden.acr";
    tool_expect("replay --together", golden, 2, "2 to 256 workers");
    tool_expect("replay --together --procs 20 --threads 20", golden, 2, "2 to 256 workers");
    tool_expect("replay --together=101 --procs 2", golden, 2, "not a number from 0 to 100");
    tool_expect("replay --together=some --procs 2", golden, 2, "not a number from 0 to 100");
    tool_expect("replay --together=threads --procs 2", golden, 2, "has 1 thread, not");
    tool_expect("replay --together --procs 2 -a libc", golden, 2, "heap of its own");
    tool_expect("replay --together --procs 2 -a bump", golden, 2, "there is no heap");
    tool_expect("replay --together --procs 2 --fit", golden, 2, "of one process");
    tool_expect("replay --together --procs 2 --latency", golden, 2, "of one process");
    tool_expect("replay --lead 3 --procs 2", golden, 2, "only with --together");
    tool_expect("replay --together --procs 2 --lead -1", golden, 2, "not a number from 0");
    tool_expect("replay --procs 2 --verify", golden, 2, "or of --together");
}

/* As a user sees it: the command, its worker process, and the four who replay. */
ACRE_TEST(together_tool, a_killed_worker_is_an_error_with_status_2)
{
    char line[] = "replay --together=100 --procs 4 --warm 64 -a tlsf traces/redis.acr";
    acre_test_limit(120);
    int ends[2];
    ACRE_CHECK_EQUAL(pipe(ends), 0);
    pid_t tool = fork();
    if (tool == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        int status = tool_run(line);
        _exit(status >= 0 && write(STDOUT_FILENO, tool_text, strlen(tool_text)) >= 0 ? status : 99);
    }
    close(ends[1]);
    /* Ours, the shell's, the command, its cell; the first cell is that of the harness. */
    pid_t cell = tool, child[4];
    for (int depth = 0, n = 0; n < 4; n = children_of(cell, child, 4)) {
        nap_ms(1);
        depth = n == 1 && depth < 16 ? depth + 1 : 0;
        cell = depth ? child[0] : tool;
    }
    kill(child[1], SIGKILL);
    char text[4096];
    size_t length = 0;
    for (ssize_t n; (n = read(ends[0], text + length, sizeof text - 1 - length)) > 0;)
        length += (size_t)n;
    text[length] = '\0';
    int status = 0;
    ACRE_CHECK(waitpid(tool, &status, 0) == tool);
    ACRE_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 2, "status %d: %s", status, text);
    ACRE_CHECK(strstr(text, "a worker died or did not end"), "%s", text);
}

#endif
