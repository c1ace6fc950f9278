/* SPDX-License-Identifier: MIT */
/* A kill at every instruction, deterministic: a child does one operation under PTRACE_SINGLESTEP;
 * after each instruction that changed the segment, a copy of it is what a survivor would find.  The
 * copy is recovered and must be exactly the heap before the operation or the heap after it.
 * (A killed process's retired stores are all visible: the states that exist are these.) */
#include "tests/support_crash.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* White box: the lock word and the journal are where the format puts them. */
#include "tests/bury.h"
#include "tests/support_traced.h"

enum {
    STEP_SIZE = 16 << 10,
    STEP_CAPACITY = 24 << 10,
    STEP_SLOTS = 24,
    STEP_BATCH = 4
};

typedef struct step_heap {
    acre_segment *s;
    acre_heap *h;
    acre_off *slots; /* STEP_SLOTS offsets */
} step_heap;

/* One operation on a slot, as a victim does it. */
typedef struct step_operation {
    const char *name;
    void (*run)(step_heap *t, acre_off *slot, size_t size);
    bool publishing; /* the slot and the heap change as one step */
} step_operation;

static void *step_block(step_heap *t, const acre_off *slot)
{
    return acre_segment_address(t->s, *slot);
}

static void step_alloc_into(step_heap *t, acre_off *slot, size_t size)
{
    (void)acre_alloc_into(t->h, slot, size);
}

/* The empty slots in a row. */
static size_t step_run_of_slots(step_heap *t, const acre_off *slot)
{
    size_t n = 0;
    while (n < STEP_BATCH && slot + n < t->slots + STEP_SLOTS && !slot[n])
        n++;
    return n;
}

static void step_alloc_many_into(step_heap *t, acre_off *slot, size_t size)
{
    size_t sizes[STEP_BATCH] = {size, size / 2, 8, size};
    (void)acre_alloc_many_into(t->h, step_run_of_slots(t, slot), sizes, 0, slot);
}

/* Whatever enters; see step_leave_batch(). */
static void step_recover_batch(step_heap *t, acre_off *slot, size_t size)
{
    (void)slot;
    (void)size;
    (void)acre_heap_free_memory(t->h);
}

static void step_free_from(step_heap *t, acre_off *slot, size_t size)
{
    (void)size;
    (void)acre_free_from(t->h, slot);
}

static void step_resize(step_heap *t, acre_off *slot, uint32_t flags, size_t limit, size_t wish)
{
    acre_resize_command c = {.flags = flags, .limit = limit, .preferred = wish, .align = 32};
    (void)acre_resize(t->h, step_block(t, slot), &c, NULL);
}

static void step_forwards(step_heap *t, acre_off *slot, size_t size)
{
    step_resize(t, slot, ACRE_FORWARDS, 1, size);
}

static void step_backwards(step_heap *t, acre_off *slot, size_t size)
{
    step_resize(t, slot, ACRE_BACKWARDS, 1, acre_usable_size(t->h, step_block(t, slot)) + size);
}

static void step_both_ways(step_heap *t, acre_off *slot, size_t size)
{
    step_resize(t, slot, ACRE_BACKWARDS | ACRE_FORWARDS, 1,
                acre_usable_size(t->h, step_block(t, slot)) + size);
}

static void step_shrink(step_heap *t, acre_off *slot, size_t size)
{
    size_t had = acre_usable_size(t->h, step_block(t, slot));
    step_resize(t, slot, ACRE_SHRINK, had, size % (had + 1));
}

static void step_aligned(step_heap *t, acre_off *slot, size_t size)
{
    (void)slot;
    (void)!acre_alloc_aligned(t->h, size, 256);
}

static void step_grow(step_heap *t, acre_off *slot, size_t size)
{
    (void)slot;
    (void)acre_segment_grow(t->s, STEP_SIZE + size % (STEP_CAPACITY - STEP_SIZE));
}

static void step_shrink_segment(step_heap *t, acre_off *slot, size_t size)
{
    (void)slot;
    (void)acre_segment_shrink(t->s, size);
}

static const step_operation step_operations[] = {
    {"alloc_into", step_alloc_into, true},
    {"alloc_many_into", step_alloc_many_into, true},
    {"recover alloc_many_into", step_recover_batch, true},
    {"free_from", step_free_from, true},
    {"resize forwards", step_forwards, false},
    {"resize backwards", step_backwards, false},
    {"resize both ways", step_both_ways, false},
    {"shrink", step_shrink, false},
    {"aligned", step_aligned, false},
    {"grow", step_grow, false},
    {"shrink the segment", step_shrink_segment, false},
};
enum { STEP_OPERATIONS = sizeof step_operations / sizeof *step_operations };

