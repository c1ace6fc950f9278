/* SPDX-License-Identifier: MIT */
/* segment_list.c: `acre segment ls`: yours in shared memory, those without a name that processes have mapped, and
 * those in given folders: how large, how full, who has them mapped. */
#include "cli/cli.h"
#include "cli/segment_tools.h"

#include "sync/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct list {
    segment_mappings mappings;
    segment_view *all;
    size_t n, room;
    int error; /* no memory */
} list;

static segment_view *list_next(list *l)
{
    if (l->n == l->room) {
        size_t room = l->room * 2 + 16;
        segment_view *more = realloc(l->all, room * sizeof *more);
        if (!more)
            return NULL;
        l->all = more;
        l->room = room;
    }
    return &l->all[l->n];
}

/* Locks and queues have the same prefix: they, other users' segments and what has gone meanwhile are not shown. */
static bool list_is_no_segment(int error)
{
    return error > 0 || error == ACRE_EFORMAT || error == ACRE_EOWNER || error == ACRE_ETYPE;
}

/* What fd is, under that name; fd stays the caller's. */
static void list_add(list *l, int fd, const char *name, const char *source)
{
    acre_segment_options look = {.read_only = true, .fd = fd};
    acre_segment *s;
    segment_view *v = list_next(l);
    char *kept = strdup(name);
    int e = v && kept ? acre_segment_open(&s, ACRE_MEMFD, NULL, &look) : ENOMEM;
    if (!v || !kept || list_is_no_segment(e)) {
        l->error |= !v || !kept;
        free(kept);
        return;
    }
    *v = (segment_view){.name = kept,
                        .source = source,
                        .error = e,
                        .parts_error = ENOTSUP,
                        .classes_error = ENOTSUP};
    if (!e)
        segment_look(s, v);
    if (!e)
        acre_segment_close(s);
    segment_look_around(&l->mappings, fd, v);
    l->n++;
}

/* ---- where they are ---- */

