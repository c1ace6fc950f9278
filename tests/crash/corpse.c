/* SPDX-License-Identifier: MIT */
#include "tests/crash/corpse.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* White box: the control is where the format puts it. */
#include "tests/bury.h"

corpse corpse_new(size_t size)
{
    corpse k = {.fd = memfd_create("corpse", MFD_CLOEXEC), .size = size};
    if (k.fd < 0 || ftruncate(k.fd, (off_t)size) != 0)
        crash_give_up("memfd: %s", strerror(errno));
    k.bytes = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, k.fd, 0);
    if (k.bytes == MAP_FAILED)
        crash_give_up("mmap: %s", strerror(errno));
    return k;
}

void corpse_free(corpse *k)
{
    munmap(k->bytes, k->size);
    close(k->fd);
}

int corpse_open(corpse *k, const char *image, acre_segment **s)
{
    acre_segment_options o = {.fd = k->fd};
    memcpy(k->bytes, image, k->size);
    bury((char *)bury_control(k->bytes), k->bytes + k->size);
    return acre_segment_open(s, ACRE_MEMFD, NULL, &o);
}

void corpse_choose_lock(char *image, uint32_t kind)
{
    bury_control(image)->lock_kind = kind;
}

static uint32_t corpse_word(const char *segment)
{
    return __atomic_load_n(&bury_control(segment)->lock.word, __ATOMIC_SEQ_CST);
}

uint32_t corpse_owner(const char *segment)
{
    return corpse_word(segment) & FUTEX_TID_MASK;
}

bool corpse_locked(const char *segment)
{
    return corpse_owner(segment) != 0;
}

bool corpse_awaited(const char *segment)
{
    return corpse_word(segment) & FUTEX_WAITERS;
}

bool corpse_unfinished(const char *image)
{
    return bury_control(image)->journal.count != 0;
}