/* ---- heaps in a random state ---- */

static step_heap step_make(const acre_algorithm *a)
{
    step_heap t;
    acre_segment_options o = {.size = STEP_SIZE, .capacity = STEP_CAPACITY, .algorithm = a,
                              .heap = test_options};
    ACRE_CHECK_EQUAL(acre_segment_create(&t.s, ACRE_MEMFD, NULL, &o), 0);
    t.h = acre_segment_heap(t.s);
    t.slots = acre_calloc(t.h, STEP_SLOTS, sizeof *t.slots);
    return t;
}

static size_t step_size(uint64_t *seed)
{
    static const uint64_t most[] = {24, 200, 200, 2000};
    return acre_test_below(seed, most[acre_test_below(seed, 4)]);
}

static void step_scramble(step_heap *t, uint64_t *seed, size_t operations)
{
    while (operations--) {
        acre_off *slot = &t->slots[acre_test_below(seed, STEP_SLOTS)];
        size_t size = step_size(seed);
        if (*slot)
            acre_free_from(t->h, slot);
        else if (acre_alloc_into(t->h, slot, size) == 0)
            test_fill(step_block(t, slot), size, (uint64_t)(slot - t->slots));
    }
    test_sound(t->h);
}

/* A slot that the operation makes sense on. */
static acre_off *step_pick(step_heap *t, uint64_t *seed, bool empty)
{
    for (int i = 0; i < 1000; i++) {
        acre_off *slot = &t->slots[acre_test_below(seed, STEP_SLOTS)];
        if (!*slot == empty)
            return slot;
    }
    return NULL;
}

/* ---- what a heap is, as far as users can tell ---- */

typedef struct step_picture {
    uint64_t size, n, free_bytes;
    uint64_t block[512][2];
    acre_off slots[STEP_SLOTS];
    uint64_t contents; /* hash of the bytes of slots' blocks */
} step_picture;

/* Blocks that were made and freed again may leave the free memory divided in another way. */
static bool step_refitted;

static int step_see(void *arg, const acre_block *b)
{
    step_picture *p = arg;
    if (step_refitted && !b->used)
        return 0;
    ACRE_CHECK(p->n < 512);
    p->block[p->n][0] = b->offset;
    p->block[p->n++][1] = b->size << 1 | b->used;
    return 0;
}

static uint64_t step_hash(uint64_t h, const unsigned char *p, size_t n)
{
    while (n--)
        h = (h ^ *p++) * 0x100000001b3u;
    return h;
}

/* Contents count as far as the smaller of the two states that are compared owns them; the first
 * bytes are what free() would overwrite. */
static void step_draw(acre_segment *s, acre_off slots, step_picture *p)
{
    acre_heap *h = acre_segment_heap(s);
    *p = (step_picture){0};
    test_sound(h); /* repairs first */
    p->size = acre_segment_size(s);
    ACRE_CHECK_EQUAL(acre_heap_walk(h, step_see, p), 0);
    p->free_bytes = step_refitted ? 0 : acre_heap_free_memory(h);
    memcpy(p->slots, acre_segment_address(s, slots), sizeof p->slots);
    for (int i = 0; i < STEP_SLOTS; i++) {
        const void *at = acre_segment_address(s, p->slots[i]);
        size_t n = at ? acre_usable_size(h, at) : 0;
        p->contents = step_hash(p->contents, at, n < 24 ? n : 24);
    }
}

static bool step_same(const step_picture *a, const step_picture *b)
{
    return !memcmp(a, b, sizeof *a);
}

/* ---- survivors ---- */

typedef struct step_run {
    step_heap t;
    acre_off slots;
    step_picture before, after;
    char *image; /* what is recovered: a copy of the segment */
    int fd;      /* of the image */
    size_t steps, states, undone, done;
} step_run;

static step_run step_open(void)
{
    step_run r = {.fd = memfd_create("survivor", MFD_CLOEXEC)};
    ACRE_CHECK(r.fd >= 0 && ftruncate(r.fd, STEP_CAPACITY) == 0);
    r.image = mmap(NULL, STEP_CAPACITY, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, 0);
    ACRE_CHECK(r.image != MAP_FAILED);
    return r;
}

static void step_close(step_run *r)
{
    munmap(r->image, STEP_CAPACITY);
    close(r->fd);
}

static acre_segment *step_survivor(step_run *r)
{
    acre_segment *s;
    acre_segment_options o = {.fd = r->fd};
    bury((char *)bury_control(r->image), r->image + acre_segment_size(r->t.s));
    int e = acre_segment_open(&s, ACRE_MEMFD, NULL, &o);
    ACRE_CHECK(e == 0, "%s", acre_strerror(e));
    return s;
}

