/* SPDX-License-Identifier: MIT */
/* region_memory.c: memory objects (acre/region.h): a descriptor of shared memory or a file, without a format.
 *
 * Killed where?  A new one has no name before it has its size (sync/file.h).  set_size is one system call after
 * the other on the size alone.
 */
#include "segment/internal.h"
#include <acre/region.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MEMORY_PREFIX "acre-" /* not a segment's, so no tool for those finds it */

static const acre_memory_options memory_defaults;

static int memory_locate(acre__file *f, enum acre_source source, const char *name)
{
    *f = ACRE__NO_FILE;
    switch (source) {
    case ACRE_SHM:
        return acre__file_locate_prefixed(f, MEMORY_PREFIX, name);
    case ACRE_FILE:
        return acre__file_locate(f, name);
    default:
        return ENOTSUP;
    }
}

/* The descriptor is the handle's, whatever becomes of the rest of the file. */
static void memory_take(acre_memory *out, acre__file *f, bool read_only)
{
    *out = (acre_memory){.fd = f->fd, .open = true, .read_only = read_only};
    f->fd = -1;
}

/* ---- creating, opening ---- */

static int memory_reserve(int fd, uint64_t size)
{
    if (size > INT64_MAX)
        return EFBIG;
    return size ? acre__file_reserve(fd, size) : 0;
}

static int memory_make(acre__file *f, enum acre_source source, const acre_memory_options *o)
{
    int e;
    if (source == ACRE_MEMFD) {
        f->fd = memfd_create("acre", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        e = f->fd < 0 ? errno : acre__file_mode(f->fd, o->mode);
    } else {
        e = acre__file_create(f, o->mode);
    }
    if (!e)
        e = memory_reserve(f->fd, o->size);
    return e || source == ACRE_MEMFD ? e : acre__file_publish(f);
}

int acre_memory_create(acre_memory *out, enum acre_source source, const char *name,
                       const acre_memory_options *options)
{
    acre__file f = ACRE__NO_FILE;
    int e = source == ACRE_MEMFD ? 0 : memory_locate(&f, source, name);
    if (!e)
        e = memory_make(&f, source, options ? options : &memory_defaults);
    if (!e)
        memory_take(out, &f, false);
    acre__file_close(&f);
    return e;
}

int acre_memory_open(acre_memory *out, enum acre_source source, const char *name,
                     const acre_memory_options *options)
{
    const acre_memory_options *o = options ? options : &memory_defaults;
    acre__file f;
    int e = memory_locate(&f, source, name);
    if (!e)
        e = acre__file_open(&f, o->read_only, o->any_owner);
    if (!e)
        memory_take(out, &f, o->read_only);
    acre__file_close(&f);
    return e;
}

/* A name can vanish between the two steps, and so on: only who loses each race is told ENOENT or EEXIST. */
enum { MEMORY_TURNS = 1000 };

int acre_memory_open_or_create(acre_memory *out, enum acre_source source, const char *name,
                               const acre_memory_options *options, bool *created)
{
    int e = ENOENT;
    for (int turn = 0; turn < MEMORY_TURNS && (e == ENOENT || e == EEXIST); turn++) {
        bool make = turn & 1;
        e = make ? acre_memory_create(out, source, name, options)
                 : acre_memory_open(out, source, name, options);
        if (!e && created)
            *created = make;
    }
    return e;
}

/* What mmap() will ask of the descriptor. */
static int memory_check_access(int fd, bool read_only)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0)
        return errno;
    int access = flags & O_ACCMODE;
    return (flags & O_PATH) || access == O_WRONLY || (access == O_RDONLY && !read_only) ? EACCES
                                                                                        : 0;
}

int acre_memory_wrap(acre_memory *out, int fd, const acre_memory_options *options)
{
    const acre_memory_options *o = options ? options : &memory_defaults;
    acre__file f = ACRE__NO_FILE;
    int e = memory_check_access(fd, o->read_only);
    if (!e)
        e = acre__file_check(fd, o->any_owner);
    if (e)
        return e;
    f.fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    if (f.fd < 0)
        return errno;
    memory_take(out, &f, o->read_only);
    return 0;
}

/* ---- facts, size ---- */

int acre_memory_fd(const acre_memory *m)
{
    return m->open ? m->fd : -1;
}

int acre_memory_size(const acre_memory *m, uint64_t *size)
{
    struct stat st;
    if (fstat(acre_memory_fd(m), &st) != 0)
        return errno;
    *size = (uint64_t)st.st_size;
    return 0;
}

static int memory_cut(int fd, uint64_t size)
{
    while (ftruncate(fd, (off_t)size) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

int acre_memory_set_size(acre_memory *m, uint64_t size)
{
    uint64_t old;
    int e = acre_memory_size(m, &old);
    if (e)
        return e;
    if (m->read_only)
        return EACCES;
    return size < old ? memory_cut(m->fd, size) : memory_reserve(m->fd, size);
}

/* ---- closing, removing ---- */

void acre_memory_close(acre_memory *m)
{
    if (m->open)
        close(m->fd);
    *m = (acre_memory){0};
}

/* Not opened: who may not read it may still remove it. */
static int memory_unlink(const acre__file *f)
{
    struct stat st;
    if (fstatat(f->dir, f->name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return errno;
    if (S_ISLNK(st.st_mode))
        return ELOOP;
    return S_ISREG(st.st_mode) ? acre__file_unlink(f) : ACRE_ETYPE;
}

int acre_memory_remove(enum acre_source source, const char *name)
{
    acre__file f;
    int e = memory_locate(&f, source, name);
    if (!e)
        e = memory_unlink(&f);
    acre__file_close(&f);
    return e;
}
