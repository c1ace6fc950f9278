/* SPDX-License-Identifier: MIT */
/* Replaying: the image says what the trace said, the engine notices what is wrong, and results are
 * whole or absent. */
#include "tests/acre_test.h"
#include "tests/support_script.h"

#include "bench/cell.h"
#include "bench/contender.h"
#include "bench/image.h"
#include "bench/lab.h"
#include "bench/page_map.h"
#include "bench/replay.h"
#include "traces/trace.h"

#include <acre/alloc.h>

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- Images by hand ------------------------------------------------------------------------ */

/* `n` operations of all kinds with about `live` objects at once. */
static acre_image image_random(uint64_t seed, size_t n, size_t live)
{
    script s = script_begin();
    uint64_t *serial = calloc(2 * live + 1, sizeof *serial);
    size_t count = 0;
    ACRE_CHECK(serial != NULL);
    for (size_t i = 0; i < n; i++) {
        uint64_t x = acre_test_random(&seed), size = (x >> 40) % ((x & 63) ? 600 : 60000);
        size_t at = count ? (size_t)((x >> 8) % count) : 0;
        unsigned what = (x >> 4) & 15;
        if (count && (count == 2 * live || what < 7)) {
            script_free(&s, serial[at]);
            serial[at] = serial[--count];
        } else if (count && what == 7) {
            serial[at] = script_do(&s, ACRE_TRACE_REALLOC, serial[at], size);
        } else {
            int kind = what == 8   ? ACRE_TRACE_CALLOC
                       : what == 9 ? ACRE_TRACE_ALIGNED
                                   : ACRE_TRACE_MALLOC;
            serial[count++] = script_do(&s, kind, 0, size);
        }
    }
    free(serial);
    return script_end(&s);
}

ACRE_TEST(image, slot_freed_last_is_used_next)
{
    script s = script_begin();
    uint64_t a = script_malloc(&s, 10), b = script_malloc(&s, 20);
    script_free(&s, a);
    script_free(&s, b);
    script_malloc(&s, 30);
    script_malloc(&s, 40);
    acre_image m = script_end(&s);
    ACRE_CHECK_EQUAL(m.h->n_slots, 3); /* slot 0 and two live objects */
    ACRE_CHECK_EQUAL(m.ops[4].slot, m.ops[1].slot);
    ACRE_CHECK_EQUAL(m.ops[5].slot, m.ops[0].slot);
    ACRE_CHECK_EQUAL(acre_image_size_at(&m, 5), 40);
    ACRE_CHECK_EQUAL(m.h->peak_live, 70);
    ACRE_CHECK_EQUAL(m.h->n_drain, 2);
    acre_image_unmap(&m);
}

ACRE_TEST(image, realloc_keeps_its_slot_and_one_of_nothing_is_a_malloc)
{
    script s = script_begin();
    uint64_t a = script_malloc(&s, 100);
    uint64_t b = script_do(&s, ACRE_TRACE_REALLOC, a, 200);
    script_do(&s, ACRE_TRACE_REALLOC, a, 50); /* a is dead */
    script_do(&s, ACRE_TRACE_REALLOC, 0, 60); /* of NULL */
    acre_trace_op shrunk_to_nothing = {.kind = ACRE_TRACE_REALLOC, .old = b};
    ACRE_CHECK_EQUAL(acre_image_builder_add(s.b, &shrunk_to_nothing), 0);
    acre_image m = script_end(&s);
    ACRE_CHECK_EQUAL(m.ops[1].op, ACRE_OP_REALLOC);
    ACRE_CHECK_EQUAL(m.ops[1].slot, m.ops[0].slot);
    ACRE_CHECK_EQUAL(m.ops[2].op, ACRE_OP_MALLOC);
    ACRE_CHECK_EQUAL(m.ops[3].op, ACRE_OP_MALLOC);
    ACRE_CHECK_EQUAL(m.ops[4].op, ACRE_OP_FREE);
    ACRE_CHECK_EQUAL(m.ops[4].slot, m.ops[0].slot);
    ACRE_CHECK_EQUAL(m.h->peak_live, 310);
    acre_image_unmap(&m);
}

