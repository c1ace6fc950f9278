/* SPDX-License-Identifier: MIT */
/* acre trace info: what is in a trace. */
#include <argp.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/trace_tools.h"

enum { INFO_CLASSES = 65, INFO_BAR = 40 };

typedef struct info_stats {
    uint64_t kinds[8], null_frees, cxx, ext[5];
    uint64_t sizes[INFO_CLASSES]; /* births by bits of the size: class c holds [2^(c-1), 2^c) */
    uint64_t bytes, longest, end_ns;
    uint64_t births, deaths;
} info_stats;

typedef struct info_options {
    char **files;
    size_t n;
    bool json;
} info_options;

static const struct {
    unsigned kind;
    const char *name;
} info_kinds[] = {
    {ACRE_TRACE_MALLOC, "malloc"},   {ACRE_TRACE_CALLOC, "calloc"},
    {ACRE_TRACE_REALLOC, "realloc"}, {ACRE_TRACE_ALIGNED, "aligned"},
    {ACRE_TRACE_FREE, "free"},
};

/* ---- Counting ------------------------------------------------------------------------------- */

static unsigned info_class(uint64_t size)
{
    return size ? 64 - (unsigned)__builtin_clzll(size) : 0;
}

static void info_count(info_stats *s, const acre_trace_op *op)
{
    s->kinds[op->kind & 7]++;
    if (op->time > s->end_ns)
        s->end_ns = op->time;
    if (op->kind == ACRE_TRACE_EXT) {
        s->ext[op->flags]++;
        return;
    }
    s->cxx += (op->flags & ACRE_TRACE_CXX) != 0;
    if (op->kind == ACRE_TRACE_FREE) {
        s->null_frees += op->serial == 0;
        s->deaths += op->serial != 0;
        return;
    }
    s->births++;
    s->deaths += op->old != 0;
    s->sizes[info_class(op->size)]++;
    s->bytes += op->size;
    if (op->size > s->longest)
        s->longest = op->size;
}

static int info_read(acre_trace *t, info_stats *s, acre_trace_error *e)
{
    acre_trace_op op;
    int got;
    while ((got = acre_trace_next(t, &op, e)) == 1)
        info_count(s, &op);
    return got;
}

/* ---- As text -------------------------------------------------------------------------------- */

static double info_bytes_per_op(const acre_trace_info *info)
{
    return info->n_ops ? (double)info->file_bytes / (double)info->n_ops : 0;
}

static void info_print_sizes(const info_stats *s)
{
    uint64_t most = 1;
    for (int c = 0; c < INFO_CLASSES; c++)
        most = s->sizes[c] > most ? s->sizes[c] : most;
    puts("  sizes asked for");
    for (int c = 0; c < INFO_CLASSES; c++) {
        if (!s->sizes[c])
            continue;
        uint64_t low = c > 1 ? UINT64_C(1) << (c - 1) : (uint64_t)c;
        uint64_t high = c > 0 ? low + (low - 1) : 0;
        int bar = (int)((s->sizes[c] * INFO_BAR + most - 1) / most);
        printf("    %10" PRIu64 " .. %-10" PRIu64 " %9" PRIu64 " %.*s\n", low, high, s->sizes[c],
               bar, "########################################");
    }
}

static void info_print_ops(const info_stats *s)
{
    for (size_t i = 0; i < sizeof info_kinds / sizeof *info_kinds; i++)
        printf("    %-10s %12" PRIu64 "\n", info_kinds[i].name, s->kinds[info_kinds[i].kind]);
    if (s->null_frees)
        printf("    (%" PRIu64 " of them free(NULL))\n", s->null_frees);
    if (s->cxx)
        printf("    (%" PRIu64 " through operator new and delete)\n", s->cxx);
    if (s->ext[ACRE_TRACE_EXT_UNKNOWN_FREE])
        printf("    free of memory whose birth was not seen: %" PRIu64 "\n",
               s->ext[ACRE_TRACE_EXT_UNKNOWN_FREE]);
    if (s->ext[ACRE_TRACE_EXT_FAILED])
        printf("    calls that failed: %" PRIu64 "\n", s->ext[ACRE_TRACE_EXT_FAILED]);
}

static void info_print(const char *path, const acre_trace_info *info, const info_stats *s)
{
    printf("%s: %s%s\n", path, info->format, info->unfinished ? ", unfinished" : "");
    printf("  operations   %12" PRIu64 "   %.3f bytes each in the file\n", info->n_ops,
           info_bytes_per_op(info));
    info_print_ops(s);
    printf("  objects      %12" PRIu64 "   %" PRIu64 " never freed\n", info->n_objects,
           s->births - s->deaths);
    printf("  peak live    %12" PRIu64 " bytes, %" PRIu64 " objects\n", info->peak_live_bytes,
           info->peak_live_objects);
    printf("  asked for    %12" PRIu64 " bytes, largest %" PRIu64 "\n", s->bytes, s->longest);
    printf("  threads      %12u\n", info->n_threads);
    if (info->ticks_per_s)
        printf("  time         %12.3f s, in steps of %" PRIu64 " ns\n", (double)s->end_ns / 1e9,
               1000000000 / info->ticks_per_s);
    info_print_sizes(s);
    for (size_t i = 0; i < info->n_meta; i++)
        printf("  %s = %s\n", info->meta[i].key, info->meta[i].value);
}

