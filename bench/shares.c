/* SPDX-License-Identifier: MIT */
/* shares.c: from an image to the parts of its workers, in two readings: first who does what, which
 * tells how much room each part needs and which blocks change hands; then the parts are written. */
#include "bench/shares.h"

#include "bench/lab.h"

#include <errno.h>
#include <string.h>

enum {
    PARTS_LINE = 8 /* places on a line of the cache: two workers hand over on lines of their own */
};

/* A block of the image, by its slot. */
typedef struct shares_block {
    uint64_t size;
    uint32_t birth; /* first reading: number of the operation; second: entry; + 1, 0: none */
    uint32_t place; /* second */
    uint16_t owner;
} shares_block;

typedef struct shares_maker {
    acre_shares *p;
    const acre_image *m;
    uint8_t *who;                           /* by operation, drain included */
    uint8_t *handed;                        /* by operation: what it bears is another's to end */
    shares_block *block;                     /* by slot of the image */
    uint64_t n, births;                     /* operations, drain included; births seen */
    acre_lab_vector spare[ACRE_SHARES_MOST]; /* uint32_t: private places to use again */
    size_t at[ACRE_SHARES_MOST];             /* where a part's next entry goes */
    int64_t live[ACRE_SHARES_MOST];
} shares_maker;

const char *acre_shares_rule_name(enum acre_shares_rule rule)
{
    static const char *const name[] = {"auto", "threads", "objects"};
    return name[rule];
}

/* ---- who does it ---- */

static uint64_t shares_dice(uint64_t number)
{
    uint64_t state = number * 0xd1342543de82ef95u;
    return acre_lab_random(&state);
}

/* The object's owner, or with the probability that was asked for any other worker. */
static uint32_t shares_ends_object(const shares_maker *k, const shares_block *b, uint64_t op)
{
    uint64_t dice = shares_dice(op), n = k->p->workers;
    if ((uint32_t)dice % 100 >= k->p->cross)
        return b->owner;
    return (uint32_t)((b->owner + 1 + (dice >> 32) % (n - 1)) % n);
}

static uint32_t shares_who(shares_maker *k, const acre_image_op *o, uint64_t op)
{
    if (op >= k->m->h->n_ops) /* the drain */
        return k->block[o->slot].owner;
    if (k->p->rule == ACRE_SHARES_THREADS)
        return (k->m->threads ? k->m->threads[op] : 0) % k->p->workers;
    if (o->op == ACRE_OP_FREE || o->op == ACRE_OP_REALLOC)
        return shares_ends_object(k, &k->block[o->slot], op);
    return (uint32_t)(shares_dice(~op) % k->p->workers);
}

/* ---- the first reading ---- */

static bool shares_ends(const acre_image_op *o)
{
    return o->op == ACRE_OP_FREE || o->op == ACRE_OP_REALLOC;
}

static bool shares_bears(const acre_image_op *o)
{
    return o->op > ACRE_OP_FREE_NULL;
}

static void shares_count(acre_shares *p, const acre_image_op *o, bool crossed, bool drain)
{
    if (drain || !shares_ends(o))
        return;
    p->ends++;
    p->crossed += crossed;
    p->frees += o->op == ACRE_OP_FREE;
    p->crossed_frees += crossed && o->op == ACRE_OP_FREE;
}

/* 0 or EBADMSG: what ends is not there, or what is there does not end. */
static int shares_assign_one(shares_maker *k, const acre_image_op *o, uint64_t op)
{
    shares_block *b = &k->block[o->slot];
    bool drain = op >= k->m->h->n_ops;
    if ((drain && o->op != ACRE_OP_FREE) ||
        (o->op != ACRE_OP_FREE_NULL && shares_ends(o) != (b->birth != 0)))
        return EBADMSG;
    uint32_t who = shares_who(k, o, op);
    acre_share *part = &k->p->part[who];
    k->who[op] = (uint8_t)who;
    part->ops += !drain;
    if (drain)
        part->drained++;
    else
        part->end += acre_shares_width(o);
    if (shares_ends(o)) {
        bool crossed = b->owner != who;
        k->handed[b->birth - 1] = crossed;
        k->p->part[b->owner].n_handed += crossed;
        shares_count(k->p, o, crossed, drain);
        b->birth = 0;
    }
    if (shares_bears(o))
        *b = (shares_block){.birth = (uint32_t)op + 1, .owner = (uint16_t)who};
    return 0;
}