ACRE_TEST(image, free_of_null_and_tiny_requests)
{
    script s = script_begin();
    script_free(&s, 0);
    script_malloc(&s, 0);
    script_malloc(&s, 3);
    acre_image m = script_end(&s);
    ACRE_CHECK_EQUAL(m.ops[0].op, ACRE_OP_FREE_NULL);
    ACRE_CHECK_EQUAL(m.ops[0].slot, 0);
    ACRE_CHECK_EQUAL(acre_image_size_at(&m, 1), ACRE_IMAGE_LEAST);
    ACRE_CHECK_EQUAL(m.h->peak_live, 3); /* what was asked for counts */
    ACRE_CHECK_EQUAL(m.h->n_drain, 2);
    acre_image_unmap(&m);
}

ACRE_TEST(image, contradictions_are_refused)
{
    script s = script_begin();
    uint64_t a = script_malloc(&s, 8);
    acre_trace_op again = {.kind = ACRE_TRACE_MALLOC, .size = 8, .serial = a};
    ACRE_CHECK_EQUAL(acre_image_builder_add(s.b, &again), EINVAL);
    ACRE_CHECK_EQUAL(script_try_free(&s, 99, 0), EINVAL);
    script_free(&s, a);
    ACRE_CHECK_EQUAL(script_try_free(&s, a, 0), EINVAL);
    acre_image_builder_destroy(s.b);
}

ACRE_TEST(image, sizes_beyond_the_table_are_literals)
{
    enum { SIZES = 66000 };
    script s = script_begin();
    for (uint64_t i = 0; i < SIZES; i++)
        script_malloc(&s, 100 + i);
    acre_image m = script_end(&s);
    size_t at = 0;
    for (uint64_t i = 0; i < SIZES; i++) {
        ACRE_CHECK_EQUAL(acre_image_size_at(&m, at), 100 + i);
        at += acre_image_width(&m, at);
    }
    ACRE_CHECK_EQUAL(at, m.h->n_entries);
    ACRE_CHECK_EQUAL(m.h->n_sizes, ACRE_IMAGE_LITERAL);
    ACRE_CHECK_EQUAL(m.h->n_entries, SIZES + (SIZES - ACRE_IMAGE_LITERAL));
    ACRE_CHECK_EQUAL(m.h->n_ops, SIZES);
    acre_image_unmap(&m);
}

/* ---- Image files --------------------------------------------------------------------------- */

static char test_dir[64];

static const char *path_of(const char *name)
{
    static char path[2][128];
    static int turn;
    if (!*test_dir) {
        strcpy(test_dir, "/tmp/acre-test-replay-XXXXXX");
        ACRE_CHECK(mkdtemp(test_dir) != NULL);
    }
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", test_dir, name);
    return path[turn];
}

static void clean_up(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", test_dir);
    ACRE_CHECK_EQUAL(*test_dir ? system(command) : 0, 0);
}

static void file_poke(const char *path, off_t at, const void *bytes, size_t n)
{
    int fd = open(path, O_WRONLY);
    ACRE_CHECK(fd >= 0 && pwrite(fd, bytes, n, at) == (ssize_t)n);
    close(fd);
}

ACRE_TEST(image, file_gives_back_what_was_saved)
{
    acre_image m = image_random(1, 5000, 100), back;
    const char *path = path_of("x.img");
    ACRE_CHECK_EQUAL(acre_image_save(&m, path), 0);
    ACRE_CHECK_EQUAL(acre_image_load(&back, path), 0);
    ACRE_CHECK(memcmp(m.h, back.h, m.h->bytes) == 0);
    acre_image_unmap(&m);
    acre_image_unmap(&back);
    clean_up();
}

ACRE_TEST(image, damaged_file_is_refused)
{
    acre_image m = image_random(2, 1000, 50), back;
    const char *path = path_of("x.img");
    uint32_t wild = UINT32_MAX;
    off_t entry = (off_t)m.h->ops_at, kind = entry + (off_t)offsetof(acre_image_op, op);
    ACRE_CHECK_EQUAL(acre_image_save(&m, path), 0);
    file_poke(path, entry, &wild, sizeof wild); /* a slot that is not there */
    ACRE_CHECK_EQUAL(acre_image_load(&back, path), EBADMSG);
    ACRE_CHECK_EQUAL(acre_image_save(&m, path), 0);
    file_poke(path, kind, &wild, 1); /* an operation that is none */
    ACRE_CHECK_EQUAL(acre_image_load(&back, path), EBADMSG);
    ACRE_CHECK_EQUAL(acre_image_save(&m, path), 0);
    ACRE_CHECK_EQUAL(truncate(path, (off_t)m.h->bytes - 8), 0);
    ACRE_CHECK_EQUAL(acre_image_load(&back, path), EBADMSG);
    ACRE_CHECK_EQUAL(truncate(path, 3), 0);
    ACRE_CHECK_EQUAL(acre_image_load(&back, path), EBADMSG);
    ACRE_CHECK_EQUAL(acre_image_load(&back, path_of("absent")), ENOENT);
    acre_image_unmap(&m);
    clean_up();
}

