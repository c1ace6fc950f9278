/* SPDX-License-Identifier: MIT */
/* snapshot.c: a copy of one moment.
 *
 *    file without a name ─▶ hold: all stand ─▶ heap's lock ─▶ copy, bury ─▶ all go on ─▶ fsync ─▶ the name
 *                           transactions, names
 *
 * Killed anywhere before the name: the kernel frees the file and gives the locks to the next ones.  In the
 * copy, which is changed only by writing to the file (a page of it may be a hole on a full disk: storing there through
 * a mapping would be SIGBUS), all owners are dead, and the header says that no boot has had it.
 */
#include "segment/snapshot.h"
#include "segment/internal.h"
#include "sync/cell.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

/* ---- who works without the heap's lock ---- */

typedef struct snapshot_search {
    uint32_t tid;
    bool found;
} snapshot_search;

static void snapshot_is_member(void *arg, hold_member *m)
{
    snapshot_search *search = arg;
    search->found |= (acre__peek(&m->cell.word) & ACRE__TID) == search->tid;
}

static bool snapshot_takes_part(const acre_segment *s, uint32_t tid)
{
    snapshot_search search = {tid, tid == acre__self_get()->tid};
    if (segment_directory_of(s))
        acre__hold_each(s, snapshot_is_member, &search);
    return search.found;
}

enum { SNAPSHOT_PATIENCE = 100 }; /* looks, 1 ms apart */

/* The kernel marks what a dead thread held one by one, so for a moment it is no member any more and seems to have
 * its part still. */
static bool snapshot_goes(const uint32_t *word, uint32_t tid)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    int look = 0;
    while ((acre__load(word) & ACRE__TID) == tid && look++ < SNAPSHOT_PATIENCE)
        nanosleep(&nap, NULL);
    return look <= SNAPSHOT_PATIENCE;
}

/* EBUSY: a thread has a part of the heap to itself that does not stand. */
static int snapshot_look(acre_segment *s, uint32_t flags)
{
    const acre_algorithm *a = s->heap.inner;
    uint32_t *word;
    if (!a->owner || !s->heap.lock || flags & ACRE_SNAPSHOT_QUIESCED)
        return 0;
    for (uint32_t i = 0; (word = a->owner(&s->heap.region, i)); i++) {
        uint32_t tid = acre__load(word) & ACRE__TID;
        if (tid && !snapshot_takes_part(s, tid) && !snapshot_goes(word, tid))
            return EBUSY;
    }
    return 0;
}

/* ---- the copy's own ---- */

typedef struct snapshot_grave {
    const acre_segment *s;
    int fd, error;
} snapshot_grave;

static void snapshot_bury_word(void *arg, uint32_t *word)
{
    snapshot_grave *g = arg;
    uint32_t dead = acre__load(word) & ACRE__TID ? ACRE__D : 0;
    if (!g->error && !ACRE_BUG_IS(143))
        g->error =
            acre__snapshot_put(g->fd, &dead, sizeof dead, (uint64_t)((char *)word - g->s->base));
}

static void snapshot_zero(snapshot_grave *g, const void *word, size_t n)
{
    static const uint64_t none;
    if (!g->error)
        g->error = acre__snapshot_put(g->fd, &none, n, (uint64_t)((const char *)word - g->s->base));
}

/* The heap's lock and the barrier are this thread's, with nothing left to do: in the copy they are free, so that
 * who only looks need not wait for somebody to mend what is whole.  The uuid stays: names' hashes are made of it. */
static int snapshot_bury(const acre_segment *s, int fd)
{
    snapshot_grave g = {s, fd, 0};
    const segment_directory *d = segment_directory_of(s);
    acre__boot_each_word(s, snapshot_bury_word, &g);
    snapshot_zero(&g, &s->heap.control->lock.word, sizeof(uint32_t));
    if (d)
        snapshot_zero(&g, &d->hold.cell.count, sizeof(uint32_t));
    snapshot_zero(&g, &segment_header_of(s)->boot, sizeof(uint64_t));
    return g.error;
}

/* ---- all stand ---- */

static int snapshot_copy(acre_segment *s, int fd, const acre_snapshot_options *o)
{
    int e = acre__heap_enter(&s->heap);
    if (e)
        return e;
    e = acre__snapshot_copy(fd, s, o);
    if (!e)
        e = snapshot_bury(s, fd);
    acre__heap_leave(&s->heap);
    return e;
}

/* Who has come meanwhile is found afterwards. */
static int snapshot_take(acre_segment *s, int fd, const acre_snapshot_options *o)
{
    bool barrier = segment_directory_of(s);
    int e = barrier ? acre__hold_all(s, o->deadline ? o->deadline : &acre__for_ever) : 0;
    if (e)
        return e;
    e = snapshot_look(s, o->flags);
    if (!e)
        e = snapshot_copy(s, fd, o);
    if (!e)
        e = snapshot_look(s, o->flags);
    if (barrier)
        acre__hold_release(s);
    return e;
}

/* ---- the file ---- */

static int snapshot_check(int fd)
{
    const acre_segment_options o = {.fd = fd, .read_only = true, .any_owner = true};
    acre_segment *copy;
    int e = acre_segment_open(&copy, ACRE_MEMFD, NULL, &o);
    if (e)
        return e;
    e = acre_heap_check(acre_segment_heap(copy), NULL);
    acre_segment_close(copy);
    return e;
}

static int snapshot_publish(acre__file *f, uint32_t flags)
{
    int e = flags & ACRE_SNAPSHOT_CHECK ? snapshot_check(f->fd) : 0;
    if (!e)
        e = fsync(f->fd) ? errno : 0;
    if (!e)
        e = acre__file_publish(f);
    if (!e)
        fsync(f->dir); /* best effort: not every file system can */
    return e;
}

int acre_segment_snapshot(acre_segment *s, const char *path, const acre_snapshot_options *options)
{
    static const acre_snapshot_options defaults;
    const acre_snapshot_options *o = options ? options : &defaults;
    acre__file f;
    if (o->flags & ~(uint32_t)(ACRE_SNAPSHOT_QUIESCED | ACRE_SNAPSHOT_CHECK) ||
        o->mode & ~(mode_t)07777)
        return EINVAL;
    if (s->read_only)
        return EROFS;
    int e = acre__file_locate(&f, path);
    if (!e)
        e = acre__file_create(&f, o->mode);
    if (!e)
        e = snapshot_take(s, f.fd, o);
    if (!e)
        e = snapshot_publish(&f, o->flags);
    acre__file_close(&f);
    return e;
}
