/* SPDX-License-Identifier: MIT */
/* segment.c: `acre segment`: segments in /dev/shm and in files: what there is, what is in them, are they
 * whole, away with what is free in them, away with them.
 *
 * info, ls and check map the segment read-only and take no lock: nobody who works in it is held up, and a
 * segment whose writer stands still can be looked at, too. */
#include "cli/cli.h"
#include "cli/segment_tools.h"

#include "sync/file.h"

#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct segment_args {
    char **names;
    int n;
    bool json, quiesced;
    double seconds; /* a snapshot waits, at most; 0: for ever */
} segment_args;

/* ---- which segment ---- */

/* What has a slash is a file; so is what is no name in shared memory but a file of this folder. */
static enum acre_source segment_source(const char *name)
{
    char shared[300];
    snprintf(shared, sizeof shared, ACRE__SHM_DIR "/" ACRE__SHM_PREFIX "%.200s", name);
    bool file = strchr(name, '/') || (access(shared, F_OK) != 0 && access(name, F_OK) == 0);
    return file ? ACRE_FILE : ACRE_SHM;
}

static int segment_open_to_look(acre_segment **s, const char *name)
{
    static const acre_segment_options look = {.read_only = true, .any_owner = true};
    return acre_segment_open(s, segment_source(name), name, &look);
}

static int segment_refuse(const char *name, int error)
{
    return cli_fail("%s: %s", name, acre_strerror(error));
}

/* ---- info ---- */

static void segment_look(acre_segment *s, segment_view *v)
{
    acre_heap *h = acre_segment_heap(s);
    acre_segment_info_get(s, &v->info);
    v->algorithm = acre_heap_algorithm(h);
    v->stats_error = acre_heap_stats(h, &v->s);
}

static int segment_keep_part(void *arg, const acre_part *part)
{
    segment_view *v = arg;
    v->part[v->parts++] = *part;
    return 0;
}

static int segment_keep_class(void *arg, const acre_class *class)
{
    segment_view *v = arg;
    v->class[v->classes++] = *class;
    return 0;
}

static void segment_look_closer(acre_segment *s, segment_view *v)
{
    acre_heap *h = acre_segment_heap(s);
    segment_look(s, v);
    v->parts_error = acre_heap_parts(h, segment_keep_part, v);
    v->classes_error = acre_heap_classes(h, segment_keep_class, v);
}

static int segment_info(const segment_args *a, const char *name)
{
    segment_view v = {.name = name};
    acre_segment *s;
    int e = segment_open_to_look(&s, name);
    if (e)
        return segment_refuse(name, e);
    v.source = segment_source(name) == ACRE_FILE ? "file" : "shm";
    segment_look_closer(s, &v);
    acre_segment_close(s);
    (a->json ? segment_print_json : segment_print)(&v);
    return v.stats_error ? CLI_FAILED : 0;
}

/* ---- ls ---- */

static int segment_is_acres(const struct dirent *e)
{
    return strncmp(e->d_name, ACRE__SHM_PREFIX, strlen(ACRE__SHM_PREFIX)) == 0;
}

/* Locks and queues have the same prefix: they, other users' segments and what has gone meanwhile are
 * not shown. */
static void segment_list_one(const segment_args *a, const char *name)
{
    static const acre_segment_options look = {.read_only = true};
    segment_view v = {.name = name, .source = "shm", .parts_error = ENOTSUP, .classes_error = ENOTSUP};
    acre_segment *s;
    v.error = acre_segment_open(&s, ACRE_SHM, name, &look);
    if (v.error > 0 || v.error == ACRE_EFORMAT || v.error == ACRE_EOWNER || v.error == ACRE_ETYPE)
        return;
    if (!v.error) {
        segment_look(s, &v);
        acre_segment_close(s);
    }
    (a->json ? segment_print_json : segment_print_line)(&v);
}

static int segment_ls(const segment_args *a)
{
    struct dirent **list;
    int n = scandir(ACRE__SHM_DIR, &list, segment_is_acres, alphasort);
    if (n < 0)
        return cli_fail(ACRE__SHM_DIR ": %s", strerror(errno));
    if (!a->json)
        segment_print_heading();
    for (int i = 0; i < n; i++) {
        segment_list_one(a, list[i]->d_name + strlen(ACRE__SHM_PREFIX));
        free(list[i]);
    }
    free(list);
    return 0;
}

/* ---- check, recover ---- */

