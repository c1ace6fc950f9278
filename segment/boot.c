/* SPDX-License-Identifier: MIT */
/* boot.c: a lock's word in a file outlives a power cut, its owner does not, and no kernel was left to
 * say so.  The header holds the boot in which it was last opened for writing; if that is another,
 * whoever holds the heap's lock, or the objects', is gone.
 *
 * Two openers at once: the words are read before the boot is compared, and nobody of this boot takes
 * a lock before the new boot is stored.  So a word seen together with the old boot is from then.
 */
#include "segment/names.h"

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

void acre__boot_check(acre_segment *s)
{
    segment_header *h = segment_header_of(s);
    uint64_t now = acre__boot_id();
    uint32_t word = __atomic_load_n(&s->heap.control->lock.word, __ATOMIC_SEQ_CST);
    uint32_t names = s->index ? acre__load_full(&names_of(s)->lock.cell.word) : 0;
    if (!now || __atomic_load_n(&h->boot, __ATOMIC_SEQ_CST) == now)
        return;
    acre__robust_orphan(&s->heap.control->lock, word);
    if (s->index)
        acre__names_orphan(s, names);
    __atomic_store_n(&h->boot, now, __ATOMIC_SEQ_CST);
}
