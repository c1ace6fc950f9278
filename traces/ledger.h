/* SPDX-License-Identifier: MIT */
/* ledger.h: the books of a trace: which objects live, how many bytes, and that no operation is
 * impossible.  Kept by the writer (for the totals) and by every reader (to trust nothing). */
#ifndef ACRE_TRACES_LEDGER_H
#define ACRE_TRACES_LEDGER_H

#include "traces/map64.h"
#include "traces/trace.h"

typedef struct acre__ledger {
    acre__map64 live; /* serial -> size */
    uint64_t n_ops, n_objects;
    uint64_t live_bytes, peak_live_bytes, peak_live_objects;
    uint32_t n_threads;
} acre__ledger;

/* Books one operation.  NULL, or what is impossible about it (then nothing was booked). */
const char *acre__ledger_add(acre__ledger *l, const acre_trace_op *op);
void acre__ledger_clear(acre__ledger *l);

#endif
