/* SPDX-License-Identifier: MIT */
/* A trace dealt out to several workers: who did what is kept in images, what one allocates another frees, and every
 * way to deal it out comes to its end. */
#include "tests/support_together.h"

/* ---- Threads in images ----------------------------------------------------------------------- */

ACRE_TEST(together_image, threads_are_numbered_as_they_come)
{
    script s = script_begin();
    uint64_t a = script_malloc_by(&s, 10, 7);
    script_malloc_by(&s, 20, UINT32_MAX);
    script_free_by(&s, a, UINT32_MAX);
    script_malloc_by(&s, 30, 0);
    script_malloc_by(&s, 40, 7);
    acre_image m = script_end(&s);
    static const uint16_t want[] = {0, 1, 1, 2, 0};
    ACRE_CHECK_EQUAL(m.h->n_threads, 3);
    ACRE_CHECK(m.threads && memcmp(m.threads, want, sizeof want) == 0);
    acre_image_unmap(&m);
}

ACRE_TEST(together_image, one_thread_is_not_told)
{
    script s = script_begin();
    script_malloc_by(&s, 10, 77);
    acre_image m = script_end(&s);
    ACRE_CHECK(m.threads == NULL && m.h->n_threads == 1);
    acre_image_unmap(&m);
}

/* More threads than numbers: those behind count as others. */
ACRE_TEST(together_image, too_many_threads_are_shared_out_all_the_same)
{
    enum { THREADS = 70000 };
    script s = script_begin();
    for (uint32_t i = 0; i < THREADS; i++)
        script_malloc_by(&s, 10, i * 61681u);
    acre_image m = script_end(&s);
    static acre_shares p;
    ACRE_CHECK_EQUAL(m.h->n_threads, 65536);
    ACRE_CHECK_EQUAL(acre_shares_make(&p, &m, 2, ACRE_SHARES_AUTO, 0), 0);
    ACRE_CHECK_EQUAL(p.part[0].ops + p.part[1].ops, THREADS);
    acre_shares_free(&p);
    acre_image_unmap(&m);
}

static void image_poke(const char *path, size_t at, uint64_t word)
{
    int fd = open(path, O_WRONLY);
    ACRE_CHECK(fd >= 0 && pwrite(fd, &word, sizeof word, (off_t)at) == sizeof word);
    close(fd);
}

ACRE_TEST(together_image, a_file_keeps_threads_and_damage_is_refused)
{
    char path[] = "/tmp/acre-together-XXXXXX";
    acre_image m = image_random(4, 3000, 50, 5), back;
    size_t at = offsetof(acre_image_header, threads_at), n = offsetof(acre_image_header, n_threads);
    int fd = mkstemp(path);
    ACRE_CHECK(fd >= 0 && close(fd) == 0);
    ACRE_CHECK_EQUAL(acre_image_save(&m, path), 0);
    ACRE_CHECK_EQUAL(acre_image_load(&back, path), 0);
    ACRE_CHECK(back.threads && memcmp(back.h, m.h, m.h->bytes) == 0);
    acre_image_unmap(&back);
    const uint64_t wrong[] = {m.h->threads_at + 4, m.h->sizes_at, m.h->bytes - 8, UINT64_MAX - 7,
                              0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        image_poke(path, at, wrong[i]);
        ACRE_CHECK(acre_image_load(&back, path) == EBADMSG, "threads at %llu",
                   (unsigned long long)wrong[i]);
    }
    image_poke(path, n, 1); /* with nothing told, as older files are */
    ACRE_CHECK_EQUAL(acre_image_load(&back, path), 0);
    ACRE_CHECK(back.threads == NULL);
    acre_image_unmap(&back);
    acre_image_unmap(&m);
    unlink(path);
}

/* ---- Parts ----------------------------------------------------------------------------------- */