/* Calls one() for each operation of the image, drain included. */
static int shares_read(shares_maker *k, int (*one)(shares_maker *, const acre_image_op *, uint64_t))
{
    const acre_image *m = k->m;
    size_t end = m->h->n_entries + m->h->n_drain;
    uint64_t op = 0;
    int e = 0;
    memset(k->block, 0, m->h->n_slots * sizeof *k->block);
    for (size_t i = 0; i < end && !e; i += acre_image_width(m, i))
        e = op < k->n ? one(k, &m->ops[i], op++) : EBADMSG;
    return e ? e : op == k->n ? 0 : EBADMSG;
}

/* From the counts to where each part begins. */
static int shares_lay_out(acre_shares *p)
{
    uint64_t entry = 0, handed = 0;
    for (uint32_t w = 0; w < p->workers; w++) {
        acre_share *part = &p->part[w];
        part->begin = entry;
        part->end += entry;
        part->drained += part->end;
        entry = part->drained;
        part->handed = (uint32_t)handed;
        handed += (part->n_handed + PARTS_LINE - 1) / PARTS_LINE * PARTS_LINE;
    }
    if (entry >= ACRE_SHARES_HANDED || handed >= ACRE_SHARES_HANDED)
        return EFBIG;
    p->entries = entry;
    p->handed = (uint32_t)handed;
    return 0;
}

/* ---- the second reading ---- */

/* 0: no memory. */
static bool shares_spare(shares_maker *k, uint32_t who, uint32_t place)
{
    uint32_t *spare = acre_lab_vector_push(&k->spare[who], sizeof *spare);
    if (spare)
        *spare = place;
    return spare != NULL;
}

static uint32_t shares_take_place(shares_maker *k, uint32_t who, bool handed)
{
    acre_share *part = &k->p->part[who];
    acre_lab_vector *spare = &k->spare[who];
    if (handed)
        return ACRE_SHARES_HANDED | (part->handed + part->n_handed++);
    if (!spare->used)
        return part->places++;
    spare->used -= sizeof(uint32_t);
    return *(uint32_t *)((char *)spare->data + spare->used);
}

/* The worker has so many more bytes to its account, born by it and not ended by it. */
static void shares_account(shares_maker *k, uint32_t who, uint64_t born, uint64_t ended)
{
    k->live[who] += (int64_t)born - (int64_t)ended;
    if (k->live[who] > (int64_t)k->p->part[who].most)
        k->p->part[who].most = (uint64_t)k->live[who];
}

static size_t shares_put(shares_maker *k, uint32_t who, acre_image_op o, uint64_t op, uint32_t birth)
{
    size_t at = k->at[who]++;
    k->p->ops[at] = o;
    k->p->order[at] = (uint32_t)op;
    k->p->birth[at] = birth;
    return at;
}

static void shares_put_word(shares_maker *k, uint32_t who, uint64_t word, uint64_t op)
{
    acre_image_op o;
    memcpy(&o, &word, sizeof o);
    shares_put(k, who, o, op, 0);
}

static int shares_write_one(shares_maker *k, const acre_image_op *o, uint64_t op)
{
    shares_block *b = &k->block[o->slot], old = *b;
    uint32_t who = k->who[op], place = 0;
    uint64_t size = shares_bears(o) ? acre_image_size_at(k->m, (size_t)(o - k->m->ops)) : 0;
    if (shares_ends(o) && !(old.place & ACRE_SHARES_HANDED) && !shares_spare(k, who, old.place))
        return ENOMEM;
    if (shares_bears(o))
        place = shares_take_place(k, who, k->handed[op]);
    acre_image_op out = *o;
    out.slot = shares_ends(o) ? old.place : place;
    size_t at = shares_put(k, who, out, op, shares_ends(o) ? old.birth - 1 : 0);
    if (o->op == ACRE_OP_REALLOC)
        shares_put_word(k, who, place, op);
    if (o->size == ACRE_IMAGE_LITERAL)
        shares_put_word(k, who, size, op);
    shares_account(k, who, size, shares_ends(o) ? old.size : 0);
    *b = (shares_block){.size = size, .birth = (uint32_t)at + 1, .place = place};
    return 0;
}

