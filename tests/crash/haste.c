/* SPDX-License-Identifier: MIT */
/* haste.c: how long the living are held up by one dead thread: a thread that has used its part of the heap
 * for long is killed, and the next one takes the part over in its first call.
 *
 *     dead one: many live blocks, or few; magazines full      next one: first call ─▶ µs, less that of its second
 *
 * Measured in segments of several sizes, many times; printed are the middle and the worst.  The middle must
 * be below a millisecond, but where the dead one had very many slabs: taking over goes over all of them, and
 * that is only told. */
#include "tests/crash/published.h"
#include "tests/crash/shards.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    HASTE_SECONDS = 60,
    HASTE_TIMES = 25,
    HASTE_QUICK = 5,
    HASTE_MOST_US = 1000,
    HASTE_SIZE = 64,
    HASTE_CHECKED = 64 << 20, /* a check goes over the blocks, and for each slab over its ring */
    HASTE_SPARSE = 2000       /* blocks */
};

static const struct haste_kind {
    const char *operation, *state;
    size_t size;
    bool dense; /* half of the segment is live blocks of the dead one's */
    bool told;  /* as above: no mistake if it takes longer */
} haste_kinds[] = {
    {"1MiB", "sparse", 1 << 20, false, false},   {"1MiB", "dense", 1 << 20, true, false},
    {"64MiB", "sparse", 64 << 20, false, false}, {"64MiB", "dense", 64 << 20, true, true},
    {"1GiB", "sparse", 1 << 30, false, false},   {"1GiB", "dense", 1 << 30, true, true},
};
enum { HASTE_KINDS = sizeof haste_kinds / sizeof *haste_kinds };

/* The largest takes memory, and seconds to fill. */
static bool haste_chosen(const struct haste_kind *k)
{
    return !crash_chosen.quick || !k->dense || k->size < 1 << 30;
}

static void haste_plan(const crash_part *self)
{
    const acre_algorithm *a;
    for (size_t i = 0; (a = crash_algorithm(i)); i++)
        for (size_t k = 0; !strcmp(a->name, "sharded") && k < HASTE_KINDS; k++)
            if (haste_chosen(&haste_kinds[k]))
                crash_plan(self, a, haste_kinds[k].operation, haste_kinds[k].state, k,
                           HASTE_SECONDS);
}

typedef struct haste_run {
    const struct haste_kind *kind;
    acre_heap *h;
    double *us; /* shared: what the next one measured */
} haste_run;

/* ---- the dead one ---- */

static void haste_use(acre_heap *h, size_t blocks)
{
    void *last = NULL;
    for (size_t i = 0; i < blocks; i++) {
        void *p = acre_alloc(h, HASTE_SIZE);
        if (i % 8 == 7)
            (void)acre_free(h, last);
        last = i % 8 == 7 ? NULL : p;
    }
}

static void haste_victim(void *arg)
{
    const haste_run *r = arg;
    haste_use(r->h, r->kind->dense ? r->kind->size / 2 / HASTE_SIZE : HASTE_SPARSE);
    kill(getpid(), SIGKILL);
}

/* Dies again: takes the part over first, and does little. */
static void haste_victim_again(void *arg)
{
    const haste_run *r = arg;
    haste_use(r->h, 1);
    kill(getpid(), SIGKILL);
}

static void haste_kill(haste_run *r, void (*work)(void *))
{
    int status;
    pid_t child = crash_child(work, r);
    if (waitpid(child, &status, 0) != child || !WIFSIGNALED(status))
        crash_give_up("a victim did not die");
}

/* ---- the next one ---- */

static double haste_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static double haste_call(acre_heap *h)
{
    double begun = haste_now();
    void *p = acre_alloc(h, HASTE_SIZE);
    double us = haste_now() - begun;
    (void)acre_free(h, p);
    return us;
}

static void haste_next(void *arg)
{
    const haste_run *r = arg;
    (void)shards_mine(r->h); /* what a thread does once, for any object */
    double first = haste_call(r->h), second = haste_call(r->h);
    *r->us = first - second;
    kill(getpid(), SIGKILL);
}

static int haste_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* ---- all of it ---- */

static void haste_tell(const crash_case *c, crash_board *b, double *us, size_t n)
{
    qsort(us, n, sizeof *us, haste_compare);
    b->typical_us = us[n / 2];
    b->worst_us = us[n - 1];
    printf("haste    %-6s %-6s taken over in %9.1f us, at worst %9.1f us\n", c->operation, c->state,
           us[n / 2], us[n - 1]);
    fflush(stdout);
    if (us[n / 2] > HASTE_MOST_US && !haste_kinds[c->index].told)
        crash_wrong(c, b, CRASH_HANG, "the next one is held up for %.0f us", us[n / 2]);
}

static void haste_open(haste_run *r, const crash_case *c)
{
    acre_segment *s;
    acre_segment_options o = {.size = r->kind->size, .algorithm = c->algorithm};
    int e = acre_segment_create(&s, ACRE_MEMFD, NULL, &o);
    r->us = mmap(NULL, sizeof *r->us, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (e || r->us == MAP_FAILED)
        crash_give_up("a segment of %s: %s", c->operation, acre_strerror(e));
    r->h = acre_segment_heap(s);
}

static void haste_run_case(const crash_case *c, crash_board *b)
{
    haste_run r = {.kind = &haste_kinds[c->index]};
    double us[HASTE_TIMES];
    size_t n = crash_chosen.quick ? HASTE_QUICK : HASTE_TIMES;
    haste_open(&r, c);
    haste_kill(&r, haste_victim);
    for (b->at = 0; b->at < n; b->at++) {
        haste_kill(&r, haste_victim_again);
        b->n.injected++;
        haste_kill(&r, haste_next);
        us[b->at] = *r.us;
        b->n.recovered++;
    }
    if (r.kind->size <= HASTE_CHECKED && acre_heap_check(r.h, NULL) != 0)
        crash_wrong(c, b, CRASH_UNSOUND, "the check fails");
    haste_tell(c, b, us, n);
}

const crash_part crash_part_haste = {
    .name = "haste",
    .summary = "how long the next thread is held up by a dead one",
    .plan = haste_plan,
    .run = haste_run_case,
};
