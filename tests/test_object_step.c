/* SPDX-License-Identifier: MIT */
/* Killed at every instruction of what changes objects and their index: the object is wholly there or
 * wholly absent, the other objects are there, nothing leaks.  While the victim stands still others find.
 *
 * A child does one operation under PTRACE_SINGLESTEP; after each instruction that changed the segment a copy
 * of it is what a survivor would find.  Of some of these copies the recovery is stepped through in the same
 * way: a second death. */
#include "segment/names_layout.h"
#include "tests/support_object.h"

#include "tests/bury.h"
#include "tests/support_traced.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { STEP_OTHERS = 16, STEP_SIZE = 48 << 10, STEP_SECOND = 6 };

typedef struct cell {
    uint64_t value[3];
} cell;

static void step_other(char *name, int i)
{
    sprintf(name, "other %d", i);
}

/* ---- types ---- */

static int cell_init(acre_segment *s, void *element, size_t i, void *arg)
{
    (void)s;
    *(cell *)element = (cell){{i + 1, i + 2, i + 3}};
    return arg && i == 2 ? EDOM : 0;
}

static void cell_fini(acre_segment *s, void *element)
{
    (void)s;
    memset(element, 0, sizeof(cell));
}

static const acre_type cell_type = ACRE_TYPE_INIT(cell, cell_init, cell_fini);

/* One that makes another one. */
static int nest_init(acre_segment *s, void *element, size_t i, void *arg)
{
    (void)arg;
    int e = acre_construct(s, &cell_type, "inner", 1, NULL, NULL);
    return e == EEXIST ? 0 : e ? e : cell_init(s, element, i, NULL);
}

static const acre_type nest_type = {.name = "cell", .size = sizeof(cell), .align = __alignof__(cell), .init = nest_init, .fini = cell_fini};

static void step_check_cells(const cell *c, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ACRE_CHECK(c[i].value[0] == i + 1 && c[i].value[1] == i + 2 && c[i].value[2] == i + 3);
}

/* ---- what there is before ---- */

static void step_make_others(acre_segment *s, int n)
{
    char name[32];
    for (int i = 0; i < n; i++) {
        step_other(name, i);
        ACRE_CHECK_EQUAL(acre_construct(s, &cell_type, name, 1, NULL, NULL), 0);
    }
}

/* ---- operations ---- */

static void step_construct(acre_segment *s)
{
    int e = acre_construct(s, &cell_type, "it", 2, NULL, NULL);
    ACRE_CHECK(e == 0 || e == EEXIST, "%s", acre_strerror(e));
}

static void step_construct_unique(acre_segment *s)
{
    int e = acre_construct_unique(s, &cell_type, 2, NULL, NULL);
    ACRE_CHECK(e == 0 || e == EEXIST, "%s", acre_strerror(e));
}

static void step_find_or_construct(acre_segment *s)
{
    ACRE_CHECK_EQUAL(acre_find_or_construct(s, &cell_type, "it", 2, NULL, NULL, NULL), 0);
}

static void step_fail(acre_segment *s)
{
    ACRE_CHECK_EQUAL(acre_construct(s, &cell_type, "it", 3, s, NULL), EDOM);
}

static void step_nest(acre_segment *s)
{
    int e = acre_construct(s, &nest_type, "it", 1, NULL, NULL);
    ACRE_CHECK(e == 0 || e == EEXIST, "%s", acre_strerror(e));
}

static void step_destroy(acre_segment *s)
{
    int e = acre_destroy(s, &cell_type, "it");
    ACRE_CHECK(e == 0 || e == ENOENT, "%s", acre_strerror(e));
}

static void step_into(acre_segment *s)
{
    int e = acre_construct_into(s, &cell_type, 2, NULL, acre_segment_root(s));
    ACRE_CHECK(e == 0 || e == EINVAL, "%s", acre_strerror(e));
}

static void step_from(acre_segment *s)
{
    int e = acre_destroy_from(s, &cell_type, acre_segment_root(s));
    ACRE_CHECK(e == 0 || e == ENOENT, "%s", acre_strerror(e));
}

static void step_reserve(acre_segment *s)
{
    ACRE_CHECK_EQUAL(acre_reserve_objects(s, 100), 0);
}

static void step_shrink(acre_segment *s)
{
    ACRE_CHECK_EQUAL(acre_shrink_indexes(s), 0);
}

