/* SPDX-License-Identifier: MIT */
/* self.c: a thread's first meeting with the kernel's robust list, and looking through it.
 * Source: Documentation/locking/robust-futex-ABI.rst of the Linux kernel. */
#include "sync/self.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    SELF_OFFSET = -(int)offsetof(acre_cell, next), /* from an entry to its futex word, as libc's */
    SELF_LIST_LIMIT = 2048                         /* the kernel looks no further */
};
_Static_assert(offsetof(acre_cell, word) == 0, "the kernel's view");

/* libc marks entries of priority-inheriting mutexes by the lowest bit of the pointer to them. */
static void *self_entry(uint64_t pointer)
{
    return (void *)(uintptr_t)(pointer & ~(uint64_t)1);
}

#ifndef ACRE_EXPLORE

/* Of a thread that has not met the kernel's list yet: it sends the usual way to the unusual one. */
static struct robust_list_head self_nobody = {.list_op_pending = (struct robust_list *)1};

__thread acre__self acre__this_thread = {.head = &self_nobody};

static __thread struct robust_list_head self_own_head;

static void self_forget(void) /* in a forked child: another thread id, and it owns nothing */
{
    if (acre__this_thread.tid)
        acre__announce_none(acre__self_here());
    acre__this_thread = (acre__self){.head = &self_nobody};
}

/* A library's constructor, so that it is there before the first fork. */
__attribute__((constructor)) static void self_at_fork(void)
{
    pthread_atfork(NULL, NULL, self_forget);
}

/* A thread that libc did not make (raw clone) has no list, and a libc that lays its mutexes out in
 * another way has one that acre's cells cannot stand in: give it another. */
static struct robust_list_head *self_register(void)
{
    self_own_head.list.next = &self_own_head.list;
    self_own_head.futex_offset = SELF_OFFSET;
    syscall(SYS_set_robust_list, &self_own_head, sizeof self_own_head);
    return &self_own_head;
}

/* The lower half alone names a reader, and 0 nobody.  (libc's getrandom() would be a cancellation
 * point.) */
static uint64_t self_random(void)
{
    uint64_t id = 0;
    while ((uint32_t)id == 0)
        if (syscall(SYS_getrandom, &id, sizeof id, 0) != (long)sizeof id)
            id = (uint64_t)acre__this_thread.tid << 32 | (uint32_t)(uintptr_t)&self_own_head | 1;
    return id;
}

/* At the end, behind the mutexes of libc that the thread holds already.  The entry before it may be
 * taken out by libc, which then writes the anchor's back link, in front of next. */
static void self_anchor(acre__self *s)
{
    struct robust_list *at = &s->head->list;
    s->anchor.next = (uint64_t)(uintptr_t)at;
    while (at->next != &s->head->list)
        at = self_entry((uint64_t)(uintptr_t)at->next);
    s->anchor.back = (uint64_t)(uintptr_t)at;
    acre__order();
    at->next = (struct robust_list *)&s->anchor.next;
}

acre__self *acre__self_meet(void)
{
    acre__self *s = acre__self_here();
    struct robust_list_head *head = NULL;
    size_t size = 0;
    syscall(SYS_get_robust_list, 0, &head, &size);
    s->tid = (uint32_t)syscall(SYS_gettid);
    s->patience = ACRE__PATIENCE;
    s->id = self_random();
    s->place = (uint32_t)(s->id >> 32) % ACRE_READERS;
    s->head = head && head->futex_offset == SELF_OFFSET ? head : self_register();
    self_anchor(s);
    return s;
}

#endif

/* ---- looking through the list ---- */

/* Whether a cell of the list lies in [start, start + size).  A link that others have put to 0, as the
 * memory is shared, ends it. */
static bool self_any(const acre__self *s, const void *start, size_t size)
{
    const void *end = &s->head->list, *at = self_entry(s->anchor.next);
    for (int i = 0; at && at != end && i < SELF_LIST_LIMIT; i++, at = self_entry(*(const uint64_t *)at))
        if ((uintptr_t)at - (uintptr_t)start < size)
            return true;
    return false;
}

bool acre__self_holds(const acre__self *s, const acre_cell *c)
{
    return self_any(s, &c->next, 1);
}

bool acre__self_holds_in(const void *start, size_t size)
{
    const acre__self *s = acre__self_here();
    return s->tid && self_any(s, start, size);
}

void acre__list_remove_inner(acre__self *s, acre_cell *c)
{
    uint64_t wanted = (uint64_t)(uintptr_t)&c->next, end = (uint64_t)(uintptr_t)&s->head->list;
    uint64_t *at = &s->anchor.next;
    for (int i = 0; *at != wanted && *at != end && i < SELF_LIST_LIMIT; i++)
        at = self_entry(*at);
    if (*at == wanted)
        acre__put(at, c->next);
}
