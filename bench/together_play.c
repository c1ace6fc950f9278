/* SPDX-License-Identifier: MIT */
/* together_play.c: a worker plays its part, pass by pass.
 *
 *     set up │ cold pass │ drain, empty places │ warm pass │ drain, … │      │: all wait for all
 *
 * Whoever waits looks at `stop` as well: it is set when somebody died, found no room or something
 * wrong, or when the time is over.  What is live then is left to the end of the heap. */
#include "bench/together_internal.h"

#include "bench/filling.h"
#include "bench/touch.h"

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PLAY_CHUNK = 256,  /* entries between two looks at `stop` */
    PLAY_SPINS = 1000, /* before the processor is given to somebody else */
    PLAY_SPINS_CROWDED = 30
};

typedef struct player {
    procs_worker *w;
    together_stage *stage;
    const acre_together_plan *plan;
    const acre_shares *parts;
    const acre_share *part;
    const acre_engine *engine;
    void *heap;
    void **place;     /* private ones */
    uint64_t slowest; /* the least progress of others that was seen */
    uint64_t serial;  /* + entry: what a block is filled by */
    uint64_t waits, waited;
    uint32_t arrivals; /* at barriers */
    unsigned spins;
} player;

/* ---- waiting ---- */

__attribute__((format(printf, 3, 4))) static bool play_trouble(player *p, uint64_t op,
                                                               const char *format, ...)
{
    together_stage *s = p->stage;
    if (atomic_exchange(&s->trouble, 1) == 0) {
        va_list args;
        va_start(args, format);
        vsnprintf(s->what, sizeof s->what, format, args);
        va_end(args);
        s->op = op;
    }
    p->w->failed++;
    atomic_store(&p->w->board->stop, 1);
    return false;
}

static void play_rest(const player *p, unsigned spins)
{
    if (spins < p->spins)
        procs_pause();
    else
        sched_yield();
}

/* What its owner, earlier in the trace, hands over there; 0: told to stop. */
static uint64_t play_await(player *p, _Atomic uint64_t *place)
{
    uint64_t told, start = acre_lab_now_ns();
    for (unsigned i = 0;
         !(told = atomic_load_explicit(place, memory_order_acquire)) && procs_on(p->w); i++)
        play_rest(p, i);
    p->waited += acre_lab_now_ns() - start;
    p->waits++;
    return told;
}

static uint64_t play_slowest(const player *p)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < p->w->n; i++) {
        uint64_t op = atomic_load_explicit(&p->stage->progress[i].op, memory_order_acquire);
        least = i != p->w->me && op < least ? op : least;
    }
    return least;
}

/* Until nobody is further behind than `lead`.  False: told to stop. */
static bool play_keep_pace(player *p, uint64_t op)
{
    uint64_t lead = p->plan->lead;
    atomic_store_explicit(&p->stage->progress[p->w->me].op, op, memory_order_release);
    if (op <= lead || op - lead <= p->slowest || op - lead <= (p->slowest = play_slowest(p)))
        return true;
    uint64_t start = acre_lab_now_ns();
    for (unsigned i = 0; op - lead > p->slowest && procs_on(p->w); i++) {
        play_rest(p, i);
        p->slowest = play_slowest(p);
    }
    p->waited += acre_lab_now_ns() - start;
    p->waits++;
    return op - lead <= p->slowest;
}

/* Until all are here.  False: told to stop. */
static bool play_meet(player *p)
{
    uint32_t all = ++p->arrivals * p->w->n;
    atomic_fetch_add(&p->stage->arrived, 1);
    for (unsigned i = 0; atomic_load_explicit(&p->stage->arrived, memory_order_acquire) < all;
         i++) {
        if (!procs_on(p->w))
            return false;
        play_rest(p, i);
    }
    return true;
}

/* ---- blocks from worker to worker ---- */

static inline void *play_take(player *p, uint32_t place)
{
    if (!(place & ACRE_SHARES_HANDED))
        return p->place[place];
    _Atomic uint64_t *at = &p->stage->handed[place & ~ACRE_SHARES_HANDED];
    uint64_t told = atomic_load_explicit(at, memory_order_acquire);
    if (__builtin_expect(!told, 0) && !(told = play_await(p, at)))
        return NULL;
    return procs_at(p->w->heap, told - 1);
}

