/* SPDX-License-Identifier: MIT */
#include "tests/crash/stage.h"

#include <errno.h>

/* ---- pictures ---- */

typedef struct picture_taking {
    picture *p;
    uint64_t region, end;
} picture_taking;

static int picture_add(void *arg, const acre_block *b)
{
    picture_taking *t = arg;
    if (b->offset < t->end || t->p->n == PICTURE_BLOCKS)
        return EOVERFLOW;
    t->end = b->offset + b->size;
    t->p->block[t->p->n] = *b;
    t->p->block[t->p->n++].offset += t->region;
    return 0;
}

int picture_take(picture *p, acre_segment *s)
{
    acre_segment_info info;
    acre_segment_info_get(s, &info);
    picture_taking t = {.p = p, .region = info.region};
    p->n = 0;
    return acre_heap_walk(acre_segment_heap(s), picture_add, &t);
}

const acre_block *picture_find(const picture *p, acre_off at)
{
    size_t from = 0, to = p->n;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (p->block[middle].offset < at)
            from = middle + 1;
        else
            to = middle;
    }
    return from < p->n && p->block[from].offset == at ? &p->block[from] : NULL;
}

/* ---- stages ---- */

stage stage_open(const acre_algorithm *a)
{
    stage t = {.algorithm = a};
    acre_segment_options o = {.size = STAGE_SIZE, .algorithm = a};
    int e = acre_segment_create(&t.s, ACRE_MEMFD, NULL, &o);
    if (e)
        crash_give_up("%s: %s", a->name, acre_strerror(e));
    t.h = acre_segment_heap(t.s);
    void *slots = acre_calloc(t.h, STAGE_SLOTS, sizeof(acre_off));
    t.slots = acre_segment_offset(t.s, slots);
    *acre_segment_root(t.s) = t.slots;
    return t;
}

void stage_close(stage *t)
{
    acre_segment_close(t->s);
}
