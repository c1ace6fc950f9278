/* SPDX-License-Identifier: MIT */
/* file_lock.c: locks of files: open file description locks (fcntl(2), F_OFD_…), which belong to
 * what open() returned and not to the process.
 *
 * A handle is one description, so the kernel lets handles exclude each other; threads that share a
 * handle exclude each other here:
 *
 *    guard: one thread at a time looks at the handle
 *    held, owner[]: what the handle has of the kernel, and for which threads
 *    asking: a thread waits in the kernel for the handle; the others wait for it
 *
 * Uncontended, locking and unlocking cost one fcntl each.  Sharable locks of several threads are
 * one of the kernel's.
 *
 * Timed: the kernel has no timed form, so a helper thread waits in it, and the caller for the
 * helper. At the deadline the helper is cancelled (F_OFD_SETLKW is a cancellation point); whether
 * it had got the lock at that moment is found out by asking again without waiting: that succeeds if
 * the handle has the lock already, and if it is free.  No signal handler is installed, nothing
 * polls.
 *
 * Killed where?  All that others see is the kernel's lock, which ends with the last descriptor of
 * the description.  A forked child would have one too and outlive its parent: it closes its copy at
 * once (pthread_atfork).
 */
#include "sync/park.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct acre_file_lock {
    struct flock range;
    int fd; /* -1: in a forked child */
    bool read_only;
    pthread_mutex_t guard;
    pthread_cond_t changed;
    short held; /* F_UNLCK, F_RDLCK, F_WRLCK */
    bool asking;
    uint64_t *owner; /* acre__self.id of each */
    size_t owners, room;
    acre_file_lock *next, **link; /* all handles */
};

/* How long a call waits. */
typedef struct file_lock_patience {
    bool none;
    const struct timespec *deadline; /* NULL: for ever */
} file_lock_patience;

/* ---- all handles of the process ---- */

static pthread_mutex_t file_lock_registry = PTHREAD_MUTEX_INITIALIZER;
static acre_file_lock *file_lock_first;

static void file_lock_before_fork(void)
{
    pthread_mutex_lock(&file_lock_registry);
}

static void file_lock_after_fork(void)
{
    pthread_mutex_unlock(&file_lock_registry);
}

static void file_lock_in_child(void)
{
    for (acre_file_lock *l = file_lock_first; l; l = l->next) {
        close(l->fd);
        l->fd = -1;
    }
    file_lock_first = NULL; /* the child's child has nothing to close */
    file_lock_after_fork();
}

__attribute__((constructor)) static void file_lock_at_fork(void)
{
    pthread_atfork(file_lock_before_fork, file_lock_after_fork, file_lock_in_child);
}

static void file_lock_register(acre_file_lock *l)
{
    l->next = file_lock_first;
    l->link = &file_lock_first;
    if (l->next)
        l->next->link = &l->next;
    file_lock_first = l;
}

static void file_lock_unregister(acre_file_lock *l)
{
    *l->link = l->next;
    if (l->next)
        l->next->link = l->link;
}

/* ---- opening and closing ---- */

static int file_lock_range(struct flock *range, uint64_t start, uint64_t length)
{
    uint64_t last;
    if (__builtin_add_overflow(start, length ? length - 1 : 0, &last) || last > INT64_MAX)
        return EINVAL;
    *range =
        (struct flock){.l_whence = SEEK_SET,
                       .l_start = (off_t)start,
                       .l_len = length > INT64_MAX ? 0 : (off_t)length}; /* all 2^63: to the end */
    return 0;
}

/* O_NONBLOCK: do not hang on a FIFO. */
static int file_lock_open_file(acre_file_lock *l, const char *path)
{
    enum { FLAGS = O_CLOEXEC | O_NOCTTY | O_NONBLOCK };
    struct stat st;
    l->fd = open(path, O_RDWR | FLAGS);
    if (l->fd < 0 && (errno == EACCES || errno == EROFS || errno == ETXTBSY)) {
        l->read_only = true;
        l->fd = open(path, O_RDONLY | FLAGS);
    }
    if (l->fd < 0)
        return errno == EISDIR || errno == ENXIO ? ACRE_ETYPE : errno;
    if (fstat(l->fd, &st) != 0)
        return errno;
    return S_ISREG(st.st_mode) ? 0 : ACRE_ETYPE;
}

static void file_lock_init(acre_file_lock *l)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&l->guard, NULL);
    pthread_cond_init(&l->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    l->held = F_UNLCK;
}

/* A fork waits until the descriptor is known. */
/* open() and close() are cancellation points; who is cancelled must not keep the registry. */
static int file_lock_enter_registry(void)
{
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    pthread_mutex_lock(&file_lock_registry);
    return cancel;
}

