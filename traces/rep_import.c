/* SPDX-License-Identifier: MIT */
/* rep_import.c: malloclab's .rep traces, as they are found in the wild.
 *
 *     four integers, then one operation a line:   a ID SIZE  |  r ID SIZE  |  f ID
 *
 * The header has two dialects: 2002 "heap_hint num_ids num_ops weight", 2010 and later "weight
 * num_ids num_ops max_alloc"; weights are small, so a first number up to 3 means the newer one.
 * Real files also hold: CRLF; "f -1" for free(NULL); a realloc of an id that is not live, which is
 * a malloc; "r ID 0", a free; "a" on a live id, whose old object is never freed; an "a" without
 * size, a free of a dead id (both skipped); sizes beyond 32 bits; objects never freed.  What is
 * odd is counted and shown in META as import.*. */
#include <errno.h>
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/internal.h"
#include "traces/map64.h"

typedef struct rep_counts {
    uint64_t lines, leaked, revived, realloc_zero, null_frees, unknown_frees, no_size;
} rep_counts;

typedef struct rep {
    FILE *file;
    char *path, *line;
    size_t line_room;
    uint64_t at, next_at; /* offset of the current line, of the next */
    uint64_t header[4];
    acre__map64 ids;      /* id + 1 -> serial */
    uint64_t newest;
    rep_counts counts;
    acre__meta *meta;     /* gets the counts at the first end; NULL after that */
} rep;

static int rep_fail(const rep *r, acre_trace_error *e, const char *what)
{
    return acre__trace_fail(e, ACRE_ETRACE_CORRUPT, r->path, r->at, "%s", what);
}

/* ---- Words ---------------------------------------------------------------------------------- */

/* Reads the next unsigned number of a line; false if there is none. */
static bool rep_number(const char **p, uint64_t *value)
{
    char *end;
    *p += strspn(*p, " \t");
    if (!isdigit((unsigned char)**p))
        return false;
    errno = 0;
    *value = strtoull(*p, &end, 10);
    if (errno == 0)
        *p = end; /* else the number stays there as rubbish */
    return errno == 0;
}

static bool rep_rest_is_blank(const char *p)
{
    return p[strspn(p, " \t\r\n")] == '\0';
}

/* 1 = a line with something on it, 0 = end. */
static int rep_line(rep *r, acre_trace_error *e)
{
    do {
        ssize_t n = getline(&r->line, &r->line_room, r->file);
        r->at = r->next_at;
        if (n < 0)
            return ferror(r->file) ? acre__trace_fail(e, ACRE_ETRACE_IO, r->path, r->at,
                                                      "cannot read: %s", strerror(errno)) : 0;
        r->next_at += (uint64_t)n;
        if (strlen(r->line) != (size_t)n || n > 4096)
            return rep_fail(r, e, "not a line of text");
    } while (rep_rest_is_blank(r->line));
    return 1;
}

/* ---- Operations ----------------------------------------------------------------------------- */

static int rep_birth(rep *r, acre_trace_op *op, uint64_t id, uint64_t size, acre_trace_error *e)
{
    op->serial = ++r->newest;
    op->size = size;
    if (acre__map64_set(&r->ids, id + 1, op->serial, 0) != 0)
        return acre__trace_fail(e, ACRE_ETRACE_NOMEM, r->path, r->at, "out of memory");
    return 1;
}

static int rep_alloc(rep *r, acre_trace_op *op, uint64_t id, uint64_t size, acre_trace_error *e)
{
    op->kind = ACRE_TRACE_MALLOC;
    r->counts.leaked += acre__map64_find(&r->ids, id + 1) != NULL;
    return rep_birth(r, op, id, size, e);
}

/* 1 = a free; 0 = of nothing, skip it. */
static int rep_free(rep *r, acre_trace_op *op, uint64_t id)
{
    acre__map64_entry *entry = acre__map64_find(&r->ids, id + 1);
    if (!entry) {
        r->counts.unknown_frees++;
        return 0;
    }
    op->kind = ACRE_TRACE_FREE;
    op->serial = entry->a;
    acre__map64_erase(&r->ids, entry);
    return 1;
}

static int rep_realloc(rep *r, acre_trace_op *op, uint64_t id, uint64_t size, acre_trace_error *e)
{
    acre__map64_entry *entry = acre__map64_find(&r->ids, id + 1);
    if (entry && size == 0) {
        r->counts.realloc_zero++;
        return rep_free(r, op, id);
    }
    op->kind = ACRE_TRACE_REALLOC;
    op->old = entry ? entry->a : 0;
    r->counts.revived += !entry;
    return rep_birth(r, op, id, size, e);
}

static int rep_null_free(rep *r, acre_trace_op *op)
{
    r->counts.null_frees++;
    op->kind = ACRE_TRACE_FREE;
    return 1;
}