/* ---- Contenders ---------------------------------------------------------------------------- */

static acre_contender contender_of(const char *spec)
{
    acre_contender c;
    ACRE_CHECK_EQUAL(acre_contender_find(&c, spec), 0);
    return c;
}

ACRE_TEST(contender, list_has_every_algorithm_once)
{
    acre_contender c;
    const acre_algorithm *a;
    for (size_t i = 0; (a = acre_algorithm_at(i)); i++) {
        int found = 0;
        for (size_t k = 0; acre_contender_at(&c, k); k++)
            found += strcmp(c.name, a->name) == 0;
        ACRE_CHECK(found == 1, "%s is listed %d times", a->name, found);
    }
}

ACRE_TEST(contender, names_are_split_at_the_right_commas)
{
    const char *list = "rbtree_best_fit:lock=none,journal=off,libc,boost_simple_seq_fit:lock=none";
    static const char *const want[] = {"rbtree_best_fit:lock=none,journal=off", "libc",
                                       "boost_simple_seq_fit:lock=none"};
    char spec[ACRE_SPEC_MAX];
    for (int i = 0; i < 3; i++) {
        ACRE_CHECK(acre_contender_next(&list, spec));
        ACRE_CHECK(strcmp(spec, want[i]) == 0, "%s", spec);
    }
    ACRE_CHECK(!acre_contender_next(&list, spec));
}

ACRE_TEST(contender, unknown_names_and_options_are_told_apart)
{
    acre_contender c;
    ACRE_CHECK_EQUAL(acre_contender_find(&c, "no_such_thing"), ENOENT);
    ACRE_CHECK_EQUAL(acre_contender_find(&c, "rbtree_best_fit:lock=wood"), EINVAL);
    ACRE_CHECK_EQUAL(acre_contender_find(&c, "libc:lock=none"), EINVAL);
    ACRE_CHECK_EQUAL(acre_contender_find(&c, "boost_rbtree_best_fit:journal=off"), EINVAL);
    ACRE_CHECK_EQUAL(acre_contender_find(&c, "jemalloc(A/A)"), 0);
    ACRE_CHECK(strcmp(c.name, "jemalloc") == 0 && strcmp(c.spec, "jemalloc(A/A)") == 0);
}

/* ---- Replay -------------------------------------------------------------------------------- */

ACRE_TEST(replay, literals_and_all_kinds_reach_the_end)
{
    script s = script_begin();
    for (uint64_t i = 0; i < 66000; i++) {
        uint64_t a =
            script_do(&s, i % 7 ? ACRE_TRACE_MALLOC : ACRE_TRACE_CALLOC, 0, 16 + i % 66000);
        script_free(&s, a);
    }
    acre_image m = script_end(&s);
    static const char *const spec[] = {"null", "bump", "libc", "rbtree_best_fit"};
    for (int i = 0; i < 4; i++)
        for (int touch = 0; touch < ACRE_TOUCH_KINDS; touch++) {
            acre_replay r;
            acre_contender c = contender_of(spec[i]);
            ACRE_CHECK_EQUAL(acre_replay_open(&r, &m, &c, acre_replay_room(&m)), 0);
            acre_pass p = acre_replay_run(&r, 0, m.h->n_entries, touch, 0);
            ACRE_CHECK(p.status == ACRE_REPLAY_OK, "%s %s", spec[i], acre_touch_name(touch));
            ACRE_CHECK_EQUAL(p.entry, m.h->n_entries);
            acre_replay_close(&r);
        }
    acre_image_unmap(&m);
}

