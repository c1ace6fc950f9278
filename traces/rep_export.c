/* SPDX-License-Identifier: MIT */
/* rep_export.c: a trace as malloclab .rep, for the many tools that read it.
 *
 * An id is an object with all its reallocs, ids are given in the order of birth, and the header is
 * of the newer dialect "weight num_ids num_ops max_alloc".  Importing the result gives the same
 * trace again, but for what .rep cannot say: calloc and aligned become plain "a", C++ and threads
 * are forgotten, EXT is dropped. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "traces/internal.h"
#include "traces/map64.h"

typedef struct rep_writer {
    FILE *out;
    acre__map64 ids; /* serial of a live object -> id */
    uint64_t n_ids;
    acre_trace_rep_loss loss;
} rep_writer;

static int repwriter_birth(rep_writer *w, const acre_trace_op *op, uint64_t id)
{
    return acre__map64_set(&w->ids, op->serial, id, 0);
}

static uint64_t repwriter_end(rep_writer *w, uint64_t serial)
{
    acre__map64_entry *entry = acre__map64_find(&w->ids, serial);
    uint64_t id = entry->a;
    acre__map64_erase(&w->ids, entry);
    return id;
}

static int repwriter_alloc(rep_writer *w, const acre_trace_op *op, char verb)
{
    uint64_t id = w->n_ids++;
    fprintf(w->out, "%c %" PRIu64 " %" PRIu64 "\n", verb, id, op->size);
    return repwriter_birth(w, op, id);
}

static int repwriter_realloc(rep_writer *w, const acre_trace_op *op)
{
    if (!op->old)
        return repwriter_alloc(w, op, 'r'); /* of an id that is not live: a malloc */
    uint64_t id = repwriter_end(w, op->old);
    if (op->size == 0) { /* "r ID 0" would be a free, but this object lives on */
        fprintf(w->out, "f %" PRIu64 "\n", id);
        return repwriter_alloc(w, op, 'a');
    }
    fprintf(w->out, "r %" PRIu64 " %" PRIu64 "\n", id, op->size);
    return repwriter_birth(w, op, id);
}

static int repwriter_free(rep_writer *w, const acre_trace_op *op)
{
    if (op->serial == 0)
        fputs("f -1\n", w->out);
    else
        fprintf(w->out, "f %" PRIu64 "\n", repwriter_end(w, op->serial));
    return 0;
}

static int repwriter_op(rep_writer *w, const acre_trace_op *op)
{
    w->loss.calloc += op->kind == ACRE_TRACE_CALLOC;
    w->loss.aligned += op->kind == ACRE_TRACE_ALIGNED;
    w->loss.ext += op->kind == ACRE_TRACE_EXT;
    w->loss.cxx += op->kind != ACRE_TRACE_EXT && (op->flags & ACRE_TRACE_CXX);
    switch (op->kind) {
    case ACRE_TRACE_EXT:
        return 0;
    case ACRE_TRACE_FREE:
        return repwriter_free(w, op);
    case ACRE_TRACE_REALLOC:
        return repwriter_realloc(w, op);
    default:
        return repwriter_alloc(w, op, 'a');
    }
}

/* The header's numbers need one reading before. */
static int repwriter_header(rep_writer *w, acre_trace *t, acre_trace_error *e)
{
    acre_trace_op op;
    uint64_t ids = 0, lines = 0;
    int got = acre_trace_rewind(t, e);
    while (!got && (got = acre_trace_next(t, &op, e)) == 1) {
        bool fresh = op.old == 0 || op.size == 0;
        ids += op.kind != ACRE_TRACE_EXT && op.kind != ACRE_TRACE_FREE && fresh;
        lines += op.kind != ACRE_TRACE_EXT;
        lines += op.kind == ACRE_TRACE_REALLOC && op.old && op.size == 0;
        got = 0;
    }
    if (got)
        return got;
    fprintf(w->out, "1\n%" PRIu64 "\n%" PRIu64 "\n%" PRIu64 "\n", ids, lines,
            acre_trace_info_of(t)->peak_live_bytes);
    return acre_trace_rewind(t, e);
}

static int repwriter_all(rep_writer *w, acre_trace *t, const char *path, acre_trace_error *e)
{
    acre_trace_op op;
    int got = repwriter_header(w, t, e);
    if (got)
        return got;
    while ((got = acre_trace_next(t, &op, e)) == 1)
        if (repwriter_op(w, &op) != 0)
            return acre__trace_fail(e, ACRE_ETRACE_NOMEM, path, 0, "out of memory");
    return got;
}

int acre_trace_export_rep(acre_trace *t, const char *path, acre_trace_rep_loss *loss,
                          acre_trace_error *e)
{
    bool to_stdout = strcmp(path, "-") == 0;
    rep_writer w = {.out = to_stdout ? stdout : fopen(path, "w")};
    if (!w.out)
        return acre__trace_fail(e, errno, path, 0, "%s", strerror(errno));
    int err = repwriter_all(&w, t, path, e);
    bool bad = fflush(w.out) != 0 || ferror(w.out);
    if (!to_stdout && fclose(w.out) != 0)
        bad = true;
    acre__map64_clear(&w.ids);
    if (!err && bad)
        err = acre__trace_fail(e, errno ? errno : EIO, path, 0, "cannot write: %s",
                               strerror(errno));
    if (!err && loss)
        *loss = w.loss;
    return err;
}
