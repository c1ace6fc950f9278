/* SPDX-License-Identifier: MIT */
/* What the files of `acre sync` share: one object of /dev/shm as somebody sees it who takes no
 * part. */
#ifndef ACRE_SYNC_TOOLS_H
#define ACRE_SYNC_TOOLS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* What an object is doing at some moment. */
typedef struct sync_state {
    const char *word;             /* "free", "held", "owner dead", … */
    uint32_t owner;               /* thread id, in its own pid namespace; 0: none */
    int64_t readers, count, most; /* -1: has no such thing */
    bool held;                    /* by somebody who lives */
} sync_state;

typedef struct sync_object {
    const char *name;
    const char *kind; /* "?": not known */
    int error;        /* damaged: how */
    uint64_t bytes;   /* of the file */
    int64_t age;      /* seconds; -1: not known */
    mode_t mode;
    sync_state state;
} sync_object;

/* Look at an object by its name.  0, also if it is damaged; ENOENT, …, ACRE_EOBJECT: not acre's. */
int sync_look(const char *name, bool any_owner, sync_object *o);

#endif
