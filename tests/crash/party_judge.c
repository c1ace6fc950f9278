/* SPDX-License-Identifier: MIT */
/* party_judge.c: all are gone; what is found is compared with what each of them held.
 *
 *   slots       each names a live block of its own, with its contents
 *   strangers   live blocks that no slot names: what the victim had in hand, as many as its scene says, and
 *               if nobody else has moved never fewer, then more, of what only comes or only goes
 *   the rest    works: random turns; then all is given back, and nothing is missing */
#include "tests/crash/party.h"

#include <string.h>

enum { PARTY_TURNS = 150 };

static bool party_wrong(party *p, const published_finding *f)
{
    if (f->wrong)
        crash_wrong(p->c, p->b, f->what, "%s", f->text);
    return f->wrong;
}

/* ---- bytes ---- */

static int party_add(void *arg, const acre_block *b)
{
    *(uint64_t *)arg += b->total;
    return 0;
}

uint64_t party_whole(const published *p)
{
    acre_stats s;
    uint64_t sum = 0;
    if (acre_heap_walk(p->h, party_add, &sum) != 0 || acre_heap_stats(p->h, &s) != 0)
        return 0;
    return sum + s.overhead - acre_segment_size(p->s);
}

/* ---- strangers, names ---- */

static size_t party_named(const published *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += p->block[i] != 0;
    return n;
}

static size_t party_ends(const party_scene *sc)
{
    return sc->first > sc->last ? sc->first : sc->last;
}

static size_t party_most(const party_scene *sc)
{
    return sc->most > party_ends(sc) ? sc->most : party_ends(sc);
}

static bool party_strangers(party *p, size_t n, bool over)
{
    const party_scene *sc = p->scene;
    size_t last = p->ground->none ? sc->first : sc->last;
    size_t least = over ? last : sc->first < sc->last ? sc->first : sc->last;
    size_t most = over ? last : party_most(sc);
    if (n < least)
        crash_wrong(p->c, p->b, CRASH_DOUBLED, "%zu blocks are in hand, %zu are live", least, n);
    else if (n > most)
        crash_wrong(p->c, p->b, CRASH_LOST, "%zu live blocks are nobody's, %zu may be", n, most);
    else
        return true;
    return false;
}

/* From one death to the next, in the order of the instructions: once after, never before again. */
static bool party_in_order(party *p, size_t strangers, size_t named)
{
    const party_scene *sc = p->scene;
    bool comes = sc->last >= sc->first, first = p->named == SIZE_MAX;
    bool simple = party_most(sc) == party_ends(sc);
    bool back = comes ? strangers < p->strangers : strangers > p->strangers;
    bool renamed = sc->named >= 0 ? named < p->named : named > p->named;
    if (!first && ((simple && back) || renamed))
        crash_wrong(p->c, p->b, CRASH_LOST, "undone after it was found done");
    else {
        p->strangers = strangers;
        p->named = named;
        return true;
    }
    return false;
}

/* ---- afterwards ---- */

static bool party_use(party *p, published *q)
{
    for (int i = 0; i < PARTY_TURNS; i++) {
        const char *wrong = published_turn(q, &p->seed, PUBLISHED_FIXED, 0, q->n);
        if (wrong) {
            crash_wrong(p->c, p->b, CRASH_UNSOUND, "afterwards: %s", wrong);
            return false;
        }
    }
    published_finding f = published_look(q);
    return !party_wrong(p, &f);
}

static bool party_give_back(party *p, published *q)
{
    published_finding f = published_clear(q);
    if (party_wrong(p, &f))
        return false;
    uint64_t whole = party_whole(q);
    if (whole != p->whole)
        crash_wrong(p->c, p->b, CRASH_LOST, "all is freed, and %lld bytes are missing",
                    (long long)(p->whole - whole));
    return whole == p->whole;
}

/* ---- all of it ---- */

static bool party_look(party *p, published *q, bool over)
{
    published_finding f = published_look(q);
    size_t named = party_named(q); /* what a record says of slots is done */
    if (party_wrong(p, &f) || !party_strangers(p, f.strangers, over))
        return false;
    p->b->n.in_hand += f.strangers;
    return !p->ordered || party_in_order(p, f.strangers, named);
}

bool party_judge(party *p, const char *image, bool over, bool use_on)
{
    acre_segment *s;
    published q = {0};
    int e = corpse_open(&p->copy, image, &s);
    if (e) {
        crash_wrong(p->c, p->b, CRASH_UNSOUND, "the segment cannot be opened: %s",
                    acre_strerror(e));
        return false;
    }
    if (published_find(&q, s) != 0)
        crash_wrong(p->c, p->b, CRASH_LOST, "the table is gone");
    bool good = q.s == s && party_look(p, &q, over) && (!use_on || party_use(p, &q)) &&
                party_give_back(p, &q);
    acre_segment_close(s);
    return good;
}
