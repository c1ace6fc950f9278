/* SPDX-License-Identifier: MIT */
/* acre trace import, export, cut: traces in, traces out. */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/cli.h"
#include "cli/trace_tools.h"

typedef struct convert_options {
    const char *in, *out, *format;
    trace_writing how;
    uint64_t from, to;
    bool tick_given;
} convert_options;

/* ---- Converting ----------------------------------------------------------------------------- */

static acre_trace_options convert_writing(const acre_trace_info *info,
                                          const trace_writing *how)
{
    return (acre_trace_options){
        .ticks_per_s = how->tick_ns && info->ticks_per_s ? 1000000000u / how->tick_ns : 0,
        .wall_start_ns = info->wall_start_ns,
        .level = (int)how->level,
    };
}

/* What the archive turned out to be. */
static void convert_result(const char *out, acre_trace_info *info)
{
    acre_trace *t = NULL;
    if (!info || acre_trace_open(&t, out, NULL) != 0)
        return;
    *info = *acre_trace_info_of(t);
    info->meta = NULL;
    info->n_meta = 0;
    acre_trace_close(t);
}

static int convert_open_trace(acre_trace *t, const char *out, const trace_writing *how,
                              acre_trace_error *e)
{
    acre_trace_writer *w = NULL;
    acre_trace_options options = convert_writing(acre_trace_info_of(t), how);
    int err = acre_trace_writer_create(&w, out, &options, e);
    if (err)
        return err;
    err = acre_trace_copy(t, w, e);
    if (err) {
        acre_trace_writer_abort(w);
        return err;
    }
    return acre_trace_writer_finish(w, e);
}

int trace_convert(const char *in, const char *out, const trace_writing *how, acre_trace_info *info,
                  acre_trace_error *e)
{
    acre_trace *t = NULL;
    int err = acre_trace_open(&t, in, e);
    if (err)
        return err;
    err = convert_open_trace(t, out, how, e);
    acre_trace_close(t);
    if (!err)
        convert_result(out, info);
    return err;
}

void trace_print_line(const char *path, const acre_trace_info *info)
{
    printf("%s: %" PRIu64 " operations, %" PRIu64 " objects, peak %" PRIu64
           " bytes in %" PRIu64 " objects, %u thread%s, %.2f bytes/op\n",
           path, info->n_ops, info->n_objects, info->peak_live_bytes, info->peak_live_objects,
           info->n_threads, info->n_threads == 1 ? "" : "s",
           info->n_ops ? (double)info->file_bytes / (double)info->n_ops : 0);
}

/* ---- import --------------------------------------------------------------------------------- */

