/* SPDX-License-Identifier: MIT */
/* sync.c: `acre sync`: the locks and queues in /dev/shm: what there is, what it does, away with it.
 */
#include "cli/cli.h"
#include "cli/sync_tools.h"

#include "sync/file.h"

#include <acre/sync.h>

#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct sync_options {
    char **names;
    int n;
    bool json, force;
} sync_options;

/* ---- one object, as text and as JSON ---- */

static void sync_age(int64_t seconds, char *text, size_t room)
{
    static const struct {
        int64_t seconds;
        char unit;
    } units[] = {{86400, 'd'}, {3600, 'h'}, {60, 'm'}, {1, 's'}};
    int i = 0;
    while (units[i].unit != 's' && seconds < 2 * units[i].seconds)
        i++;
    if (seconds < 0)
        snprintf(text, room, "?");
    else
        snprintf(text, room, "%" PRId64 " %c", seconds / units[i].seconds, units[i].unit);
}

static void sync_print_state(const sync_object *o)
{
    const sync_state *s = &o->state;
    fputs(s->word, stdout);
    if (o->error)
        printf(": %s", acre_strerror(o->error));
    if (s->owner)
        printf(" by %u", s->owner);
    if (s->readers > 0)
        printf(", %" PRId64 " reading", s->readers);
    if (s->count >= 0)
        printf(", %" PRId64, s->count);
    if (s->most >= 0)
        printf(" of %" PRId64, s->most);
    putchar('\n');
}

static void sync_print(const sync_object *o)
{
    char age[32];
    sync_age(o->age, age, sizeof age);
    printf("%-24s %-11s %10" PRIu64 "  %04o %7s  ", o->name, o->kind, o->bytes, (unsigned)o->mode,
           age);
    sync_print_state(o);
}

static void sync_json_number(json_t *j, const char *key, int64_t value)
{
    json_object_set_new(j, key, value < 0 ? json_null() : json_integer(value));
}

