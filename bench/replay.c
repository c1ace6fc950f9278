/* SPDX-License-Identifier: MIT */
/* replay.c: an image on a heap: opening, running, draining. */
#include "bench/replay.h"

#include "bench/lab.h"

#include <errno.h>
#include <string.h>

/* Entries between two looks at the clock: few if they take long. */
enum { REPLAY_CHUNK_MIN = 16, REPLAY_CHUNK_FIRST = 256, REPLAY_CHUNK_MAX = 4096 };
enum { REPLAY_QUICK_NS = 200000, REPLAY_SLOW_NS = 2000000 };

static const char *const replay_touch_names[] = {"none", "line", "page", "full"};

int acre_touch_parse(const char *name)
{
    for (int i = 0; i < ACRE_TOUCH_KINDS; i++)
        if (strcmp(name, replay_touch_names[i]) == 0)
            return i;
    return -1;
}

const char *acre_touch_name(int touch)
{
    return replay_touch_names[touch];
}

const char *acre_replay_status_name(enum acre_replay_status s)
{
    static const char *const name[] = {"ok", "stopped", "failed"};
    return name[s];
}

size_t acre_replay_room(const acre_image *m)
{
    size_t need = 4 * m->h->peak_live + 2 * m->h->largest + ((size_t)64 << 20);
    return (need + 4095) & ~(size_t)4095;
}

static size_t replay_slot_bytes(const acre_image *m)
{
    return m->h->n_slots * sizeof(void *);
}

static int replay_open_heap(acre_replay *r, size_t bytes)
{
    const acre_contender *c = r->contender;
    return r->engine->open(&r->tape.heap, c->name, c->options, r->memory, bytes);
}

int acre_replay_open(acre_replay *r, const acre_image *m, const acre_contender *c, size_t bytes)
{
    acre_replay fresh = {.image = m, .contender = c, .bytes = bytes};
    fresh.engine = acre_contender_engine(c);
    fresh.tape.ops = m->ops;
    fresh.tape.sizes = m->sizes;
    if (!fresh.engine || acre_contender_needs_preload(c))
        return ENOSYS;
    fresh.tape.slots = acre_lab_map(replay_slot_bytes(m));
    fresh.memory = acre_lab_map_segment(bytes);
    int e = ENOMEM;
    if (fresh.tape.slots && fresh.memory) {
        acre_lab_populate(fresh.tape.slots, replay_slot_bytes(m));
        e = replay_open_heap(&fresh, bytes);
    }
    if (e) {
        acre_lab_unmap(fresh.tape.slots, replay_slot_bytes(m));
        acre_lab_unmap(fresh.memory, bytes);
        return e;
    }
    *r = fresh;
    return 0;
}

int acre_replay_reopen(acre_replay *r, size_t bytes)
{
    if (r->tape.heap)
        r->engine->close(r->tape.heap);
    r->tape.heap = NULL;
    r->at = 0;
    acre_lab_forget(r->memory, r->bytes);
    return replay_open_heap(r, bytes);
}

/* Which slots hold a block is not stored in them but follows from the image. */
static void replay_mark_live(const acre_replay *r, char *live)
{
    const acre_image *m = r->image;
    for (size_t i = 0; i < r->at; i += acre_image_width(m, i))
        live[m->ops[i].slot] = m->ops[i].op > ACRE_OP_FREE_NULL;
}

static void replay_free_live(acre_replay *r)
{
    size_t slots = r->image->h->n_slots;
    char *live = acre_lab_map(slots);
    if (!live)
        return;
    replay_mark_live(r, live);
    for (size_t i = 1; i < slots; i++)
        if (live[i])
            r->engine->free(r->tape.heap, r->tape.slots[i]);
    acre_lab_unmap(live, slots);
}

int acre_replay_borrow(acre_replay *r, const acre_image *m, const acre_contender *c, void *heap)
{
    *r = (acre_replay){.image = m, .contender = c, .engine = acre_contender_engine(c)};
    r->tape = (acre_tape){m->ops, m->sizes, acre_lab_map(replay_slot_bytes(m)), heap};
    if (!r->tape.slots)
        return ENOMEM;
    acre_lab_populate(r->tape.slots, replay_slot_bytes(m));
    return 0;
}

void acre_replay_give_back(acre_replay *r)
{
    replay_free_live(r);
    acre_lab_unmap(r->tape.slots, replay_slot_bytes(r->image));
}

void acre_replay_close(acre_replay *r)
{
    if (!(r->engine->flags & (ACRE_ENGINE_SEGMENT | ACRE_ENGINE_REFERENCE)))
        replay_free_live(r);
    if (r->tape.heap)
        r->engine->close(r->tape.heap);
    acre_lab_unmap(r->tape.slots, replay_slot_bytes(r->image));
    acre_lab_unmap(r->memory, r->bytes);
}

static size_t replay_next_chunk(size_t chunk, uint64_t took)
{
    if (took < REPLAY_QUICK_NS && chunk < REPLAY_CHUNK_MAX)
        return 2 * chunk;
    return took > REPLAY_SLOW_NS && chunk > REPLAY_CHUNK_MIN ? chunk / 2 : chunk;
}

acre_pass acre_replay_run(acre_replay *r, size_t begin, size_t end, int touch, uint64_t deadline)
{
    acre_engine_loop *loop = r->engine->loop[touch];
    acre_pass pass = {ACRE_REPLAY_OK, begin, 0};
    size_t chunk = REPLAY_CHUNK_FIRST;
    uint64_t start = acre_lab_now_ns(), last = start;
    while (pass.entry < end && pass.status == ACRE_REPLAY_OK) {
        size_t stop = end - pass.entry > chunk ? pass.entry + chunk : end;
        pass.entry = loop(&r->tape, pass.entry, stop);
        uint64_t now = acre_lab_now_ns();
        if (pass.entry < stop)
            pass.status = ACRE_REPLAY_FAILED;
        else if (deadline && now > deadline && pass.entry < end)
            pass.status = ACRE_REPLAY_STOPPED;
        chunk = replay_next_chunk(chunk, now - last);
        last = now;
    }
    r->at = pass.entry;
    pass.ns = last - start;
    return pass;
}

void acre_replay_drain(acre_replay *r)
{
    const acre_image_header *h = r->image->h;
    r->engine->loop[ACRE_TOUCH_NONE](&r->tape, h->n_entries, h->n_entries + h->n_drain);
    r->at = 0;
}

/* Literals are counted with the rest: the error is below their own share. */
double acre_replay_share(const acre_image *m, size_t entry)
{
    return m->h->n_entries ? (double)entry / (double)m->h->n_entries : 1;
}