ACRE_TEST(replay, every_algorithm_passes_verify)
{
    acre_image m = image_random(acre_test_seed(), acre_test_rounds(40000), 300);
    acre_contender c;
    for (size_t i = 0; acre_contender_at(&c, i); i++) {
        acre_verify v;
        if (c.family != ACRE_FAMILY_ACRE && strcmp(c.name, "libc"))
            continue;
        ACRE_CHECK_EQUAL(acre_replay_verify(&m, &c, &v), 0);
        ACRE_CHECK(v.status == ACRE_REPLAY_OK, "%s: operation %llu: %s", c.name,
                   (unsigned long long)v.op, v.what);
    }
    acre_image_unmap(&m);
}

/* An allocator that is sound as long as its room lasts, and gives nothing back; each fault is one
 * change of it. */

enum { ARENA_BYTES = 1 << 27 };

static char *arena, *arena_next, *arena_previous;

static void *arena_aligned(void *heap, size_t size, size_t align)
{
    (void)heap;
    if (!arena)
        arena = arena_next = acre_lab_map(ARENA_BYTES);
    char *p = arena_next + (-(uintptr_t)arena_next & (align < 16 ? 15 : align - 1));
    ACRE_CHECK((size_t)(p - arena) + size <= ARENA_BYTES);
    arena_next = p + size;
    return p;
}

static void *arena_alloc(void *heap, size_t size)
{
    return arena_aligned(heap, size, 16);
}

/* What lies behind the old block is copied along, and overwritten by the caller. */
static void *arena_realloc(void *heap, void *p, size_t size)
{
    return memmove(arena_alloc(heap, size), p, size);
}

static void arena_free(void *heap, void *p)
{
    (void)heap, (void)p;
}

static void *broken_twice(void *heap, size_t size)
{
    static unsigned n;
    if (++n % 50 || !arena_previous)
        arena_previous = arena_alloc(heap, size);
    return arena_previous;
}

static void *broken_askew(void *heap, size_t size)
{
    return (char *)arena_alloc(heap, size + 4) + 4;
}

static void *broken_dirty(void *heap, size_t size)
{
    return memset(arena_alloc(heap, size), 7, size);
}

static void *broken_forget(void *heap, void *p, size_t size)
{
    (void)p;
    return arena_alloc(heap, size);
}

/* Writes into the block that was given before. */
static void *broken_scribble(void *heap, size_t size)
{
    if (arena_previous)
        arena_previous[0] ^= 1;
    return arena_previous = arena_alloc(heap, size);
}

static void *broken_outside(void *heap, size_t size)
{
    (void)heap, (void)size;
    static char here[70000] __attribute__((aligned(4096)));
    return here;
}

/* Its own block, after it was freed: that is the allocator's business. */
static void sound_scribble(void *heap, void *p)
{
    (void)heap;
    *(char *)p ^= 1;
}

static acre_verify arena_verify(const acre_engine *engine)
{
    acre_image m = image_random(3, 5000, 100);
    acre_contender c = contender_of("libc");
    acre_verify v;
    c.engine = engine;
    acre_lab_unmap(arena, ARENA_BYTES); /* the next one is zero again */
    arena = arena_previous = NULL;
    ACRE_CHECK_EQUAL(acre_replay_verify(&m, &c, &v), 0);
    acre_image_unmap(&m);
    return v;
}

static acre_engine arena_engine(void)
{
    acre_engine e = acre__engine_malloc;
    e.alloc = e.calloc = arena_alloc;
    e.realloc = arena_realloc;
    e.aligned = arena_aligned;
    e.free = arena_free;
    return e;
}

static void broken_expect(const acre_engine *engine, const char *what)
{
    acre_verify v = arena_verify(engine);
    ACRE_CHECK_EQUAL(v.status, ACRE_REPLAY_FAILED);
    ACRE_CHECK(strstr(v.what, what), "said '%s', expected '%s'", v.what, what);
}

ACRE_TEST(replay, verify_finds_each_fault)
{
    acre_engine e = arena_engine();
    e.alloc = broken_twice;
    broken_expect(&e, "overlaps");
    e.alloc = broken_askew;
    broken_expect(&e, "not aligned");
    e.alloc = broken_scribble;
    broken_expect(&e, "overwritten");
    e = arena_engine();
    e.calloc = broken_dirty;
    broken_expect(&e, "not zero");
    e = arena_engine();
    e.realloc = broken_forget;
    broken_expect(&e, "realloc lost");
    e = arena_engine();
    e.flags = ACRE_ENGINE_SEGMENT;
    e.alloc = broken_outside;
    broken_expect(&e, "outside");
    broken_expect(&acre__engine_null, "overlaps");
}

