/* SPDX-License-Identifier: MIT */
/* segment_attached.c: which processes have a segment mapped, as /proc/PID/maps tells, by device and inode.
 * Processes of others can be asked by root only; those that could not be are counted. */
#include "cli/segment_tools.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* ---- reading ---- */

static int attached_add(segment_mappings *m, const segment_mapping *one, const char *path)
{
    if (m->n == m->room) {
        size_t room = m->room * 2 + 64;
        segment_mapping *more = realloc(m->all, room * sizeof *more);
        if (!more)
            return ENOMEM;
        m->all = more;
        m->room = room;
    }
    m->all[m->n] = *one;
    m->all[m->n].path = strdup(path);
    return m->all[m->n++].path ? 0 : ENOMEM;
}

static bool attached_is_nameless(const char *path)
{
    static const char gone[] = " (deleted)";
    size_t n = strlen(path), g = sizeof gone - 1;
    return n > g && strcmp(path + n - g, gone) == 0;
}

/* A line of /proc/PID/maps, if it is a shared mapping of a file. */
static int attached_line(segment_mappings *m, pid_t pid, char *line)
{
    segment_mapping one = {.pid = pid};
    unsigned major_number, minor_number;
    unsigned long inode;
    char mode[8];
    int path = 0;
    line[strcspn(line, "\n")] = '\0';
    int got = sscanf(line, "%39s %7s %*s %x:%x %lu %n", one.range, mode, &major_number,
                     &minor_number, &inode, &path);
    if (got < 5 || mode[3] != 's' || inode == 0 || !path)
        return 0;
    one.dev = makedev(major_number, minor_number);
    one.ino = inode;
    one.nameless = attached_is_nameless(line + path);
    return attached_add(m, &one, line + path);
}

static int attached_process(segment_mappings *m, pid_t pid)
{
    char path[64], *line = NULL;
    size_t room = 0;
    int e = 0;
    snprintf(path, sizeof path, "/proc/%d/maps", (int)pid);
    FILE *f = fopen(path, "re");
    m->unread += !f && (errno == EACCES || errno == EPERM);
    if (!f)
        return 0;
    while (!e && getline(&line, &room, f) > 0)
        e = attached_line(m, pid, line);
    m->unread += ferror(f) && (errno == EACCES || errno == EPERM); /* others: it has ended meanwhile */
    free(line);
    fclose(f);
    return e;
}

static int attached_compare(const void *x, const void *y)
{
    const segment_mapping *a = x, *b = y;
    if (a->dev != b->dev)
        return a->dev < b->dev ? -1 : 1;
    if (a->ino != b->ino)
        return a->ino < b->ino ? -1 : 1;
    return (a->pid > b->pid) - (a->pid < b->pid);
}

/* One that is mapped in parts, or twice, is there once. */
static void attached_sort(segment_mappings *m)
{
    size_t kept = 0;
    if (m->n)
        qsort(m->all, m->n, sizeof *m->all, attached_compare);
    for (size_t i = 0; i < m->n; i++)
        if (kept && attached_compare(&m->all[kept - 1], &m->all[i]) == 0)
            free(m->all[i].path);
        else
            m->all[kept++] = m->all[i];
    m->n = kept;
}

int segment_mappings_read(segment_mappings *m)
{
    struct dirent *d;
    int e = 0;
    *m = (segment_mappings){0};
    DIR *proc = opendir("/proc");
    if (!proc)
        return errno;
    while (!e && (d = readdir(proc)))
        if (isdigit((unsigned char)d->d_name[0]))
            e = attached_process(m, (pid_t)atoi(d->d_name));
    closedir(proc);
    attached_sort(m);
    return e;
}

void segment_mappings_free(segment_mappings *m)
{
    for (size_t i = 0; i < m->n; i++)
        free(m->all[i].path);
    free(m->all);
}

/* ---- asking ---- */

void segment_attached_to(const segment_mappings *m, const struct stat *st, segment_attached *a)
{
    a->n = 0;
    a->unread = st->st_mode & (S_IRWXG | S_IRWXO) ? m->unread : 0;
    for (size_t i = 0; i < m->n; i++) {
        const segment_mapping *one = &m->all[i];
        if (one->dev != st->st_dev || one->ino != st->st_ino || one->pid == getpid())
            continue;
        if (a->n < SEGMENT_PIDS)
            a->pid[a->n] = one->pid;
        a->n++;
    }
}

const char *segment_life(const segment_attached *a)
{
    if (a->n)
        return "live";
    return a->unread ? "unknown" : "stale";
}

void segment_pids(const segment_attached *a, char *text, size_t room)
{
    size_t at = (size_t)snprintf(text, room, "%s", a->n ? "" : a->unread ? "?" : "-");
    for (size_t i = 0; i < a->n; i++) {
        if (i == SEGMENT_PIDS || at + 24 > room) {
            snprintf(text + at, room - at, " +%zu", a->n - i);
            return;
        }
        at += (size_t)snprintf(text + at, room - at, "%s%d", i ? "," : "", (int)a->pid[i]);
    }
}

/* ---- what has no name ---- */

static int attached_try(const segment_mapping *m, const char *path)
{
    struct stat st;
    if (stat(path, &st) != 0 || st.st_dev != m->dev || st.st_ino != m->ino || !S_ISREG(st.st_mode))
        return -1;
    return open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
}

/* By a descriptor that the process has; without one by its mapping, which only root may. */
int segment_nameless_open(const segment_mapping *m)
{
    char path[320];
    struct dirent *d;
    int fd = -1;
    snprintf(path, sizeof path, "/proc/%d/fd", (int)m->pid);
    DIR *dir = opendir(path);
    while (dir && fd < 0 && (d = readdir(dir))) {
        snprintf(path, sizeof path, "/proc/%d/fd/%.255s", (int)m->pid, d->d_name);
        fd = isdigit((unsigned char)d->d_name[0]) ? attached_try(m, path) : -1;
    }
    if (dir)
        closedir(dir);
    snprintf(path, sizeof path, "/proc/%d/map_files/%s", (int)m->pid, m->range);
    return fd < 0 ? attached_try(m, path) : fd;
}