/* 1 = an operation, 0 = a line to skip. */
static int rep_parse(rep *r, acre_trace_op *op, acre_trace_error *e)
{
    const char *p = r->line + strspn(r->line, " \t");
    char verb = *p++;
    uint64_t id, size = 0;
    memset(op, 0, sizeof *op);
    r->counts.lines++;
    if (verb == 'f' && strncmp(p + strspn(p, " \t"), "-1", 2) == 0)
        return rep_rest_is_blank(p + strspn(p, " \t") + 2) ? rep_null_free(r, op)
                                                           : rep_fail(r, e, "not an operation");
    bool known = (verb == 'a' || verb == 'r' || verb == 'f') && rep_number(&p, &id) &&
                 id < UINT64_MAX;
    bool sized = known && verb != 'f' && rep_number(&p, &size);
    if (!known || !rep_rest_is_blank(p))
        return rep_fail(r, e, "not an operation (a ID SIZE, r ID SIZE, f ID)");
    if (verb == 'f')
        return rep_free(r, op, id);
    if (!sized) {
        r->counts.no_size++;
        return 0;
    }
    return verb == 'a' ? rep_alloc(r, op, id, size, e) : rep_realloc(r, op, id, size, e);
}

static void rep_report(rep *r)
{
    acre__meta *m = r->meta;
    const rep_counts *c = &r->counts;
    r->meta = NULL;
    if (!m)
        return;
    acre__meta_set_count(m, "import.leaked_by_reuse_of_id", c->leaked);
    acre__meta_set_count(m, "import.realloc_of_dead_id", c->revived);
    acre__meta_set_count(m, "import.realloc_to_zero", c->realloc_zero);
    acre__meta_set_count(m, "import.free_null", c->null_frees);
    acre__meta_set_count(m, "import.skipped_unknown_free", c->unknown_frees);
    acre__meta_set_count(m, "import.skipped_without_size", c->no_size);
    if (c->lines != r->header[2])
        acre__meta_set_count(m, "import.operations_promised", r->header[2]);
}

static int rep_next(void *self, acre_trace_op *op, acre_trace_error *e)
{
    rep *r = self;
    for (;;) {
        int got = rep_line(r, e);
        if (got == 1)
            got = rep_parse(r, op, e);
        else if (got == 0) {
            rep_report(r);
            return 0;
        }
        if (got != 0)
            return got;
    }
}

/* ---- Header --------------------------------------------------------------------------------- */

/* Four numbers, on one line or on four. */
static int rep_read_header(rep *r, acre_trace_error *e)
{
    int got = 0;
    while (got < 4) {
        int line = rep_line(r, e);
        if (line < 0)
            return line;
        const char *p = r->line;
        while (line && got < 4 && rep_number(&p, &r->header[got]))
            got++;
        if (!line || !rep_rest_is_blank(p))
            return rep_fail(r, e, "header is not four numbers");
    }
    return 0;
}

bool acre__rep_matches(const unsigned char *head, size_t n)
{
    /* Numbers and blanks, at least four numbers, then a verb (or the end of a small file). */
    size_t i = 0, numbers = 0;
    for (; i < n && (isdigit(head[i]) || isspace(head[i])); i++)
        numbers += isdigit(head[i]) && (i == 0 || !isdigit(head[i - 1]));
    return numbers == 4 && (i == n || memchr("arf", head[i], 3));
}

/* ---- Life ----------------------------------------------------------------------------------- */

static int rep_rewind(void *self, acre_trace_error *e)
{
    rep *r = self;
    rewind(r->file);
    acre__map64_clear(&r->ids);
    r->at = r->next_at = r->newest = 0;
    r->counts = (rep_counts){0};
    return rep_read_header(r, e);
}

static uint64_t rep_where(const void *self)
{
    return ((const rep *)self)->at;
}

static void rep_close(void *self)
{
    rep *r = self;
    fclose(r->file);
    acre__map64_clear(&r->ids);
    free(r->line);
    free(r->path);
    free(r);
}

static const acre__trace_source rep_source = {rep_next, rep_rewind, NULL, rep_where, rep_close};

static rep *rep_new(int fd, const char *path)
{
    rep *r = calloc(1, sizeof *r);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0); /* the caller's stays open if we fail */
    if (r && (r->path = strdup(path)) && copy >= 0 && (r->file = fdopen(copy, "r")))
        return r;
    if (copy >= 0)
        close(copy);
    if (r)
        free(r->path);
    free(r);
    return NULL;
}

int acre__rep_open(void **self, const acre__trace_source **source, int fd, const char *path,
                   acre_trace_info *info, struct acre__meta *meta, bool *known,
                   acre_trace_error *e)
{
    rep *r = rep_new(fd, path);
    if (!r)
        return acre__trace_fail(e, ACRE_ETRACE_NOMEM, path, 0, "out of memory");
    int err = rep_rewind(r, e);
    if (err) {
        rep_close(r);
        return err;
    }
    bool newer = r->header[0] <= 3;
    acre__meta_set(meta, "source.format", newer ? "rep (2010 header)" : "rep (2002 header)");
    r->meta = meta;
    info->format = "rep";
    *known = false;
    *self = r;
    *source = &rep_source;
    close(fd);
    return 0;
}
