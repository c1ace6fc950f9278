/* SPDX-License-Identifier: MIT */
/* hold_posix.c: the process-shared semaphore, used as a lock, and the kernel's lock of an open file
 * description, asked for directly. */
#include "bench/sync/hold.h"

#include <errno.h>
#include <fcntl.h>
#include <semaphore.h>
#include <unistd.h>

static const char *hold_semaphore_init(const hold_kind *k, void *object)
{
    (void)k;
    return sem_init(object, 1, 1) ? "sem_init failed" : NULL;
}

HOLD_ROUNDS(hold_semaphore, sem_t, sem_wait, HOLD_ADD, sem_post)

/* Each process opens the file for itself: the open file description is the owner. */
static int hold_descriptor = -1;

static bool hold_open_file(void *object)
{
    (void)object;
    hold_descriptor = open(hold_file(), O_RDWR | O_CLOEXEC);
    return hold_descriptor >= 0;
}

static void hold_close_file(void *object)
{
    (void)object;
    close(hold_descriptor);
}

static int hold_control(short type)
{
    struct flock whole = {.l_type = type, .l_whence = SEEK_SET};
    return fcntl(hold_descriptor, F_OFD_SETLKW, &whole) ? errno : 0;
}

static int hold_file_lock(const void *object)
{
    (void)object;
    return hold_control(F_WRLCK);
}

static void hold_file_unlock(const void *object)
{
    (void)object;
    hold_control(F_UNLCK);
}

HOLD_ROUNDS(hold_posix_file, void, hold_file_lock, HOLD_ADD, hold_file_unlock)

void hold_posix(void)
{
    static const hold_kind semaphore = {.primitive = "semaphore",
                                        .implementation = "posix",
                                        .size = sizeof(sem_t),
                                        .init = hold_semaphore_init,
                                        .rounds = hold_semaphore};
    static const hold_kind file = {.primitive = "file_lock",
                                   .implementation = "posix",
                                   .size = 64,
                                   .init = hold_init_file,
                                   .attach = hold_open_file,
                                   .detach = hold_close_file,
                                   .rounds = hold_posix_file};
    hold_add(&semaphore);
    hold_add(&file);
}