static inline void play_give(player *p, uint32_t place, void *block)
{
    if (!(place & ACRE_SHARES_HANDED))
        p->place[place] = block;
    else
        atomic_store_explicit(&p->stage->handed[place & ~ACRE_SHARES_HANDED],
                              procs_distance(p->w->heap, block) + 1, memory_order_release);
}

/* ---- looking ---- */

static uint64_t play_align(const acre_image_op *o)
{
    return (uint64_t)1 << (o->op == ACRE_OP_ALIGNED ? o->align_log2 : 0);
}

static bool play_inside(const player *p, const char *block, uint64_t size)
{
    const procs_heap *h = p->w->heap;
    const char *start = h->house ? h->base : h->memory;
    return !start ||
           (block >= start && size <= h->bytes && (size_t)(block - start) <= h->bytes - size);
}

/* The block that this entry ends is as it was left, whoever left it.  `kept`: bytes to look at. */
static bool play_untouched(player *p, size_t entry, const char *block, uint64_t kept,
                           const char *lost)
{
    size_t birth = p->parts->birth[entry];
    uint64_t size = acre_shares_size(p->parts, &p->parts->ops[birth]);
    uint64_t look = kept < size ? kept : size;
    uint64_t at = filling_differs(block, look, p->serial + birth);
    return at == look ||
           play_trouble(p, p->parts->order[entry], "block of %llu bytes %s at byte %llu",
                        (unsigned long long)size, lost, (unsigned long long)at);
}

static bool play_look(player *p, size_t entry, char *block, uint64_t size)
{
    const acre_image_op *o = &p->parts->ops[entry];
    uint64_t align = filling_alignment(p->engine, size, play_align(o)), op = p->parts->order[entry];
    if ((uintptr_t)block % align)
        return play_trouble(p, op, "block %p is not aligned to %llu", (void *)block,
                            (unsigned long long)align);
    if (!play_inside(p, block, size))
        return play_trouble(p, op, "block %p lies outside the segment", (void *)block);
    if (o->op == ACRE_OP_CALLOC && filling_not_zero(block, size) < size)
        return play_trouble(p, op, "calloc gave memory that is not zero");
    if (o->op == ACRE_OP_REALLOC &&
        !play_untouched(p, entry, block, size, "lost its contents in realloc"))
        return false;
    filling_put(block, size, p->serial + entry);
    return true;
}

/* ---- one operation ---- */

static inline void *play_call(player *p, const acre_image_op *o, void *old, uint64_t size)
{
    switch (o->op) {
    case ACRE_OP_MALLOC:
        return p->engine->alloc(p->heap, size);
    case ACRE_OP_CALLOC:
        return p->engine->calloc(p->heap, size);
    case ACRE_OP_REALLOC:
        return p->engine->realloc(p->heap, old, size);
    default:
        return p->engine->aligned(p->heap, size, play_align(o));
    }
}

/* The block that the entry ends, or NULL with *on false. */
static inline void *play_old(player *p, size_t entry, bool *on)
{
    const acre_image_op *o = &p->parts->ops[entry];
    if (o->op != ACRE_OP_FREE && o->op != ACRE_OP_REALLOC)
        return NULL;
    void *old = play_take(p, o->slot);
    *on = old && (!p->plan->verify || play_untouched(p, entry, old, UINT64_MAX, "was overwritten"));
    return old;
}

/* False: it cannot go on. */
static inline bool play_one(player *p, size_t entry)
{
    const acre_image_op *o = &p->parts->ops[entry];
    bool on = true;
    void *old = play_old(p, entry, &on);
    if (__builtin_expect(!on, 0))
        return false;
    if (o->op <= ACRE_OP_FREE_NULL) {
        p->engine->free(p->heap, old);
        return true;
    }
    uint64_t size = acre_shares_size(p->parts, o);
    void *born = play_call(p, o, old, size);
    if (__builtin_expect(!born, 0))
        return play_trouble(p, p->parts->order[entry], "no room for %llu bytes",
                            (unsigned long long)size);
    if (p->plan->verify) {
        if (!play_look(p, entry, born, size))
            return false;
    } else if (p->plan->touch == ACRE_TOUCH_LINE)
        *(volatile uint64_t *)born = 1;
    else
        replay_touch(born, size, p->plan->touch);
    play_give(p, acre_shares_target(o), born);
    return true;
}