/* ---- all of it ---- */

/* A few entries behind the end are prefetched. */
static size_t shares_room(const acre_shares *p, size_t each)
{
    return (p->entries + 64) * each;
}

static int shares_map(acre_shares *p)
{
    p->ops = acre_lab_map(shares_room(p, sizeof *p->ops));
    p->order = acre_lab_map(shares_room(p, sizeof *p->order));
    p->birth = acre_lab_map(shares_room(p, sizeof *p->birth));
    return p->ops && p->order && p->birth ? 0 : ENOMEM;
}

void acre_shares_free(acre_shares *p)
{
    acre_lab_unmap(p->ops, shares_room(p, sizeof *p->ops));
    acre_lab_unmap(p->order, shares_room(p, sizeof *p->order));
    acre_lab_unmap(p->birth, shares_room(p, sizeof *p->birth));
    p->ops = NULL;
    p->order = p->birth = NULL;
}

static int shares_write(shares_maker *k)
{
    acre_shares *p = k->p;
    for (uint32_t w = 0; w < p->workers; w++) {
        k->at[w] = p->part[w].begin;
        p->part[w].n_handed = 0;
    }
    int e = shares_map(p);
    if (!e)
        e = shares_read(k, shares_write_one);
    for (uint32_t w = 0; w < p->workers; w++) {
        p->most_live += p->part[w].most;
        acre_lab_vector_free(&k->spare[w]);
    }
    if (e)
        acre_shares_free(p);
    return e;
}

static int shares_make(shares_maker *k)
{
    size_t blocks = k->m->h->n_slots * sizeof *k->block;
    k->n = k->m->h->n_ops + k->m->h->n_drain;
    k->who = acre_lab_map(k->n);
    k->handed = acre_lab_map(k->n);
    k->block = acre_lab_map(blocks);
    int e = k->who && k->handed && k->block ? 0 : ENOMEM;
    if (!e)
        e = shares_read(k, shares_assign_one);
    if (!e)
        e = shares_lay_out(k->p);
    if (!e)
        e = shares_write(k);
    acre_lab_unmap(k->who, k->n);
    acre_lab_unmap(k->handed, k->n);
    acre_lab_unmap(k->block, blocks);
    return e;
}

static int shares_choose(acre_shares *p, const acre_image *m, enum acre_shares_rule rule)
{
    uint64_t threads = m->threads ? m->h->n_threads : 1;
    p->rule = rule != ACRE_SHARES_AUTO ? rule
              : threads >= p->workers ? ACRE_SHARES_THREADS
                                      : ACRE_SHARES_OBJECTS;
    return p->rule == ACRE_SHARES_THREADS && threads < p->workers ? ERANGE : 0;
}

int acre_shares_make(acre_shares *p, const acre_image *m, uint32_t workers, enum acre_shares_rule rule,
                    uint32_t cross)
{
    shares_maker k = {.p = p, .m = m};
    memset(p, 0, sizeof *p);
    if (workers < 2 || workers > ACRE_SHARES_MOST || cross > 100)
        return EINVAL;
    if (m->h->n_entries + m->h->n_drain >= ACRE_SHARES_HANDED)
        return EFBIG;
    p->workers = workers;
    p->cross = cross;
    p->sizes = m->sizes;
    p->n_ops = m->h->n_ops;
    p->peak_live = m->h->peak_live;
    p->largest = m->h->largest;
    int e = shares_choose(p, m, rule);
    return e ? e : shares_make(&k);
}