static void step_construct_and_destroy(acre_segment *s)
{
    step_construct(s);
    step_destroy(s);
}

static void step_destroy_others(acre_segment *s, int first, int n)
{
    char name[32];
    for (int i = first; i < n; i++) {
        step_other(name, i);
        int e = acre_destroy(s, &cell_type, name);
        ACRE_CHECK(e == 0, "%s: %s", name, acre_strerror(e));
    }
}

/* ---- others, while the victim stands still ---- */

/* Objects that are not touched are found, what is not there is not; nobody is waited for.  `still`: somebody may
 * stand in the middle (then the flat index cannot tell that something is absent, and would wait). */
static void step_look(acre_segment *s, int others, bool still)
{
    char name[32];
    cell *c;
    for (int i = 0; i < others; i++) {
        step_other(name, i);
        int e = acre_find(s, &cell_type, name, (void **)&c, NULL);
        ACRE_CHECK(e == 0, "%s: %s", name, acre_strerror(e));
        step_check_cells(c, 1);
    }
    if (still)
        return;
    int e = acre_find(s, &cell_type, "it", (void **)&c, NULL);
    ACRE_CHECK(e == 0 || e == ENOENT, "%s", acre_strerror(e));
    ACRE_CHECK_EQUAL(acre_find(s, &cell_type, "nothing", NULL, NULL), ENOENT);
}

/* ---- the survivor ---- */

typedef struct step_found {
    bool named, unique, inner, root;
} step_found;

static void step_visit(acre_segment *s, size_t expected)
{
    acre_cursor c = {0};
    acre_object o;
    size_t n = 0;
    for (int e; (e = acre_object_next(s, &c, &o)) != ENOENT; n++) {
        ACRE_CHECK(e == 0, "%s", acre_strerror(e));
        step_check_cells(o.address, o.count);
    }
    ACRE_CHECK_EQUAL(n, expected);
}

static bool step_find(acre_segment *s, const char *name)
{
    cell *c;
    size_t n = 0;
    int e = acre_find(s, &cell_type, name, (void **)&c, &n);
    ACRE_CHECK(e == 0 || e == ENOENT, "%s", acre_strerror(e));
    if (e == 0)
        step_check_cells(c, n);
    return e == 0;
}

static bool step_in_root(acre_segment *s)
{
    acre_object o;
    acre_off root = *acre_segment_root(s);
    ACRE_CHECK(!root || acre_object_info(s, acre_segment_address(s, root), &o) == 0);
    if (root)
        step_check_cells(o.address, o.count);
    return root;
}

/* All of what the segment has goes in the end, and then it is empty. */
static void step_end_all(acre_segment *s, int others, const step_found *f)
{
    if (f->named)
        ACRE_CHECK_EQUAL(acre_destroy(s, &cell_type, "it"), 0);
    if (f->inner)
        ACRE_CHECK_EQUAL(acre_destroy(s, &cell_type, "inner"), 0);
    if (f->unique)
        ACRE_CHECK_EQUAL(acre_destroy_unique(s, &cell_type), 0);
    if (f->root)
        ACRE_CHECK_EQUAL(acre_destroy_from(s, &cell_type, acre_segment_root(s)), 0);
    step_destroy_others(s, 0, others);
    object_expect_empty(s);
}

static step_found step_verify(acre_segment *s, int others)
{
    int e = acre_objects_recover(s);
    ACRE_CHECK(e == 0, "%s", acre_strerror(e));
    step_found f = {step_find(s, "it"), acre_find_unique(s, &cell_type, NULL, NULL) == 0, step_find(s, "inner"),
                    step_in_root(s)};
    ACRE_CHECK_EQUAL(acre_named_count(s), others + f.named + f.inner);
    ACRE_CHECK_EQUAL(acre_unique_count(s), f.unique);
    step_visit(s, others + f.named + f.inner + f.unique);
    step_look(s, others, false);
    test_sound(acre_segment_heap(s));
    step_end_all(s, others, &f);
    return f;
}

/* ---- scenarios ---- */

typedef struct step_scenario {
    const char *name;
    void (*run)(acre_segment *s);
    int others; /* objects that are there */
    void (*before)(acre_segment *s);
    bool (*is)(const step_found *f); /* what the operation makes or ends; NULL: nothing */
    bool ends;
} step_scenario;