/* ---- As JSON -------------------------------------------------------------------------------- */

static json_t *info_json_ops(const info_stats *s)
{
    json_t *ops = json_object();
    for (size_t i = 0; i < sizeof info_kinds / sizeof *info_kinds; i++)
        json_object_set_new(ops, info_kinds[i].name,
                            json_integer((json_int_t)s->kinds[info_kinds[i].kind]));
    json_object_set_new(ops, "ext", json_integer((json_int_t)s->kinds[ACRE_TRACE_EXT]));
    json_object_set_new(ops, "free_null", json_integer((json_int_t)s->null_frees));
    json_object_set_new(ops, "cxx", json_integer((json_int_t)s->cxx));
    json_object_set_new(ops, "unknown_free",
                        json_integer((json_int_t)s->ext[ACRE_TRACE_EXT_UNKNOWN_FREE]));
    json_object_set_new(ops, "failed", json_integer((json_int_t)s->ext[ACRE_TRACE_EXT_FAILED]));
    return ops;
}

static json_t *info_json_meta(const acre_trace_info *info)
{
    json_t *meta = json_object();
    for (size_t i = 0; i < info->n_meta; i++) {
        json_t *value = json_string(info->meta[i].value); /* NULL if it is not UTF-8 */
        json_object_set_new(meta, info->meta[i].key, value ? value : json_string("(not UTF-8)"));
    }
    return meta;
}

static json_t *info_json_sizes(const info_stats *s)
{
    json_t *sizes = json_array();
    for (int c = 0; c < INFO_CLASSES; c++)
        if (s->sizes[c])
            json_array_append_new(sizes, json_pack("{s:I,s:I}", "from",
                                                   c ? (json_int_t)(UINT64_C(1) << (c - 1)) : 0,
                                                   "objects", (json_int_t)s->sizes[c]));
    return sizes;
}

static void info_print_json(const char *path, const acre_trace_info *info, const info_stats *s)
{
    json_t *all = json_pack(
        "{s:s,s:s,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:f,s:f,s:o,s:o,s:o}", "file", path,
        "format", info->format, "unfinished", info->unfinished, "ops", (json_int_t)info->n_ops,
        "objects", (json_int_t)info->n_objects, "never_freed", (json_int_t)(s->births - s->deaths),
        "peak_live", (json_int_t)info->peak_live_bytes, "peak_live_objects",
        (json_int_t)info->peak_live_objects, "bytes_asked", (json_int_t)s->bytes, "threads",
        (json_int_t)info->n_threads, "file_bytes", (json_int_t)info->file_bytes, "bytes_per_op",
        info_bytes_per_op(info), "seconds", (double)s->end_ns / 1e9, "by_kind", info_json_ops(s),
        "sizes", info_json_sizes(s), "meta", info_json_meta(info));
    char *text = json_dumps(all, JSON_COMPACT);
    puts(text ? text : "{}");
    free(text);
    json_decref(all);
}

/* ---- Command -------------------------------------------------------------------------------- */

static int info_file(const char *path, bool json)
{
    acre_trace *t = NULL;
    acre_trace_error e;
    info_stats stats = {0};
    if (acre_trace_open(&t, path, &e) != 0)
        return cli_fail("%s", e.text);
    int err = info_read(t, &stats, &e);
    if (err)
        cli_fail("%s", e.text);
    else
        (json ? info_print_json : info_print)(path, acre_trace_info_of(t), &stats);
    acre_trace_close(t);
    return err ? CLI_USAGE : 0;
}

static error_t info_parse(int key, char *arg, struct argp_state *state)
{
    info_options *o = state->input;
    switch (key) {
    case 'j':
        o->json = true;
        return 0;
    case ARGP_KEY_ARGS:
        o->files = state->argv + state->next;
        o->n = (size_t)(state->argc - state->next);
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which FILE?");
        return EINVAL;
    default:
        (void)arg;
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_trace_info(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"json", 'j', NULL, 0, "One JSON object a line", 0},
        {0},
    };
    static const struct argp argp = {options, info_parse, "FILE...",
                                     "Show what is in traces, of any format acre can read.", NULL,
                                     NULL, NULL};
    info_options o = {0};
    int err = 0;
    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &o);
    for (size_t i = 0; i < o.n; i++) {
        int bad = info_file(o.files[i], o.json);
        err = err ? err : bad;
    }
    return err;
}
