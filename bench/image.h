/* SPDX-License-Identifier: MIT */
/* image.h: a trace made ready to be replayed: 8 bytes an operation, nothing left to decide.
 *
 *     file, and memory after loading
 *     +--------+--------------------------------+-----------------+-------------------------+- - - - -+
 *     | header | entries of the trace           | drain: frees of | sizes, in the order of  | threads |
 *     | 4 KiB  | (n_entries; n_ops operations)  | what is live at | their first use, up to  | one an  |
 *     |        |                                | the end, pad    | 65,535; [65535] = 0     | op      |
 *     +--------+--------------------------------+-----------------+-------------------------+- - - - -+
 *
 *     one entry    | slot: 32 | size: 16 | op: 8 | align_log2: 8 |
 *     size 65535   the next entry is the size itself, 64 bits
 *
 * A slot is a place for one live object's address.  The slot that was freed last is used next, so
 * the table is as long as the most objects that were ever live (plus slot 0, that of NULL), and its
 * hot end stays in the cache.  A realloc keeps its object's slot.
 *
 * Threads are numbered anew in the order in which they come, 16 bits (one beyond
 * 65,536 counts as one of those), and only there if the trace has more than one. */
#ifndef ACRE_BENCH_IMAGE_H
#define ACRE_BENCH_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ACRE_IMAGE_MAGIC "ACREIMG1"

/* In the order in which the loop tests for them. */
enum acre_image_kind {
    ACRE_OP_FREE,
    ACRE_OP_FREE_NULL,
    ACRE_OP_MALLOC,
    ACRE_OP_CALLOC,
    ACRE_OP_REALLOC,
    ACRE_OP_ALIGNED,
    ACRE_OP_KINDS
};

enum {
    ACRE_IMAGE_LITERAL = 65535,
    ACRE_IMAGE_LEAST = 8 /* smaller requests ask for this: there is a word to touch in each block,
                            and no contender's blocks are smaller */
};

typedef struct acre_image_op {
    uint32_t slot;
    uint16_t size; /* index of the size, or ACRE_IMAGE_LITERAL */
    uint8_t op;
    uint8_t align_log2; /* of ACRE_OP_ALIGNED */
} acre_image_op;

typedef struct acre_image_header {
    char magic[8];
    uint64_t n_ops;     /* operations of the trace */
    uint64_t n_entries; /* entries that they take: one more for each literal */
    uint64_t n_drain;   /* frees behind them, one for each object that is still live */
    uint64_t n_slots;   /* slot 0 included */
    uint64_t n_sizes;
    uint64_t n_objects;
    uint64_t peak_live;  /* most bytes asked for that were live at once */
    uint64_t peak_entry; /* entry by which that was so */
    uint64_t largest;    /* largest request */
    uint64_t trace_ops;  /* operations of the whole trace: more than n_ops if it was cut */
    uint64_t ops_at, sizes_at, bytes; /* offsets in the file, and its length */
    uint64_t n_threads;               /* that did something; 0 or 1: nobody is told apart */
    uint64_t threads_at;              /* offset; 0 = none */
} acre_image_header;

typedef struct acre_image {
    const acre_image_header *h;
    const acre_image_op *ops;
    const uint64_t *sizes;
    const uint16_t *threads; /* by operation, n_ops; NULL: one did all */
} acre_image;

/* The size of the operation at entry i. */
static inline uint64_t acre_image_size_at(const acre_image *m, size_t i)
{
    uint64_t literal;
    if (m->ops[i].size != ACRE_IMAGE_LITERAL)
        return m->sizes[m->ops[i].size];
    __builtin_memcpy(&literal, &m->ops[i + 1], sizeof literal);
    return literal;
}

/* Entries that the operation at entry i takes. */
static inline size_t acre_image_width(const acre_image *m, size_t i)
{
    return m->ops[i].size == ACRE_IMAGE_LITERAL ? 2 : 1;
}

/* The parts of what lies at p in one piece. */
acre_image acre__image_at(const char *p);

/* Writes the image to `path`, under another name first.  0 or errno. */
int acre_image_save(const acre_image *m, const char *path);

/* Maps an image, present at once.  0, errno, or EBADMSG: it is not one, or damaged. */
int acre_image_load(acre_image *m, const char *path);

/* Gives back what load, or the builder, made. */
void acre_image_unmap(acre_image *m);

/* Making one ------------------------------------------------------------------------------- */

struct acre_trace_op;
struct acre_trace_error;
typedef struct acre_image_builder acre_image_builder;

acre_image_builder *acre_image_builder_create(void); /* NULL: no memory */
void acre_image_builder_destroy(acre_image_builder *b);

/* Appends one operation of a trace.  EXT is skipped; a realloc of NULL or of an object that is not
 * live is a malloc; one that gave NULL is a free.  0; ENOMEM; EINVAL: serial out of order, or the
 * end of what is not live. */
int acre_image_builder_add(acre_image_builder *b, const struct acre_trace_op *op);

/* The image of what was added; belongs to *m then.  The builder can only be destroyed after it.
 * trace_ops: operations of the whole trace, if these were only its first; else 0.  0 or ENOMEM. */
int acre_image_builder_finish(acre_image_builder *b, uint64_t trace_ops, acre_image *m);

/* Reads a trace of any format and makes its image, of its first max_ops operations (0 = all).
 * 0, or a code with e->text ready to print. */
int acre_image_compile(acre_image *m, const char *trace, uint64_t max_ops,
                       struct acre_trace_error *e);

/* The same in a child process that writes `path`: nothing of reading the trace stays in the
 * caller's malloc. */
int acre_image_compile_file(const char *path, const char *trace, uint64_t max_ops,
                            struct acre_trace_error *e);

#ifdef __cplusplus
}
#endif
#endif