static void file_lock_leave_registry(int cancel)
{
    pthread_mutex_unlock(&file_lock_registry);
    pthread_setcancelstate(cancel, NULL);
}

static int file_lock_attach(acre_file_lock *l, const char *path)
{
    int cancel = file_lock_enter_registry();
    int e = file_lock_open_file(l, path);
    if (!e)
        file_lock_register(l);
    else if (l->fd >= 0)
        close(l->fd);
    file_lock_leave_registry(cancel);
    return e;
}

int acre_file_lock_open(acre_file_lock **out, const char *path, uint64_t start, uint64_t length)
{
    struct flock range;
    int e = path ? file_lock_range(&range, start, length) : ACRE_ENAME;
    if (e)
        return e;
    acre_file_lock *l = calloc(1, sizeof *l);
    if (!l)
        return ENOMEM;
    l->range = range;
    file_lock_init(l);
    e = file_lock_attach(l, path);
    if (e)
        free(l);
    else
        *out = l;
    return e;
}

int acre_file_lock_close(acre_file_lock *l)
{
    if (l && l->fd >= 0) {
        int cancel = file_lock_enter_registry();
        file_lock_unregister(l);
        close(l->fd);
        file_lock_leave_registry(cancel);
        pthread_cond_destroy(&l->changed);
        pthread_mutex_destroy(&l->guard);
    }
    if (l)
        free(l->owner);
    free(l);
    return 0;
}

/* ---- who owns ---- */

/* Its place in owner[], or `owners`. */
static size_t file_lock_find(const acre_file_lock *l, uint64_t id)
{
    size_t i = 0;
    while (i < l->owners && l->owner[i] != id)
        i++;
    return i;
}

static int file_lock_make_room(acre_file_lock *l)
{
    if (l->owners < l->room)
        return 0;
    size_t room = l->room * 2 + 4;
    uint64_t *owner = realloc(l->owner, room * sizeof *owner);
    if (!owner)
        return ENOMEM;
    l->owner = owner;
    l->room = room;
    return 0;
}

/* ---- the kernel's part ---- */

static int file_lock_ask(const acre_file_lock *l, int command, short type)
{
    struct flock range = l->range;
    range.l_type = type;
    while (fcntl(l->fd, command, &range) != 0)
        if (errno != EINTR)
            return errno == EAGAIN || errno == EACCES ? EBUSY : errno;
    return 0;
}

/* Sleep until something about the handle changes; ETIMEDOUT, or EINVAL: that is no time. */
static int file_lock_sleep(acre_file_lock *l, const struct timespec *deadline)
{
    int state, e = 0;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    if (deadline)
        e = pthread_cond_timedwait(&l->changed, &l->guard, deadline);
    else
        pthread_cond_wait(&l->changed, &l->guard);
    pthread_setcancelstate(state, NULL);
    return e;
}

typedef struct file_lock_helper {
    acre_file_lock *lock;
    pthread_t thread;
    short type;
    bool done;
    int result;
} file_lock_helper;

static void *file_lock_help(void *arg)
{
    file_lock_helper *h = arg;
    int state, e = file_lock_ask(h->lock, F_OFD_SETLKW, h->type);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    pthread_mutex_lock(&h->lock->guard);
    h->result = e;
    h->done = true;
    pthread_cond_broadcast(&h->lock->changed);
    pthread_mutex_unlock(&h->lock->guard);
    return NULL;
}

/* The application's signals are not for the helper. */
static int file_lock_hire(file_lock_helper *h)
{
    sigset_t all, mask;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    int e = pthread_create(&h->thread, NULL, file_lock_help, h);
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    return e;
}

/* The helper may be waiting, or waiting for the guard. */
static void file_lock_dismiss(file_lock_helper *h)
{
    int state;
    bool done = h->done;
    pthread_mutex_unlock(&h->lock->guard);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    if (!done)
        pthread_cancel(h->thread);
    pthread_join(h->thread, NULL);
    pthread_setcancelstate(state, NULL);
    pthread_mutex_lock(&h->lock->guard);
}

static int file_lock_wait_until(acre_file_lock *l, short type, const struct timespec *deadline)
{
    file_lock_helper h = {.lock = l, .type = type};
    int e = file_lock_hire(&h);
    if (e)
        return e;
    while (!h.done && !e)
        e = file_lock_sleep(l, deadline);
    file_lock_dismiss(&h);
    if (h.done)
        return h.result;
    int last = file_lock_ask(l, F_OFD_SETLK, type);
    return last == EBUSY ? e : last;
}