/* The pass of a sound one shows that the faults above are what is found. */
ACRE_TEST(replay, verify_passes_what_is_sound)
{
    acre_engine e = arena_engine();
    e.free = sound_scribble;
    acre_verify v = arena_verify(&e);
    ACRE_CHECK(v.status == ACRE_REPLAY_OK, "operation %llu: %s", (unsigned long long)v.op, v.what);
}

ACRE_TEST(replay, page_map_sees_every_overlap)
{
    static char area[3 * 4096] __attribute__((aligned(4096)));
    acre_page_map m = {0};
    ACRE_CHECK(acre_page_map_add(&m, area + 4000, 4200));
    for (size_t at = 0; at < sizeof area - 8; at += 8) {
        bool inside = at + 8 > 4000 && at < 8200;
        bool added = acre_page_map_add(&m, area + at, 8);
        ACRE_CHECK(added == !inside, "at %zu", at);
        if (!inside)
            acre_page_map_remove(&m, area + at, 8);
    }
    acre_page_map_remove(&m, area + 4000, 4200);
    ACRE_CHECK(acre_page_map_add(&m, area, sizeof area));
    acre_page_map_free(&m);
}

ACRE_TEST(replay, too_small_a_segment_fails_where_the_room_ends)
{
    script s = script_begin();
    for (int i = 0; i < 1000; i++)
        script_malloc(&s, 4000);
    acre_image m = script_end(&s);
    acre_contender c = contender_of("rbtree_best_fit");
    acre_replay r;
    ACRE_CHECK_EQUAL(acre_replay_open(&r, &m, &c, 2000000), 0);
    acre_pass p = acre_replay_run(&r, 0, m.h->n_entries, ACRE_TOUCH_LINE, 0);
    ACRE_CHECK_EQUAL(p.status, ACRE_REPLAY_FAILED);
    ACRE_CHECK(p.entry > 400 && p.entry < 500, "failed at %zu", p.entry);
    acre_replay_close(&r);
    acre_image_unmap(&m);
}

/* ---- Time and room ------------------------------------------------------------------------- */

ACRE_TEST(measure, time_is_positive_and_the_peaks_are_above_the_live_bytes)
{
    acre_image m = image_random(5, acre_test_rounds(50000), 500);
    static const char *const spec[] = {"rbtree_best_fit", "rbtree_best_fit:lock=none,journal=off"};
    acre_timing_plan plan = {ACRE_TOUCH_LINE, 3, 0, 0, true};
    for (int i = 0; i < 2; i++) {
        acre_contender c = contender_of(spec[i]);
        acre_timing t;
        ACRE_CHECK_EQUAL(acre_replay_time(&m, &c, &plan, &t), 0);
        ACRE_CHECK_EQUAL(t.status, ACRE_REPLAY_OK);
        ACRE_CHECK_EQUAL(t.passes, 3);
        ACRE_CHECK(t.cold > 0 && t.warm >= t.warm_min && t.warm_min > 0);
        ACRE_CHECK(t.peak_used > m.h->peak_live && t.peak_used < 2 * m.h->peak_live);
        ACRE_CHECK(t.peak_resident > 0);
    }
    acre_image_unmap(&m);
}

static void *slow_alloc(void *heap, size_t size)
{
    uint64_t end = acre_lab_now_ns() + 200000;
    (void)heap;
    while (acre_lab_now_ns() < end)
        continue;
    return malloc(size);
}

static size_t slow_loop(const acre_tape *t, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        free(slow_alloc(t->heap, 16));
    return end;
}

ACRE_TEST(measure, budget_stops_a_slow_contender)
{
    acre_engine e = acre__engine_malloc;
    acre_image m = image_random(6, 20000, 100); /* would take four seconds */
    acre_contender c = contender_of("libc");
    acre_timing_plan plan = {ACRE_TOUCH_NONE, 3, 100000000, 0, true};
    acre_timing t;
    e.loop[ACRE_TOUCH_NONE] = slow_loop;
    c.engine = &e;
    uint64_t start = acre_lab_now_ns();
    ACRE_CHECK_EQUAL(acre_replay_time(&m, &c, &plan, &t), 0);
    uint64_t took = acre_lab_now_ns() - start;
    ACRE_CHECK_EQUAL(t.status, ACRE_REPLAY_STOPPED);
    ACRE_CHECK(t.share > 0 && t.share < 0.5, "share %g", t.share);
    ACRE_CHECK(t.cold > 100000, "%g ns an operation", t.cold);
    ACRE_CHECK_EQUAL(t.passes, 0);
    ACRE_CHECK(took < 3000000000u, "took %llu ns", (unsigned long long)took);
    acre_image_unmap(&m);
}

