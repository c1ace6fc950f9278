/* SPDX-License-Identifier: MIT */
/* segment_remove.c: `acre segment rm`: names go, and never one that somebody has mapped, unless it is forced. */
#include "cli/cli.h"
#include "cli/segment_tools.h"

#include "sync/file.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Also of a damaged one: 0; else why it is none. */
static int remove_is_segment(enum acre_source source, const char *name, bool any_owner)
{
    const acre_segment_options look = {.read_only = true, .any_owner = any_owner};
    acre_segment *s;
    int e = acre_segment_open(&s, source, name, &look);
    if (!e)
        acre_segment_close(s);
    return e > 0 || e == ACRE_EFORMAT || e == ACRE_EOWNER || e == ACRE_ETYPE || e == ACRE_ENAME ? e : 0;
}

/* Who has it: 0, or errno of what is not there. */
static int remove_users(const segment_mappings *m, const char *name, struct stat *st,
                        segment_attached *a)
{
    char path[4096];
    segment_path(name, path);
    if (lstat(path, st) != 0)
        return errno;
    segment_attached_to(m, st, a);
    return 0;
}

static int remove_live(const char *name, const segment_attached *a)
{
    char pids[400];
    segment_pids(a, pids, sizeof pids);
    if (a->n)
        cli_fail("%s: in use by process %s; --force removes its name all the same, they keep it",
                 name, pids);
    else
        cli_fail("%s: may be in use: %d processes of others cannot be asked; --force removes its "
                 "name all the same",
                 name, a->unread);
    return CLI_FAILED;
}

static int remove_one(const segment_args *args, const segment_mappings *m, const char *name)
{
    struct stat st;
    segment_attached a;
    int e = remove_is_segment(segment_source(name), name, true);
    if (!e)
        e = remove_users(m, name, &st, &a);
    if (e)
        return segment_refuse(name, e);
    if (!args->force && (a.n || a.unread))
        return remove_live(name, &a);
    if (args->dry_run)
        return printf("%s: would be removed\n", name) < 0;
    e = acre_segment_remove(segment_source(name), name);
    return e ? segment_refuse(name, e) : 0;
}

static int remove_named(const segment_args *args, const segment_mappings *m)
{
    int worst = 0;
    for (int i = 0; i < args->n; i++) {
        int status = remove_one(args, m, args->names[i]);
        worst = status > worst ? status : worst;
    }
    return args->n ? worst : cli_fail("segment rm: which NAME or FILE?");
}

/* ---- --stale ---- */

static int remove_is_acres(const struct dirent *d)
{
    return strncmp(d->d_name, ACRE__SHM_PREFIX, strlen(ACRE__SHM_PREFIX)) == 0;
}

/* A segment, also a damaged one, of this user, that nobody has mapped. */
static bool remove_is_stale(const segment_mappings *m, const char *name, struct stat *st)
{
    segment_attached a;
    if (remove_is_segment(ACRE_SHM, name, false) != 0)
        return false;
    return remove_users(m, name, st, &a) == 0 && !a.n && !a.unread;
}

static int remove_stale_one(const segment_args *args, const segment_mappings *m, const char *name)
{
    struct stat st;
    if (!remove_is_stale(m, name, &st))
        return 0;
    printf("%s: stale, %s%s\n", name, segment_human((uint64_t)st.st_size).text,
           args->dry_run ? ", would be removed" : ", removed");
    fflush(stdout);
    int e = args->dry_run ? 0 : acre_segment_remove(ACRE_SHM, name);
    return e && e != ENOENT ? segment_refuse(name, e) : 0;
}

static int remove_stale(const segment_args *args, const segment_mappings *m)
{
    struct dirent **list;
    int worst = 0, n = scandir(ACRE__SHM_DIR, &list, remove_is_acres, alphasort);
    if (args->n)
        return cli_fail("segment rm --stale: takes no NAME");
    if (n < 0)
        return cli_fail(ACRE__SHM_DIR ": %s", strerror(errno));
    for (int i = 0; i < n; i++) {
        int status = remove_stale_one(args, m, list[i]->d_name + strlen(ACRE__SHM_PREFIX));
        worst = status > worst ? status : worst;
        free(list[i]);
    }
    free(list);
    return worst;
}

int segment_rm(const segment_args *args)
{
    segment_mappings m;
    int e = segment_mappings_read(&m);
    int status = e && !args->force ? cli_fail("/proc: %s", strerror(e))
                                   : (args->stale ? remove_stale : remove_named)(args, &m);
    segment_mappings_free(&m);
    return status;
}
