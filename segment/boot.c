/* SPDX-License-Identifier: MIT */
/* boot.c: a lock's word in a file outlives a power cut, its owner does not, and no kernel was left to
 * say so.  The header holds the boot in which it was last opened for writing; if that is another,
 * whoever holds a lock is gone.  The same in a snapshot, whose header names no boot.
 *
 * Two openers at once: each word is read before the boot is compared, and nobody of this boot takes
 * a lock before the new boot is stored.  So a word seen together with the old boot is from then.
 */
#include "segment/internal.h"
#include "sync/bug.h"

#include <fcntl.h>
#include <unistd.h>

static uint64_t boot_hash(const char *text, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    while (n--)
        h = (h ^ (unsigned char)*text++) * 0x100000001b3u;
    return h | 1; /* never 0, which means unknown */
}

uint64_t acre__boot_id(void)
{
    char text[64];
    int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof text);
    if (fd >= 0)
        close(fd);
    return n > 0 ? boot_hash(text, (size_t)n) : 0;
}

/* ---- what somebody may hold ---- */

typedef struct boot_visitor {
    acre__boot_visit *visit;
    void *arg;
} boot_visitor;

static void boot_visit_member(void *arg, hold_member *m)
{
    const boot_visitor *v = arg;
    v->visit(v->arg, &m->cell.word);
}

static void boot_visit_directory(const acre_segment *s, boot_visitor *v)
{
    segment_directory *d = segment_directory_of(s);
    if (!d)
        return;
    v->visit(v->arg, &d->names.lock.cell.word);
    v->visit(v->arg, &d->tx.cell.word);
    v->visit(v->arg, &d->hold.cell.word);
    acre__hold_each(s, boot_visit_member, v);
}

static void boot_visit_heap(const acre_segment *s, const boot_visitor *v)
{
    const acre_algorithm *a = s->heap.inner;
    uint32_t *word;
    v->visit(v->arg, &s->heap.control->lock.word);
    for (uint32_t i = 0; a->owner && (word = a->owner(&s->heap.region, i)); i++)
        v->visit(v->arg, word);
}

void acre__boot_each_word(const acre_segment *s, acre__boot_visit *visit, void *arg)
{
    boot_visitor v = {visit, arg};
    boot_visit_heap(s, &v);
    boot_visit_directory(s, &v);
}

/* ---- a new boot ---- */

typedef struct boot_change {
    const segment_header *header;
    uint64_t now;
} boot_change;

static void boot_orphan(void *arg, uint32_t *word)
{
    const boot_change *c = arg;
    uint32_t seen = acre__load(word);
    if (__atomic_load_n(&c->header->boot, __ATOMIC_SEQ_CST) != c->now)
        acre__robust_orphan(word, seen);
}

/* What the dead had begun: now, as there may be nobody who comes to do it.  It frees blocks, and opening a foreign
 * file must be safe whatever is in it: not in a heap that is not sound. */
static void boot_finish(acre_segment *s)
{
    const segment_directory *d = segment_directory_of(s);
    bool begun = d && (d->tx.record || d->hold.first);
    if (begun && (ACRE_BUG_IS(151) || acre_heap_check(&s->heap, NULL) == 0))
        acre__hold_sweep(s);
}

void acre__boot_check(acre_segment *s)
{
    segment_header *h = segment_header_of(s);
    boot_change c = {h, acre__boot_id()};
    if (!c.now || __atomic_load_n(&h->boot, __ATOMIC_SEQ_CST) == c.now)
        return;
    acre__boot_each_word(s, boot_orphan, &c);
    __atomic_store_n(&h->boot, c.now, __ATOMIC_SEQ_CST);
    boot_finish(s);
}
