/* SPDX-License-Identifier: MIT */
/* once.c: acre_once, a robust cell that is held while initialising, and in `mode` whether it is
 * done.
 *
 *     killed                           then
 *     while initialising               the cell is orphaned: the next one takes it and begins anew
 *     after `mode`, still holding it   done; those who wait take the orphaned cell and see it
 *     after giving it back             done; those not woken look within 50 ms
 */
#include "sync/kinds.h"

enum { ONCE_NOT_YET, ONCE_DONE };

bool acre_once_done(const acre_once *o)
{
    return acre__peek(&o->cell.tag) == ACRE__ONCE && acre__load(&o->cell.mode) == ONCE_DONE;
}

static int once_initialise(acre_once *o, int (*initialise)(void *arg), void *arg)
{
    if (acre_once_done(o))
        return 0;
    int e = initialise(arg);
    if (e == 0)
        acre__store(&o->cell.mode, (uint32_t)ONCE_DONE);
    return e;
}

/* If it is done nobody needs the cell any more: wake all at once. */
static void once_give_back(acre__self *s, acre_once *o, int e)
{
    acre__cell_release_as(s, &o->cell, 0, e ? 1 : ACRE__WAKE_ALL);
}

int acre_once_run(acre_once *o, int (*initialise)(void *arg), void *arg)
{
    if (acre_once_done(o))
        return 0;
    acre__self *s = acre__self_get();
    int e = acre__cell_check(&o->cell, ACRE__ONCE);
    if (!e)
        e = acre__cell_lock(s, &o->cell, &acre__for_ever);
    if (e && e != EOWNERDEAD)
        return e;
    e = once_initialise(o, initialise, arg);
    once_give_back(s, o, e);
    return e;
}