static error_t convert_parse(int key, char *arg, struct argp_state *state)
{
    convert_options *o = state->input;
    const char *wrong;
    switch (key) {
    case 'o':
        o->out = arg;
        return 0;
    case 'f':
        o->format = arg;
        return 0;
    case 't':
    case 'l':
        o->tick_given |= key == 't';
        if ((wrong = trace_parse_writing(key, arg, &o->how)))
            argp_error(state, "%s: %s", wrong, arg);
        return 0;
    case 'a':
    case 'b':
        if (!trace_parse_number(arg, key == 'a' ? &o->from : &o->to))
            argp_error(state, "not a number of operations: %s", arg);
        return 0;
    case ARGP_KEY_ARG:
        if (o->in)
            argp_error(state, "one FILE only, not also %s", arg);
        o->in = arg;
        return 0;
    case ARGP_KEY_END:
        if (!o->in)
            argp_error(state, "which FILE?");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int convert_fail(const acre_trace_error *e)
{
    return cli_fail("%s", e->text);
}

static bool convert_same_file(const char *a, const char *b)
{
    struct stat x, y;
    return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

static int convert_args(const struct argp *argp, int argc, char **argv, convert_options *o)
{
    argp_err_exit_status = CLI_USAGE;
    argp_parse(argp, argc, argv, 0, NULL, o);
    if (!o->out)
        return cli_fail("%s: where to? (-o FILE)", argv[0]);
    return convert_same_file(o->in, o->out) ? cli_fail("%s: -o is the input itself", o->out) : 0;
}

static const struct argp_option import_options[] = {
    {"output", 'o', "FILE", 0, "The archive to write", 0},
    {"tick", 't', "NS", 0, "Resolution of stored times; 0 = none (default 1000)", 0},
    {"level", 'l', "N", 0, "zstd level, 1 to 19 (default 12)", 0},
    {0},
};

int cmd_trace_import(int argc, char **argv)
{
    static const struct argp argp = {
        import_options, convert_parse, "FILE -o OUT.acr",
        "Convert a trace to an archive (.acr).  The format of FILE is recognised by its content: "
        "malloclab .rep, raw recordings, archives.  What is odd about it is counted in META; see "
        "\"acre trace info\".", NULL, NULL, NULL};
    convert_options o = {.how = {.tick_ns = 1000}};
    acre_trace_info info = {0};
    acre_trace_error e;
    int err = convert_args(&argp, argc, argv, &o);
    if (err)
        return err;
    if (trace_convert(o.in, o.out, &o.how, &info, &e) != 0)
        return convert_fail(&e);
    trace_print_line(o.out, &info);
    return 0;
}

/* ---- export --------------------------------------------------------------------------------- */

static const struct argp_option export_options[] = {
    {"format", 'f', "rep", 0, "The format to write (default rep)", 0},
    {"output", 'o', "FILE", 0, "The file to write (default: standard output)", 0},
    {0},
};

static void export_tell_loss(const char *in, const acre_trace_rep_loss *loss)
{
    if (loss->calloc || loss->aligned || loss->cxx || loss->ext)
        fprintf(stderr,
                "acre: %s: .rep has no calloc (%" PRIu64 "), aligned (%" PRIu64 "), C++ (%" PRIu64
                "), events (%" PRIu64 "): written as plain operations or left out\n",
                in, loss->calloc, loss->aligned, loss->cxx, loss->ext);
}

int cmd_trace_export(int argc, char **argv)
{
    static const struct argp argp = {export_options, convert_parse, "-f rep FILE [-o OUT]",
                                     "Write a trace in the format of another tool.", NULL, NULL,
                                     NULL};
    convert_options o = {.format = "rep", .out = "-"};
    acre_trace_rep_loss loss;
    acre_trace_error e;
    acre_trace *t = NULL;
    int err = convert_args(&argp, argc, argv, &o);
    if (err)
        return err;
    if (strcmp(o.format, "rep") != 0)
        return cli_fail("%s: unknown format \"%s\" (rep)", argv[0], o.format);
    if (acre_trace_open(&t, o.in, &e) != 0)
        return convert_fail(&e);
    err = acre_trace_export_rep(t, o.out, &loss, &e);
    acre_trace_close(t);
    if (err)
        return convert_fail(&e);
    export_tell_loss(o.in, &loss);
    return 0;
}

/* ---- cut ------------------------------------------------------------------------------------ */

static const struct argp_option cut_options[] = {
    {"from", 'a', "N", 0, "First operation, counted from 0 (default 0)", 0},
    {"to", 'b', "N", 0, "The operation after the last (default: to the end)", 0},
    {"output", 'o', "FILE", 0, "The archive to write", 0},
    {"tick", 't', "NS", 0, "Resolution of stored times (default: as in FILE)", 0},
    {"level", 'l', "N", 0, "zstd level, 1 to 19 (default 12)", 0},
    {0},
};

/* The range begins with a heap as it was: objects live at `from` are born first, in their order. */
typedef struct cut_state {
    acre_trace_writer *w;
    acre_trace_op *live; /* births before the range, by serial; kind FREE = ended */
    uint64_t *serials;   /* old serial -> new one */
    uint64_t newest, prelude;
} cut_state;

static int cut_emit(cut_state *c, acre_trace_op op, acre_trace_error *e)
{
    uint64_t was = op.serial;
    if (op.kind == ACRE_TRACE_EXT)
        return acre_trace_writer_add(c->w, &op, e);
    op.old = op.old ? c->serials[op.old] : 0;
    if (op.kind == ACRE_TRACE_FREE)
        op.serial = was ? c->serials[was] : 0;
    else
        op.serial = c->serials[was] = ++c->newest;
    return acre_trace_writer_add(c->w, &op, e);
}

static void cut_before(cut_state *c, const acre_trace_op *op)
{
    if (op->kind == ACRE_TRACE_EXT)
        return;
    c->live[op->kind == ACRE_TRACE_FREE ? op->serial : op->old].kind = ACRE_TRACE_FREE;
    if (op->kind != ACRE_TRACE_FREE)
        c->live[op->serial] = *op;
}

static int cut_prelude(cut_state *c, uint64_t n_objects, acre_trace_error *e)
{
    int err = 0;
    for (uint64_t serial = 1; serial <= n_objects && !err; serial++) {
        acre_trace_op op = c->live[serial];
        if (op.serial != serial || op.kind == ACRE_TRACE_FREE)
            continue;
        if (op.kind == ACRE_TRACE_REALLOC)
            op.kind = ACRE_TRACE_MALLOC;
        op.old = 0;
        op.tid = 0;
        c->prelude++;
        err = cut_emit(c, op, e);
    }
    return err;
}

static int cut_range(cut_state *c, acre_trace *t, const convert_options *o, acre_trace_error *e)
{
    acre_trace_op op;
    uint64_t n_objects = acre_trace_info_of(t)->n_objects;
    int got = 1, err = 0;
    for (uint64_t i = 0; i < o->to && !err; i++) {
        if (i == o->from)
            err = cut_prelude(c, n_objects, e);
        if (err || (got = acre_trace_next(t, &op, e)) != 1)
            break;
        if (i < o->from)
            cut_before(c, &op);
        else
            err = cut_emit(c, op, e);
    }
    return err ? err : got < 0 ? got : 0;
}

static int cut_describe(cut_state *c, acre_trace *t, const convert_options *o, acre_trace_error *e)
{
    const acre_trace_info *info = acre_trace_info_of(t);
    char text[96];
    int err = 0;
    for (size_t i = 0; i < info->n_meta && !err; i++)
        err = acre_trace_writer_meta(c->w, info->meta[i].key, info->meta[i].value);
    snprintf(text, sizeof text, "%" PRIu64 "..%" PRIu64, o->from, o->to);
    if (!err)
        err = acre_trace_writer_meta(c->w, "cut.range", text);
    snprintf(text, sizeof text, "%" PRIu64, c->prelude);
    if (!err)
        err = acre_trace_writer_meta(c->w, "cut.live_before", text);
    return err ? (snprintf(e->text, sizeof e->text, "%s: META cannot be written", o->out), err) : 0;
}

static int cut_write(acre_trace *t, const convert_options *o, acre_trace_error *e)
{
    const acre_trace_info *info = acre_trace_info_of(t);
    cut_state c = {.live = calloc(info->n_objects + 1, sizeof *c.live),
                   .serials = calloc(info->n_objects + 1, sizeof *c.serials)};
    trace_writing how = o->how;
    if (!o->tick_given)
        how.tick_ns = info->ticks_per_s ? 1000000000u / info->ticks_per_s : 0;
    acre_trace_options options = convert_writing(info, &how);
    int err = c.live && c.serials ? acre_trace_writer_create(&c.w, o->out, &options, e)
                                  : (snprintf(e->text, sizeof e->text, "out of memory"), -1);
    if (!err)
        err = cut_range(&c, t, o, e);
    if (!err)
        err = cut_describe(&c, t, o, e);
    if (!err)
        err = acre_trace_writer_finish(c.w, e);
    else
        acre_trace_writer_abort(c.w);
    free(c.live);
    free(c.serials);
    return err;
}

int cmd_trace_cut(int argc, char **argv)
{
    static const struct argp argp = {
        cut_options, convert_parse, "[--from N] [--to N] FILE -o OUT.acr",
        "Take operations N..M out of a trace.  Objects that lived before are allocated first, so "
        "the heap is as full as it was.", NULL, NULL, NULL};
    convert_options o = {.to = UINT64_MAX};
    acre_trace_info info = {0};
    acre_trace_error e;
    acre_trace *t = NULL;
    int err = convert_args(&argp, argc, argv, &o);
    if (err)
        return err;
    if (acre_trace_open(&t, o.in, &e) != 0)
        return convert_fail(&e);
    if (o.to > acre_trace_info_of(t)->n_ops)
        o.to = acre_trace_info_of(t)->n_ops;
    err = o.from >= o.to ? cli_fail("%s: no operations in that range", o.in) : 0;
    if (!err && cut_write(t, &o, &e) != 0)
        err = convert_fail(&e);
    acre_trace_close(t);
    if (err)
        return err;
    convert_result(o.out, &info);
    trace_print_line(o.out, &info);
    return 0;
}
