/* SPDX-License-Identifier: MIT */
/* source.c: where a segment's memory comes from: names, descriptors, reservation, mapping.
 *
 * Creation: the file is made without a name (O_TMPFILE), filled, and then linked to its name, which
 * fails if the name exists.  Where a file system cannot do that, it gets a temporary name first.
 */
#include "segment/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define SOURCE_SHM_DIR "/dev/shm"
#define SOURCE_SHM_PREFIX "acre."

bool acre__source_has_file(enum acre_source source)
{
    return source == ACRE_SHM || source == ACRE_FILE || source == ACRE_MEMFD;
}

/* ---- names ---- */

static int source_check_name(const char *name)
{
    size_t n = strlen(name);
    if (n == 0 || name[0] == '.' || strchr(name, '/'))
        return ACRE_ENAME;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < ' ' || name[i] == 127)
            return ACRE_ENAME;
    return n > 200 ? ENAMETOOLONG : 0;
}

static int source_open_dir(segment_file *f, const char *path)
{
    f->dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return f->dir < 0 ? errno : 0;
}

static int source_locate_shm(segment_file *f, const char *name)
{
    int e = source_check_name(name);
    if (e)
        return e;
    snprintf(f->name, sizeof f->name, SOURCE_SHM_PREFIX "%s", name);
    return source_open_dir(f, SOURCE_SHM_DIR);
}

static int source_locate_file(segment_file *f, const char *path)
{
    char dir[4096];
    const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
    size_t n = slash ? (size_t)(slash - path) : 0;
    if (!*last || !strcmp(last, ".") || !strcmp(last, ".."))
        return ACRE_ENAME;
    if (strlen(last) >= sizeof f->name || n + 2 > sizeof dir)
        return ENAMETOOLONG;
    strcpy(f->name, last);
    snprintf(dir, sizeof dir, "%.*s", (int)(n ? n : 1), !slash ? "." : n ? path : "/");
    return source_open_dir(f, dir);
}

int acre__source_locate(segment_file *f, enum acre_source source, const char *name)
{
    *f = (segment_file){.fd = -1, .dir = -1};
    if (source == ACRE_MEMFD)
        return 0;
    if (!name)
        return ACRE_ENAME;
    return source == ACRE_SHM ? source_locate_shm(f, name) : source_locate_file(f, name);
}

/* ---- creating ---- */

static int source_temporary(segment_file *f)
{
    uint64_t random;
    if (getrandom(&random, sizeof random, 0) != sizeof random)
        return EIO;
    snprintf(f->temp, sizeof f->temp, ".acre-new-%016llx", (unsigned long long)random);
    f->fd = openat(f->dir, f->temp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    return f->fd < 0 ? errno : 0;
}

static int source_unnamed(segment_file *f)
{
    f->fd = openat(f->dir, ".", O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (f->fd >= 0)
        return 0;
    return errno == EOPNOTSUPP || errno == EISDIR || errno == EINVAL ? source_temporary(f) : errno;
}

static int source_memfd(segment_file *f)
{
    f->fd = memfd_create("acre", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return f->fd < 0 ? errno : 0;
}

/* A name that is taken is found out early, before memory is reserved; the link decides. */
static bool source_taken(const segment_file *f)
{
    struct stat st;
    return fstatat(f->dir, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

int acre__source_create(segment_file *f, enum acre_source source, mode_t mode)
{
    if (source != ACRE_MEMFD && source_taken(f))
        return EEXIST;
    int e = source == ACRE_MEMFD ? source_memfd(f) : source_unnamed(f);
    if (!e && fchmod(f->fd, mode ? mode : 0600) != 0) /* exact, whatever the umask */
        e = errno;
    return e;
}

static int source_link(const segment_file *f)
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

int acre__source_publish(segment_file *f)
{
    return f->dir < 0 ? 0 : source_link(f);
}

void acre__source_close(segment_file *f)
{
    if (f->temp[0])
        unlinkat(f->dir, f->temp, 0);
    if (f->dir >= 0)
        close(f->dir);
    if (f->fd >= 0)
        close(f->fd);
    *f = (segment_file){.fd = -1, .dir = -1};
}

/* ---- opening ---- */

static int source_check_file(int fd, const acre_segment_options *o)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return ACRE_ETYPE;
    return st.st_uid != geteuid() && !o->any_owner ? ACRE_EOWNER : 0;
}

/* O_NONBLOCK: do not hang on a FIFO. */
int acre__source_open(segment_file *f, enum acre_source source, const acre_segment_options *o)
{
    int flags = (o->read_only ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;
    f->fd = source == ACRE_MEMFD ? fcntl(o->fd, F_DUPFD_CLOEXEC, 3) : openat(f->dir, f->name, flags);
    if (f->fd < 0)
        return errno == EISDIR || errno == ENXIO ? ACRE_ETYPE : errno;
    return source_check_file(f->fd, o);
}

/* ---- memory ---- */

/* Beyond RLIMIT_FSIZE the kernel would send SIGXFSZ, which kills by default. */
static bool source_beyond_limit(size_t size)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
           size > limit.rlim_cur;
}

int acre__source_reserve(int fd, size_t size)
{
    int e;
    if (source_beyond_limit(size))
        return EFBIG;
    do
        e = posix_fallocate(fd, 0, (off_t)size);
    while (e == EINTR);
    return e;
}

static void *source_mmap(const acre_segment *s, size_t n)
{
    int protection = s->read_only ? PROT_READ : PROT_READ | PROT_WRITE;
    int flags = MAP_NORESERVE | (s->source == ACRE_HEAP ? MAP_PRIVATE : MAP_SHARED) |
                (s->fd < 0 ? MAP_ANONYMOUS : 0);
    return mmap(NULL, n, protection, flags, s->fd, 0);
}

/* RLIMIT_AS counts address space that is only kept; then take the next smaller power of two. */
int acre__source_map(acre_segment *s, size_t size, size_t capacity)
{
    size_t window = capacity;
    void *base;
    while ((base = source_mmap(s, window)) == MAP_FAILED && errno == ENOMEM && window > size) {
        size_t half = (size_t)1 << (63 - __builtin_clzll(window - 1));
        window = half > size ? half : size;
    }
    if (base == MAP_FAILED)
        return errno;
    s->base = base;
    s->window = window;
    return 0;
}
