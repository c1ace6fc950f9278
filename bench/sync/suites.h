/* SPDX-License-Identifier: MIT */
/* suites.h: each suite's file has one of these; main() calls them all. */
#ifndef ACRE_BENCH_SYNC_SUITES_H
#define ACRE_BENCH_SYNC_SUITES_H

void hold_suite(void);    /* whatever is locked and unlocked: hold*.c */
void turn_suite(void);    /* semaphore and condition: turn.c */
void channel_suite(void); /* whatever carries messages: channel*.c */

#endif