static void step_recover(step_run *r, step_picture *found)
{
    memcpy(r->image, acre_segment_base(r->t.s), acre_segment_size(r->t.s));
    acre_segment *s = step_survivor(r);
    step_draw(s, r->slots, found);
    acre_segment_close(s);
}

/* States are collected while the child runs, and compared when it is known what comes out. */
typedef struct step_states {
    char *image; /* the segment as it was last seen */
    step_picture *picture;
    size_t n, room;
} step_states;

static void step_collect(step_run *r, step_states *all)
{
    char *now = acre_segment_base(r->t.s);
    size_t size = acre_segment_size(r->t.s);
    if (!memcmp(now, all->image, size))
        return;
    memcpy(all->image, now, size);
    if (all->n == all->room) {
        all->room = all->room * 2 + 64;
        all->picture = realloc(all->picture, all->room * sizeof *all->picture);
        ACRE_CHECK(all->picture);
    }
    step_recover(r, &all->picture[all->n++]);
}

/* ---- the traced child ---- */

typedef struct step_script {
    step_run *run;
    const step_operation *operation;
    acre_off *slot;
    size_t size;
} step_script;

static void step_child(void *arg)
{
    step_script *c = arg;
    traced_begin();
    c->operation->run(&c->run->t, c->slot, c->size);
    traced_end();
}

/* One instruction after the other, until the operation is over. */
static void step_through(pid_t child, step_run *r, step_states *all)
{
    ACRE_CHECK_EQUAL(traced_wait(child), SIGSTOP);
    for (int signal = SIGTRAP; signal == SIGTRAP; r->steps++) {
        ACRE_CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0, "%s", strerror(errno));
        signal = traced_wait(child);
        ACRE_CHECK(signal == SIGTRAP || signal == SIGSTOP, "signal %d", signal);
        step_collect(r, all);
    }
    ptrace(PTRACE_CONT, child, NULL, NULL);
    acre_test_expect_exit(child, 0);
}

/* A plain allocation or resize changes no slot: before or after are told by the blocks alone. */
static void step_judge(step_run *r, const step_states *all, const char *name)
{
    bool over = false;
    for (size_t i = 0; i < all->n; i++) {
        bool is_before = step_same(&all->picture[i], &r->before);
        bool is_after = step_same(&all->picture[i], &r->after);
        ACRE_CHECK(is_before || is_after, "%s: state %zu of %zu is neither before nor after", name,
                   i, all->n);
        ACRE_CHECK(!over || is_after, "%s: undone after it was done", name);
        over |= !is_before;
        r->undone += is_before && !is_after;
        r->done += is_after;
    }
    r->states += all->n;
}

static void step_operate(step_run *r, const step_operation *operation, acre_off *slot, size_t size)
{
    step_states all = {.image = malloc(STEP_CAPACITY)};
    step_script script = {r, operation, slot, size};
    memcpy(all.image, acre_segment_base(r->t.s), acre_segment_size(r->t.s));
    step_recover(r, &r->before);
    step_through(acre_test_spawn(step_child, &script), r, &all);
    step_recover(r, &r->after);
    step_judge(r, &all, operation->name);
    free(all.image);
    free(all.picture);
}

static bool step_fills(const step_operation *o)
{
    return o->run == step_alloc_into || o->run == step_alloc_many_into ||
           o->run == step_recover_batch;
}

/* As one leaves it who filled the slots and died just before the end. */
static void step_leave_batch(step_heap *t, acre_off *slot, size_t size)
{
    acre_journal *j = &bury_control(acre_segment_base(t->s))->journal;
    size_t n = step_run_of_slots(t, slot);
    step_alloc_many_into(t, slot, size);
    j->entry[0].old = n;
    j->count = j->entry[0].where & ACRE__BATCH ? 1 : 0;
    ACRE_CHECK_EQUAL(j->count, 1);
}

static void step_seed(step_run *r, const acre_algorithm *a, uint64_t *seed, size_t kind)
{
    const step_operation *o = &step_operations[kind];
    r->t = step_make(a);
    r->slots = acre_segment_offset(r->t.s, r->t.slots);
    step_scramble(&r->t, seed, 20 + acre_test_below(seed, 100));
    acre_off *slot = step_pick(&r->t, seed, step_fills(o));
    step_refitted = o->run == step_alloc_many_into || o->run == step_recover_batch ||
                    test_options.checks >= ACRE_CHECKS_CANARY;
    if (slot && o->run == step_recover_batch)
        step_leave_batch(&r->t, slot, step_size(seed));
    acre_heap_detach(r->t.h); /* the victim takes over what was kept for this thread */
    if (slot)
        step_operate(r, o, slot, step_size(seed));
    acre_segment_close(r->t.s);
}

