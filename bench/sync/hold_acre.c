/* SPDX-License-Identifier: MIT */
/* hold_acre.c: acre's locks, each mode a row.  All zero is a free lock. */
#include "bench/sync/hold.h"

#include <acre/sync.h>

HOLD_ROUNDS(hold_acre_mutex, acre_mutex, acre_mutex_lock, HOLD_ADD, acre_mutex_unlock)

void hold_acre(void)
{
    static const hold_kind kind[] = {
        {.primitive = "mutex",
         .implementation = "acre",
         .size = sizeof(acre_mutex),
         .rounds = hold_acre_mutex},
    };
    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++)
        hold_add(&kind[i]);
}
