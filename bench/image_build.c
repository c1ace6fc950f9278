/* SPDX-License-Identifier: MIT */
/* image_build.c: from the operations of a trace to an image. */
#include "bench/image.h"

#include "bench/lab.h"
#include "traces/trace.h"

#include <errno.h>
#include <string.h>

enum {
    BUILD_HEADER = 4096,
    BUILD_PAD = 128,      /* entries that the loop may prefetch behind the end */
    BUILD_HASH_BITS = 17, /* of the sizes and of the threads: twice as many places */
    BUILD_THREADS = 1 << 16,
    BUILD_DEAD = 0        /* slot of an object that is not live */
};

typedef struct build_thread {
    uint32_t tid, number;
} build_thread;

struct acre_image_builder {
    acre_image_header h;
    acre_lab_vector ops;     /* header's room, then entries */
    acre_lab_vector slot_of; /* uint32_t by serial */
    acre_lab_vector live;    /* uint64_t by slot: size of the object in it + 1, 0 = none */
    acre_lab_vector spare;   /* uint32_t: slots to use again, the last freed on top */
    uint64_t *sizes;         /* ACRE_IMAGE_LITERAL + 1 */
    uint32_t *hash;          /* size -> index + 1 */
    acre_lab_vector threads; /* uint16_t by operation */
    build_thread *thread;    /* hash: the trace's number -> ours + 1 */
    uint64_t live_bytes;
};

static const size_t build_sizes_bytes = (ACRE_IMAGE_LITERAL + 1) * sizeof(uint64_t);
static const size_t build_hash_bytes = sizeof(uint32_t) << BUILD_HASH_BITS;
static const size_t build_thread_bytes = sizeof(build_thread) << BUILD_HASH_BITS;

void acre_image_builder_destroy(acre_image_builder *b)
{
    if (!b)
        return;
    acre_lab_vector_free(&b->ops);
    acre_lab_vector_free(&b->slot_of);
    acre_lab_vector_free(&b->live);
    acre_lab_vector_free(&b->spare);
    acre_lab_vector_free(&b->threads);
    acre_lab_unmap(b->thread, build_thread_bytes);
    acre_lab_unmap(b->sizes, build_sizes_bytes);
    acre_lab_unmap(b->hash, build_hash_bytes);
    acre_lab_unmap(b, sizeof *b);
}

acre_image_builder *acre_image_builder_create(void)
{
    acre_image_builder *b = acre_lab_map(sizeof *b);
    if (!b)
        return NULL;
    b->sizes = acre_lab_map(build_sizes_bytes);
    b->hash = acre_lab_map(build_hash_bytes);
    b->thread = acre_lab_map(build_thread_bytes);
    b->h.n_slots = 1;
    if (!b->sizes || !b->hash || !b->thread || !acre_lab_vector_push(&b->ops, BUILD_HEADER) ||
        !acre_lab_vector_push(&b->slot_of, sizeof(uint32_t)) ||
        !acre_lab_vector_push(&b->live, sizeof(uint64_t))) {
        acre_image_builder_destroy(b);
        return NULL;
    }
    return b;
}

/* Sizes ------------------------------------------------------------------------------------ */

static uint16_t build_size_index(acre_image_builder *b, uint64_t size)
{
    uint32_t mask = (1u << BUILD_HASH_BITS) - 1;
    uint32_t at = (uint32_t)((size * 0x9e3779b97f4a7c15u) >> (64 - BUILD_HASH_BITS));
    for (; b->hash[at]; at = (at + 1) & mask)
        if (b->sizes[b->hash[at] - 1] == size)
            return (uint16_t)(b->hash[at] - 1);
    if (b->h.n_sizes == ACRE_IMAGE_LITERAL)
        return ACRE_IMAGE_LITERAL;
    b->sizes[b->h.n_sizes] = size;
    b->hash[at] = (uint32_t)++b->h.n_sizes;
    return (uint16_t)(b->h.n_sizes - 1);
}

