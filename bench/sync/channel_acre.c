/* SPDX-License-Identifier: MIT */
/* channel_acre.c: acre's queue and rings. */
#include "bench/sync/channel.h"

void channel_acre(void)
{
}