/* The example at the top of shares.h. */
ACRE_TEST(together_parts, blocks_that_another_ends_are_handed_over)
{
    script s = script_begin();
    uint64_t a = script_malloc_by(&s, 16, 0), b = script_malloc_by(&s, 32, 1), c;
    script_free_by(&s, a, 1);
    c = script_malloc_by(&s, 48, 1);
    script_free_by(&s, b, 0);
    script_free_by(&s, c, 1);
    acre_image m = script_end(&s);
    acre_shares p = shares_of(&m, 2, ACRE_SHARES_THREADS, 0);
    const acre_image_op *x = p.ops + p.part[0].begin, *y = p.ops + p.part[1].begin;
    ACRE_CHECK_EQUAL(p.part[0].end - p.part[0].begin, 2);
    ACRE_CHECK_EQUAL(p.part[1].end - p.part[1].begin, 4);
    ACRE_CHECK(x[0].slot & ACRE_SHARES_HANDED && y[0].slot & ACRE_SHARES_HANDED);
    ACRE_CHECK(x[0].slot == y[1].slot && y[0].slot == x[1].slot && x[0].slot != y[0].slot);
    ACRE_CHECK(y[2].slot == 0 && y[3].slot == 0, "c is worker 1's own");
    ACRE_CHECK_EQUAL(p.crossed_frees, 2);
    ACRE_CHECK_EQUAL(p.frees, 3);
    ACRE_CHECK_EQUAL(p.most_live, 16 + 64); /* worker 0 has a; worker 1 b, not a, and c */
    acre_shares_free(&p);
    acre_image_unmap(&m);
}

/* A realloc in another worker ends one block and bears the next, which may be handed back. */
ACRE_TEST(together_parts, a_realloc_takes_and_gives)
{
    script s = script_begin();
    uint64_t a = script_malloc_by(&s, 16, 0), b = script_do_by(&s, ACRE_TRACE_REALLOC, a, 64, 1);
    script_free_by(&s, b, 0);
    acre_image m = script_end(&s);
    acre_shares p = shares_of(&m, 2, ACRE_SHARES_THREADS, 0);
    const acre_image_op *x = p.ops + p.part[0].begin, *y = p.ops + p.part[1].begin;
    ACRE_CHECK_EQUAL(acre_shares_width(y), 2);
    ACRE_CHECK_EQUAL(y->slot, x[0].slot);
    ACRE_CHECK_EQUAL(acre_shares_target(y), x[1].slot);
    ACRE_CHECK_EQUAL(acre_shares_size(&p, y), 64);
    ACRE_CHECK(p.crossed == 2 && p.ends == 2 && p.frees == 1 && p.crossed_frees == 1);
    ACRE_CHECK_EQUAL(p.birth[p.part[1].begin], p.part[0].begin);
    acre_shares_free(&p);
    acre_image_unmap(&m);
}

/* What a worker can see at an entry, when the parts are played in any order. */
typedef struct walk {
    const acre_shares *p;
    const acre_image *m;
    size_t at[ACRE_SHARES_MOST];
    uint32_t *handed, **own; /* the entry, + 1, whose block lies in the place; 0: none */
    char *done;              /* by operation */
    uint64_t steps;
} walk;

/* False: what it needs is not there yet. */
static bool walk_step(walk *k, uint32_t who)
{
    const acre_shares *p = k->p;
    size_t i = k->at[who];
    const acre_image_op *o = &p->ops[i];
    if (o->op == ACRE_OP_FREE || o->op == ACRE_OP_REALLOC) {
        bool handed = o->slot & ACRE_SHARES_HANDED;
        uint32_t place = o->slot & ~ACRE_SHARES_HANDED;
        uint32_t *from = handed ? &k->handed[place] : &k->own[who][place];
        if (handed && !*from)
            return false;
        ACRE_CHECK(*from == p->birth[i] + 1, "worker %u, entry %zu: %u lies there", who, i, *from);
        if (!handed)
            *from = 0; /* one that is handed over is left: it must never be written again */
    }
    if (o->op > ACRE_OP_FREE_NULL) {
        uint32_t target = acre_shares_target(o), place = target & ~ACRE_SHARES_HANDED;
        uint32_t *to = target & ACRE_SHARES_HANDED ? &k->handed[place] : &k->own[who][place];
        ACRE_CHECK(*to == 0, "worker %u, entry %zu: its place is taken", who, i);
        *to = (uint32_t)i + 1;
    }
    ACRE_CHECK(!k->done[p->order[i]]++, "operation %u is done twice", p->order[i]);
    k->at[who] = i + acre_shares_width(o);
    k->steps++;
    return true;
}