static bool fits(const acre_image *m, const acre_contender *c, uint64_t bytes)
{
    acre_replay r;
    if (acre_replay_open(&r, m, c, bytes))
        return false;
    acre_pass p = acre_replay_run(&r, 0, m->h->n_entries, ACRE_TOUCH_NONE, 0);
    acre_replay_close(&r);
    return p.status == ACRE_REPLAY_OK;
}

ACRE_TEST(measure, fit_is_minimal_and_the_next_sizes_succeed)
{
    acre_image m = image_random(7, acre_test_rounds(30000), 1000);
    static const char *const spec[] = {"rbtree_best_fit", "simple_seq_fit:lock=none"};
    for (int i = 0; i < 2; i++) {
        acre_contender c = contender_of(spec[i]);
        acre_fit f;
        unsigned at = 0;
        ACRE_CHECK_EQUAL(acre_replay_fit(&m, &c, 0, &f), 0);
        ACRE_CHECK_EQUAL(f.status, ACRE_REPLAY_OK);
        ACRE_CHECK(!f.resident && f.s_min > m.h->peak_live);
        while (acre_fit_grid(m.h->peak_live, at) < f.s_min)
            at++;
        ACRE_CHECK_EQUAL(acre_fit_grid(m.h->peak_live, at), f.s_min);
        for (unsigned k = 0; k <= 3; k++)
            ACRE_CHECK(fits(&m, &c, acre_fit_grid(m.h->peak_live, at + k)), "%s, step %u", spec[i],
                       k);
        ACRE_CHECK(at == 0 || !fits(&m, &c, acre_fit_grid(m.h->peak_live, at - 1)), "%s", spec[i]);
    }
    acre_image_unmap(&m);
}

ACRE_TEST(measure, fit_is_stopped_by_its_budget)
{
    acre_image m = image_random(8, 50000, 500);
    acre_contender c = contender_of("rbtree_best_fit");
    acre_fit f;
    ACRE_CHECK_EQUAL(acre_replay_fit(&m, &c, 1, &f), 0);
    ACRE_CHECK_EQUAL(f.status, ACRE_REPLAY_STOPPED);
    ACRE_CHECK_EQUAL(f.s_min, 0);
    ACRE_CHECK(f.share < 1);
    acre_image_unmap(&m);
}

ACRE_TEST(measure, timeline_holds_what_is_live)
{
    static acre_timeline t;
    acre_image m = image_random(9, acre_test_rounds(40000), 500);
    acre_contender c = contender_of("rbtree_best_fit");
    ACRE_CHECK_EQUAL(acre_replay_timeline(&m, &c, 0, &t), 0);
    ACRE_CHECK_EQUAL(t.status, ACRE_REPLAY_OK);
    ACRE_CHECK(t.points > ACRE_TIMELINE_POINTS / 2 && t.points <= ACRE_TIMELINE_POINTS + 2);
    for (size_t i = 0; i < t.points; i++)
        ACRE_CHECK(t.used[i] >= t.live[i] && t.live[i] <= m.h->peak_live + 8 * m.h->n_slots);
    acre_image_unmap(&m);
}

ACRE_TEST(measure, live_cost_is_measured)
{
    acre_contender c = contender_of("rbtree_best_fit");
    acre_live_cost l;
    ACRE_CHECK_EQUAL(acre_replay_live_cost(&c, 1000, 0, &l), 0);
    ACRE_CHECK_EQUAL(l.status, ACRE_REPLAY_OK);
    ACRE_CHECK(l.ns_per_op > 1 && l.ns_per_op < 1e6);
    ACRE_CHECK_EQUAL(acre_replay_live_cost(&c, 0, 0, &l), EINVAL);
}

/* ---- Cells --------------------------------------------------------------------------------- */

