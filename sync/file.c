/* SPDX-License-Identifier: MIT */
/* file.c: names, and files that are made without one (O_TMPFILE), filled, and then linked to their
 * name, which fails if the name exists.  Where a file system cannot do that, a file gets a
 * temporary name first. */
#include "sync/file.h"

#include <acre/base.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- names ---- */

static int file_check_name(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || name[0] == '.' || strchr(name, '/'))
        return ACRE_ENAME;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 127)
            return ACRE_ENAME;
    return n > 200 ? ENAMETOOLONG : 0;
}

static int file_open_dir(acre__file *f, const char *path)
{
    f->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f->dir < 0 ? errno : 0;
}

int acre__file_locate_prefixed(acre__file *f, const char *prefix, const char *name)
{
    *f = ACRE__NO_FILE;
    int e = name ? file_check_name(name) : ACRE_ENAME;
    if (e)
        return e;
    snprintf(f->name, sizeof f->name, "%s%s", prefix, name);
    return file_open_dir(f, ACRE__SHM_DIR);
}

int acre__file_locate_shm(acre__file *f, const char *name)
{
    return acre__file_locate_prefixed(f, ACRE__SHM_PREFIX, name);
}

int acre__file_locate(acre__file *f, const char *path)
{
    char dir[4096];
    *f = ACRE__NO_FILE;
    if (!path)
        return ACRE_ENAME;
    const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (!*last || !strcmp(last, ".") || !strcmp(last, ".."))
        return ACRE_ENAME;
    if (strlen(last) >= sizeof f->name || n + 2 > sizeof dir)
        return ENAMETOOLONG;
    strcpy(f->name, last);
    snprintf(dir, sizeof dir, "%.*s", (int)(n ? n : 1), !slash ? "." : n ? path : "/");
    return file_open_dir(f, dir);
}

/* ---- creating ---- */

static int file_temporary(acre__file *f)
{
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return EIO;
    snprintf(f->temp, sizeof f->temp, ".acre-new-%016llx", (unsigned long long)random);
    f->fd = openat(f->dir, f->temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return f->fd < 0 ? errno : 0;
}

static int file_unnamed(acre__file *f)
{
    f->fd = openat(f->dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (f->fd >= 0)
        return 0;
    return errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL ? file_temporary(f) : errno;
}

/* A name that is taken is found out early, before memory is reserved; the link decides. */
static bool file_taken(const acre__file *f)
{
    struct stat st;
    return fstatat(f->dir, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int acre__file_mode(int fd, mode_t mode)
{
    return fchmod(fd, mode ? mode : 0600) ? errno : 0;
}

int acre__file_create(acre__file *f, mode_t mode)
{
    if (file_taken(f))
        return EEXIST;
    int e = file_unnamed(f);
    return e ? e : acre__file_mode(f->fd, mode);
}

int acre__file_within_limit(size_t size)
{
    struct rlimit limit;
    bool beyond = getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur;
    return beyond ? EFBIG : 0;
}

int acre__file_lengthen(int fd, size_t size)
{
    int e = acre__file_within_limit(size);
    if (!e && ftruncate(fd, (off_t)size) != 0)
        e = errno;
    return e;
}

enum { FILE_PIECE = 64 << 20, FILE_PIECE_MIN = 4 << 10 }; /* bytes */

/* A signal undoes what an older tmpfs has done in one call: where signals come faster than memory is cleared, only smaller
 * pieces get on. */
static int file_reserve_pieces(int fd, size_t size)
{
    size_t piece = FILE_PIECE;
    for (size_t at = 0, n; at < size;) {
        n = size - at < piece ? size - at : piece;
        int e = posix_fallocate(fd, (off_t)at, (off_t)n);
        if (e && e != EINTR)
            return e;
        if (!e)
            at += n;
        if (e ? piece > FILE_PIECE_MIN : piece < FILE_PIECE)
            piece = e ? piece / 2 : piece * 2;
    }
    return 0;
}

/* Killed between pieces: the file is longer, or has more memory, than anybody says, which is harmless. */
int acre__file_reserve(int fd, size_t size)
{
    struct stat st;
    int e = acre__file_within_limit(size);
    if (e)
        return e;
    if (fstat(fd, &st) != 0)
        return errno;
    e = file_reserve_pieces(fd, size);
    while (e && (size_t)st.st_size < size && ftruncate(fd, st.st_size) != 0 && errno == EINTR)
        ;
    return e;
}

/* By its descriptor where that is allowed, else by what /proc shows of it. */
int acre__file_publish(acre__file *f)
{
    char proc[64];
    if (f->temp[0])
        return linkat(f->dir, f->temp, f->dir, f->name, 0) ? errno : 0;
    if (linkat(f->fd, "", f->dir, f->name, AT_EMPTY_PATH) == 0)
        return 0;
    if (errno == EEXIST)
        return EEXIST;
    snprintf(proc, sizeof proc, "/proc/self/fd/%d", f->fd);
    return linkat(AT_FDCWD, proc, f->dir, f->name, AT_SYMLINK_FOLLOW) ? errno : 0;
}

/* ---- opening, removing, closing ---- */

int acre__file_check(int fd, bool any_owner)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return ACRE_ETYPE;
    return st.st_uid != geteuid() && !any_owner ? ACRE_EOWNER : 0;
}

/* O_NONBLOCK: do not hang on a FIFO. */
int acre__file_open(acre__file *f, bool read_only, bool any_owner)
{
    int flags = (read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    f->fd = openat(f->dir, f->name, flags);
    if (f->fd < 0)
        return errno == EISDIR || errno == ENXIO ? ACRE_ETYPE : errno;
    return acre__file_check(f->fd, any_owner);
}

/* EPERM: another's file in a sticky directory. */
int acre__file_unlink(const acre__file *f)
{
    if (unlinkat(f->dir, f->name, 0) == 0)
        return 0;
    return errno == EPERM ? EACCES : errno;
}

void acre__file_close(acre__file *f)
{
    if (f->temp[0])
        unlinkat(f->dir, f->temp, 0);
    if (f->dir >= 0)
        close(f->dir);
    if (f->fd >= 0)
        close(f->fd);
    *f = ACRE__NO_FILE;
}
