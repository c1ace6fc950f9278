/* SPDX-License-Identifier: MIT */
/* channel_end.c: a process has at most two ends: a round trip goes through two places. */
#include "bench/sync/channel_end.h"

channel_end *channel_end_of(void *place)
{
    static channel_end end[2];
    bool second = end[1].place == place || (end[0].place && end[0].place != place);
    channel_end *e = &end[second];
    e->place = place;
    return e;
}

void channel_end_forget(void *place)
{
    channel_end_of(place)->place = NULL;
}

void channel_end_close(void *place)
{
    (void)place;
}
