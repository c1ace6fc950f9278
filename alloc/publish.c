/* SPDX-License-Identifier: MIT */
/* publish.c: a block and the slot that names it change as one step, because the slot's old value
 * goes into the same journal as the heap's.
 *
 * Many slots are filled as one step too, though the journal has room for one block only.  Its first
 * entry then is no word to restore but says «slots [first, first + n) are being filled» and stays
 * until all are; each block with its slot is a step of its own behind it:
 *
 *   journal.count  0     1           3     1           3     1      …    1     0
 *                  ──────┬───────────┬─────┬───────────┬─────┬───── … ───┬─────┬──▶
 *                      batch    notes of block 1   notes of block 2 …   all are there
 *                        └── killed anywhere here: nothing has happened ───────┘
 *
 * Who finds the batch entry rolls back the notes behind it; what the slots name then are whole blocks,
 * which are freed one by one, each as a step with its slot.  Dying in that is harmless: the next one
 * finds the batch entry and fewer slots.
 */
#include "alloc/heap.h"

#include <errno.h>
#include <stdlib.h>

static bool publish_in_segment(const acre_heap *h, const acre_off *slots, uint64_t n)
{
    uint64_t at = (uint64_t)((const char *)slots - h->segment), size = acre__peek(h->size);
    return at <= size && n <= (size - at) / sizeof *slots && at % sizeof *slots == 0;
}

int acre__publish_alloc(acre_heap *h, acre_off *slot, size_t size)
{
    void *p = acre__heap_take(h, size + !size, ACRE_ALIGN_MIN);
    if (!p)
        return ENOMEM;
    if (ACRE_BUG_IS(9))
        *slot = (acre_off)((char *)p - h->segment);
    if (h->control->zeroed)
        acre__heap_hide_links_noted(h, p);
    acre_set64(&h->region, slot, (acre_off)((char *)p - h->segment));
    return 0;
}

int acre_alloc_into(acre_heap *h, acre_off *slot, size_t size)
{
    if (size > ACRE_SIZE_MAX)
        return ENOMEM;
    if (!publish_in_segment(h, slot, 1))
        return ACRE_EINVALID;
    int e = acre__heap_own(h) ? h->inner->into(&h->region, slot, size) : EAGAIN;
    if (e != EAGAIN)
        return e;
    e = acre__heap_enter(h);
    if (e)
        return e;
    e = acre__publish_alloc(h, slot, size);
    acre__heap_leave(h);
    return e;
}

/* What a damaged slot names instead of a block is not free()'s to judge if it lies outside the region:
 * NULL.  Needs the region's size. */
static void *publish_block(const acre_heap *h, acre_off slot)
{
    uint64_t at = slot - (uint64_t)(h->region.base - h->segment);
    return at < h->region.size && at % ACRE_ALIGN_MIN == 0 ? h->region.base + at : NULL;
}

/* ---- many ---- */

/* What was noted behind the batch entry is final. */
static void publish_commit_step(acre_heap *h)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (h->region.journal)
        *h->pending = !ACRE_BUG_IS(11);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Empty the slots, which hold 0 or a block's offset, and free what they name. */
void acre__publish_undo(acre_heap *h, acre_off *slot, uint64_t n)
{
    for (; n--; slot++) {
        void *p = publish_block(h, *slot);
        if (!*slot)
            continue;
        acre_set64(&h->region, slot, 0);
        if (p)
            h->algorithm->free(&h->region, p);
        publish_commit_step(h);
    }
}

/* What a stranger's slots may name, and where they may lie. */
typedef struct publish_known {
    uint64_t at, bytes; /* of the slots, in the region */
    uint64_t around;    /* the live block that they lie in; 0: none */
    uint64_t *start;    /* a bit for each unit that begins a live block */
} publish_known;

static int publish_know(void *arg, const acre_block *b)
{
    publish_known *k = arg;
    uint64_t unit = b->offset / ACRE_ALIGN_MIN;
    if (!b->used)
        return 0;
    k->start[unit / 64] |= (uint64_t)1 << unit % 64;
    if (k->at >= b->offset && k->at + k->bytes <= b->offset + b->size)
        k->around = b->offset;
    return 0;
}

