/* SPDX-License-Identifier: MIT */
/* object.c: making, opening, closing, removing the files of object.h. */
#include "sync/object.h"
#include "sync/self.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- the header ---- */

/* FNV-1a (Fowler, Noll, Vo), 64 bits: enough against damage, not against intent. */
static uint64_t object_hash(const void *data, size_t n)
{
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325u;
    while (n--)
        h = (h ^ *p++) * 0x100000001b3u;
    return h;
}

/* What two builds must have alike to share an object.  (Each kind's own version is in its tag.) */
static uint64_t object_layout_hash(void)
{
    const uint64_t facts[] = {sizeof(acre__object_header), sizeof(acre_cell),
                              offsetof(acre_cell, next),   sizeof(acre__rw),
                              sizeof(acre__reader),        sizeof(acre_condition),
                              sizeof(acre_semaphore),      sizeof(acre_permits),
                              sizeof(acre_barrier),        sizeof(void *)};
    return object_hash(facts, sizeof facts);
}

static uint64_t object_checksum(const acre__object_header *h)
{
    return object_hash(h, offsetof(acre__object_header, checksum));
}

static void object_write(acre__object_header *h, const acre__object_plan *plan)
{
    *h = (acre__object_header){
        .magic = ACRE__OBJECT_MAGIC,
        .format = ACRE__OBJECT_FORMAT,
        .header_size = ACRE__OBJECT_HEADER,
        .layout_hash = object_layout_hash(),
        .kind = plan->kind,
        .count = plan->count,
        .size = plan->size + ACRE__OBJECT_HEADER,
        .created = (uint64_t)time(NULL),
    };
    h->checksum = object_checksum(h);
}

/* The checksum last of what does not depend on the layout: another format may have it elsewhere. */
static int object_check_header(const acre__object_header *h, uint64_t room)
{
    if (h->format != ACRE__OBJECT_FORMAT || h->header_size != ACRE__OBJECT_HEADER)
        return ACRE_ELAYOUT;
    if (h->checksum != object_checksum(h) || h->size < ACRE__OBJECT_HEADER)
        return ACRE_ECORRUPT;
    if (h->layout_hash != object_layout_hash())
        return ACRE_ELAYOUT;
    return h->size > room ? ACRE_ETRUNCATED : 0;
}

int acre__object_check(int fd, acre__object_header *copy)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return errno;
    ssize_t n = pread(fd, copy, sizeof *copy, 0);
    if (n < 0)
        return errno;
    if (n < (ssize_t)sizeof copy->magic || copy->magic != ACRE__OBJECT_MAGIC)
        return ACRE_EOBJECT;
    return n < (ssize_t)sizeof *copy ? ACRE_ETRUNCATED
                                     : object_check_header(copy, (uint64_t)st.st_size);
}

/* ---- mapping ---- */

static int object_map(acre__mapping *m, int fd, size_t size, bool read_only)
{
    int protection = read_only ? PROT_READ : PROT_READ | PROT_WRITE;
    void *base = mmap(NULL, size, protection, MAP_SHARED, fd, 0);
    if (base == MAP_FAILED)
        return errno;
    m->header = base;
    m->size = size;
    return 0;
}

static void object_unmap(acre__mapping *m)
{
    if (m->header)
        munmap(m->header, m->size);
    *m = (acre__mapping){0};
}

int acre__object_close(acre__mapping *m)
{
    if (acre__self_holds_in(m->header, m->size))
        return EBUSY;
    object_unmap(m);
    return 0;
}

/* ---- creating ---- */

static int object_check_plan(const acre__object_plan *plan)
{
    bool sane = plan->size <= PTRDIFF_MAX - ACRE__OBJECT_HEADER && !(plan->mode & ~(mode_t)0777);
    return sane ? 0 : EINVAL;
}

/* The object first: the header says that it is one. */
static int object_fill(acre__mapping *m, const acre__object_plan *plan)
{
    int e = plan->init(acre__object_of(m), plan->arg);
    if (e)
        return e;
    object_write(m->header, plan);
    m->count = plan->count;
    return 0;
}

static int object_build(acre__mapping *m, acre__file *f, const acre__object_plan *plan)
{
    size_t size = plan->size + ACRE__OBJECT_HEADER;
    int e = acre__file_create(f, plan->mode);
    if (!e)
        e = acre__file_reserve(f->fd, size);
    if (!e)
        e = object_map(m, f->fd, size, false);
    if (!e)
        e = object_fill(m, plan);
    return e ? e : acre__file_publish(f);
}

int acre__object_create(acre__mapping *out, const char *name, const acre__object_plan *plan)
{
    acre__mapping m = {0};
    acre__file f;
    int e = object_check_plan(plan);
    if (e)
        return e;
    e = acre__file_locate_shm(&f, name);
    if (!e)
        e = object_build(&m, &f, plan);
    acre__file_close(&f);
    if (e)
        object_unmap(&m);
    else
        *out = m;
    return e;
}

/* ---- opening ---- */

static int object_adopt(acre__mapping *out, int fd, const acre__object_wish *wish)
{
    acre__object_header copy;
    acre__mapping m = {0};
    int e = acre__object_check(fd, &copy);
    if (!e && wish->kind && copy.kind != wish->kind)
        e = ACRE_EOBJECT;
    if (!e)
        e = object_map(&m, fd, copy.size, wish->read_only);
    if (e)
        return e;
    m.count = copy.count;
    *out = m;
    return 0;
}

int acre__object_open(acre__mapping *out, const char *name, const acre__object_wish *wish)
{
    acre__file f;
    int e = acre__file_locate_shm(&f, name);
    if (!e)
        e = acre__file_open(&f, wish->read_only, wish->any_owner);
    if (!e)
        e = object_adopt(out, f.fd, wish);
    acre__file_close(&f);
    return e;
}

/* A name can vanish between the two steps, so take turns a few times. */
/* Others may create and remove it all the time; only who loses each race is told EEXIST or ENOENT. */
enum { OBJECT_TURNS = 2000 };

int acre__object_open_or_create(acre__mapping *out, const char *name, const acre__object_plan *plan,
                                const acre__object_wish *wish, bool *created)
{
    int e = ENOENT;
    for (int turn = 0; turn < OBJECT_TURNS && (e == ENOENT || e == EEXIST); turn++) {
        bool make = turn & 1;
        e = make ? acre__object_create(out, name, plan) : acre__object_open(out, name, wish);
        if (!e && created)
            *created = make;
    }
    return e;
}

/* ---- removing ---- */

/* A damaged object is still one of acre's: its magic says so. */
static int object_check_ours(int fd)
{
    acre__object_header copy;
    int e = acre__object_check(fd, &copy);
    return e == ACRE_ELAYOUT || e == ACRE_ECORRUPT || e == ACRE_ETRUNCATED ? 0 : e;
}

int acre__object_remove(const char *name)
{
    acre__file f;
    int e = acre__file_locate_shm(&f, name);
    if (!e)
        e = acre__file_open(&f, true, true);
    if (!e)
        e = object_check_ours(f.fd);
    if (!e)
        e = acre__file_unlink(&f);
    acre__file_close(&f);
    return e;
}
