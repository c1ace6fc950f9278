/* SPDX-License-Identifier: MIT */
/* null.c: acre_null, which keeps nobody out and holds nothing. */
#include "sync/kinds.h"

void acre_null_init(acre_null *m)
{
    m->cell = (acre_cell){.tag = ACRE__NULL};
}

int acre_null_lock(acre_null *m)
{
    return acre__tag_error(acre__peek(&m->cell.tag), ACRE__NULL);
}

int acre_null_trylock(acre_null *m)
{
    return acre_null_lock(m);
}

int acre_null_lock_until(acre_null *m, const struct timespec *deadline)
{
    (void)deadline;
    return acre_null_lock(m);
}

int acre_null_unlock(acre_null *m)
{
    return acre_null_lock(m);
}
