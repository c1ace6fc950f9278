/* SPDX-License-Identifier: MIT */
/* sync_look.c: what the objects of /dev/shm are doing, from a mapping that cannot be written. */
#include "cli/sync_tools.h"

#include "sync/object.h"
#include "sync/queue.h"
#include "sync/rw.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

/* 0, or how the object is damaged. */
typedef int look_function(const acre__mapping *m, sync_state *s);

static bool look_fits(const acre__mapping *m, size_t size)
{
    return acre__object_room(m) >= size;
}

/* ---- one cell, or several ---- */

static bool look_owned(const acre_cell *c)
{
    uint32_t owner = acre__peek(&c->word) & ACRE__TID;
    return owner && owner != ACRE__NEVER;
}

static void look_word(uint32_t word, sync_state *s)
{
    uint32_t owner = word & ACRE__TID;
    s->held = owner && owner != ACRE__NEVER;
    s->owner = s->held ? owner : 0;
    s->word = owner == ACRE__NEVER ? "not recoverable"
              : s->held            ? "held"
              : word & ACRE__D     ? "owner dead"
                                   : "free";
}

static int look_cell(const acre__mapping *m, sync_state *s)
{
    const acre_cell *c = acre__object_of(m);
    if (!look_fits(m, sizeof *c))
        return ACRE_ECORRUPT;
    look_word(acre__peek(&c->word), s);
    if (acre__peek(&c->tag) == ACRE__DESTROYED)
        s->word = "destroyed";
    return 0;
}

static int64_t look_count_owned(const acre_cell *c, uint32_t n)
{
    int64_t owned = 0;
    for (uint32_t i = 0; i < n; i++)
        owned += look_owned(&c[i]);
    return owned;
}

/* ---- the kinds ---- */

/* Only a writer's death needs somebody's attention. */
static int look_rw(const acre__mapping *m, sync_state *s)
{
    const acre__rw *rw = acre__object_of(m);
    if (!look_fits(m, sizeof *rw))
        return ACRE_ECORRUPT;
    uint32_t word = acre__peek(&rw->owner.word), mode = acre__peek(&rw->owner.mode);
    look_word(mode == RW_EXCLUSIVE ? word : word & ~ACRE__D, s);
    s->readers = 0;
    for (int i = 0; i < ACRE_READERS; i++)
        s->readers += look_owned(&rw->reader[i].cell);
    if (s->held && mode == RW_UPGRADABLE)
        s->word = "held upgradable";
    else if (s->readers && !s->held)
        s->word = "held sharable";
    s->held |= s->readers > 0;
    if (acre__peek(&rw->owner.tag) == ACRE__DESTROYED)
        s->word = "destroyed";
    return 0;
}

static int look_semaphore(const acre__mapping *m, sync_state *s)
{
    if (!look_fits(m, sizeof(acre_semaphore)))
        return ACRE_ECORRUPT;
    s->count = acre_semaphore_count(acre__object_of(m));
    return 0;
}

static int look_permits(const acre__mapping *m, sync_state *s)
{
    const acre_permits *p = acre__object_of(m);
    if (!look_fits(m, acre_permits_size(m->count)))
        return ACRE_ECORRUPT;
    int64_t taken = look_count_owned(p->permit, m->count);
    s->held = taken > 0;
    s->word = s->held ? "held" : "free";
    s->count = m->count - taken;
    s->most = m->count;
    return 0;
}

static int look_barrier(const acre__mapping *m, sync_state *s)
{
    const acre_barrier *b = acre__object_of(m);
    if (!look_fits(m, acre_barrier_size(m->count)))
        return ACRE_ECORRUPT;
    s->count = look_count_owned(b->member, m->count);
    s->most = m->count;
    s->held = s->count > 0;
    s->word = s->held ? "joined" : "free";
    return 0;
}

static int look_once(const acre__mapping *m, sync_state *s)
{
    int e = look_cell(m, s);
    if (e)
        return e;
    if (acre_once_done(acre__object_of(m)))
        s->word = "done";
    else
        s->word = s->held ? "running" : "not yet";
    return 0;
}