static const char *write_trace(const char *name, size_t n)
{
    static char path[128];
    strcpy(path, path_of(name));
    acre_trace_writer *w;
    acre_trace_error e;
    uint64_t seed = n;
    ACRE_CHECK(acre_trace_writer_create(&w, path, NULL, &e) == 0, "%s", e.text);
    for (uint64_t i = 1; i <= n; i++) {
        acre_trace_op birth = {
            .kind = ACRE_TRACE_MALLOC, .serial = i, .size = acre_test_below(&seed, 900)};
        acre_trace_op death = {.kind = ACRE_TRACE_FREE, .serial = i - 50};
        ACRE_CHECK_EQUAL(acre_trace_writer_add(w, &birth, &e), 0);
        ACRE_CHECK_EQUAL(i > 50 ? acre_trace_writer_add(w, &death, &e) : 0, 0);
    }
    ACRE_CHECK(acre_trace_writer_finish(w, &e) == 0, "%s", e.text);
    return path;
}

static json_t *cell_result(const char *line, const char *out)
{
    char error[512] = "";
    json_error_t je;
    ACRE_CHECK(acre_cell_run(line, error, sizeof error) == 0, "%s", error);
    json_t *result = json_load_file(out, 0, &je);
    ACRE_CHECK(result != NULL, "%s", je.text);
    return result;
}

ACRE_TEST(cell, writes_one_whole_result)
{
    char line[1024];
    const char *out = path_of("r.json"), *trace = write_trace("t.acr", 2000);
    snprintf(line, sizeof line,
             "{\"engine\":\"replay\",\"algorithm\":\"rbtree_best_fit\",\"trace\":\"t\",\"file\":"
             "\"%s\",\"block\":4,\"position\":2,\"touch\":\"line\",\"warm\":2,\"out\":\"%s\"}",
             trace, out);
    json_t *r = cell_result(line, out);
    ACRE_CHECK(strcmp(json_string_value(json_object_get(r, "kind")), "replay") == 0);
    ACRE_CHECK(strcmp(json_string_value(json_object_get(r, "status")), "ok") == 0);
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(r, "block")), 4);
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(r, "ops")), 3950);
    ACRE_CHECK(json_real_value(json_object_get(r, "ns_per_op_warm")) > 0);
    json_decref(r);
    char command[256];
    snprintf(command, sizeof command, "test $(ls %s | wc -l) = 2", test_dir);
    ACRE_CHECK_EQUAL(system(command), 0); /* the trace and the result: no half file beside them */
    clean_up();
}

static void cell_expect_refused(const char *line, const char *what)
{
    char error[512] = "";
    ACRE_CHECK_EQUAL(acre_cell_run(line, error, sizeof error), EINVAL);
    ACRE_CHECK(strstr(error, what) && !strchr(error, '\n'), "said '%s', expected '%s'", error,
               what);
}

ACRE_TEST(cell, bad_plans_are_refused_with_one_line)
{
    char line[512];
    cell_expect_refused("", "plan");
    cell_expect_refused("{\"engine\":", "plan");
    cell_expect_refused("[]", "plan");
    cell_expect_refused("{\"engine\":\"replay\",\"algorithm\":\"zzz\"}", "unknown algorithm 'zzz'");
    cell_expect_refused("{\"engine\":\"dance\",\"algorithm\":\"libc\"}", "unknown engine 'dance'");
    cell_expect_refused("{\"engine\":\"replay\",\"algorithm\":\"libc\"}", "trace");
    cell_expect_refused("{\"engine\":\"replay\",\"algorithm\":\"libc\",\"file\":\"/absent\"}",
                        "/absent");
    const char *trace = write_trace("t.acr", 3000);
    file_poke(trace, 300, "damage", 6);
    snprintf(line, sizeof line,
             "{\"engine\":\"fit\",\"algorithm\":\"libc\",\"file\":\"%s\",\"out\":\"%s\"}", trace,
             path_of("r.json"));
    cell_expect_refused(line, "t.acr");
    ACRE_CHECK(access(path_of("r.json"), F_OK) != 0);
    clean_up();
}

/* ---- The command --------------------------------------------------------------------------- */