static void sync_print_json(const sync_object *o)
{
    char mode[8];
    snprintf(mode, sizeof mode, "%04o", (unsigned)o->mode);
    json_t *name = json_string(o->name); /* NULL if it is not UTF-8 */
    json_t *j =
        json_pack("{s:o,s:s,s:I,s:s,s:s,s:b}", "name", name ? name : json_string("(not UTF-8)"),
                  "kind", o->kind, "bytes", (json_int_t)o->bytes, "mode", mode, "state",
                  o->state.word, "held", o->state.held);
    sync_json_number(j, "age_s", o->age);
    sync_json_number(j, "owner", o->state.owner ? (int64_t)o->state.owner : -1);
    sync_json_number(j, "readers", o->state.readers);
    sync_json_number(j, "count", o->state.count);
    sync_json_number(j, "of", o->state.most);
    if (o->error)
        json_object_set_new(j, "error", json_string(acre_strerror(o->error)));
    json_dumpf(j, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(j);
}

static void sync_show(const sync_object *o, const sync_options *how)
{
    (how->json ? sync_print_json : sync_print)(o);
}

static void sync_heading(const sync_options *how)
{
    if (!how->json)
        printf("%-24s %-11s %10s  %4s %7s  %s\n", "NAME", "KIND", "BYTES", "MODE", "AGE", "STATE");
}

/* ---- ls ---- */

static int sync_is_acres(const struct dirent *e)
{
    return strncmp(e->d_name, ACRE__SHM_PREFIX, strlen(ACRE__SHM_PREFIX)) == 0;
}

/* Other users' objects, and files that are none, are not shown. */
static int sync_ls(const sync_options *o)
{
    struct dirent **list;
    int n = scandir(ACRE__SHM_DIR, &list, sync_is_acres, alphasort);
    if (n < 0)
        return cli_fail(ACRE__SHM_DIR ": %s", strerror(errno));
    sync_heading(o);
    for (int i = 0; i < n; i++) {
        sync_object object;
        if (sync_look(list[i]->d_name + strlen(ACRE__SHM_PREFIX), false, &object) == 0)
            sync_show(&object, o);
        free(list[i]);
    }
    free(list);
    return 0;
}

/* ---- info, rm ---- */

static int sync_info_one(const char *name, const sync_options *o)
{
    sync_object object;
    int e = sync_look(name, true, &object);
    if (e)
        return cli_fail("%s: %s", name, acre_strerror(e));
    sync_show(&object, o);
    return object.error ? CLI_FAILED : 0;
}

/* The name alone goes: who has the object mapped keeps it, so a lock that is taken after this look
 * loses nothing either. */
static int sync_rm_one(const char *name, const sync_options *o)
{
    sync_object object;
    int e = sync_look(name, true, &object);
    if (!e && object.state.held && !o->force) {
        cli_fail("%s: is held; --force removes its name all the same", name);
        return CLI_FAILED;
    }
    if (!e)
        e = acre_named_remove(name);
    return e ? cli_fail("%s: %s", name, acre_strerror(e)) : 0;
}

/* Each of the names; the worst of the results. */
static int sync_each(const sync_options *o, int (*one)(const char *name, const sync_options *o))
{
    int worst = 0;
    for (int i = 0; i < o->n; i++) {
        int e = one(o->names[i], o);
        worst = e > worst ? e : worst;
    }
    return o->n ? worst : cli_fail("sync: which NAME?");
}

static int sync_info(const sync_options *o)
{
    if (o->n)
        sync_heading(o);
    return sync_each(o, sync_info_one);
}

static int sync_rm(const sync_options *o)
{
    return sync_each(o, sync_rm_one);
}

/* ---- options ---- */

static const struct argp_option sync_json_option[] = {
    {"json", 'j', NULL, 0, "One JSON object a line", 0}, {0}};
static const struct argp_option sync_force_option[] = {
    {"force", 'f', NULL, 0, "Also what somebody holds", 0}, {0}};

static error_t sync_option(int key, char *arg, struct argp_state *state)
{
    sync_options *o = state->input;
    (void)arg;
    if (key == 'j')
        o->json = true;
    else if (key == 'f')
        o->force = true;
    else if (key == ARGP_KEY_ARGS) {
        o->names = state->argv + state->next;
        o->n = state->argc - state->next;
    } else
        return ARGP_ERR_UNKNOWN;
    return 0;
}

static const struct sync_tool {
    const char *name;
    int (*run)(const sync_options *o);
    struct argp argp;
    const char *summary;
} sync_tools[] = {
    {"ls",
     sync_ls,
     {sync_json_option, sync_option, "", "List your objects in " ACRE__SHM_DIR ".", 0, 0, 0},
     "list your objects"},
    {"info",
     sync_info,
     {sync_json_option, sync_option, "NAME…", "Show objects.  Exit status 1: one is damaged.", 0, 0,
      0},
     "show objects"},
    {"rm",
     sync_rm,
     {sync_force_option, sync_option, "NAME…",
      "Remove names.  What is held stays (exit status 1), what is not acre's too.  Whoever has the "
      "object open keeps it.",
      0, 0, 0},
     "remove the names of objects, damaged ones, too"},
};
enum { SYNC_TOOLS = sizeof sync_tools / sizeof *sync_tools };

static int sync_usage(FILE *out)
{
    fputs("Usage: acre sync COMMAND …\n\n", out);
    for (int i = 0; i < SYNC_TOOLS; i++)
        fprintf(out, "  %-8s %s\n", sync_tools[i].name, sync_tools[i].summary);
    fputs("\n\"acre sync COMMAND --help\" tells more.\n", out);
    return out == stdout ? 0 : CLI_USAGE;
}

static int sync_run(const struct sync_tool *t, int argc, char **argv)
{
    char name[64];
    sync_options o = {0};
    snprintf(name, sizeof name, "acre sync %s", t->name);
    argv[0] = name; /* what --help and errors call the program */
    argp_err_exit_status = CLI_USAGE;
    argp_parse(&t->argp, argc, argv, 0, NULL, &o);
    if (t->run == sync_ls && o.n)
        return cli_fail("sync ls: takes no NAME; sync info does");
    return t->run(&o);
}

int cmd_sync(int argc, char **argv)
{
    if (argc < 2)
        return sync_usage(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)
        return sync_usage(stdout);
    for (int i = 0; i < SYNC_TOOLS; i++)
        if (strcmp(argv[1], sync_tools[i].name) == 0)
            return sync_run(&sync_tools[i], argc - 1, argv + 1);
    return cli_fail("sync: unknown command \"%s\" (ls, info, rm)", argv[1]);
}
