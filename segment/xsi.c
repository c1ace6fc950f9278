/* SPDX-License-Identifier: MIT */
/* xsi.c: System V shared memory, which is found by a number (svipc(7)).
 *
 *    shmget ──▶ attached ──▶ populated ──▶ filled ──▶ magic
 *       '── others find it from here on ──────'         '── and open it from here on
 *
 * It cannot be made without its name.  So whoever finds it without magic waits for a second, at most.  Killed
 * before the magic: it stays, and nobody has it attached; then it is none (ACRE_EFORMAT), and may be removed.
 */
#include "segment/internal.h"
#include "sync/atomic.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <time.h>
#include <unistd.h>

enum { XSI_LOOKS = 1000, XSI_PAUSE = 1000000 }; /* ns */

/* "0x1234abcd", or decimal digits; 0 is IPC_PRIVATE, no name. */
static int xsi_key(const char *name, key_t *key)
{
    char *end;
    bool hex = name && name[0] == '0' && (name[1] == 'x' || name[1] == 'X');
    const char *digits = !name ? "" : hex ? name + 2 : name;
    if (!*digits || strspn(digits, hex ? "0123456789abcdefABCDEF" : "0123456789") != strlen(digits))
        return ACRE_ENAME;
    errno = 0;
    unsigned long value = strtoul(digits, &end, hex ? 16 : 10);
    if (errno || value == 0 || value > UINT32_MAX)
        return ACRE_ENAME;
    *key = (key_t)(uint32_t)value;
    return 0;
}

static int xsi_gone(int e)
{
    return e == EIDRM ? ENOENT : e;
}

/* ---- memory ---- */

/* Whole; EINVAL with an id that is one means that something is there already. */
static int xsi_attach(acre_segment *s, size_t size)
{
    void *p = shmat(s->xsi, s->address, s->read_only ? SHM_RDONLY : 0);
    if (p == (void *)-1)
        return errno == EINVAL && s->address ? EBUSY : errno == EINVAL ? ENOENT : xsi_gone(errno);
    s->base = p;
    s->window = size;
    s->page = (size_t)sysconf(_SC_PAGESIZE);
    acre__pages_advise(s);
    return 0;
}

/* ---- creating ---- */

static int xsi_make(acre_segment *s, key_t key, mode_t mode, size_t size)
{
    s->xsi = shmget(key, size, IPC_CREAT | IPC_EXCL | (int)(mode ? mode : 0600));
    if (s->xsi >= 0)
        return 0;
    return errno == EINVAL ? ENOSPC : errno; /* more than the system's limit for one */
}

void acre__xsi_undo(const acre_segment *s)
{
    if (s->xsi >= 0)
        shmctl(s->xsi, IPC_RMID, NULL);
}

int acre__xsi_create(acre_segment *s, const char *name, mode_t mode, size_t size)
{
    key_t key = IPC_PRIVATE;
    int e = name ? xsi_key(name, &key) : 0;
    if (!e && (mode & ~(mode_t)0777))
        e = EINVAL;
    if (!e)
        e = xsi_make(s, key, mode, size);
    if (!e)
        e = xsi_attach(s, size);
    return e ? e : acre__pages_populate(s, 0, size);
}

/* ---- opening ---- */

static int xsi_find(const char *name, int id, int *found)
{
    key_t key;
    if (!name) {
        *found = id;
        return 0;
    }
    int e = xsi_key(name, &key);
    if (e)
        return e;
    *found = shmget(key, 0, 0);
    return *found < 0 ? errno : 0;
}

static int xsi_status(int id, struct shmid_ds *d)
{
    if (shmctl(id, IPC_STAT, d) == 0)
        return 0;
    return errno == EINVAL ? ENOENT : xsi_gone(errno);
}

/* A second for its creator, who has it attached if alive. */
static int xsi_wait(const acre_segment *s)
{
    const struct timespec pause = {.tv_nsec = XSI_PAUSE};
    uint64_t *magic = &segment_header_of(s)->magic;
    struct shmid_ds d;
    for (int look = 0; acre__load(magic) == 0; look++) {
        int e = xsi_status(s->xsi, &d);
        if (e)
            return e;
        if (look == XSI_LOOKS)
            return d.shm_nattch > 1 ? EAGAIN : ACRE_EFORMAT;
        nanosleep(&pause, NULL);
    }
    return acre__load(magic) == SEGMENT_MAGIC ? 0 : ACRE_EFORMAT;
}

static int xsi_check(const struct shmid_ds *d, bool any_owner)
{
    if (d->shm_perm.uid != geteuid() && !any_owner)
        return ACRE_EOWNER;
    return d->shm_segsz < sizeof(segment_header) ? ACRE_EFORMAT : 0;
}

int acre__xsi_open(acre_segment *s, const char *name, const acre_segment_options *o,
                   segment_header *copy)
{
    struct shmid_ds d;
    int e = xsi_find(name, o->xsi_id, &s->xsi);
    if (!e)
        e = xsi_status(s->xsi, &d);
    if (!e)
        e = xsi_check(&d, o->any_owner);
    if (!e)
        e = xsi_attach(s, d.shm_segsz);
    if (!e)
        e = xsi_wait(s);
    if (!e)
        memcpy(copy, s->base, sizeof *copy);
    return e;
}

/* ---- removing ---- */

/* A segment, or what a creator that died has left: nobody has that attached, and it is the caller's. */
static int xsi_removable(int id, const struct shmid_ds *d)
{
    const uint64_t *magic =
        d->shm_segsz < sizeof(segment_header) ? (void *)-1 : shmat(id, NULL, SHM_RDONLY);
    if (magic == (void *)-1)
        return d->shm_segsz < sizeof(segment_header) ? ACRE_EFORMAT : xsi_gone(errno);
    uint64_t found = acre__load(magic);
    shmdt(magic);
    if (found == SEGMENT_MAGIC)
        return 0;
    if (found || d->shm_perm.uid != geteuid())
        return ACRE_EFORMAT;
    return d->shm_nattch ? EBUSY : 0;
}

int acre__xsi_remove(const char *name)
{
    struct shmid_ds d;
    int id, e = name ? xsi_find(name, -1, &id) : ACRE_ENAME;
    if (!e)
        e = xsi_status(id, &d);
    if (!e)
        e = xsi_removable(id, &d);
    if (e || shmctl(id, IPC_RMID, NULL) == 0)
        return e;
    return errno == EPERM ? EACCES : errno == EINVAL ? ENOENT : xsi_gone(errno);
}

int acre_segment_xsi_id(const acre_segment *s)
{
    return s->xsi;
}
