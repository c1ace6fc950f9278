/* SPDX-License-Identifier: MIT */
/* trace_open.c: opening by content, and what is checked whatever the format. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "traces/internal.h"
#include "traces/ledger.h"

struct acre_trace {
    const acre__trace_source *source;
    void *self;
    char *path;
    acre_trace_info info;
    acre__meta meta;
    acre__ledger ledger;
    bool counted; /* info has the totals, so hold the operations against them */
    bool sought;  /* position unknown to the ledger */
};

static const struct {
    bool (*matches)(const unsigned char *head, size_t n);
    acre__trace_opener *open;
} trace_formats[] = {
    {acre__archive_matches, acre__archive_open},
    {acre__raw_matches, acre__raw_open},
    {acre__rep_matches, acre__rep_open},
};

static int trace_fail(const acre_trace *t, acre_trace_error *e, const char *what)
{
    return acre__trace_fail(e, ACRE_ETRACE_CORRUPT, t->path, t->source->where(t->self), "%s", what);
}

/* ---- Reading -------------------------------------------------------------------------------- */

static int trace_check_totals(const acre_trace *t, acre_trace_error *e)
{
    const acre__ledger *l = &t->ledger;
    const acre_trace_info *info = &t->info;
    if (!t->counted || t->sought)
        return 0;
    if (l->n_ops != info->n_ops || l->n_objects != info->n_objects ||
        l->peak_live_bytes != info->peak_live_bytes ||
        l->peak_live_objects != info->peak_live_objects || l->n_threads != info->n_threads)
        return trace_fail(t, e, "operations do not add up to the totals");
    return 0;
}

static int trace_check_op(acre_trace *t, const acre_trace_op *op, acre_trace_error *e)
{
    if (t->counted && (op->serial > t->info.n_objects || op->tid >= t->info.n_threads))
        return trace_fail(t, e, "object or thread beyond the totals");
    if (t->sought)
        return 1;
    const char *wrong = acre__ledger_add(&t->ledger, op);
    if (!wrong && t->counted && t->ledger.n_ops > t->info.n_ops)
        wrong = "more operations than the totals say";
    return wrong ? trace_fail(t, e, wrong) : 1;
}

int acre_trace_next(acre_trace *t, acre_trace_op *op, acre_trace_error *e)
{
    int got = t->source->next(t->self, op, e);
    if (got == 1)
        return trace_check_op(t, op, e);
    return got == 0 ? trace_check_totals(t, e) : got;
}

int acre_trace_rewind(acre_trace *t, acre_trace_error *e)
{
    acre__ledger_clear(&t->ledger);
    t->sought = false;
    return t->source->rewind(t->self, e);
}

int acre_trace_seek(acre_trace *t, uint64_t op_index, acre_trace_error *e)
{
    if (!t->source->seek)
        return acre__trace_fail(e, ACRE_ETRACE_INVALID, t->path, 0, "this format cannot seek");
    t->sought = true;
    return t->source->seek(t->self, op_index, e);
}

const acre_trace_info *acre_trace_info_of(const acre_trace *t)
{
    return &t->info;
}

const char *acre_trace_meta_get(const acre_trace_info *info, const char *key)
{
    for (size_t i = 0; i < info->n_meta; i++)
        if (strcmp(info->meta[i].key, key) == 0)
            return info->meta[i].value;
    return NULL;
}

/* ---- Opening -------------------------------------------------------------------------------- */

/* Formats without totals are read once to know them. */
static int trace_count(acre_trace *t, acre_trace_error *e)
{
    acre_trace_op op;
    int got;
    while ((got = acre_trace_next(t, &op, e)) == 1)
        ;
    if (got < 0)
        return got;
    t->info.n_ops = t->ledger.n_ops;
    t->info.n_objects = t->ledger.n_objects;
    t->info.peak_live_bytes = t->ledger.peak_live_bytes;
    t->info.peak_live_objects = t->ledger.peak_live_objects;
    t->info.n_threads = t->ledger.n_threads;
    return acre_trace_rewind(t, e);
}

static acre__trace_opener *trace_recognise(int fd)
{
    unsigned char head[512];
    ssize_t n = pread(fd, head, sizeof head, 0);
    for (size_t i = 0; n > 0 && i < sizeof trace_formats / sizeof *trace_formats; i++)
        if (trace_formats[i].matches(head, (size_t)n))
            return trace_formats[i].open;
    return NULL;
}

static int trace_open_fd(acre_trace *t, int fd, acre_trace_error *e)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return acre__trace_fail(e, errno, t->path, 0, "%s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return acre__trace_fail(e, ACRE_ETRACE_FORMAT, t->path, 0, "not a regular file");
    t->info.file_bytes = (uint64_t)st.st_size;
    acre__trace_opener *opener = trace_recognise(fd);
    if (!opener)
        return acre__trace_fail(e, ACRE_ETRACE_FORMAT, t->path, 0,
                                "not a trace (known: .acr, malloclab .rep, raw recordings)");
    return opener(&t->self, &t->source, fd, t->path, &t->info, &t->meta, &t->counted, e);
}

static int trace_open_path(acre_trace *t, acre_trace_error *e)
{
    int fd = open(t->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return acre__trace_fail(e, errno, t->path, 0, "%s", strerror(errno));
    int err = trace_open_fd(t, fd, e);
    if (err)
        close(fd);
    if (!err && !t->counted)
        err = trace_count(t, e);
    t->counted = true;
    t->info.meta = t->meta.items;
    t->info.n_meta = t->meta.n;
    return err;
}

int acre_trace_open(acre_trace **out, const char *path, acre_trace_error *e)
{
    acre_trace *t = calloc(1, sizeof *t);
    if (!t || !(t->path = strdup(path))) {
        free(t);
        return acre__trace_fail(e, ACRE_ETRACE_NOMEM, path, 0, "out of memory");
    }
    int err = trace_open_path(t, e);
    if (err) {
        acre_trace_close(t);
        return err;
    }
    *out = t;
    return 0;
}

void acre_trace_close(acre_trace *t)
{
    if (!t)
        return;
    if (t->source)
        t->source->close(t->self);
    acre__ledger_clear(&t->ledger);
    acre__meta_clear(&t->meta);
    free(t->path);
    free(t);
}

/* ---- Copying -------------------------------------------------------------------------------- */

int acre_trace_copy(acre_trace *t, acre_trace_writer *w, acre_trace_error *e)
{
    for (size_t i = 0; i < t->info.n_meta; i++)
        if (acre_trace_writer_meta(w, t->info.meta[i].key, t->info.meta[i].value) != 0)
            return acre__trace_fail(e, ACRE_ETRACE_NOMEM, t->path, 0, "out of memory");
    acre_trace_op op;
    int got;
    while ((got = acre_trace_next(t, &op, e)) == 1) {
        int err = acre_trace_writer_add(w, &op, e);
        if (err)
            return err;
    }
    return got;
}