static int file_lock_wait_for_ever(acre_file_lock *l, short type)
{
    int state;
    pthread_mutex_unlock(&l->guard);
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state);
    int e = file_lock_ask(l, F_OFD_SETLKW, type);
    pthread_setcancelstate(state, NULL);
    pthread_mutex_lock(&l->guard);
    return e;
}

/* Give the guard up and wait in the kernel, for all threads of the handle. */
static int file_lock_wait(acre_file_lock *l, short type, const struct timespec *deadline)
{
    if (acre__expired(deadline))
        return ETIMEDOUT;
    l->asking = true;
    int e = deadline ? file_lock_wait_until(l, type, deadline) : file_lock_wait_for_ever(l, type);
    l->asking = false;
    pthread_cond_broadcast(&l->changed);
    return e;
}

/* ---- the process's part; the guard is held ---- */

static bool file_lock_free_for(const acre_file_lock *l, short type)
{
    return !l->asking && (l->held == F_UNLCK || (l->held == F_RDLCK && type == F_RDLCK));
}

static int file_lock_await_turn(acre_file_lock *l, short type, file_lock_patience p)
{
    int e = 0;
    while (!file_lock_free_for(l, type)) {
        if (p.none || e)
            return p.none ? EBUSY : e;
        e = file_lock_sleep(l, p.deadline);
    }
    return 0;
}

static int file_lock_get(acre_file_lock *l, short type, file_lock_patience p)
{
    if (l->held == type)
        return 0;
    int e = file_lock_ask(l, F_OFD_SETLK, type);
    if (e == EBUSY && !p.none)
        e = file_lock_wait(l, type, p.deadline);
    if (!e)
        l->held = type;
    return e;
}

static int file_lock_take(acre_file_lock *l, short type, file_lock_patience p)
{
    uint64_t me = acre__self_get()->id;
    if (file_lock_find(l, me) < l->owners)
        return EDEADLK;
    int e = file_lock_await_turn(l, type, p);
    if (!e)
        e = file_lock_make_room(l);
    if (!e)
        e = file_lock_get(l, type, p);
    if (!e)
        l->owner[l->owners++] = me;
    return e;
}

static int file_lock_give_back(acre_file_lock *l, short type)
{
    size_t i = file_lock_find(l, acre__self_get()->id);
    if (l->held != type || i == l->owners)
        return EPERM;
    if (l->owners == 1) {
        int e = file_lock_ask(l, F_OFD_SETLK, F_UNLCK);
        if (e)
            return e;
        l->held = F_UNLCK;
        pthread_cond_broadcast(&l->changed);
    }
    l->owner[i] = l->owner[--l->owners];
    return 0;
}

/* ---- the calls ---- */

static int file_lock_lock(acre_file_lock *l, short type, bool none, const struct timespec *deadline)
{
    struct timespec storage;
    file_lock_patience patience = {none, acre__lock_deadline(deadline, &storage)};
    if (l->fd < 0)
        return EPERM;
    if (type == F_WRLCK && l->read_only)
        return EBADF;
    pthread_mutex_lock(&l->guard);
    int e = file_lock_take(l, type, patience);
    pthread_mutex_unlock(&l->guard);
    return e;
}

static int file_lock_unlock(acre_file_lock *l, short type)
{
    if (l->fd < 0)
        return EPERM;
    pthread_mutex_lock(&l->guard);
    int e = file_lock_give_back(l, type);
    pthread_mutex_unlock(&l->guard);
    return e;
}

int acre_file_lock_lock(acre_file_lock *l)
{
    return file_lock_lock(l, F_WRLCK, false, NULL);
}

int acre_file_lock_trylock(acre_file_lock *l)
{
    return file_lock_lock(l, F_WRLCK, true, NULL);
}

int acre_file_lock_lock_until(acre_file_lock *l, const struct timespec *deadline)
{
    return file_lock_lock(l, F_WRLCK, false, deadline);
}

int acre_file_lock_unlock(acre_file_lock *l)
{
    return file_lock_unlock(l, F_WRLCK);
}

int acre_file_lock_lock_sharable(acre_file_lock *l)
{
    return file_lock_lock(l, F_RDLCK, false, NULL);
}

int acre_file_lock_trylock_sharable(acre_file_lock *l)
{
    return file_lock_lock(l, F_RDLCK, true, NULL);
}

int acre_file_lock_lock_sharable_until(acre_file_lock *l, const struct timespec *deadline)
{
    return file_lock_lock(l, F_RDLCK, false, deadline);
}

int acre_file_lock_unlock_sharable(acre_file_lock *l)
{
    return file_lock_unlock(l, F_RDLCK);
}