static void segment_say_json(const char *name, int error, const acre_damage *d)
{
    json_t *o = json_pack("{s:s, s:b}", "name", name, "ok", !error);
    if (error == ACRE_ECORRUPT) {
        json_object_set_new(o, "offset", json_integer((json_int_t)d->offset));
        json_object_set_new(o, "rule", json_string(d->rule));
    }
    if (error)
        json_object_set_new(o, "error", json_string(acre_strerror(error)));
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

static void segment_say(const char *name, int error, const acre_damage *d)
{
    if (!error)
        printf("%s: sound\n", name);
    else if (error == ACRE_ECORRUPT)
        printf("%s: damaged: %s, %" PRIu64 " bytes from the region's start\n", name, d->rule,
               d->offset);
    else if (error == EAGAIN)
        printf("%s: cannot be told: somebody is at work in it, or has died at it\n", name);
    else
        printf("%s: %s\n", name, acre_strerror(error));
}

/* Opened for writing, the heap's lock is taken first: that undoes what a dead owner left. */
static int segment_verify(const segment_args *a, const char *name, acre_segment *s)
{
    acre_damage d = {0, "?"};
    int e = acre_heap_check(acre_segment_heap(s), &d);
    (a->json ? segment_say_json : segment_say)(name, e, &d);
    acre_segment_close(s);
    return e ? CLI_FAILED : 0;
}

static int segment_check(const segment_args *a, const char *name)
{
    acre_segment *s;
    int e = segment_open_to_look(&s, name);
    return e ? segment_refuse(name, e) : segment_verify(a, name, s);
}

static int segment_recover(const segment_args *a, const char *name)
{
    acre_segment *s;
    int e = acre_segment_open(&s, segment_source(name), name, NULL);
    return e ? segment_refuse(name, e) : segment_verify(a, name, s);
}

/* ---- purge ---- */

static int segment_purge(const segment_args *a, const char *name)
{
    acre_segment *s;
    int e = acre_segment_open(&s, segment_source(name), name, NULL);
    if (e)
        return segment_refuse(name, e);
    e = segment_purge_one(name, s, a->json);
    acre_segment_close(s);
    return e;
}

/* ---- snapshot ---- */

static int segment_snapshot(const segment_args *a)
{
    acre_segment *s;
    if (a->n != 2)
        return cli_fail("segment snapshot: takes a NAME and the FILE that it is to make");
    int e = acre_segment_open(&s, segment_source(a->names[0]), a->names[0], NULL);
    if (e)
        return segment_refuse(a->names[0], e);
    e = segment_snapshot_one(a->names[0], s, a->names[1], a->seconds, a->quiesced, a->json);
    acre_segment_close(s);
    return e;
}

/* ---- rm ---- */

static int segment_rm(const segment_args *a, const char *name)
{
    (void)a;
    int e = acre_segment_remove(segment_source(name), name);
    return e ? segment_refuse(name, e) : 0;
}

/* ---- options ---- */

static const struct argp_option segment_json_option[] = {
    {"json", 'j', NULL, 0, "One JSON object a line", 0}, {0}};

static const struct argp_option segment_snapshot_options[] = {
    {"json", 'j', NULL, 0, "One JSON object", 0},
    {"timeout", 't', "SECONDS", 0,
     "Give up if somebody who takes part has not come to a hold point by then (10; 0: never)", 0},
    {"quiesced", 'q', NULL, 0, "Threads of `sharded` that take no part do nothing meanwhile", 0},
    {0}};

static error_t segment_option(int key, char *arg, struct argp_state *state)
{
    segment_args *a = state->input;
    (void)arg;
    if (key == 'j')
        a->json = true;
    else if (key == ARGP_KEY_ARGS) {
        a->names = state->argv + state->next;
        a->n = state->argc - state->next;
    } else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static error_t segment_snapshot_option(int key, char *arg, struct argp_state *state)
{
    segment_args *a = state->input;
    char *end;
    if (key == 'q')
        a->quiesced = true;
    else if (key == 't') {
        a->seconds = strtod(arg, &end);
        if (*end || end == arg || !(a->seconds >= 0 && a->seconds <= 1e9))
            argp_error(state, "\"%s\" is no number of seconds", arg);
    } else
        return segment_option(key, arg, state);
    return 0;
}

static const struct segment_tool {
    const char *name;
    int (*all)(const segment_args *a); /* NULL: one() for each name */
    int (*one)(const segment_args *a, const char *name);
    struct argp argp;
    const char *summary;
} segment_tools[] = {
    {"ls",
     segment_ls,
     NULL,
     {segment_json_option, segment_option, "",
      "List your segments in " ACRE__SHM_DIR
      ".  FREE is in bytes; \"busy\" tells that somebody was at "
      "work in it all the time.",
      0, 0, 0},
     "list your segments"},
    {"info",
     NULL,
     segment_info,
     {segment_json_option, segment_option, "NAME|FILE…",
      "Show segments: algorithm, options, parameters, size classes, sizes, blocks, recoveries; and "
      "what each thread's part of the heap and each size class has.  Reads only and takes no "
      "lock.\v"
      "Of parts: USED, FREE and PENDING (freed by others) are blocks of its slabs, CACHED those in "
      "its magazines, SHELVED is in bytes.  Of classes: LOST are bytes of slabs that are no block, "
      "DIRECT are blocks that stand alone.  What has a slash in it is a file.  Exit status 1: the heap cannot "
      "be read; "
      "2: not a segment.",
      0, 0, 0},
     "show segments"},
    {"check",
     NULL,
     segment_check,
     {segment_json_option, segment_option, "NAME|FILE…",
      "Verify every invariant of the heap, read-only and without its lock.\vExit status 1: it is "
      "damaged, "
      "or somebody was at work in it all the time; 2: not a segment.",
      0, 0, 0},
     "verify segments"},
    {"recover",
     NULL,
     segment_recover,
     {segment_json_option, segment_option, "NAME|FILE…",
      "Undo what a process left that died inside a call, as the next user would, and verify the "
      "heap.\v"
      "Exit status 1: it is damaged; 2: not a segment.",
      0, 0, 0},
     "undo what the dead left, and verify"},
    {"purge",
     NULL,
     segment_purge,
     {segment_json_option, segment_option, "NAME|FILE…",
      "Give the whole pages inside of free blocks back to the system, while others use the segment, "
      "and tell the bytes that it held and holds.\vWhat is given back is not reserved any more: if the "
      "file system is full when it is needed again, who touches it ends with SIGBUS.  Exit status "
      "1: the heap is damaged, or the file system cannot; then nothing is lost; 2: not a segment.",
      0, 0, 0},
     "give free memory back to the system"},
    {"snapshot",
     segment_snapshot,
     NULL,
     {segment_snapshot_options, segment_snapshot_option, "NAME FILE",
      "Copy a segment of one moment into a new FILE, while others use it: those who take part "
      "(acre_hold_join()) stand still meanwhile, the others wait at the heap's lock.\v"
      "The copy is a segment of its own, in which nobody holds anything.  Its heap is verified before the FILE "
      "has its name.  Exit status 1: somebody did not come in time, or uses `sharded` and "
      "takes no part, or there is no room, or the heap is damaged; then there is no FILE; 2: not a segment, "
      "or FILE is there already.",
      0, 0, 0},
     "copy a segment that is in use"},
    {"rm",
     NULL,
     segment_rm,
     {NULL, segment_option, "NAME|FILE…",
      "Remove segments.  Who has one open keeps it.  What is not a segment is left alone.", 0, 0,
      0},
     "remove segments"},
};
enum { SEGMENT_TOOLS = sizeof segment_tools / sizeof *segment_tools };

static int segment_usage(FILE *out)
{
    fputs("Usage: acre segment COMMAND …\n\n", out);
    for (int i = 0; i < SEGMENT_TOOLS; i++)
        fprintf(out, "  %-8s %s\n", segment_tools[i].name, segment_tools[i].summary);
    fputs("\n\"acre segment COMMAND --help\" tells more.\n", out);
    return out == stdout ? 0 : CLI_USAGE;
}

/* Each of the names; the worst of the results. */
static int segment_each(const struct segment_tool *t, const segment_args *a)
{
    int worst = 0;
    for (int i = 0; i < a->n; i++) {
        int e = t->one(a, a->names[i]);
        worst = e > worst ? e : worst;
    }
    return a->n ? worst : cli_fail("segment %s: which NAME or FILE?", t->name);
}

static int segment_run(const struct segment_tool *t, int argc, char **argv)
{
    char name[64];
    segment_args a = {.seconds = 10};
    snprintf(name, sizeof name, "acre segment %s", t->name);
    argv[0] = name; /* what --help and errors call the program */
    argp_err_exit_status = CLI_USAGE;
    argp_parse(&t->argp, argc, argv, 0, NULL, &a);
    if (!t->all)
        return segment_each(t, &a);
    return a.n && t->all == segment_ls ? cli_fail("segment %s: takes no NAME; segment info does", t->name) : t->all(&a);
}

int cmd_segment(int argc, char **argv)
{
    if (argc < 2)
        return segment_usage(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)
        return segment_usage(stdout);
    for (int i = 0; i < SEGMENT_TOOLS; i++)
        if (strcmp(argv[1], segment_tools[i].name) == 0)
            return segment_run(&segment_tools[i], argc - 1, argv + 1);
    return cli_fail("segment: unknown command \"%s\" (ls, info, check, recover, purge, snapshot, rm)", argv[1]);
}