static bool step_is_named(const step_found *f)
{
    return f->named;
}

static bool step_is_unique(const step_found *f)
{
    return f->unique;
}

static bool step_is_root(const step_found *f)
{
    return f->root;
}

/* The index has more memory than it needs. */
static void step_swell(acre_segment *s)
{
    char name[32];
    for (int i = 8; i < 40; i++) {
        step_other(name, i);
        ACRE_CHECK_EQUAL(acre_construct(s, &cell_type, name, 1, NULL, NULL), 0);
    }
    step_destroy_others(s, 8, 40);
}

static void step_fill_and_swell(acre_segment *s)
{
    step_swell(s);
    step_construct(s);
}

static const step_scenario step_scenarios[] = {
    {"construct", step_construct, 5, NULL, step_is_named, false},
    {"construct the first", step_construct, 0, NULL, step_is_named, false},
    {"construct, and split", step_construct, STEP_OTHERS, NULL, step_is_named, false},
    {"construct, and the array is full", step_construct, 15, NULL, step_is_named, false},
    {"construct unique", step_construct_unique, 5, NULL, step_is_unique, false},
    {"find or construct", step_find_or_construct, 5, NULL, step_is_named, false},
    {"construct that fails", step_fail, 5, NULL, NULL, false},
    {"construct in construct", step_nest, 5, NULL, step_is_named, false},
    {"destroy", step_destroy, 20, step_construct, step_is_named, true},
    {"destroy the only one", step_destroy, 0, step_construct, step_is_named, true},
    {"construct into", step_into, 5, NULL, step_is_root, false},
    {"destroy from", step_from, 5, step_into, step_is_root, true},
    {"reserve", step_reserve, 5, NULL, NULL, false},
    {"shrink", step_shrink, 8, step_swell, NULL, false},
    {"shrink to nothing", step_shrink, 0, step_construct_and_destroy, NULL, false},
    {"destroy in a large index", step_destroy, 8, step_fill_and_swell, step_is_named, true},
};

/* ---- one scenario ---- */

typedef struct step_run {
    const step_scenario *scenario;
    acre_segment *s; /* where the victim works */
    char *seen;      /* as it was last seen */
    int fd;          /* of what a survivor finds */
    char *image;
    size_t steps, states, second, late; /* late: states in which it has happened */
    uint64_t seed;
    bool locks; /* a find may wait for whoever changes the index */
} step_run;

static acre_segment *step_survivor(step_run *r, const char *memory)
{
    acre_segment *s;
    acre_segment_options o = {.fd = r->fd};
    memcpy(r->image, memory, STEP_SIZE);
    bury(r->image + 256 + 512, r->image + STEP_SIZE);
    bury_word(&((segment_names *)(void *)(r->image + 256))->lock.cell.word);
    int e = acre_segment_open(&s, ACRE_MEMFD, NULL, &o);
    ACRE_CHECK(e == 0, "%s", acre_strerror(e));
    return s;
}

/* Once it has happened it stays so. */
static void step_judge(step_run *r, const char *memory)
{
    const step_scenario *c = r->scenario;
    acre_segment *s = step_survivor(r, memory);
    step_found f = step_verify(s, c->others);
    acre_segment_close(s);
    bool happened = c->is && c->is(&f) != c->ends;
    ACRE_CHECK(happened || !r->late, "%s: undone after it was done", c->name);
    r->late += happened;
    r->states++;
}

/* ---- a traced child ---- */

typedef struct step_child_script {
    void (*run)(acre_segment *s);
    acre_segment *s;
} step_child_script;

static void step_child(void *arg)
{
    const step_child_script *c = arg;
    traced_begin();
    c->run(c->s);
    traced_end();
}

/* Step through run(s); look at each state of its memory. */
static void step_through(step_run *r, void (*run)(acre_segment *), acre_segment *s,
                         void (*state)(step_run *, const char *))
{
    step_child_script script = {run, s};
    const char *memory = acre_segment_base(s);
    char *seen = malloc(STEP_SIZE);
    memcpy(seen, memory, STEP_SIZE);
    pid_t child = acre_test_spawn(step_child, &script);
    ACRE_CHECK_EQUAL(traced_wait(child), SIGSTOP);
    for (int signal = SIGTRAP; signal == SIGTRAP; r->steps++) {
        ACRE_CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
        signal = traced_wait(child);
        ACRE_CHECK(signal == SIGTRAP || signal == SIGSTOP, "signal %d", signal);
        if (memcmp(seen, memory, STEP_SIZE) != 0) {
            memcpy(seen, memory, STEP_SIZE);
            state(r, seen);
        }
    }
    ptrace(PTRACE_CONT, child, NULL, NULL);
    acre_test_expect_exit(child, 0);
    free(seen);
}