/* Workers get on in bursts of any length: who is blocked lets another go on.  If all are, they would
 * wait for ever. */
static void walk_all(walk *k, uint64_t *seed)
{
    const acre_shares *p = k->p;
    for (uint32_t blocked = 0, who = 0; blocked < p->workers;) {
        uint64_t burst = 1 + acre_test_below(seed, 50), before = k->steps;
        while (burst-- && k->at[who] < p->part[who].drained && walk_step(k, who))
            ;
        blocked = k->steps == before ? blocked + 1 : 0;
        who = blocked ? (who + 1) % p->workers : (uint32_t)acre_test_below(seed, p->workers);
    }
    for (uint32_t who = 0; who < p->workers; who++)
        ACRE_CHECK(k->at[who] == p->part[who].drained, "worker %u waits for ever", who);
    ACRE_CHECK_EQUAL(k->steps, k->m->h->n_ops + k->m->h->n_drain);
}

static void shares_hold(const acre_image *m, uint32_t workers, enum acre_shares_rule rule,
                       uint32_t cross, uint64_t *seed)
{
    acre_shares p = shares_of(m, workers, rule, cross);
    walk k = {.p = &p, .m = m};
    k.handed = calloc(p.handed + 1, sizeof *k.handed);
    k.own = calloc(workers, sizeof *k.own);
    k.done = calloc(m->h->n_ops + m->h->n_drain, 1);
    uint64_t ops = 0;
    for (uint32_t w = 0; w < workers; w++) {
        k.at[w] = p.part[w].begin;
        k.own[w] = calloc(p.part[w].places + 1, sizeof **k.own);
        ops += p.part[w].ops;
        for (size_t i = p.part[w].begin + 1; i < p.part[w].drained; i++)
            ACRE_CHECK(p.order[i] >= p.order[i - 1], "worker %u, entry %zu", w, i);
    }
    ACRE_CHECK_EQUAL(ops, m->h->n_ops);
    walk_all(&k, seed);
    for (uint32_t w = 0; w < workers; w++)
        free(k.own[w]);
    free(k.own);
    free(k.handed);
    free(k.done);
    acre_shares_free(&p);
}

/* However the operations are shared out: each is done once, in the trace's order by its worker, ends the
 * block that it should, and there is always somebody who can go on. */
ACRE_TEST(together_parts, any_sharing_out_comes_to_its_end)
{
    uint64_t seed = acre_test_seed();
    static const uint32_t workers[] = {2, 3, 7, 256};
    for (size_t i = 0; i < acre_test_rounds(40); i++) {
        uint32_t n = workers[i % 4], threads = n + (uint32_t)acre_test_below(&seed, 9);
        acre_image m = image_random(seed, 3000, 1 + acre_test_below(&seed, 200), threads);
        if (m.h->n_threads >= n)
            shares_hold(&m, n, ACRE_SHARES_THREADS, 0, &seed);
        shares_hold(&m, n, ACRE_SHARES_OBJECTS, (uint32_t)acre_test_below(&seed, 101), &seed);
        acre_image_unmap(&m);
    }
}

/* More sizes than an image's table has; reallocs have theirs behind the place of their new block. */
ACRE_TEST(together_parts, literal_sizes_are_kept)
{
    enum { SIZES = 66000 };
    uint64_t seed = acre_test_seed(), literals = 0;
    script s = script_begin();
    for (uint32_t i = 0; i < SIZES; i++) {
        uint64_t a = script_malloc_by(&s, 16, i % 3);
        script_free_by(&s, script_do_by(&s, ACRE_TRACE_REALLOC, a, 100 + i, i % 2), i % 3);
    }
    acre_image m = script_end(&s);
    acre_shares p = shares_of(&m, 3, ACRE_SHARES_THREADS, 0);
    for (size_t i = 0; i < p.entries; i += acre_shares_width(&p.ops[i]))
        if (p.ops[i].op == ACRE_OP_REALLOC) {
            literals += p.ops[i].size == ACRE_IMAGE_LITERAL;
            ACRE_CHECK_EQUAL(acre_shares_size(&p, &p.ops[i]), 100 + p.order[i] / 3);
        }
    ACRE_CHECK_EQUAL(literals, SIZES + 1 - ACRE_IMAGE_LITERAL); /* 16 is in the table, too */
    acre_shares_free(&p);
    shares_hold(&m, 3, ACRE_SHARES_THREADS, 0, &seed);
    acre_image_unmap(&m);
}