static int build_emit(acre_image_builder *b, uint32_t slot, int kind, uint64_t size, uint8_t align)
{
    acre_image_op o = {slot, 0, (uint8_t)kind, align};
    size = size < ACRE_IMAGE_LEAST ? ACRE_IMAGE_LEAST : size;
    if (kind > ACRE_OP_FREE_NULL)
        o.size = build_size_index(b, size);
    acre_image_op *at = acre_lab_vector_push(&b->ops, sizeof o);
    if (!at)
        return ENOMEM;
    *at = o;
    b->h.n_entries++;
    b->h.n_ops++;
    if (o.size != ACRE_IMAGE_LITERAL)
        return 0;
    uint64_t *literal = acre_lab_vector_push(&b->ops, sizeof size);
    if (!literal)
        return ENOMEM;
    *literal = size;
    b->h.n_entries++;
    return 0;
}

/* Slots ------------------------------------------------------------------------------------ */

/* 0: no memory. */
static uint32_t build_take_slot(acre_image_builder *b)
{
    if (b->spare.used) {
        b->spare.used -= sizeof(uint32_t);
        return *(uint32_t *)((char *)b->spare.data + b->spare.used);
    }
    if (b->h.n_slots == UINT32_MAX || !acre_lab_vector_push(&b->live, sizeof(uint64_t)))
        return 0;
    return (uint32_t)b->h.n_slots++;
}

/* Slot of a live object, or BUILD_DEAD. */
static uint32_t build_slot(const acre_image_builder *b, uint64_t serial)
{
    return serial <= b->h.n_objects ? ((uint32_t *)b->slot_of.data)[serial] : BUILD_DEAD;
}

static uint64_t *build_live_of(acre_image_builder *b, uint32_t slot)
{
    return (uint64_t *)b->live.data + slot;
}

/* The object in `slot` has `size` bytes now. */
static void build_live(acre_image_builder *b, uint32_t slot, uint64_t size)
{
    uint64_t *was = build_live_of(b, slot);
    b->live_bytes += size - (*was ? *was - 1 : 0);
    *was = size + 1;
    if (b->live_bytes > b->h.peak_live) {
        b->h.peak_live = b->live_bytes;
        b->h.peak_entry = b->h.n_entries;
    }
    if (size > b->h.largest)
        b->h.largest = size;
}

/* The next object is born in `slot`. */
static int build_born(acre_image_builder *b, uint64_t serial, uint32_t slot)
{
    if (serial != b->h.n_objects + 1)
        return EINVAL;
    uint32_t *at = acre_lab_vector_push(&b->slot_of, sizeof *at);
    if (!at)
        return ENOMEM;
    *at = slot;
    b->h.n_objects++;
    return 0;
}

/* Its serial is not heard of again; the slot may live on with another. */
static void build_forget(acre_image_builder *b, uint64_t serial)
{
    ((uint32_t *)b->slot_of.data)[serial] = BUILD_DEAD;
}

/* Operations ------------------------------------------------------------------------------- */

static int build_allocate(acre_image_builder *b, const acre_trace_op *op, int kind)
{
    uint32_t slot = build_take_slot(b);
    if (!slot)
        return ENOMEM;
    int e = build_born(b, op->serial, slot);
    if (!e)
        e = build_emit(b, slot, kind, op->size, kind == ACRE_OP_ALIGNED ? op->align_log2 : 0);
    if (!e)
        build_live(b, slot, op->size);
    return e;
}

static int build_free(acre_image_builder *b, uint64_t serial)
{
    if (serial == 0)
        return build_emit(b, 0, ACRE_OP_FREE_NULL, 0, 0);
    uint32_t slot = build_slot(b, serial);
    if (slot == BUILD_DEAD)
        return EINVAL;
    uint32_t *spare = acre_lab_vector_push(&b->spare, sizeof *spare);
    if (!spare)
        return ENOMEM;
    *spare = slot;
    build_forget(b, serial);
    build_live(b, slot, 0);
    *build_live_of(b, slot) = 0;
    return build_emit(b, slot, ACRE_OP_FREE, 0, 0);
}

static int build_realloc(acre_image_builder *b, const acre_trace_op *op)
{
    uint32_t slot = build_slot(b, op->old);
    if (op->serial == 0)
        return build_free(b, op->old);
    if (slot == BUILD_DEAD)
        return build_allocate(b, op, ACRE_OP_MALLOC);
    int e = build_born(b, op->serial, slot);
    if (e)
        return e;
    build_forget(b, op->old);
    e = build_emit(b, slot, ACRE_OP_REALLOC, op->size, 0);
    if (!e)
        build_live(b, slot, op->size);
    return e;
}

