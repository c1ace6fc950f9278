/* SPDX-License-Identifier: MIT */
/* turn_acre.c: acre's semaphore and condition.  All zero is valid for both. */
#include "bench/sync/turn.h"

void turn_acre(void)
{
}
