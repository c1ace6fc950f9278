/* SPDX-License-Identifier: MIT */
/* tune_left_out.c: each trace under the table of all the others: what tuning gives a program that it has
 * not seen. */
#include "bench/tune.h"

#include <errno.h>

static int left_out_one(acre_tune_costs *others, const acre_tune_costs *one,
                        const acre_tune_question *q, double *waste)
{
    acre_tune_table table[ACRE_CLASSES];
    acre_tune_costs_add(others, one, -1);
    int e = acre_tune_solve(others, q, table);
    acre_tune_costs_add(others, one, 1);
    for (size_t k = 1; k <= q->most && !e; k++)
        waste[k] = acre_tune_waste(one, &table[k], q->largest);
    return e;
}

int acre_tune_left_out(const acre_tune_costs *each, size_t n, const acre_tune_question *q,
                       double *waste)
{
    acre_tune_costs all;
    int e = acre_tune_costs_init(&all);
    for (size_t i = 0; i < n && !e; i++)
        acre_tune_costs_add(&all, &each[i], 1);
    for (size_t i = 0; i < n && !e; i++)
        e = left_out_one(&all, &each[i], q, waste + i * (q->most + 1));
    acre_tune_costs_release(&all);
    return e;
}