/* Who does the next operation.  The table is full with the last number: who comes then counts as
 * one of those before. */
static int build_thread_does(acre_image_builder *b, uint32_t tid)
{
    uint32_t mask = (1u << BUILD_HASH_BITS) - 1, at = (tid * 0x9e3779b1u) & mask;
    uint16_t *who = acre_lab_vector_push(&b->threads, sizeof *who);
    if (!who)
        return ENOMEM;
    while (b->thread[at].number && b->thread[at].tid != tid)
        at = (at + 1) & mask;
    if (!b->thread[at].number && b->h.n_threads < BUILD_THREADS)
        b->thread[at] = (build_thread){tid, (uint32_t)++b->h.n_threads};
    *who = (uint16_t)(b->thread[at].number ? b->thread[at].number - 1 : tid % BUILD_THREADS);
    return 0;
}

static int build_operation(acre_image_builder *b, const acre_trace_op *op)
{
    switch (op->kind) {
    case ACRE_TRACE_MALLOC:
        return build_allocate(b, op, ACRE_OP_MALLOC);
    case ACRE_TRACE_CALLOC:
        return build_allocate(b, op, ACRE_OP_CALLOC);
    case ACRE_TRACE_ALIGNED:
        return build_allocate(b, op, ACRE_OP_ALIGNED);
    case ACRE_TRACE_REALLOC:
        return build_realloc(b, op);
    case ACRE_TRACE_FREE:
        return build_free(b, op->serial);
    default:
        return EINVAL;
    }
}

int acre_image_builder_add(acre_image_builder *b, const acre_trace_op *op)
{
    if (op->kind == ACRE_TRACE_EXT)
        return 0;
    int e = build_operation(b, op);
    return e ? e : build_thread_does(b, op->tid);
}

/* The whole image -------------------------------------------------------------------------- */

static int build_drain(acre_image_builder *b)
{
    acre_image_header before = b->h;
    const uint64_t *live = b->live.data;
    int e = 0;
    for (uint64_t slot = 1; slot < b->h.n_slots && !e; slot++)
        if (live[slot])
            e = build_emit(b, (uint32_t)slot, ACRE_OP_FREE, 0, 0);
    b->h.n_drain = b->h.n_ops - before.n_ops;
    b->h.n_ops = before.n_ops;
    b->h.n_entries = before.n_entries;
    return e;
}

/* A trace of one thread has none. */
static int build_append_threads(acre_image_builder *b)
{
    if (b->h.n_threads <= 1)
        return 0;
    size_t bytes = (b->threads.used + 7) & ~(size_t)7;
    void *at = acre_lab_vector_push(&b->ops, bytes);
    if (!at)
        return ENOMEM;
    memcpy(at, b->threads.data, b->threads.used);
    b->h.threads_at = b->ops.used - bytes;
    return 0;
}

/* Header, entries, sizes and threads in one piece, as a file has them. */
int acre_image_builder_finish(acre_image_builder *b, uint64_t trace_ops, acre_image *m)
{
    if (build_drain(b) || !acre_lab_vector_push(&b->ops, BUILD_PAD * sizeof(acre_image_op)))
        return ENOMEM;
    memcpy(b->h.magic, ACRE_IMAGE_MAGIC, sizeof b->h.magic);
    b->h.trace_ops = trace_ops ? trace_ops : b->h.n_ops;
    b->h.ops_at = BUILD_HEADER;
    b->h.sizes_at = b->ops.used;
    void *sizes = acre_lab_vector_push(&b->ops, build_sizes_bytes);
    if (!sizes)
        return ENOMEM;
    memcpy(sizes, b->sizes, build_sizes_bytes);
    if (build_append_threads(b))
        return ENOMEM;
    b->h.bytes = b->ops.used;
    char *p = acre_lab_vector_take(&b->ops);
    memcpy(p, &b->h, sizeof b->h);
    *m = acre__image_at(p);
    return 0;
}
