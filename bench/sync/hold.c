/* SPDX-License-Identifier: MIT */
/* hold.c: locks: alone, two processes at once, and any number of readers. */
#include "bench/sync/hold.h"

#include "bench/sync/suites.h"
#include "bench/sync/team.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const hold_kind *hold_of(const team_case *c)
{
    return c->kind;
}

static const char *hold_init(const team_case *c, team_arena *a)
{
    return hold_of(c)->init ? hold_of(c)->init(c->kind, a->object) : NULL;
}

static void hold_destroy(const team_case *c, team_arena *a)
{
    if (hold_of(c)->destroy)
        hold_of(c)->destroy(c->kind, a->object);
}

static bool hold_attach(const team_case *c, team_arena *a, unsigned who)
{
    (void)who;
    return !hold_of(c)->attach || hold_of(c)->attach(a->object);
}

static void hold_detach(const team_case *c, team_arena *a, unsigned who)
{
    (void)who;
    if (hold_of(c)->detach)
        hold_of(c)->detach(a->object);
}

static bool hold_role(const team_case *c, team_arena *a, unsigned who, size_t n)
{
    (void)who;
    return hold_of(c)->rounds(a->object, &a->cell, n) == 0;
}

/* Every round of every process has been counted, none lost to another. */
static bool hold_right(const team_case *c, const team_arena *a)
{
    return a->cell == (hold_of(c)->shared ? 0 : (uint64_t)a->n * c->processes);
}

static void hold_add_case(const hold_kind *k, const char *kase, unsigned processes)
{
    team_add(&(team_case){.primitive = k->primitive,
                          .kase = kase,
                          .implementation = k->implementation,
                          .processes = processes,
                          .items = processes,
                          .bytes = k->size,
                          .kind = k,
                          .init = hold_init,
                          .destroy = hold_destroy,
                          .attach = hold_attach,
                          .detach = hold_detach,
                          .role = hold_role,
                          .right = hold_right});
}

static void hold_add_readers(const hold_kind *k)
{
    static const char *const kase[] = {"readers1", "readers2", "readers4", "readers8"};
    for (unsigned i = 0; i < 4; i++)
        hold_add_case(k, kase[i], 1u << i);
}

void hold_add(const hold_kind *k)
{
    hold_add_case(k, "uncontended", 1);
    hold_add_case(k, "contended2", 2);
    if (strcmp(k->primitive, "sharable_shared") == 0)
        hold_add_readers(k);
}

/* ---- the file ---- */

static char hold_path[64];

static void hold_remove_file(void)
{
    remove(hold_path);
}

static void hold_make_file(void)
{
    snprintf(hold_path, sizeof hold_path, "/tmp/acre-bench-XXXXXX");
    int fd = mkstemp(hold_path);
    if (fd < 0)
        return;
    close(fd);
    atexit(hold_remove_file);
}

const char *hold_file(void)
{
    if (!*hold_path)
        hold_make_file();
    return hold_path;
}

const char *hold_init_file(const hold_kind *k, void *object)
{
    (void)k, (void)object;
    return access(hold_file(), R_OK | W_OK) ? "no file can be made in /tmp" : NULL;
}

void hold_suite(void)
{
    hold_acre();
    hold_pthread();
    hold_posix();
    hold_boost();
}