/* Entries [begin, end).  False: told to stop, or it cannot go on. */
static bool play_entries(player *p, size_t begin, size_t end, bool paced)
{
    const acre_image_op *ops = p->parts->ops;
    size_t look = begin + PLAY_CHUNK;
    for (size_t i = begin; i < end; i += acre_shares_width(&ops[i])) {
        if (i >= look) {
            look = i + PLAY_CHUNK;
            if (!procs_on(p->w))
                return false;
        }
        if (paced && !play_keep_pace(p, p->parts->order[i]))
            return false;
        if (!play_one(p, i))
            return false;
    }
    return true;
}

/* ---- passes ---- */

static void play_progress(player *p, uint64_t op)
{
    atomic_store_explicit(&p->stage->progress[p->w->me].op, op, memory_order_release);
}

/* All workers are between two passes. */
static void play_prepare(player *p)
{
    const acre_share *part = p->part;
    for (uint32_t i = 0; i < part->n_handed; i++)
        atomic_store_explicit(&p->stage->handed[part->handed + i], 0, memory_order_relaxed);
    play_progress(p, part->begin < part->end ? p->parts->order[part->begin] : UINT64_MAX);
    p->slowest = 0;
    p->serial += p->parts->entries;
}

static bool play_pass(player *p, unsigned pass)
{
    together_time *t = &p->stage->time[pass][p->w->me];
    uint64_t waited = p->waited, start = acre_lab_now_ns();
    if (!play_entries(p, p->part->begin, p->part->end, p->plan->lead != ACRE_TOGETHER_APART))
        return false;
    play_progress(p, UINT64_MAX);
    *t = (together_time){start, acre_lab_now_ns(), p->waited - waited};
    p->w->ops += p->part->ops;
    return true;
}

/* Behind the first pass: what it took, told by one for all. */
static void play_note_use(player *p, uint64_t resident)
{
    uint64_t now = acre_lab_resident(), peak = acre_lab_resident_peak();
    if (p->engine->high_water)
        p->stage->peak_used = p->engine->high_water(p->heap);
    else if (!(p->engine->flags & (ACRE_ENGINE_SEGMENT | ACRE_ENGINE_REFERENCE)))
        p->stage->peak_used = (peak > now ? peak : now) - (resident < now ? resident : now);
}

static bool play_passes(player *p)
{
    uint64_t resident = 0;
    bool first = p->w->me == 0, on = play_meet(p);
    if (on && first) {
        resident = acre_lab_resident();
        acre_lab_reset_peak();
    }
    for (unsigned pass = 0; on && pass <= p->plan->warm; pass++) {
        play_prepare(p);
        on = play_meet(p) && play_pass(p, pass) && play_meet(p);
        if (on && first && pass == 0)
            play_note_use(p, resident);
        on = on && play_entries(p, p->part->end, p->part->drained, false) && play_meet(p);
    }
    return on;
}

/* Present in this process, so that the first touch is not measured. */
static void play_make_present(const player *p)
{
    for (uint32_t i = 0; i < p->parts->handed; i += 4096 / sizeof(uint64_t))
        atomic_load_explicit(&p->stage->handed[i], memory_order_relaxed);
}

/* Without a processor to spare, who is waited for may be one that does not run. */
static unsigned play_spins(uint32_t workers)
{
    return (long)workers >= sysconf(_SC_NPROCESSORS_ONLN) ? PLAY_SPINS_CROWDED : PLAY_SPINS;
}

static void together_work(procs_worker *w)
{
    _Alignas(64) char line[64]; /* all blocks of a reference point */
    together_stage *s = w->plan->stage;
    const acre_shares *parts = s->plan->parts;
    const acre_share *part = &parts->part[w->me];
    size_t places = (part->places + 1) * sizeof(void *);
    player p = {.w = w, .stage = s, .plan = s->plan, .parts = parts, .part = part};
    p.engine = w->heap->engine;
    p.heap = p.engine->flags & ACRE_ENGINE_REFERENCE ? line : w->heap->heap;
    p.place = acre_lab_map(places);
    p.spins = play_spins(w->n);
    if (!p.place) {
        play_trouble(&p, 0, "no memory for the harness");
        return;
    }
    acre_lab_populate(p.place, places);
    play_make_present(&p);
    if (!play_passes(&p))
        atomic_store(&w->board->stop, 1); /* nobody waits for who has gone */
    s->waits[w->me] = p.waits;
    acre_lab_unmap(p.place, places);
}

const acre_procs_pattern together_pattern = {
    .name = "together",
    .summary = "one trace between them",
    .flags = PROCS_HANDS_ON | PROCS_HARNESS,
    .work = together_work,
};