static void step_skip(const acre_algorithm *a)
{
    const char *preload = getenv("LD_PRELOAD");
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    if (!(a->flags & ACRE_ROBUST))
        acre_test_skip("%s does not promise to survive a kill", a->name);
    if (preload && strstr(preload, "vgpreload"))
        acre_test_skip("valgrind does not let a child be traced");
}

static void killed_at_every_instruction(const acre_algorithm *a)
{
    step_skip(a);
    uint64_t seed = acre_test_seed();
    step_run r = step_open();
    for (size_t i = 0; i < acre_test_rounds(test_options.checks ? 4 : 20); i++)
        for (size_t kind = 0; kind < STEP_OPERATIONS; kind++)
            step_seed(&r, a, &seed, kind);
    fprintf(stderr, "%s: %zu instructions, %zu states recovered: %zu undone, %zu done\n", a->name,
            r.steps, r.states, r.undone, r.done);
    ACRE_CHECK(r.states > 0 && r.undone > 0 && r.done > 0);
    step_close(&r);
}

/* ---- negative control: one note is missing ---- */

/* Free a slot's block, and make it look as if the process had died just before the commit: what it
 * noted is still in the journal.  Returns how many words that is. */
static uint64_t step_free_without_commit(step_run *r, acre_off *slot)
{
    acre__heap_control *c = bury_control(acre_segment_base(r->t.s));
    uint64_t n = 0;
    memset(c->journal.entry, 0xff, c->journal.capacity * sizeof *c->journal.entry);
    ACRE_CHECK_EQUAL(acre_free_from(r->t.h, slot), 0);
    while (n < c->journal.capacity && ~c->journal.entry[n].where)
        n++;
    return n;
}

/* The survivor's heap is damaged, or it is not the heap before. */
static bool step_notices(step_run *r, uint64_t notes, uint64_t missing)
{
    step_picture found = {0};
    memcpy(r->image, acre_segment_base(r->t.s), acre_segment_size(r->t.s));
    acre_journal *j = &bury_control(r->image)->journal;
    j->count = notes;
    if (missing < notes) {
        memmove(&j->entry[missing], &j->entry[missing + 1],
                (notes - missing - 1) * sizeof *j->entry);
        j->count--;
    }
    acre_segment *s = step_survivor(r);
    bool damaged = acre_heap_check(acre_segment_heap(s), NULL) != 0;
    if (!damaged)
        step_draw(s, r->slots, &found);
    acre_segment_close(s);
    return damaged || !step_same(&found, &r->before);
}

enum { STEP_NOTES = 8 };

/* Whichever of the first notes of a free() is left out, some state shows it.  (Notes of contents
 * are not all needed: some of these words are noted again, or not changed.) */
static void a_missing_note_is_noticed(const acre_algorithm *a)
{
    step_skip(a);
    if (test_options.checks >= ACRE_CHECKS_CANARY)
        acre_test_skip("a free is several steps there: the journal's end tells only the last one");
    uint64_t seed = acre_test_seed();
    size_t noticed[STEP_NOTES] = {0}, left_out[STEP_NOTES] = {0};
    step_run r = step_open();
    step_refitted = false;
    for (size_t i = 0; i < acre_test_rounds(100); i++) {
        r.t = step_make(a);
        r.slots = acre_segment_offset(r.t.s, r.t.slots);
        step_scramble(&r.t, &seed, 60);
        acre_off *slot = step_pick(&r.t, &seed, false);
        step_recover(&r, &r.before);
        uint64_t notes = step_free_without_commit(&r, slot);
        ACRE_CHECK(!step_notices(&r, notes, notes), "all is noted, yet something is missing");
        for (uint64_t k = 0; k < STEP_NOTES && k < notes; k++)
            left_out[k]++, noticed[k] += step_notices(&r, notes, k);
        acre_segment_close(r.t.s);
    }
    for (size_t k = a->free_clobbers / 8; k < STEP_NOTES; k++) /* behind the contents' notes */
        ACRE_CHECK(noticed[k] > 0 || left_out[k] < 5, "note %zu is never missed", k);
    step_close(&r);
}

#define CASES(X, a)                                                                                \
    X(a, killed_at_every_instruction)                                                              \
    X(a, a_missing_note_is_noticed)

#define ACRE_ALGORITHM(a) TEST_CASES(CASES, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
