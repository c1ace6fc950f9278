/* SPDX-License-Identifier: MIT */
/* segment_parts.c: what each thread's part of a heap has, and each size class: tables, and JSON. */
#include "cli/segment_tools.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

static const char *parts_state(uint32_t state)
{
    static const char *const name[] = {"free", "held", "orphaned"};
    return state < sizeof name / sizeof *name ? name[state] : "?";
}

/* What there is to say where there is no table. */
static const char *parts_busy(int error)
{
    return error == EAGAIN ? "busy, or its writer died: cannot be told now" : acre_strerror(error);
}

/* ---- text ---- */

static void parts_print(const segment_view *v)
{
    printf("\n%4s %-8s %8s %6s %12s %9s %9s %9s %9s %9s %8s\n", "PART", "STATE", "TID", "SLABS",
           "SLAB BYTES", "USED", "FREE", "PENDING", "CACHED", "SHELVED", "ADOPTED");
    for (int i = 0; i < v->parts; i++) {
        const acre_part *p = &v->part[i];
        printf("%4u %-8s %8u %6" PRIu64 " %12" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64
               " %9" PRIu64 " %9" PRIu64 " %8" PRIu64 "\n",
               p->number, parts_state(p->state), p->tid, p->slabs, p->slab_bytes, p->used_blocks,
               p->free_blocks, p->pending_blocks, p->cached_blocks, p->shelved_bytes, p->adopted);
    }
}

static bool class_is_used(const acre_class *c)
{
    return c->slabs || c->direct_blocks;
}

/* Classes that have nothing are left out. */
static void classes_print(const segment_view *v)
{
    printf("\n%5s %6s %12s %9s %9s %9s %9s %9s\n", "CLASS", "SLABS", "SLAB BYTES", "LIVE", "FREE",
           "CACHED", "DIRECT", "LOST");
    for (int i = 0; i < v->classes; i++) {
        const acre_class *c = &v->class[i];
        if (class_is_used(c))
            printf("%5" PRIu64 " %6" PRIu64 " %12" PRIu64 " %9" PRIu64 " %9" PRIu64 " %9" PRIu64
                   " %9" PRIu64 " %9" PRIu64 "\n",
                   c->size, c->slabs, c->slab_bytes, c->live_blocks, c->free_blocks,
                   c->cached_blocks, c->direct_blocks, c->lost_bytes);
    }
}

void segment_print_parts(const segment_view *v)
{
    if (!v->parts_error)
        parts_print(v);
    else if (v->parts_error != ENOTSUP)
        printf("%-14s %s\n", "parts", parts_busy(v->parts_error));
    if (!v->classes_error)
        classes_print(v);
    else if (v->classes_error != ENOTSUP)
        printf("%-14s %s\n", "in classes", parts_busy(v->classes_error));
}

/* ---- JSON ---- */

static json_t *parts_json(const acre_part *p)
{
    json_t *o = json_pack("{s:s}", "state", parts_state(p->state));
    segment_put(o, "number", p->number);
    segment_put(o, "tid", p->tid);
    segment_put(o, "adopted", p->adopted);
    segment_put(o, "slabs", p->slabs);
    segment_put(o, "slab_bytes", p->slab_bytes);
    segment_put(o, "used_blocks", p->used_blocks);
    segment_put(o, "used_bytes", p->used_bytes);
    segment_put(o, "free_blocks", p->free_blocks);
    segment_put(o, "free_bytes", p->free_bytes);
    segment_put(o, "pending_blocks", p->pending_blocks);
    segment_put(o, "pending_bytes", p->pending_bytes);
    segment_put(o, "cached_blocks", p->cached_blocks);
    segment_put(o, "cached_bytes", p->cached_bytes);
    segment_put(o, "shelved_blocks", p->shelved_blocks);
    segment_put(o, "shelved_bytes", p->shelved_bytes);
    return o;
}

static json_t *class_json(const acre_class *c)
{
    json_t *o = json_object();
    segment_put(o, "size", c->size);
    segment_put(o, "slabs", c->slabs);
    segment_put(o, "slab_bytes", c->slab_bytes);
    segment_put(o, "live_blocks", c->live_blocks);
    segment_put(o, "free_blocks", c->free_blocks);
    segment_put(o, "cached_blocks", c->cached_blocks);
    segment_put(o, "direct_blocks", c->direct_blocks);
    segment_put(o, "lost_bytes", c->lost_bytes);
    return o;
}

/* null: there are some, but they cannot be told now. */
static void parts_put_list(json_t *o, const char *key, int error, json_t *list)
{
    if (error == ENOTSUP)
        json_decref(list);
    else if (error) {
        json_decref(list);
        json_object_set_new(o, key, json_null());
    } else
        json_object_set_new(o, key, list);
}

void segment_put_parts(json_t *o, const segment_view *v)
{
    json_t *parts = json_array(), *classes = json_array();
    for (int i = 0; i < v->parts; i++)
        json_array_append_new(parts, parts_json(&v->part[i]));
    for (int i = 0; i < v->classes; i++)
        json_array_append_new(classes, class_json(&v->class[i]));
    parts_put_list(o, "parts", v->parts_error, parts);
    parts_put_list(o, "class_stats", v->classes_error, classes);
}