/* 0: none, 100: all, between them the share that was asked for. */
ACRE_TEST(together_parts, cross_is_the_share_of_ends_elsewhere)
{
    acre_image m = image_random(9, 60000, 300, 1);
    for (uint32_t n = 2; n <= 4; n++)
        for (uint32_t cross = 0; cross <= 100; cross += 25) {
            acre_shares p = shares_of(&m, n, ACRE_SHARES_OBJECTS, cross);
            double share = 100.0 * (double)p.crossed / (double)p.ends;
            bool exact = cross % 100 == 0;
            ACRE_CHECK(share >= cross - (exact ? 0 : 1.5) && share <= cross + (exact ? 0 : 1.5),
                       "%u of %u: %.2f", cross, n, share);
            ACRE_CHECK(p.part[0].ops * n > m.h->n_ops * 9 / 10, "worker 0 has too little to do");
            acre_shares_free(&p);
        }
    acre_image_unmap(&m);
}

ACRE_TEST(together_parts, what_cannot_be_is_refused)
{
    static acre_shares p;
    acre_image m = image_random(10, 500, 30, 3), one = image_random(11, 500, 30, 1);
    ACRE_CHECK_EQUAL(acre_shares_make(&p, &m, 1, ACRE_SHARES_AUTO, 0), EINVAL);
    ACRE_CHECK_EQUAL(acre_shares_make(&p, &m, 257, ACRE_SHARES_AUTO, 0), EINVAL);
    ACRE_CHECK_EQUAL(acre_shares_make(&p, &m, 2, ACRE_SHARES_AUTO, 101), EINVAL);
    ACRE_CHECK_EQUAL(acre_shares_make(&p, &m, 4, ACRE_SHARES_THREADS, 0), ERANGE);
    ACRE_CHECK_EQUAL(acre_shares_make(&p, &one, 2, ACRE_SHARES_THREADS, 0), ERANGE);
    ACRE_CHECK_EQUAL(acre_shares_make(&p, &m, 3, ACRE_SHARES_AUTO, 0), 0);
    ACRE_CHECK_EQUAL(p.rule, ACRE_SHARES_THREADS);
    acre_shares_free(&p);
    ACRE_CHECK_EQUAL(acre_shares_make(&p, &m, 4, ACRE_SHARES_AUTO, 0), 0);
    ACRE_CHECK_EQUAL(p.rule, ACRE_SHARES_OBJECTS);
    acre_shares_free(&p);
    acre_image_unmap(&m);
    acre_image_unmap(&one);
}

/* An image that was damaged where its checks do not look: two births in one slot, a free of nothing. */
ACRE_TEST(together_parts, an_image_that_contradicts_itself_is_refused)
{
    acre_image m = image_random(12, 2000, 60, 2);
    acre_image_op *ops = (acre_image_op *)m.ops;
    size_t end = m.h->n_entries + m.h->n_drain;
    static acre_shares p;
    for (size_t i = 0; i < end; i += 1 + i / 8) {
        acre_image_op was = ops[i];
        if (was.op == ACRE_OP_FREE_NULL)
            continue;
        ops[i].op = was.op == ACRE_OP_FREE ? ACRE_OP_MALLOC : ACRE_OP_FREE;
        if (was.op == ACRE_OP_REALLOC)
            ops[i].op = ACRE_OP_MALLOC;
        ACRE_CHECK(acre_shares_make(&p, &m, 2, ACRE_SHARES_AUTO, 0) == EBADMSG, "entry %zu", i);
        ops[i] = was;
    }
    acre_image_unmap(&m);
}
