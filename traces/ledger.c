/* SPDX-License-Identifier: MIT */
/* ledger.c: see ledger.h. */
#include "traces/ledger.h"

enum { LEDGER_TID_MAX = 1 << 24, LEDGER_ALIGN_MAX = 63 };

static const char ledger_no_memory[] = "out of memory";

static const char *ledger_refuse(const acre__ledger *l, const acre_trace_op *op)
{
    if (op->tid >= LEDGER_TID_MAX)
        return "impossible thread index";
    switch (op->kind) {
    case ACRE_TRACE_MALLOC:
    case ACRE_TRACE_CALLOC:
    case ACRE_TRACE_REALLOC:
    case ACRE_TRACE_ALIGNED:
        if (op->serial != l->n_objects + 1)
            return "birth out of order";
        if (op->align_log2 > LEDGER_ALIGN_MAX || (op->flags & ~ACRE_TRACE_CXX))
            return "impossible alignment or flags";
        if (op->old && (op->kind != ACRE_TRACE_REALLOC || !acre__map64_find(&l->live, op->old)))
            return "realloc of an object that is not live";
        return l->live_bytes + op->size < op->size ? "live bytes overflow" : NULL;
    case ACRE_TRACE_FREE:
        if (op->flags & ~ACRE_TRACE_CXX)
            return "impossible flags";
        return op->serial && !acre__map64_find(&l->live, op->serial)
                   ? "free of an object that is not live" : NULL;
    case ACRE_TRACE_EXT:
        return op->flags < ACRE_TRACE_EXT_THREAD_START || op->flags > ACRE_TRACE_EXT_UNKNOWN_FREE
                   ? "unknown extension" : NULL;
    default:
        return "unknown kind of operation";
    }
}

static void ledger_end(acre__ledger *l, uint64_t serial)
{
    if (serial == 0)
        return;
    acre__map64_entry *entry = acre__map64_find(&l->live, serial);
    l->live_bytes -= entry->a;
    acre__map64_erase(&l->live, entry);
}

static const char *ledger_birth(acre__ledger *l, const acre_trace_op *op)
{
    if (acre__map64_set(&l->live, op->serial, op->size, 0) != 0)
        return ledger_no_memory;
    ledger_end(l, op->old);
    l->n_objects++;
    l->live_bytes += op->size;
    if (l->live_bytes > l->peak_live_bytes)
        l->peak_live_bytes = l->live_bytes;
    if (l->live.n > l->peak_live_objects)
        l->peak_live_objects = l->live.n;
    return NULL;
}

const char *acre__ledger_add(acre__ledger *l, const acre_trace_op *op)
{
    const char *wrong = ledger_refuse(l, op);
    if (!wrong && op->kind == ACRE_TRACE_FREE)
        ledger_end(l, op->serial);
    else if (!wrong && op->kind != ACRE_TRACE_EXT)
        wrong = ledger_birth(l, op);
    if (wrong)
        return wrong;
    l->n_ops++;
    if (op->tid >= l->n_threads)
        l->n_threads = op->tid + 1;
    return NULL;
}

void acre__ledger_clear(acre__ledger *l)
{
    acre__map64_clear(&l->live);
    *l = (acre__ledger){0};
}
