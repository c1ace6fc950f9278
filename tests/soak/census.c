/* SPDX-License-Identifier: MIT */
/* census.c: all lanes stand still between two operations; then what is live must be what is named by tables and
 * slots, and as much more as killed threads may have had in hand, which is given back. */
#include "tests/soak/soak.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <time.h>

enum {
    CENSUS_NAMES = SOAK_SEATS * SOAK_LANES * SOAK_BLOCKS + SOAK_SLOTS + 1,
    CENSUS_PATIENCE = 60 /* seconds */
};

typedef struct census {
    uint64_t region; /* where it begins in the segment */
    acre_off name[CENSUS_NAMES];
    bool met[CENSUS_NAMES];
    size_t names;
    uint64_t named_bytes;
    acre_off stray[CENSUS_NAMES]; /* live, and nobody's */
    size_t strays;
    int parts;
    uint64_t slabs, cached, shelved; /* bytes of all parts */
} census;

static census census_now;

/* ---- standing still ---- */

static bool census_running(void)
{
    for (unsigned i = 0; i < soak_chosen.workers; i++)
        for (unsigned k = 0; k < SOAK_LANES; k++)
            if (__atomic_load_n(&soak_shared->seat[i].lane[k].state, __ATOMIC_SEQ_CST) ==
                SOAK_RUNNING)
                return true;
    return false;
}

/* Who has just been killed is not waited for. */
int soak_pause(void)
{
    double begun = soak_now();
    __atomic_store_n(&soak_shared->pause, 1, __ATOMIC_SEQ_CST);
    while (census_running()) {
        if (soak_now() - begun > CENSUS_PATIENCE)
            return -1;
        soak_reap_all();
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
    }
    return 0;
}

void soak_resume(void)
{
    __atomic_store_n(&soak_shared->pause, 0, __ATOMIC_SEQ_CST);
}

/* ---- names ---- */

static void census_name(census *c, acre_off at)
{
    if (at)
        c->name[c->names++] = at;
}

static int census_order(const void *a, const void *b)
{
    acre_off x = *(const acre_off *)a, y = *(const acre_off *)b;
    return (x > y) - (x < y);
}

static void census_names(census *c)
{
    acre_off root = *acre_segment_root(soak_segment);
    const acre_off *slot = acre_segment_address(soak_segment, root);
    census_name(c, root);
    for (int i = 0; i < SOAK_SLOTS && slot; i++)
        census_name(c, slot[i]);
    for (unsigned i = 0; i < soak_chosen.workers; i++)
        for (unsigned k = 0; k < SOAK_LANES; k++)
            for (int b = 0; b < SOAK_BLOCKS; b++)
                census_name(c, soak_shared->seat[i].lane[k].block[b].at);
    qsort(c->name, c->names, sizeof *c->name, census_order);
    for (size_t i = 1; i < c->names; i++)
        if (c->name[i] == c->name[i - 1])
            soak_wrong("the block at %llu is two owners'", (unsigned long long)c->name[i]);
}

/* ---- blocks ---- */

static int census_block(void *arg, const acre_block *b)
{
    census *c = arg;
    acre_off at = c->region + b->offset;
    if (!b->used)
        return 0;
    const acre_off *name = bsearch(&at, c->name, c->names, sizeof at, census_order);
    if (name) {
        c->met[name - c->name] = true;
        c->named_bytes += b->total;
    } else if (c->strays < CENSUS_NAMES)
        c->stray[c->strays++] = at;
    return 0;
}

static void census_blocks(census *c, soak_result *r)
{
    acre_heap *h = acre_segment_heap(soak_segment);
    int e = acre_heap_walk(h, census_block, c);
    if (e)
        soak_wrong("acre_heap_walk: %s", acre_strerror(e));
    for (size_t i = 0; i < c->names && !e; i++)
        if (!c->met[i])
            soak_wrong("the block at %llu is named and not live", (unsigned long long)c->name[i]);
    r->in_hand += c->strays;
    for (size_t i = 0; i < c->strays; i++)
        if (acre_free(h, acre_segment_address(soak_segment, c->stray[i])) != 0)
            soak_wrong("what a killed thread had in hand cannot be freed");
    if (r->in_hand > r->killed_threads)
        soak_wrong("%llu blocks are nobody's, more than threads were killed (%llu)",
                   (unsigned long long)r->in_hand, (unsigned long long)r->killed_threads);
}

/* ---- the heap as a whole ---- */

static int census_part(void *arg, const acre_part *part)
{
    census *c = arg;
    c->parts++;
    c->slabs += part->slab_bytes;
    c->cached += part->cached_bytes;
    c->shelved += part->shelved_bytes;
    return 0;
}

static void census_parts(census *c, acre_heap *h, soak_result *r)
{
    int e = acre_heap_parts(h, census_part, c);
    if (e && e != ENOTSUP)
        soak_wrong("acre_heap_parts: %s", acre_strerror(e));
    r->parts = c->parts > r->parts ? c->parts : r->parts;
    if (c->parts > r->parts_limit)
        soak_wrong("%d parts, though at most %d threads were there at once", c->parts,
                   r->parts_limit);
}

void soak_check(acre_heap *h)
{
    acre_damage d = {0, "?"};
    int e = acre_heap_check(h, &d);
    if (e)
        soak_wrong("acre_heap_check: %s: %s at %llu", acre_strerror(e), d.rule,
                   (unsigned long long)d.offset);
}

/* Not when all go: they have given back what they had. */
static void census_sample(const census *c, acre_heap *h, soak_result *r)
{
    acre_stats s;
    double ops = 0;
    if (soak_shared->stop || r->samples == SOAK_SAMPLES || acre_heap_stats(h, &s) != 0)
        return;
    for (unsigned i = 0; i < soak_chosen.workers; i++)
        for (unsigned k = 0; k < SOAK_LANES; k++)
            ops += (double)soak_shared->seat[i].lane[k].ops;
    double used = (double)(s.size - s.free_bytes);
    r->sample[r->samples++] = (soak_sample){.ops = ops,
                                            .high_water = (double)s.high_water,
                                            .used = used,
                                            .unaccounted = used - (double)c->named_bytes,
                                            .slabs = (double)c->slabs,
                                            .cached = (double)c->cached,
                                            .shelved = (double)c->shelved};
}

/* 0: it cannot be told. */
static int census_count_fds(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static void census_fds(soak_result *r)
{
    r->fds_last = census_count_fds();
    if (!r->censuses)
        r->fds_first = r->fds_last;
    if (r->fds_last != r->fds_first)
        soak_wrong("%d file descriptors, and %d before", r->fds_last, r->fds_first);
}

void soak_census(soak_result *r)
{
    census *c = &census_now;
    acre_heap *h = acre_segment_heap(soak_segment);
    acre_segment_info info;
    acre_segment_info_get(soak_segment, &info);
    *c = (census){.region = info.region};
    soak_check(h);
    census_names(c);
    census_blocks(c, r);
    census_parts(c, h, r);
    census_sample(c, h, r);
    census_fds(r);
    r->censuses++;
}
