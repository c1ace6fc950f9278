/* SPDX-License-Identifier: MIT */
/* heap.c: the life of a heap: layout, attaching, entering (lock and recovery), leaving (commit). */
#include "alloc/checked.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

enum { HEAP_ALIGN = 64 };

static size_t heap_round(size_t n)
{
    return (n + HEAP_ALIGN - 1) & ~(size_t)(HEAP_ALIGN - 1);
}

static uint64_t heap_max(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* Entries: what the algorithm needs for one call, and what the layer above adds to it: a user's
 * slot, the first words of a block that is freed from a slot or whose links are hidden in one, the
 * segment's size; with guards their words, and those of them that a free may overwrite. */
static uint64_t heap_journal_entries(const acre_algorithm *a, const acre_heap_options *o)
{
    if (o->journal == ACRE_JOURNAL_OFF)
        return 0;
    uint64_t guards = o->checks >= ACRE_CHECKS_CANARY ? 4 + a->free_clobbers / 8 : 0;
    return a->journal_words + 4 + heap_max(a->free_clobbers, a->link_bytes) / 8 + guards;
}

size_t acre__heap_overhead(const acre_algorithm *a, const acre_heap_options *o)
{
    size_t kept = o->checks >= ACRE_CHECKS_CANARY ? sizeof(acre__quarantine) : 0;
    return heap_round(sizeof(acre__heap_control) +
                      heap_journal_entries(a, o) * sizeof(acre_journal_entry)) +
           kept;
}

static int heap_fits(size_t region, size_t reach, const acre_algorithm *a)
{
    if (region < a->min_size)
        return ACRE_ETOOSMALL;
    return a->reach && reach > a->reach ? ACRE_ETOOBIG : 0;
}

static int heap_make_key(acre__heap_control *c, const acre_heap_options *o)
{
    if (o->checks < ACRE_CHECKS_CANARY)
        return 0;
    return getrandom(&c->key, sizeof c->key, 0) == sizeof c->key ? 0 : errno;
}

int acre__heap_format(void *at, size_t size, size_t capacity, const acre_algorithm *a,
                      const acre_heap_options *o)
{
    acre__heap_control *c = at;
    size_t start = acre__heap_overhead(a, o);
    if (size < start + a->min_size)
        return ACRE_ETOOSMALL;
    size_t region = (size - start) & ~(size_t)(HEAP_ALIGN - 1);
    int e = heap_fits(region, capacity - start, a);
    if (e || (e = heap_make_key(c, o)) != 0)
        return e;
    c->region_size = region;
    c->lock_kind = o->lock;
    c->journal_mode = o->journal;
    c->region_start = (uint32_t)start;
    c->journal.capacity = heap_journal_entries(a, o);
    acre_heap_options whole = acre__heap_options_resolve(a, o);
    c->checks = o->checks;
    memcpy(c->param, whole.param, sizeof c->param);
    acre_region r = {.base = (char *)at + start};
    a->init(&r, region, &whole);
    return 0;
}

static bool heap_sound(const acre__heap_control *c, const acre_algorithm *a)
{
    acre_heap h = {.region = {.base = (char *)(uintptr_t)c + c->region_start, .size = c->region_size},
                   .reach = c->region_size};
    return !a->sound || a->sound(&h.region);
}

/* The control of a damaged or hostile image: nothing in it is used before this has passed. */
int acre__heap_validate(const void *at, size_t room, const acre_algorithm *a)
{
    const acre__heap_control *c = at;
    if (room < sizeof *c)
        return ACRE_ECORRUPT;
    acre_heap_options o = {.lock = c->lock_kind, .journal = c->journal_mode, .checks = c->checks};
    if (acre_heap_options_check(a, &o) != 0)
        return ACRE_ECORRUPT;
    if (c->region_start != acre__heap_overhead(a, &o) || c->region_start > room)
        return ACRE_ECORRUPT;
    if (c->region_size > room - c->region_start || heap_fits(c->region_size, 0, a) != 0)
        return ACRE_ECORRUPT;
    if (c->journal.capacity != heap_journal_entries(a, &o))
        return ACRE_ECORRUPT;
    if (c->journal.count == ACRE__POISON)
        return ACRE_EPOISONED;
    if (!heap_sound(c, a))
        return ACRE_ECORRUPT;
    return c->journal.count > c->journal.capacity ? ACRE_ECORRUPT : 0;
}

/* Who wants to be told of misuse, or may grow, cannot have the calls that return straight from the algorithm. */
static bool heap_is_plain(const acre_heap *h)
{
    bool any_address =
        (h->inner->flags & ACRE_ANY_ADDRESS) || h->control->checks == ACRE_CHECKS_NONE;
    return !h->lock && !h->region.journal && !h->guarded && !h->misuse && any_address && !h->more &&
           !acre__heap_guards(h);
}

static void heap_attach_checks(acre_heap *h)
{
    const acre__heap_control *c = h->control;
    h->quarantine = NULL;
    if (c->checks >= ACRE_CHECKS_CANARY && !(h->inner->flags & ACRE_NO_FREE))
        h->quarantine = (acre__quarantine *)(void *)(h->region.base - sizeof(acre__quarantine));
    if (c->checks >= ACRE_CHECKS_CANARY)
        acre__checked_attach(h);
}

/* Nothing has to be done around a call, or the algorithm does it. */
static bool heap_jumps(const acre_heap *h)
{
    return h->plain || ((h->inner->flags & ACRE_CONCURRENT) && !h->guarded && !h->misuse &&
                        !acre__heap_guards(h));
}

static int (*heap_give(const acre_heap *h))(acre_region *, void *)
{
    bool unjudged = h->control->checks == ACRE_CHECKS_NONE && h->inner->give_unjudged;
    return unjudged ? h->inner->give_unjudged : h->inner->give;
}

/* What acre_alloc() and acre_free() jump to. */
static void heap_attach_calls(acre_heap *h)
{
    h->plain = heap_is_plain(h);
    bool jump = heap_jumps(h) && h->inner->take;
    h->take = jump ? h->inner->take : acre__heap_alloc;
    h->give_unwatched = jump ? heap_give(h) : acre__heap_free;
    h->give = h->purge_after ? acre__purge_free : h->give_unwatched;
    h->region.whole = acre__heap_alloc;
    h->region.zeroed = &h->control->zeroed;
}

void acre__heap_attach(acre_heap *h, void *at, const acre_algorithm *a, bool read_only)
{
    acre__heap_control *c = at;
    static uint64_t serials;
    bool locked = c->lock_kind != ACRE_LOCK_NONE;
    h->serial = acre__add(&serials, (uint64_t)1) + 1;
    h->control = c;
    h->algorithm = h->inner = a;
    h->read_only = read_only;
    h->lock = locked && !read_only ? &c->lock : NULL;
    h->lock_kind = h->lock ? c->lock_kind : ACRE_LOCK_NONE;
    h->guarded = read_only || h->guarded;
    h->pending = &c->journal.count;
    h->strange = *h->pending != 0;
    h->region.base = (char *)at + c->region_start;
    h->reach = h->window - (uint64_t)(h->region.base - h->segment);
    h->region.journal = c->journal_mode == ACRE_JOURNAL_ON ? &c->journal : NULL;
    h->free = a->free;
    heap_attach_checks(h);
    h->alloc = h->algorithm->alloc;
    heap_attach_calls(h);
}

void acre__heap_detach(acre_heap *h)
{
    if (h->inner && h->inner->detach && !h->read_only)
        h->inner->detach(&h->region);
}

void acre_heap_detach(acre_heap *h)
{
    acre__heap_detach(h);
}

void acre_heap_on_misuse(acre_heap *h, acre_misuse *fn, void *arg)
{
    h->misuse = fn;
    h->misuse_arg = arg;
    heap_attach_calls(h);
}

int acre_heap_purge_after(acre_heap *h, size_t bytes)
{
    int e = bytes ? acre__purge_possible(h) : 0;
    if (e)
        return e;
    h->purge_after = bytes;
    heap_attach_calls(h);
    return 0;
}

void acre__heap_tell(acre_heap *h, int error, const void *p)
{
    if (h->misuse)
        h->misuse(h->misuse_arg, h, error, p);
}

int acre__heap_misuse(acre_heap *h, int error, const void *p)
{
    if (error == ACRE_EINVALID || error == ACRE_EOVERRUN)
        acre__heap_tell(h, error, p);
    return error;
}

int acre__heap_judge(const acre_heap *h, const void *p)
{
    if (acre__heap_foreign(h, p))
        return ACRE_EINVALID;
    if (acre__heap_guards(h))
        return acre__checked_judge(h, p);
    return h->inner->usable(&h->region, p) ? 0 : ACRE_EINVALID;
}

void acre__heap_measure(acre_heap *h)
{
    h->region.size = acre__heap_bytes(h);
}

static bool heap_kept(const acre_heap *h, uint64_t at, uint64_t bytes)
{
    for (int i = 0; i < 3; i++)
        if (at < h->kept[i][1] && at + bytes > h->kept[i][0])
            return true;
    return false;
}

/* A journal that is not from this library must not make its reader store outside the segment, nor
 * into a lock or the journal itself.  The quarantine stands at the region's start. */
static bool heap_undoable(const acre_heap *h, uint64_t at, uint64_t bytes, uint64_t align)
{
    uint64_t control = (uint64_t)((char *)h->control - h->segment);
    uint64_t region =
        (uint64_t)(h->region.base - h->segment) - (h->quarantine ? sizeof *h->quarantine : 0);
    uint64_t size = *h->size < h->window ? *h->size : h->window;
    if (size < bytes || at > size - bytes || at % align || heap_kept(h, at, bytes))
        return false;
    return at + bytes <= control || at >= region || ACRE_BUG_IS(7) ||
           (at == control + offsetof(acre__heap_control, region_size) && bytes == align);
}

/* From the segment's start; `where` counts from the region, wrapping. */
static uint64_t heap_noted_at(const acre_heap *h, const acre_journal_entry *e)
{
    return (uint64_t)(h->region.base - h->segment) + (e->where & ~(uint64_t)3);
}

/* Bytes of the segment that there is memory for: a file that a stranger wrote may be shorter than any size
 * that it speaks of. */
static uint64_t heap_backed(const acre_heap *h)
{
    struct stat st;
    if (h->fd < 0)
        return h->window;
    uint64_t length = fstat(h->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
    return length < h->window ? length : h->window;
}

/* A size that is to be restored must be one, and whole; any other word may have held anything. */
static bool heap_restorable(const acre_heap *h, const char *word, uint64_t width, uint64_t old)
{
    uint64_t in_front = 0;
    if (word - (uintptr_t)word % 8 == (const char *)&h->control->region_size)
        in_front = (uint64_t)(h->region.base - h->segment);
    else if (word - (uintptr_t)word % 8 != (const char *)h->size)
        return true;
    uint64_t backed = heap_backed(h);
    return ACRE_BUG_IS(146) || (width == 8 && backed >= in_front && old <= backed - in_front);
}

/* Write back what the entry noted.  Only old values are written, so doing it twice, or dying in
 * the middle of it, is harmless. */
static void heap_undo(const acre_heap *h, const acre_journal_entry *e)
{
    uint64_t at = heap_noted_at(h, e), width = e->where & 1 ? 4 : 8;
    if (!heap_undoable(h, at, width, width))
        return;
    char *word = h->segment + at;
    if (!heap_restorable(h, word, width, e->old))
        return;
    if (e->where & 1)
        ACRE_PUT(*(uint32_t *)word, (uint32_t)e->old);
    else
        ACRE_PUT(*(uint64_t *)word, e->old);
}

/* The notes from `first` on, newest first. */
static void heap_undo_from(acre_heap *h, uint64_t first)
{
    acre_journal *j = &h->control->journal;
    uint64_t n = j->count <= j->capacity ? j->count : j->capacity;
    if (ACRE_BUG_IS(16))
        ACRE_PUT(j->count, first);
    while (n > first + ACRE_BUG_IS(3))
        heap_undo(h, &j->entry[--n]);
    acre__heap_measure(h);
    if (h->algorithm->recover && !ACRE_BUG_IS(4))
        h->algorithm->recover(&h->region);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    ACRE_PUT(j->count, first);
}

/* Slots were being filled: free what they name by now. */
static void heap_undo_batch(acre_heap *h)
{
    const acre_journal_entry *e = h->control->journal.entry;
    uint64_t at = heap_noted_at(h, e), n = e->old;
    if (n > *h->size / sizeof(acre_off) || !heap_undoable(h, at, n * sizeof(acre_off), sizeof(acre_off)))
        return;
    acre_off *slots = (acre_off *)(h->segment + at);
    if (!h->strange || ACRE_BUG_IS(149) || acre__publish_undoable(h, slots, n))
        acre__publish_undo(h, slots, n);
}

static void heap_roll_back(acre_heap *h)
{
    acre_journal *j = &h->control->journal;
    bool batch = j->capacity && j->count && (j->entry[0].where & ACRE__BATCH);
    heap_undo_from(h, batch);
    if (batch)
        heap_undo_batch(h);
    h->control->recoveries++;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    ACRE_PUT(j->count, 0);
}

/* An owner died, or left a journal that was not emptied.  Without a journal nothing can be undone:
 * then only a clean check lets the heap live on. */
static int heap_recover(acre_heap *h)
{
    if (h->region.journal && *h->pending == 0)
        return 0; /* died before its first note, or after its commit: nothing was begun */
    heap_roll_back(h);
#ifndef ACRE_CHECKED
    if (h->region.journal)
        return 0;
#endif
    if (h->inner->check(&h->region, &(acre_damage){0}) == 0)
        return 0;
    ACRE_PUT(h->control->journal.count, ACRE__POISON);
    return ACRE_EPOISONED;
}

/* Who may not enter passes the news of a death on: without a journal nothing else tells it. */
static void heap_turn_away(acre_heap *h, int locked)
{
    if (locked == EOWNERDEAD)
        acre__robust_unlock_orphaned(h->lock);
    else
        acre__heap_unlock(h);
}

int acre__heap_enter_unusual(acre_heap *h, int locked)
{
    int e = 0;
    if (locked == EDEADLK)
        return EDEADLK;
    if (locked == EOWNERDEAD && !ACRE_BUG_IS(6))
        h->control->version++; /* the dead one may have committed and not come to it */
    if (h->read_only)
        e = EROFS;
    else if (*h->pending == ACRE__POISON)
        e = ACRE_EPOISONED;
    else if (*h->size > h->window)
        e = ENOMEM;
    else if ((locked == EOWNERDEAD || *h->pending != 0) && !ACRE_BUG_IS(5))
        e = heap_recover(h);
    if (e)
        heap_turn_away(h, locked);
    return e;
}

int acre__heap_extend(acre_heap *h, uint64_t region_size)
{
    if (!h->algorithm->grow)
        return ENOTSUP;
    region_size &= ~(uint64_t)(HEAP_ALIGN - 1);
    if (h->algorithm->reach && region_size > h->algorithm->reach)
        return ACRE_ETOOBIG;
    acre_set64(&h->region, &h->control->region_size, region_size);
    return h->algorithm->grow(&h->region, region_size);
}

int acre__heap_contract(acre_heap *h, uint64_t region_size, uint64_t *now)
{
    if (!h->algorithm->shrink)
        return ENOTSUP;
    size_t least = (size_t)h->algorithm->min_size;
    uint64_t left = h->algorithm->shrink(&h->region, region_size < least ? least : region_size);
    left = heap_round(left);
    if (left < h->control->region_size)
        acre_set64(&h->region, &h->control->region_size, left);
    *now = h->control->region_size;
    return 0;
}