/* Each names a live block that no other one names, and that they do not lie in. */
static bool publish_all_known(const acre_heap *h, publish_known *k, const acre_off *slots, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        const char *p = publish_block(h, slots[i]);
        uint64_t at = (uint64_t)(p ? p - h->region.base : 0), unit = at / ACRE_ALIGN_MIN;
        if (p && (at == k->around || !(k->start[unit / 64] >> unit % 64 & 1)))
            return false;
        if (p)
            k->start[unit / 64] &= ~((uint64_t)1 << unit % 64);
    }
    return true;
}

bool acre__publish_undoable(acre_heap *h, const acre_off *slots, uint64_t n)
{
    publish_known k = {.at = (uint64_t)((const char *)slots - h->region.base), .bytes = n * sizeof *slots};
    if (h->algorithm->check(&h->region, &(acre_damage){0}) != 0)
        return false;
    k.start = calloc(h->region.size / ACRE_ALIGN_MIN / 64 + 1, sizeof *k.start);
    bool can = k.start && h->algorithm->walk(&h->region, publish_know, &k) == 0 &&
               ((const char *)slots < (char *)h->control || k.around) && publish_all_known(h, &k, slots, n);
    free(k.start);
    return can;
}

static int publish_fill(acre_heap *h, size_t n, const size_t *sizes, size_t size, acre_off *slots)
{
    for (size_t i = 0; i < n; i++) {
        if (acre__publish_alloc(h, &slots[i], sizes ? sizes[i] : size) != 0) {
            acre__heap_measure(h);
            acre__publish_undo(h, slots, i);
            return ENOMEM;
        }
        publish_commit_step(h);
    }
    return 0;
}

static int publish_batch(acre_heap *h, size_t n, const size_t *sizes, size_t size, acre_off *slots)
{
    for (size_t i = 0; i < n; i++)
        if (slots[i])
            return EINVAL;
    if (h->region.journal)
        acre_note(&h->region, slots, n, ACRE__BATCH);
    return publish_fill(h, n, sizes, size, slots);
}

static bool publish_too_large(size_t n, const size_t *sizes, size_t size)
{
    if (!sizes)
        return size > ACRE_SIZE_MAX;
    while (n--)
        if (sizes[n] > ACRE_SIZE_MAX)
            return true;
    return false;
}

int acre_alloc_many_into(acre_heap *h, size_t n, const size_t *sizes, size_t size, acre_off *slots)
{
    if (n == 0)
        return 0;
    if (!publish_in_segment(h, slots, n))
        return ACRE_EINVALID;
    if (publish_too_large(n, sizes, size))
        return ENOMEM;
    int e = acre__heap_enter(h);
    if (e)
        return e;
    e = publish_batch(h, n, sizes, size, slots);
    acre__heap_leave(h);
    return e;
}

/* ---- back ---- */

/* A roll back gives the block back to its slot, so what free() overwrites of it is noted too. */
static void publish_note_contents(acre_heap *h, void *p)
{
    uint64_t *word = p;
    if (!h->region.journal || ACRE_BUG_IS(12))
        return;
    size_t usable = h->inner->usable(&h->region, p), bytes = h->inner->free_clobbers;
    for (size_t i = 0; i < (usable < bytes ? usable : bytes) / sizeof *word; i++)
        acre_note(&h->region, &word[i], word[i], 0);
}

int acre__publish_free(acre_heap *h, acre_off *slot)
{
    acre__heap_measure(h);
    void *p = publish_block(h, *slot);
    int e = p ? acre__heap_judge(h, p) : ACRE_EINVALID;
    if (e)
        return acre__heap_misuse(h, e, (void *)((uintptr_t)h->segment + *slot));
    publish_note_contents(h, p);
    acre_set64(&h->region, slot, 0);
    if (ACRE_BUG_IS(10))
        acre__heap_commit(h);
    e = h->algorithm->free(&h->region, p);
    if (e || !acre__heap_guards(h))
        return e;
    acre__heap_commit(h);
    return acre__checked_settle(h, p);
}

int acre_free_from(acre_heap *h, acre_off *slot)
{
    if (!publish_in_segment(h, slot, 1))
        return ACRE_EINVALID;
    int e = acre__heap_own(h) && *slot ? h->inner->from(&h->region, slot) : EAGAIN;
    if (e != EAGAIN)
        return e;
    e = acre__heap_enter(h);
    if (e)
        return e;
    e = *slot ? acre__publish_free(h, slot) : 0;
    acre__heap_leave(h);
    return e;
}
