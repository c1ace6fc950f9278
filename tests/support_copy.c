/* SPDX-License-Identifier: MIT */
/* support_copy.c: see support_copy.h. */
#include "tests/support_copy.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

typedef struct copy_node {
    acre_off next;
    uint64_t value, check;
} copy_node;

static void copy_must(bool ok)
{
    if (!ok)
        _exit(8);
}

/* ---- a worker ---- */

static void copy_push(acre_segment *s, copy_part *p, uint64_t value)
{
    acre_tx tx;
    void *at;
    copy_must(acre_tx_begin(&tx, s) == 0);
    acre_off next = acre_tx_read(&tx, &p->head);
    copy_must(acre_tx_alloc(&tx, &p->head, sizeof(copy_node), &at) == 0);
    *(copy_node *)at = (copy_node){next, value, ~value};
    copy_must(acre_tx_set(&tx, &p->count, p->count + 1) == 0 &&
              acre_tx_set(&tx, &p->sum, p->sum + value) == 0);
    copy_must(acre_tx_commit(&tx) == 0);
}

static void copy_pop(acre_segment *s, copy_part *p)
{
    const copy_node *n = acre_segment_address(s, p->head);
    acre_tx tx;
    if (!n)
        return;
    copy_must(acre_tx_begin(&tx, s) == 0);
    copy_must(acre_tx_free(&tx, &p->head) == 0 && acre_tx_set(&tx, &p->head, n->next) == 0);
    copy_must(acre_tx_set(&tx, &p->count, p->count - 1) == 0 &&
              acre_tx_set(&tx, &p->sum, p->sum - n->value) == 0);
    copy_must(acre_tx_commit(&tx) == 0);
}

static void copy_churn(acre_segment *s, copy_part *p, uint64_t *seed)
{
    acre_off *kept = &p->kept[acre_test_below(seed, COPY_KEPT)];
    acre_heap *h = acre_segment_heap(s);
    void *q = acre_alloc(h, acre_test_below(seed, 400));
    if (*kept)
        copy_must(acre_free_from(h, kept) == 0);
    else
        copy_must(acre_alloc_into(h, kept, acre_test_below(seed, 700)) == 0);
    copy_must(q && acre_free(h, q) == 0);
}

typedef struct copy_job {
    copy_house *h;
    int i;
} copy_job;

/* A dead one's words need not be alike: it did not come to a hold point. */
static void copy_work(void *arg)
{
    const copy_job *job = arg;
    acre_segment *s = job->h->s;
    copy_part *p = &job->h->part[job->i];
    uint64_t seed = (uint64_t)getpid();
    acre_hold hold;
    copy_must(acre_hold_join(&hold, s) == 0);
    for (p->other = p->one;; p->turns++) {
        copy_must(acre_hold_point(&hold) == 0);
        p->one++;
        copy_churn(s, p, &seed);
        if (p->count > 40 || acre_test_below(&seed, 2))
            copy_pop(s, p);
        else
            copy_push(s, p, acre_test_random(&seed));
        p->other++;
    }
}

/* ---- the house ---- */

copy_house copy_make(const char *algorithm, size_t size)
{
    acre_segment_options o = {.size = size, .algorithm = acre_algorithm_find(algorithm)};
    copy_house h = {.dir = "/tmp/acre-copies-XXXXXX"};
    ACRE_CHECK(mkdtemp(h.dir));
    snprintf(h.path, sizeof h.path, "%s/copy", h.dir);
    ACRE_CHECK_EQUAL(acre_segment_create(&h.s, ACRE_MEMFD, NULL, &o), 0);
    ACRE_CHECK_EQUAL(acre_alloc_into(acre_segment_heap(h.s), acre_segment_root(h.s),
                                     COPY_WORKERS * sizeof(copy_part)),
                     0);
    h.part = acre_segment_address(h.s, *acre_segment_root(h.s));
    memset(h.part, 0, COPY_WORKERS * sizeof(copy_part));
    acre_heap_detach(acre_segment_heap(h.s));
    return h;
}

void copy_end(copy_house *h)
{
    copy_expect_none(h);
    ACRE_CHECK_EQUAL(rmdir(h->dir), 0);
    test_sound(acre_segment_heap(h->s));
    ACRE_CHECK_EQUAL(acre_segment_close(h->s), 0);
}

void copy_start(copy_house *h, int i)
{
    copy_job job = {h, i};
    h->worker[i] = acre_test_spawn(copy_work, &job);
}

void copy_start_all(copy_house *h)
{
    for (int i = 0; i < COPY_WORKERS; i++)
        copy_start(h, i);
    copy_expect_at_work(h);
}

void copy_kill(copy_house *h, int i)
{
    kill(h->worker[i], SIGKILL);
    acre_test_expect_killed(h->worker[i]);
}

void copy_kill_all(copy_house *h)
{
    for (int i = 0; i < COPY_WORKERS; i++)
        copy_kill(h, i);
}

void copy_expect_at_work(const copy_house *h)
{
    for (int i = 0; i < COPY_WORKERS; i++) {
        uint64_t before = h->part[i].turns;
        for (int naps = 0; h->part[i].turns == before; naps++) {
            ACRE_CHECK(naps < 20000, "worker %d stands still", i);
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
        }
    }
}

/* ---- a copy ---- */

static void copy_verify_part(acre_segment *s, const copy_part *p)
{
    uint64_t sum = 0, count = 0;
    ACRE_CHECK_EQUAL(p->one, p->other);
    for (acre_off at = p->head; at; count++) {
        const copy_node *n = acre_segment_address(s, at);
        ACRE_CHECK(n && n->check == ~n->value && count < p->count);
        sum += n->value;
        at = n->next;
    }
    ACRE_CHECK(sum == p->sum && count == p->count);
}

static void copy_use(acre_segment *s, copy_part *p)
{
    copy_push(s, p, 5);
    while (p->head)
        copy_pop(s, p);
    ACRE_CHECK(!p->count && !p->sum);
    for (int i = 0; i < COPY_KEPT; i++)
        ACRE_CHECK_EQUAL(acre_free_from(acre_segment_heap(s), &p->kept[i]), 0);
}

void copy_verify(const copy_house *h)
{
    acre_segment *s;
    int e = acre_segment_open(&s, ACRE_FILE, h->path, NULL);
    ACRE_CHECK(e == 0, "%s", acre_strerror(e));
    test_sound(acre_segment_heap(s));
    copy_part *part = acre_segment_address(s, *acre_segment_root(s));
    for (int i = 0; i < COPY_WORKERS; i++)
        copy_verify_part(s, &part[i]);
    for (int i = 0; i < COPY_WORKERS; i++)
        copy_use(s, &part[i]);
    ACRE_CHECK_EQUAL(acre_free_from(acre_segment_heap(s), acre_segment_root(s)), 0);
    acre_heap_detach(acre_segment_heap(s));
    test_sound(acre_segment_heap(s));
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_FILE, h->path), 0);
}

void copy_expect_none(const copy_house *h)
{
    DIR *d = opendir(h->dir);
    ACRE_CHECK(d);
    for (struct dirent *e; (e = readdir(d));)
        ACRE_CHECK(!strcmp(e->d_name, ".") || !strcmp(e->d_name, ".."), "%s is left", e->d_name);
    closedir(d);
}
