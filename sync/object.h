/* SPDX-License-Identifier: MIT */
/* object.h: objects that have a file of their own in /dev/shm: what named locks and named queues
 * have in common.
 *
 * An object is initialised before its file has a name (file.h), so nobody sees a half-made one, and
 * nobody ever waits for a creator.  Killed where?
 *
 *    create    before the link: nothing is left   after it: a whole object
 *    open      nothing: opening writes nothing
 *    close     nothing: as closed
 *    remove    the name is there, or gone
 */
#ifndef ACRE_SYNC_OBJECT_H
#define ACRE_SYNC_OBJECT_H

#include "sync/file.h"
#include "sync/layout.h"

/* What to make. */
typedef struct acre__object_plan {
    uint32_t kind, count;
    size_t size; /* of the object */
    mode_t mode; /* 0: 0600 */
    int (*init)(void *object, const void *arg);
    const void *arg;
} acre__object_plan;

/* What to accept. */
typedef struct acre__object_wish {
    uint32_t kind; /* 0: any */
    bool any_owner, read_only;
} acre__object_wish;

/* Where this process has it.  Size and count are the header's when it was checked. */
typedef struct acre__mapping {
    acre__object_header *header; /* NULL: nowhere */
    size_t size;                 /* header and object */
    uint32_t count;
} acre__mapping;

/* The object, 64-aligned, and its bytes. */
static inline void *acre__object_of(const acre__mapping *m)
{
    return m->header + 1;
}

static inline size_t acre__object_room(const acre__mapping *m)
{
    return m->size - ACRE__OBJECT_HEADER;
}

/* EEXIST, EACCES, ENOSPC, EFBIG, ENFILE, EMFILE, ENOMEM, ENAMETOOLONG, ACRE_ENAME, EINVAL (mode,
 * size), and what plan->init returns. */
int acre__object_create(acre__mapping *out, const char *name, const acre__object_plan *plan);

/* ENOENT, EACCES, ELOOP, ACRE_ETYPE, ACRE_EOWNER, and those of acre__object_check(); ACRE_EOBJECT
 * also if it is of another kind. */
int acre__object_open(acre__mapping *out, const char *name, const acre__object_wish *wish);

/* Exactly one of several callers creates; *created (may be NULL) tells. */
int acre__object_open_or_create(acre__mapping *out, const char *name, const acre__object_plan *plan,
                                const acre__object_wish *wish, bool *created);

/* Unmap.  EBUSY: this thread holds a cell in it. */
int acre__object_close(acre__mapping *m);

/* Take the name away.  ENOENT, EACCES, ACRE_EOBJECT: not acre's, left alone. */
int acre__object_remove(const char *name);

/* Copy the header of a file and check the copy: ACRE_EOBJECT (not acre's), ACRE_ELAYOUT,
 * ACRE_ECORRUPT, ACRE_ETRUNCATED. */
int acre__object_check(int fd, acre__object_header *copy);

#endif