/* ---- the second death ---- */

static void step_recover(acre_segment *s)
{
    ACRE_CHECK_EQUAL(acre_objects_recover(s), 0);
}

static void step_state_of_recovery(step_run *r, const char *memory)
{
    step_run inner = *r;
    inner.late = 0;
    step_judge(&inner, memory);
    r->second++;
}

/* Whoever recovers is killed, too; in a copy that is its own. */
static void step_die_again(step_run *r, const char *memory)
{
    acre_segment *s = step_survivor(r, memory);
    step_run inner = *r;
    inner.fd = memfd_create("survivor", MFD_CLOEXEC);
    ACRE_CHECK(inner.fd >= 0 && ftruncate(inner.fd, STEP_SIZE) == 0);
    inner.image = mmap(NULL, STEP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, inner.fd, 0);
    inner.second = 0;
    step_through(&inner, step_recover, s, step_state_of_recovery);
    r->second += inner.second;
    munmap(inner.image, STEP_SIZE);
    close(inner.fd);
    acre_segment_close(s);
}

static void step_state(step_run *r, const char *memory)
{
    step_look(r->s, r->scenario->others, r->locks);
    step_judge(r, memory);
    if (getenv("ACRE_ALL_STEPS") || acre_test_below(&r->seed, 100) < STEP_SECOND)
        step_die_again(r, memory);
}

/* ---- all of them ---- */

static void step_one(uint32_t index, const char *algorithm, const step_scenario *c, uint64_t *seed)
{
    step_run r = {.scenario = c, .locks = index == ACRE_INDEX_FLAT, .seed = acre_test_random(seed)};
    acre_segment_options o = {.size = STEP_SIZE, .index = index, .algorithm = acre_algorithm_find(algorithm)};
    ACRE_CHECK_EQUAL(acre_segment_create(&r.s, ACRE_MEMFD, NULL, &o), 0);
    step_make_others(r.s, c->others);
    if (c->before)
        c->before(r.s);
    r.fd = memfd_create("survivor", MFD_CLOEXEC);
    ACRE_CHECK(r.fd >= 0 && ftruncate(r.fd, STEP_SIZE) == 0);
    r.image = mmap(NULL, STEP_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, r.fd, 0);
    acre_heap_detach(acre_segment_heap(r.s)); /* the victim takes over what was kept for this thread */
    step_through(&r, c->run, r.s, step_state);
    ACRE_CHECK(!c->is || r.late > 0, "%s: never happened", c->name);
    printf("%s, %s: %zu instructions, %zu states (%zu after), %zu of recoveries\n", algorithm, c->name, r.steps,
           r.states, r.late, r.second);
    munmap(r.image, STEP_SIZE);
    close(r.fd);
    acre_segment_close(r.s);
}

static void step_all(uint32_t index, const char *algorithm)
{
    uint64_t seed = acre_test_seed();
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "valgrind"))
        acre_test_skip("valgrind cannot be stepped through");
    for (size_t i = 0; i < sizeof step_scenarios / sizeof *step_scenarios; i++)
        step_one(index, algorithm, &step_scenarios[i], &seed);
}

#define STEP_TESTS(index, kind)                                                                                        \
    ACRE_TEST(object_step, index##_rbtree)                                                                             \
    {                                                                                                                  \
        step_all(kind, "rbtree_best_fit");                                                                             \
    }                                                                                                                  \
    ACRE_TEST(object_step, index##_sharded)                                                                            \
    {                                                                                                                  \
        step_all(kind, "sharded");                                                                                     \
    }                                                                                                                  \
    ACRE_TEST(object_step, index##_seq)                                                                                \
    {                                                                                                                  \
        step_all(kind, "simple_seq_fit");                                                                              \
    }
STEP_TESTS(hash, ACRE_INDEX_HASH)
STEP_TESTS(ordered, ACRE_INDEX_ORDERED)
STEP_TESTS(flat, ACRE_INDEX_FLAT)
