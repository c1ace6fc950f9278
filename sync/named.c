/* SPDX-License-Identifier: MIT */
/* named.c: locks by name: a table of what each kind is, over object.h. */
#include "sync/kinds.h"
#include "sync/object.h"

#include <stdlib.h>

struct acre_named {
    acre__mapping map;
};

/* ---- the kinds ---- */

typedef struct named_kind {
    size_t size;               /* 0: ask `sized` */
    size_t (*sized)(uint32_t); /* of one with this count */
    uint32_t least, most;      /* of count */
    int (*init)(void *object, uint32_t count);
} named_kind;

#define NAMED_INIT(noun)                                                                           \
    static int named_init_##noun(void *object, uint32_t count)                                     \
    {                                                                                              \
        (void)count;                                                                               \
        acre_##noun##_init(object);                                                                \
        return 0;                                                                                  \
    }
NAMED_INIT(mutex)
NAMED_INIT(recursive)
NAMED_INIT(spin)
NAMED_INIT(null)
NAMED_INIT(sharable)
NAMED_INIT(upgradable)
NAMED_INIT(condition)
#undef NAMED_INIT

static int named_init_semaphore(void *object, uint32_t count)
{
    return acre_semaphore_init(object, count);
}

static int named_init_permits(void *object, uint32_t count)
{
    return acre_permits_init(object, count);
}

static int named_init_barrier(void *object, uint32_t count)
{
    return acre_barrier_init(object, count);
}

static int named_init_once(void *object, uint32_t count)
{
    (void)count;
    *(acre_once *)object = (acre_once){.cell.tag = ACRE__ONCE};
    return 0;
}

static const named_kind named_kinds[] = {
    [ACRE_KIND_MUTEX] = {sizeof(acre_mutex), NULL, 0, 0, named_init_mutex},
    [ACRE_KIND_RECURSIVE] = {sizeof(acre_recursive), NULL, 0, 0, named_init_recursive},
    [ACRE_KIND_SPIN] = {sizeof(acre_spin), NULL, 0, 0, named_init_spin},
    [ACRE_KIND_SHARABLE] = {sizeof(acre_sharable), NULL, 0, 0, named_init_sharable},
    [ACRE_KIND_UPGRADABLE] = {sizeof(acre_upgradable), NULL, 0, 0, named_init_upgradable},
    [ACRE_KIND_CONDITION] = {sizeof(acre_condition), NULL, 0, 0, named_init_condition},
    [ACRE_KIND_SEMAPHORE] = {sizeof(acre_semaphore), NULL, 0, ACRE_SEMAPHORE_MAX,
                             named_init_semaphore},
    [ACRE_KIND_PERMITS] = {0, acre_permits_size, 1, ACRE_PERMITS_MAX, named_init_permits},
    [ACRE_KIND_BARRIER] = {0, acre_barrier_size, 1, ACRE_BARRIER_MAX, named_init_barrier},
    [ACRE_KIND_ONCE] = {sizeof(acre_once), NULL, 0, 0, named_init_once},
    [ACRE_KIND_NULL] = {sizeof(acre_null), NULL, 0, 0, named_init_null},
};

static const named_kind *named_find(uint32_t kind)
{
    bool known = kind < sizeof named_kinds / sizeof *named_kinds && named_kinds[kind].init;
    return known ? &named_kinds[kind] : NULL;
}

static size_t named_size(const named_kind *k, uint32_t count)
{
    return k->size ? k->size : k->sized(count);
}

/* ---- creating and opening ---- */

static int named_init(void *object, const void *arg)
{
    const acre__object_plan *plan = arg;
    return named_kinds[plan->kind].init(object, plan->count);
}

static int named_plan(acre__object_plan *plan, uint32_t kind, const acre_named_options *o)
{
    const named_kind *k = named_find(kind);
    uint32_t count = o ? o->count : 0;
    if (!k || count < k->least || count > k->most)
        return EINVAL;
    *plan =
        (acre__object_plan){kind, count, named_size(k, count), o ? o->mode : 0, named_init, plan};
    return 0;
}

static acre__object_wish named_wish(uint32_t kind, const acre_named_options *o)
{
    return (acre__object_wish){.kind = kind, .any_owner = o && o->any_owner};
}

/* The header's checksum is right, but is there room for what the header says? */
static int named_check(const acre__mapping *m, uint32_t kind)
{
    const named_kind *k = &named_kinds[kind];
    bool sane = m->count >= k->least && m->count <= k->most &&
                acre__object_room(m) == named_size(k, m->count);
    return sane ? 0 : ACRE_ECORRUPT;
}

static int named_finish(acre_named **out, acre_named *n, int e, uint32_t kind)
{
    if (!e)
        e = named_check(&n->map, kind);
    if (!e) {
        *out = n;
        return 0;
    }
    acre__object_close(&n->map);
    free(n);
    return e;
}

int acre_named_create(acre_named **out, enum acre_kind kind, const char *name,
                      const acre_named_options *o)
{
    acre__object_plan plan;
    int e = named_plan(&plan, kind, o);
    if (e)
        return e;
    acre_named *n = calloc(1, sizeof *n);
    return n ? named_finish(out, n, acre__object_create(&n->map, name, &plan), kind) : ENOMEM;
}

int acre_named_open(acre_named **out, enum acre_kind kind, const char *name,
                    const acre_named_options *o)
{
    acre__object_wish wish = named_wish(kind, o);
    if (!named_find(kind))
        return EINVAL;
    acre_named *n = calloc(1, sizeof *n);
    return n ? named_finish(out, n, acre__object_open(&n->map, name, &wish), kind) : ENOMEM;
}

int acre_named_open_or_create(acre_named **out, enum acre_kind kind, const char *name,
                              const acre_named_options *o, bool *created)
{
    acre__object_wish wish = named_wish(kind, o);
    acre__object_plan plan;
    bool made = false;
    int e = named_plan(&plan, kind, o);
    if (e)
        return e;
    acre_named *n = calloc(1, sizeof *n);
    if (!n)
        return ENOMEM;
    e = acre__object_open_or_create(&n->map, name, &plan, &wish, &made);
    e = named_finish(out, n, e, kind);
    if (!e && created)
        *created = made;
    return e;
}

/* ---- using, closing, removing ---- */

void *acre_named_object(const acre_named *n)
{
    return acre__object_of(&n->map);
}

int acre_named_close(acre_named *n)
{
    int e = n ? acre__object_close(&n->map) : 0;
    if (!e)
        free(n);
    return e;
}

int acre_named_remove(const char *name)
{
    return acre__object_remove(name);
}
