/* SPDX-License-Identifier: MIT */
/* queue_poll.c: a descriptor that is readable while there are messages: an event descriptor behind
 * which a thread of this process waits for the queue.
 *
 *              message comes: write               a receiver found nothing: read
 *      armed ───────────────────────▶ readable ─────────────────────────────────▶ armed
 *
 * Each change is one step under the process's mutex.  After arming, the thread looks at the queue
 * before it sleeps, so a message that came in between is not missed. */
#include "sync/queue.h"
#include "sync/wait.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct acre__queue_poll {
    acre_waitable readable;
    pthread_mutex_t mutex;
    pthread_t thread;
    pid_t process; /* whose thread it is */
    int fd;
    uint32_t armed, stop;
    struct acre__queue_poll *before; /* of the parent, in a child */
};

static pthread_mutex_t poll_making = PTHREAD_MUTEX_INITIALIZER;

/* ---- the thread ---- */

static bool poll_stopped(const acre__queue_poll *p)
{
    return acre__load(&p->stop);
}

static void poll_await_messages(acre__queue_poll *p)
{
    const struct acre__wait_methods *m = p->readable.methods;
    void *q = p->readable.object;
    while (!m->ready(q) && !poll_stopped(p)) {
        uint32_t expected;
        const uint32_t *word = m->prepare(q, &expected);
        if (!m->ready(q) && !poll_stopped(p))
            acre__park(word, expected, NULL);
    }
}

static void poll_tell(acre__queue_poll *p)
{
    static const uint64_t one = 1;
    pthread_mutex_lock(&p->mutex);
    if (write(p->fd, &one, sizeof one) == sizeof one)
        acre__store(&p->armed, (uint32_t)0);
    pthread_mutex_unlock(&p->mutex);
}

static void *poll_main(void *arg)
{
    acre__queue_poll *p = arg;
    while (!poll_stopped(p)) {
        if (!acre__load(&p->armed)) {
            acre__park(&p->armed, 0, NULL);
            continue;
        }
        poll_await_messages(p);
        poll_tell(p);
    }
    return NULL;
}

static bool poll_ours(const acre__queue_poll *p)
{
    return p->process == getpid();
}

void acre__queue_poll_empty(acre_queue *q)
{
    acre__queue_poll *p = acre__load(&q->poll);
    uint64_t count;
    int cancel;
    if (!poll_ours(p))
        return;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    if (pthread_mutex_trylock(&p->mutex) == 0) { /* else somebody does the same, or writes */
        if (!acre__load(&p->armed) && read(p->fd, &count, sizeof count) == sizeof count) {
            acre__store(&p->armed, (uint32_t)1);
            acre__wake(&p->armed, 1);
        }
        pthread_mutex_unlock(&p->mutex);
    }
    pthread_setcancelstate(cancel, NULL);
}

/* ---- making and ending ---- */

/* The program's signals are for its own threads. */
static int poll_start(acre__queue_poll *p)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int e = pthread_create(&p->thread, NULL, poll_main, p);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return e;
}

static int poll_open(acre__queue_poll *p, acre_queue *q)
{
    *p = (acre__queue_poll){.readable = acre_queue_readable(q), .process = getpid(), .armed = 1};
    p->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (p->fd < 0)
        return errno;
    pthread_mutex_init(&p->mutex, NULL);
    int e = poll_start(p);
    if (e)
        close(p->fd);
    return e;
}

/* After fork the thread is the parent's; the descriptor here is a copy. */
static void poll_end(acre__queue_poll *p)
{
    if (p && poll_ours(p)) {
        acre_queue *q = p->readable.object;
        acre__store(&p->stop, (uint32_t)1);
        acre__wake(&p->armed, 1);
        acre__wake(&q->shared->readable.event, ACRE__WAKE_ALL);
        pthread_join(p->thread, NULL);
        pthread_mutex_destroy(&p->mutex);
    }
    if (p)
        close(p->fd);
    for (acre__queue_poll *before; p; p = before) {
        before = p->before;
        free(p);
    }
}

void acre__queue_poll_end(acre_queue *q)
{
    int cancel;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
    poll_end(q->poll);
    q->poll = NULL;
    pthread_setcancelstate(cancel, NULL);
}

static int poll_make(acre_queue *q)
{
    acre__queue_poll *p = malloc(sizeof *p);
    int e = p ? poll_open(p, q) : ENOMEM;
    if (e) {
        free(p);
        return e;
    }
    p->before = acre__load(&q->poll); /* the parent's: another thread may be looking at it */
    acre__store(&q->poll, p);
    if (p->before)
        close(p->before->fd);
    return 0;
}

int acre_queue_poll_fd(acre_queue *q, int *fd)
{
    int e = 0;
    pthread_mutex_lock(&poll_making);
    acre__queue_poll *p = acre__load(&q->poll);
    if (!p || !poll_ours(p))
        e = poll_make(q);
    if (!e)
        *fd = acre__load(&q->poll)->fd;
    pthread_mutex_unlock(&poll_making);
    return e;
}
