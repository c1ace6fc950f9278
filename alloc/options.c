/* SPDX-License-Identifier: MIT */
/* options.c: what is chosen when a heap is created: ranges and standards. */
#include "alloc/heap.h"

#include <errno.h>

enum { OPTIONS_CLASS_MAX = 1 << 20 };

static bool options_params_fit(const acre_algorithm *a, const acre_heap_options *o)
{
    uint32_t known = 0;
    for (uint32_t i = 0; i < ACRE_PARAMS && a->params && a->params[i].name; i++) {
        const acre_param *p = &a->params[i];
        known |= 1u << i;
        if ((o->given >> i & 1) && (o->param[i] < p->least || o->param[i] > p->most))
            return false;
    }
    return !(o->given & ~known);
}

static bool options_classes_fit(const acre_algorithm *a, const acre_heap_options *o)
{
    const uint32_t *size = o->class_size;
    if (!size[0])
        return true;
    if (!a->classes || size[ACRE_CLASSES - 1])
        return false;
    for (uint32_t last = 0; *size; last = *size++)
        if (*size <= last || *size > OPTIONS_CLASS_MAX)
            return false;
    return true;
}

int acre_heap_options_check(const acre_algorithm *a, const acre_heap_options *o)
{
    if (o->lock > ACRE_LOCK_SPIN || o->journal > ACRE_JOURNAL_OFF ||
        o->checks > ACRE_CHECKS_QUARANTINE)
        return EINVAL;
    if (o->checks >= ACRE_CHECKS_CANARY && (a->flags & ACRE_REFERENCE))
        return EINVAL;
    return options_params_fit(a, o) && options_classes_fit(a, o) ? 0 : EINVAL;
}

acre_heap_options acre__heap_options_resolve(const acre_algorithm *a, const acre_heap_options *o)
{
    acre_heap_options whole = *o;
    for (uint32_t i = 0; i < ACRE_PARAMS && a->params && a->params[i].name; i++)
        if (!(o->given >> i & 1))
            whole.param[i] = a->params[i].standard;
    whole.given = ~0u;
    return whole;
}
