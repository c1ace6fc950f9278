/* SPDX-License-Identifier: MIT */
/* party.c: the segment, the owner's process, the victim's two functions. */
#include "tests/crash/party.h"

#include "tests/crash/shards.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- the plan ---- */

static const acre_algorithm *party_algorithm(void)
{
    const acre_algorithm *a;
    for (size_t i = 0; (a = crash_algorithm(i)); i++)
        if (!strcmp(a->name, "sharded"))
            return a;
    return NULL;
}

void party_plan(const crash_part *self, unsigned seconds, bool (*chosen)(size_t scene))
{
    const acre_algorithm *a = party_algorithm();
    for (size_t i = 0; a && party_scenes[i].name; i++)
        if (!chosen || chosen(i))
            crash_plan(self, a, party_scenes[i].name, "party", i, seconds);
}

/* ---- the segment ---- */

static void party_stand_alone(published *p)
{
    for (size_t i = 0; i < PARTY_ALONE; i++)
        if (published_put(p, i, PARTY_NODE) || !p->block[i])
            crash_give_up("%d blocks cannot stand alone", PARTY_ALONE);
}

/* Of those that come later the first take what is small, so the segment is as large as it will be. */
static void party_make_image(party *p)
{
    published q;
    published_plan plan = {
        PARTY_LEAST, PARTY_SIZE, party_slot(PARTY_GUESTS, 0), p->c->algorithm, {0}};
    int e = published_create_as(&q, ACRE_MEMFD, NULL, &plan);
    if (!e && !(p->scene->flags & PARTY_GROWS))
        e = acre_segment_grow(q.s, PARTY_SIZE);
    if (e)
        crash_give_up("%s: %s", p->c->algorithm->name, acre_strerror(e));
    p->whole = party_whole(&q);
    party_stand_alone(&q);
    acre_heap_detach(q.h);
    memcpy(p->image, acre_segment_base(q.s), acre_segment_size(q.s));
    acre_segment_close(q.s);
}

void party_open(party *p, const crash_case *c, crash_board *b)
{
    *p = (party){.c = c, .b = b, .scene = &party_scenes[c->index], .seed = crash_seed(c)};
    p->strangers = p->named = SIZE_MAX;
    p->image = calloc(1, PARTY_SIZE);
    p->ground =
        mmap(NULL, sizeof *p->ground, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (!p->image || p->ground == MAP_FAILED)
        crash_give_up("no memory");
    p->room = corpse_new(PARTY_SIZE);
    p->copy = corpse_new(PARTY_SIZE);
    party_make_image(p);
}

void party_close(party *p)
{
    corpse_free(&p->room);
    corpse_free(&p->copy);
    munmap(p->ground, sizeof *p->ground);
    free(p->image);
}

/* ---- words that are waited for ---- */

static void party_post(volatile uint32_t *word)
{
    __atomic_fetch_add(word, 1, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void party_await(volatile uint32_t *word, uint32_t value)
{
    uint32_t now;
    while ((now = *word) != value)
        syscall(SYS_futex, word, FUTEX_WAIT, now, NULL, NULL, 0);
}

/* ---- the owner ---- */

static void party_owner(void *arg)
{
    party *p = arg;
    uint64_t seed = crash_seed(p->c) + p->b->at;
    party_fill_owner(p);
    for (uint32_t n = 1;; n++) {
        party_post(&p->ground->answered);
        party_await(&p->ground->asked, n);
        party_act(p, n - 1, &seed);
    }
}

void party_ask(party *p)
{
    party_post(&p->ground->asked);
}

bool party_answered(const party *p)
{
    return p->ground->answered == p->ground->asked + 1;
}

void party_begin(party *p)
{
    acre_segment *s;
    int e = corpse_open(&p->room, p->image, &s);
    if (e || published_find(&p->p, s) != 0)
        crash_give_up("%s: %s", p->c->algorithm->name, acre_strerror(e));
    *p->ground = (party_ground){0};
    p->owner = crash_child(party_owner, p);
    party_await(&p->ground->answered, 1);
}

void party_end(party *p)
{
    int status;
    kill(p->owner, SIGKILL);
    waitpid(p->owner, &status, 0);
    p->owner = 0;
    acre_segment_close(p->p.s);
}

/* ---- the victim ---- */

void party_before(void *arg)
{
    party *p = arg;
    p->scene->before(p);
}

void party_run(void *arg)
{
    party *p = arg;
    p->scene->run(p);
}

void party_note(party *p)
{
    p->slabs = shards_slabs(p->p.h);
    p->chunks = shards_chunks(p->p.h);
}

static int party_sign(size_t now, size_t was)
{
    return (now > was) - (now < was);
}

void party_expect(const party *p)
{
    size_t slabs = shards_slabs(p->p.h), chunks = shards_chunks(p->p.h);
    if (party_sign(slabs, p->slabs) != p->scene->slabs ||
        party_sign(chunks, p->chunks) != p->scene->chunks)
        crash_give_up("%s is not what it is called: of %zu slabs and %zu chunks came %zu and %zu",
                      p->scene->name, p->slabs, p->chunks, slabs, chunks);
}