static void list_add_file(list *l, int dir, const char *file, const char *name, const char *source)
{
    int fd = openat(dir, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return;
    list_add(l, fd, name, source);
    close(fd);
}

/* The shared memory of acre: NULL as path. */
static int list_add_folder(list *l, const char *path)
{
    const char *where = path ? path : ACRE__SHM_DIR;
    size_t prefix = strlen(ACRE__SHM_PREFIX);
    struct dirent *d;
    char name[4500];
    DIR *dir = opendir(where);
    if (!dir)
        return cli_fail("%s: %s", where, strerror(errno));
    while ((d = readdir(dir))) {
        if (path)
            snprintf(name, sizeof name, "%.4000s/%s", path, d->d_name);
        if (path)
            list_add_file(l, dirfd(dir), d->d_name, name, "file");
        else if (strncmp(d->d_name, ACRE__SHM_PREFIX, prefix) == 0)
            list_add_file(l, dirfd(dir), d->d_name, d->d_name + prefix, "shm");
    }
    closedir(dir);
    return 0;
}

static const char *list_nameless_source(const char *path)
{
    if (strncmp(path, "/memfd:", 7) == 0)
        return "memfd";
    return strncmp(path, "/dev/zero", 9) == 0 ? "anon" : "deleted";
}

/* A file that was made without a name and got one later still looks deleted in /proc. */
static bool list_is_gone(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && st.st_nlink == 0;
}

static void list_add_nameless(list *l, const segment_mapping *m)
{
    char name[4200];
    const char *source = list_nameless_source(m->path);
    int fd = segment_nameless_open(m);
    if (fd < 0 || !list_is_gone(fd)) {
        if (fd >= 0)
            close(fd);
        return;
    }
    if (strcmp(source, "deleted") == 0)
        snprintf(name, sizeof name, "%.4000s", m->path);
    else
        snprintf(name, sizeof name, "(%s %" PRIu64 ")", source, (uint64_t)m->ino);
    list_add(l, fd, name, source);
    close(fd);
}

/* Each once; the mappings are sorted. */
static void list_add_all_nameless(list *l)
{
    const segment_mapping *m = l->mappings.all;
    for (size_t i = 0; i < l->mappings.n; i++)
        if (m[i].nameless && (i == 0 || m[i].ino != m[i - 1].ino || m[i].dev != m[i - 1].dev))
            list_add_nameless(l, &m[i]);
}

/* ---- order ---- */

static int list_by_name(const void *x, const void *y)
{
    const segment_view *a = x, *b = y;
    bool a_last = a->name[0] == '(', b_last = b->name[0] == '('; /* those without a name */
    return a_last != b_last ? a_last - b_last : strcmp(a->name, b->name);
}

static int list_down(uint64_t a, uint64_t b)
{
    return (a < b) - (a > b);
}

static int list_by_size(const void *x, const void *y)
{
    const segment_view *a = x, *b = y;
    return list_down(a->info.size, b->info.size);
}

static int list_by_used(const void *x, const void *y)
{
    return list_down(segment_used(x), segment_used(y));
}

static int list_by_age(const void *x, const void *y)
{
    const segment_view *a = x, *b = y;
    return (a->created > b->created) - (a->created < b->created);
}

typedef int list_order(const void *x, const void *y);

static list_order *list_order_of(const char *key)
{
    static const struct {
        const char *key;
        list_order *order;
    } all[] = {{"name", list_by_name},
               {"size", list_by_size},
               {"used", list_by_used},
               {"age", list_by_age}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (strcmp(all[i].key, key) == 0)
            return all[i].order;
    return NULL;
}

/* ---- lines ---- */

static int list_width(const list *l)
{
    size_t width = 4;
    for (size_t i = 0; i < l->n; i++)
        width = strlen(l->all[i].name) > width ? strlen(l->all[i].name) : width;
    return width < 40 ? (int)width : 40;
}

static const char *list_trouble(const segment_view *v)
{
    if (v->stats_error)
        return acre_strerror(v->stats_error);
    return v->s.exact ? "" : "busy";
}

static void list_print_line(const segment_view *v, int width)
{
    char pids[40];
    segment_pids(&v->attached, pids, sizeof pids);
    const char *trouble = v->error ? "" : list_trouble(v), *life = segment_life(&v->attached);
    if (v->error)
        printf("%-*s %8s %8s %8s %-16s %6s  %-14s %s, damaged: %s\n", width, v->name, "?", "?", "?",
               "?", segment_age(v->created).text, pids, life, acre_strerror(v->error));
    else
        printf("%-*s %8s %8s %8s %-16s %6s  %-14s %s%s%s\n", width, v->name,
               segment_human(v->info.size).text, segment_human(segment_used(v)).text,
               segment_human(v->info.capacity).text, v->info.algorithm,
               segment_age(v->created).text, pids, life, *trouble ? ", " : "", trouble);
}

static void list_print(const list *l, bool json)
{
    int width = list_width(l);
    if (!json)
        printf("%-*s %8s %8s %8s %-16s %6s  %-14s %s\n", width, "NAME", "SIZE", "USED", "CAPACITY",
               "ALGORITHM", "AGE", "ATTACHED", "STATE");
    for (size_t i = 0; i < l->n; i++)
        if (json)
            segment_print_json(&l->all[i]);
        else
            list_print_line(&l->all[i], width);
}

static void list_free(list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free((char *)(uintptr_t)l->all[i].name);
    free(l->all);
    segment_mappings_free(&l->mappings);
}

static int list_collect(list *l, const segment_args *a)
{
    int worst = 0;
    for (int i = 0; i < a->n; i++)
        worst |= list_add_folder(l, a->names[i]);
    if (a->n == 0) {
        worst = list_add_folder(l, NULL);
        list_add_all_nameless(l);
    }
    return l->error ? cli_fail("%s", strerror(ENOMEM)) : worst;
}

int segment_ls(const segment_args *a)
{
    list l = {0};
    list_order *order = list_order_of(a->sort ? a->sort : "name");
    if (!order)
        return cli_fail("segment ls: no such order: %s (name, size, used, age)", a->sort);
    int e = segment_mappings_read(&l.mappings);
    int status = e ? cli_fail("/proc: %s", strerror(e)) : list_collect(&l, a);
    if (l.n)
        qsort(l.all, l.n, sizeof *l.all, order);
    if (!e)
        list_print(&l, a->json);
    list_free(&l);
    return status;
}
