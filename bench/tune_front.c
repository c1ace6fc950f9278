/* SPDX-License-Identifier: MIT */
/* tune_front.c: what to try for a parameter, and which of many is worth choosing. */
#include "bench/tune.h"

#include <math.h>

/* q makes p pointless: nowhere worse and somewhere better. */
static bool front_beats(const acre_tune_point *q, const acre_tune_point *p)
{
    return q->time <= p->time && q->memory <= p->memory &&
           (q->time < p->time || q->memory < p->memory);
}

static bool front_is_known(const acre_tune_point *p)
{
    return isfinite(p->time) && isfinite(p->memory);
}

void acre_tune_front(acre_tune_point *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        p[i].front = front_is_known(&p[i]);
        for (size_t j = 0; j < n && p[i].front; j++)
            p[i].front = !(front_is_known(&p[j]) && front_beats(&p[j], &p[i]));
    }
}

static void values_add(uint32_t *value, size_t *n, uint64_t v, const acre_param *p)
{
    v = v < p->least ? p->least : v > p->most ? p->most : v;
    for (size_t i = 0; i < *n; i++)
        if (value[i] == v)
            return;
    value[(*n)++] = (uint32_t)v;
}

size_t acre_tune_values(const acre_param *p, uint32_t value[ACRE_TUNE_VALUES])
{
    size_t n = 0;
    bool few = p->most - p->least < ACRE_TUNE_VALUES;
    values_add(value, &n, p->standard, p);
    for (uint64_t v = p->least; few && v <= p->most; v++)
        values_add(value, &n, v, p);
    if (!few) {
        values_add(value, &n, p->standard / 2, p);
        values_add(value, &n, p->standard ? (uint64_t)p->standard * 2 : 1, p);
    }
    return n;
}