/* Runs "acre ARGUMENTS >test_dir/out 2>test_dir/err"; its exit status. */
__attribute__((format(printf, 1, 2))) static int acre_command(const char *format, ...)
{
    char self[PATH_MAX], command[3 * PATH_MAX], arguments[PATH_MAX];
    va_list args;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    ACRE_CHECK(n > 0);
    self[n] = '\0';
    *strrchr(self, '/') = '\0';
    va_start(args, format);
    vsnprintf(arguments, sizeof arguments, format, args);
    va_end(args);
    snprintf(command, sizeof command, "%s/../acre %s >%s/out 2>%s/err", self, arguments, test_dir,
             test_dir);
    int status = system(command);
    ACRE_CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static size_t lines_of(const char *name, const char *containing)
{
    char *text = NULL;
    size_t room = 0, n = 0;
    FILE *f = fopen(path_of(name), "r");
    ACRE_CHECK(f != NULL, "%s", name);
    while (getline(&text, &room, f) > 0)
        n += strstr(text, containing) != NULL;
    free(text);
    fclose(f);
    return n;
}

ACRE_TEST(command, replay_prints_one_object_a_run)
{
    const char *trace = write_trace("t.acr", 3000);
    ACRE_CHECK_EQUAL(acre_command("replay -a rbtree_best_fit,simple_seq_fit,libc --repeat 2 --fit "
                                  "--verify --json %s",
                                  trace),
                     0);
    ACRE_CHECK_EQUAL(lines_of("out", "\"harness_ns_per_op\""), 6);
    ACRE_CHECK_EQUAL(lines_of("out", "\"s_min\""), 6);
    ACRE_CHECK_EQUAL(lines_of("out", "\"verify\":\"ok\""), 6);
    ACRE_CHECK_EQUAL(lines_of("err", ""), 0);
    clean_up();
}

ACRE_TEST(command, replay_exit_status)
{
    const char *trace = write_trace("t.acr", 3000);
    ACRE_CHECK_EQUAL(acre_command("replay -a null --verify %s", trace), 1);
    ACRE_CHECK_EQUAL(acre_command("replay -a nobody %s", trace), 2);
    ACRE_CHECK_EQUAL(lines_of("err", ""), 1);
    ACRE_CHECK_EQUAL(lines_of("err", "acre: unknown algorithm 'nobody'"), 1);
    ACRE_CHECK_EQUAL(acre_command("replay %s/absent", test_dir), 2);
    ACRE_CHECK_EQUAL(lines_of("err", "absent"), 1);
    ACRE_CHECK_EQUAL(acre_command("replay --touch feather %s", trace), 2);
    file_poke(trace, 300, "damage", 6);
    ACRE_CHECK_EQUAL(acre_command("replay %s", trace), 2);
    ACRE_CHECK_EQUAL(lines_of("err", "t.acr"), 1);
    clean_up();
}

ACRE_TEST(command, compare_keeps_results_and_makes_the_missing_ones)
{
    const char *trace = write_trace("t.acr", 3000);
    ACRE_CHECK_EQUAL(
        acre_command("compare --plan-only --quick --blocks 2 -a libc,rbtree_best_fit -o "
                     "%s/rep %s",
                     test_dir, trace),
        0);
    size_t cells = lines_of("rep/plan.jsonl", "\"engine\"");
    ACRE_CHECK(cells >= 2 * 3 + 3 + 2 + 2, "%zu cells",
               cells);                                     /* replay, live_cost, fit, timeline */
    FILE *f = fopen(path_of("rep/cells/00000.json"), "w"); /* a result that is there already */
    ACRE_CHECK(f != NULL);
    fputs("{\"kind\":\"live_cost\",\"algorithm\":\"libc\",\"live\":77,\"ns_per_op\":1.0,"
          "\"status\":\"ok\"}\n",
          f);
    fclose(f);
    acre_command("compare --resume %s/rep", test_dir);
    ACRE_CHECK_EQUAL(lines_of("rep/cells/00000.json", "\"live\":77"), 1);
    ACRE_CHECK_EQUAL(lines_of("rep/results.jsonl", "\"live\":77"), 1);
    ACRE_CHECK_EQUAL(lines_of("rep/results.jsonl", "\"kind\":\"run\""), 1);
    size_t results = lines_of("rep/results.jsonl", "\"status\"");
    ACRE_CHECK_EQUAL(results, cells);
    ACRE_CHECK_EQUAL(unlink(path_of("rep/cells/00003.json")), 0);
    acre_command("compare --resume %s/rep", test_dir);
    ACRE_CHECK_EQUAL(lines_of("rep/cells/00003.json", "\"status\""), 1);
    clean_up();
}