/* A thread that holds one of its places: a message is being written or read.  The list may change
 * while it is followed; it is not followed for ever. */
static uint32_t look_hands(const acre_queue *q)
{
    uint32_t at = acre__peek(&q->shared->hands);
    for (uint32_t n = 0; n < q->capacity && acre__place_exists(q, at); n++) {
        const acre__place *p = acre__place_at(q, at);
        if (look_owned(&p->cell))
            return acre__peek(&p->word) & ACRE__TID;
        at = acre__peek(&q->link[at]);
    }
    return 0;
}

/* Attaching writes nothing; nor does the handle's end. */
static int look_queue(const acre__mapping *m, sync_state *s)
{
    acre_queue *q;
    int e = acre_queue_attach(&q, acre__object_of(m), acre__object_room(m));
    if (e)
        return e;
    s->count = acre_queue_count(q);
    s->most = acre_queue_capacity(q);
    look_word(acre__peek(&q->shared->lock_word), s);
    uint32_t owner = look_hands(q);
    if (owner) {
        s->owner = owner;
        s->held = true;
        s->word = "held";
    }
    acre_queue_close(q);
    return 0;
}

static const struct {
    uint32_t kind;
    const char *name;
    look_function *look; /* NULL: nothing to be seen */
} look_kinds[] = {
    {ACRE_KIND_MUTEX, "mutex", look_cell},
    {ACRE_KIND_RECURSIVE, "recursive", look_cell},
    {ACRE_KIND_SPIN, "spin", look_cell},
    {ACRE_KIND_SHARABLE, "sharable", look_rw},
    {ACRE_KIND_UPGRADABLE, "upgradable", look_rw},
    {ACRE_KIND_CONDITION, "condition", NULL},
    {ACRE_KIND_SEMAPHORE, "semaphore", look_semaphore},
    {ACRE_KIND_PERMITS, "permits", look_permits},
    {ACRE_KIND_BARRIER, "barrier", look_barrier},
    {ACRE_KIND_ONCE, "once", look_once},
    {ACRE_KIND_NULL, "null", NULL},
    {32, "queue", look_queue},
    {33, "spsc", NULL},
    {34, "bytes", NULL},
    {35, "mpmc", NULL},
    {36, "broadcast", NULL},
};
enum { LOOK_KINDS = sizeof look_kinds / sizeof *look_kinds };

/* ---- one object ---- */

static void look_at(const acre__mapping *m, sync_object *o)
{
    o->age = time(NULL) - (int64_t)m->header->created;
    for (int i = 0; i < LOOK_KINDS; i++)
        if (look_kinds[i].kind == m->header->kind) {
            o->kind = look_kinds[i].name;
            if (look_kinds[i].look)
                o->error = look_kinds[i].look(m, &o->state);
        }
}

static int look_at_file(const char *name, sync_object *o)
{
    char path[300];
    struct stat st;
    snprintf(path, sizeof path, ACRE__SHM_DIR "/" ACRE__SHM_PREFIX "%s", name);
    if (lstat(path, &st) != 0)
        return errno;
    o->bytes = (uint64_t)st.st_size;
    o->mode = st.st_mode & 07777;
    return 0;
}

static bool look_damage(int error)
{
    return error == ACRE_ECORRUPT || error == ACRE_ETRUNCATED || error == ACRE_ELAYOUT;
}

int sync_look(const char *name, bool any_owner, sync_object *o)
{
    acre__object_wish wish = {.any_owner = any_owner, .read_only = true};
    acre__mapping m = {0};
    *o = (sync_object){name, "?", 0, 0, -1, 0, {"-", 0, -1, -1, -1, false}};
    int e = acre__object_open(&m, name, &wish);
    if (look_damage(e))
        o->error = e;
    else if (e)
        return e;
    else
        look_at(&m, o);
    if (o->error)
        o->state.word = "damaged";
    acre__object_close(&m);
    return look_at_file(name, o);
}
