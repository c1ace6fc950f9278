/* SPDX-License-Identifier: MIT */
/* segment.c: `acre segment`: segments in shared memory and in files: what there is, what is in them, are they whole,
 * away with what is free in them, away with them.
 *
 * ls, info, check, names, map and dump map the segment read-only and take no lock: nobody who works in it is held up, and
 * a segment whose writer stands still can be looked at, too. */
#include "cli/cli.h"
#include "cli/segment_tools.h"

#include <argp.h>
#include <stdlib.h>
#include <string.h>

/* ---- options ---- */

enum { KEY_STALE = 256, KEY_DRY_RUN, KEY_COLOR, KEY_BLOCK, KEY_ALL };

#define JSON_OPTION {"json", 'j', NULL, 0, "One JSON object a line", 0}

static const struct argp_option segment_json_option[] = {JSON_OPTION, {0}};

static const struct argp_option segment_ls_options[] = {
    JSON_OPTION, {"sort", 's', "KEY", 0, "By name (the default), size, used or age", 0}, {0}};

static const struct argp_option segment_map_options[] = {
    {"output", 'o', "FILE.svg", 0, "Write a picture to this file instead", 0},
    {"width", 'w', "COLUMNS", 0, "Of the text; at first the terminal's, or 80", 0},
    {"color", KEY_COLOR, "WHEN", 0, "auto (the default: on a terminal), always or never", 0},
    {0}};

static const struct argp_option segment_dump_options[] = {
    JSON_OPTION,
    {"block", 'b', "OFFSET", 0, "The bytes of the block around this offset", 0},
    {"all", 'a', NULL, 0, "However many blocks or bytes there are", 0},
    {0}};

static const struct argp_option segment_rm_options[] = {
    {"force", 'f', NULL, 0, "Also those that somebody has mapped", 0},
    {"stale", KEY_STALE, NULL, 0, "All of yours in shared memory that nobody has mapped", 0},
    {"dry-run", 'n', NULL, 0, "Only tell what would go", 0},
    {0}};

static const struct argp_option segment_snapshot_options[] = {
    {"json", 'j', NULL, 0, "One JSON object", 0},
    {"timeout", 't', "SECONDS", 0,
     "Give up if somebody who takes part has not come to a hold point by then (10; 0: never)", 0},
    {"quiesced", 'q', NULL, 0, "Threads of `sharded` that take no part do nothing meanwhile", 0},
    {0}};

static int segment_color(const char *when)
{
    if (strcmp(when, "always") == 0)
        return 1;
    return strcmp(when, "never") == 0 ? -1 : 0;
}

static error_t segment_option(int key, char *arg, struct argp_state *state)
{
    segment_args *a = state->input;
    switch (key) {
    case 'j': a->json = true; break;
    case 's': a->sort = arg; break;
    case 'o': a->out = arg; break;
    case 'w': a->width = atoi(arg); break;
    case 'b': a->block = arg; break;
    case 'a': a->all = true; break;
    case 'f': a->force = true; break;
    case 'n': a->dry_run = true; break;
    case KEY_STALE: a->stale = true; break;
    case KEY_COLOR: a->color = segment_color(arg); break;
    case ARGP_KEY_ARGS:
        a->names = state->argv + state->next;
        a->n = state->argc - state->next;
        break;
    default: return ARGP_ERR_UNKNOWN;
    }
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

/* ---- commands ---- */

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
     {segment_ls_options, segment_option, "[DIR…]",
      "List your segments: those in shared memory, and those without a name that a process has mapped; or those in "
      "folders.\v"
      "USED are live blocks with their headers.  ATTACHED are the processes that have it mapped, this one left out.  "
      "STATE: live, or stale: nobody has; unknown: processes of others, whom its mode lets in, cannot be asked; busy: "
      "somebody was at work in it all the time.",
      0, 0, 0},
     "list your segments"},
    {"info",
     NULL,
     segment_info,
     {segment_json_option, segment_option, "NAME|FILE…",
      "Show segments: algorithm, options, parameters, size classes, sizes, blocks, recoveries, who has them mapped; "
      "and what each thread's part of the heap and each size class has.  Reads only and takes no "
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
    {"names",
     NULL,
     segment_list_names,
     {segment_json_option, segment_option, "NAME|FILE…",
      "Show the objects that are found by name, and those that are the only one of their type: where they are, how many "
      "elements, of which size and type.  Reads only and takes no lock.\v"
      "Exit status 1: there are no names, or they cannot be read now; 2: not a segment.",
      0, 0, 0},
     "show objects by name"},
    {"map",
     NULL,
     segment_draw,
     {segment_map_options, segment_option, "NAME|FILE…",
      "Draw where in the heap live and free blocks are, and how many free blocks of which size, as text or (-o) as a "
      "picture.\v"
      "Exit status 1: the heap cannot be read; 2: not a segment.",
      0, 0, 0},
     "draw what is where"},
    {"dump",
     segment_dump,
     NULL,
     {segment_dump_options, segment_option, "NAME|FILE [OFFSET [LENGTH]]",
      "Show header, directory, the heap's control and journal, and the blocks; or bytes from OFFSET on.  Also of what is "
      "damaged, as far as it goes.\v"
      "Offsets count from the segment's first byte; 0x… is hexadecimal.  Without --all 40 blocks and 512 bytes.  Exit "
      "status 1: the blocks cannot be listed; 2: not a segment, or its header is wrong.",
      0, 0, 0},
     "show every field, and bytes"},
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
     segment_rm,
     NULL,
     {segment_rm_options, segment_option, "NAME|FILE…",
      "Remove segments that nobody has mapped.  Who has one open keeps it.  What is not a segment is left alone.\v"
      "Exit status 1: somebody has it mapped, and it is not --force; 2: there is no such segment.",
      0, 0, 0},
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
    if (a->out && a->n > 1)
        return cli_fail("segment %s -o: one NAME or FILE", t->name);
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
    return t->all ? t->all(&a) : segment_each(t, &a);
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
    return cli_fail("segment: unknown command \"%s\" (ls, info, check, names, map, dump, recover, purge, snapshot, rm)", argv[1]);
}
