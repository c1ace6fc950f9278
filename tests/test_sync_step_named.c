/* SPDX-License-Identifier: MIT */
/* Killed at every instruction of what has a name in the system: an object is there and whole, or it
 * is not there; a file lock of the dead is free. */
#include "tests/support_lab.h"

#include <acre/sync.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Thousands of instructions, most of them in libc and in loops over names. */
enum { NAMED_STRIDE = 24 };

typedef struct named_room {
    char name[48], path[48];
} named_room;

/* ================================ objects by name ================================ */

static acre_named *named_mine;

static void named_prepare(void *shared)
{
    named_room *r = shared;
    snprintf(r->name, sizeof r->name, "lab.step.%d", getpid());
    acre_named_remove(r->name);
}

static void named_make(void *shared)
{
    acre_named *n;
    named_prepare(shared);
    LAB_EQUAL(acre_named_create(&n, ACRE_KIND_MUTEX, ((named_room *)shared)->name, NULL), 0);
    LAB_EQUAL(acre_named_close(n), 0);
}

static void named_create(void *shared)
{
    int e = acre_named_create(&named_mine, ACRE_KIND_MUTEX, ((named_room *)shared)->name, NULL);
    LAB_EXPECT(e == 0 || (e == EEXIST && lab_deaths()), "%d", e);
}

static void named_open(void *shared)
{
    LAB_EQUAL(acre_named_open(&named_mine, ACRE_KIND_MUTEX, ((named_room *)shared)->name, NULL), 0);
}

static void named_open_or_create(void *shared)
{
    LAB_EQUAL(acre_named_open_or_create(&named_mine, ACRE_KIND_MUTEX, ((named_room *)shared)->name,
                                        NULL, NULL),
              0);
}

static void named_remove(void *shared)
{
    int e = acre_named_remove(((named_room *)shared)->name);
    LAB_EXPECT(e == 0 || (e == ENOENT && lab_deaths()), "%d", e);
}

static void named_close(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_named_close(named_mine), 0);
}

/* Whether it is there; then it works.  Afterwards it can be made and taken away. */
static bool named_there(void *shared)
{
    named_room *r = shared;
    int e = acre_named_open(&named_mine, ACRE_KIND_MUTEX, r->name, NULL);
    LAB_EXPECT(e == 0 || e == ENOENT, "%d", e);
    bool there = e == 0;
    if (!there)
        LAB_EQUAL(acre_named_create(&named_mine, ACRE_KIND_MUTEX, r->name, NULL), 0);
    LAB_EQUAL(acre_mutex_trylock(acre_named_object(named_mine)), 0);
    LAB_EQUAL(acre_mutex_unlock(acre_named_object(named_mine)), 0);
    LAB_EQUAL(acre_named_close(named_mine), 0);
    LAB_EQUAL(acre_named_remove(r->name), 0);
    LAB_EQUAL(acre_named_open(&named_mine, ACRE_KIND_MUTEX, r->name, NULL), ENOENT);
    return there;
}

static int named_made(void *shared)
{
    return named_there(shared) ? LAB_AFTER : LAB_BEFORE;
}

static int named_removed(void *shared)
{
    return named_there(shared) ? LAB_BEFORE : LAB_AFTER;
}

static int named_stays(void *shared)
{
    LAB_EXPECT(named_there(shared));
    return LAB_EITHER;
}

LAB_SCENARIO(named, create, .stride = NAMED_STRIDE, .prepare = named_prepare,
             .victim = named_create, .verify = named_made)
LAB_SCENARIO(named, open_or_create, .stride = NAMED_STRIDE, .prepare = named_prepare,
             .victim = named_open_or_create, .verify = named_made)
LAB_SCENARIO(named, open, .stride = NAMED_STRIDE, .prepare = named_make, .victim = named_open,
             .verify = named_stays)
LAB_SCENARIO(named, close, .prepare = named_make, .before = named_open, .victim = named_close,
             .verify = named_stays)
LAB_SCENARIO(named, remove, .stride = NAMED_STRIDE, .prepare = named_make, .victim = named_remove,
             .verify = named_removed)

/* ================================ file locks ================================ */

static acre_file_lock *file_mine;

static void file_prepare(void *shared)
{
    named_room *r = shared;
    snprintf(r->path, sizeof r->path, "/dev/shm/lab.file.%d", getpid());
    int fd = open(r->path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    LAB_EXPECT(fd >= 0 && close(fd) == 0);
}

static void file_open(void *shared)
{
    LAB_EQUAL(acre_file_lock_open(&file_mine, ((named_room *)shared)->path, 0, 0), 0);
}

static void file_lock(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_file_lock_lock(file_mine), 0);
}

static void file_unlock(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_file_lock_unlock(file_mine), 0);
}

static void file_lock_sharable(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_file_lock_lock_sharable(file_mine), 0);
}

static void file_unlock_sharable(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_file_lock_unlock_sharable(file_mine), 0);
}

static void file_close(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_file_lock_close(file_mine), 0);
}

static void file_open_and_lock(void *shared)
{
    file_open(shared);
    file_lock(shared);
}

static void file_open_and_read(void *shared)
{
    file_open(shared);
    file_lock_sharable(shared);
}

static void file_hold(void *shared)
{
    file_open_and_lock(shared);
    lab_ready();
    lab_await();
    file_unlock(shared);
}

/* The kernel has taken it from the dead before anybody is told of the death. */
static int file_free(void *shared)
{
    file_open(shared);
    LAB_EQUAL(acre_file_lock_trylock(file_mine), 0);
    file_unlock(shared);
    LAB_EQUAL(acre_file_lock_trylock_sharable(file_mine), 0);
    file_unlock_sharable(shared);
    unlink(((named_room *)shared)->path);
    return LAB_EITHER;
}

/* Another reads while a reader stands still. */
static void file_peer(void *shared)
{
    acre_file_lock *l;
    LAB_EQUAL(acre_file_lock_open(&l, ((named_room *)shared)->path, 0, 0), 0);
    LAB_EQUAL(acre_file_lock_trylock_sharable(l), 0);
    LAB_EQUAL(acre_file_lock_close(l), 0);
}

#define FILE_LOCK(operation, ...)                                                                  \
    LAB_SCENARIO(file_lock, operation, .prepare = file_prepare, .verify = file_free, __VA_ARGS__)
FILE_LOCK(open, .victim = file_open)
FILE_LOCK(lock, .before = file_open, .victim = file_lock)
FILE_LOCK(unlock, .before = file_open_and_lock, .victim = file_unlock)
FILE_LOCK(lock_sharable, .before = file_open, .victim = file_lock_sharable, .peer = file_peer)
FILE_LOCK(unlock_sharable, .before = file_open_and_read, .victim = file_unlock_sharable,
          .peer = file_peer)
FILE_LOCK(close, .before = file_open_and_lock, .victim = file_close)
FILE_LOCK(lock_that_waits, .helper = file_hold, .before = file_open, .victim = file_lock)
