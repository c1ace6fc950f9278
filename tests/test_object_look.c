/* SPDX-License-Identifier: MIT */
/* Who finds without the lock is overtaken at each of its instructions: it stands still there, everything is
 * changed, and it goes on.  What it tells must have been so at some time during the call. */
#include "tests/support_object.h"
#include "tests/support_traced.h"

#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_SIZE = 128 << 10, LOOK_OTHERS = 12, LOOK_DECOY = 99, LOOK_STRIDE = 7 };

typedef struct item {
    uint64_t value;
} item;

static const acre_type item_type = ACRE_TYPE_INIT(item, NULL, NULL);

/* What the finder found. */
typedef struct look_result {
    volatile int error;
    volatile size_t count;
} look_result;

typedef struct look_run {
    acre_segment *s;
    look_result *result;
    bool visit; /* not to find but to visit all */
} look_run;

/* ---- the finder ---- */

static void look_visit(look_run *r)
{
    acre_cursor c = {0};
    acre_object o;
    int e;
    while ((e = acre_object_next(r->s, &c, &o)) == 0)
        if (!strcmp(o.name, "it"))
            r->result->count += o.count;
    r->result->error = e == ENOENT && r->result->count ? 0 : e;
}

static void look_find(look_run *r)
{
    void *p;
    size_t n = 0;
    int e = acre_find(r->s, &item_type, "it", &p, &n);
    r->result->count = n;
    r->result->error = e;
}

static void look_child(void *arg)
{
    look_run *r = arg;
    traced_begin();
    (r->visit ? look_visit : look_find)(r);
    traced_end();
}

/* Let it do k instructions; false: it was through before. */
static bool look_step(pid_t child, size_t k)
{
    ACRE_CHECK_EQUAL(traced_wait(child), SIGSTOP);
    while (k--) {
        ACRE_CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
        if (traced_wait(child) == SIGSTOP)
            return false;
    }
    return true;
}

static void look_go_on(pid_t child)
{
    ACRE_CHECK(ptrace(PTRACE_CONT, child, NULL, NULL) == 0);
    ACRE_CHECK_EQUAL(traced_wait(child), SIGSTOP);
}

/* ---- what happens meanwhile ---- */

static void look_construct(acre_segment *s, const char *kind, int n)
{
    char name[32];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s %d", kind, i);
        ACRE_CHECK_EQUAL(acre_construct(s, &item_type, name, 1, NULL, NULL), 0);
    }
}

static void look_destroy(acre_segment *s, const char *kind, int n)
{
    char name[32];
    for (int i = 0; i < n; i++) {
        snprintf(name, sizeof name, "%s %d", kind, i);
        ACRE_CHECK_EQUAL(acre_destroy(s, &item_type, name), 0);
    }
}

/* The object goes; where it was its copy stands, which is none, and says so by its count. */
static void look_leave_a_decoy(acre_segment *s)
{
    void *p;
    ACRE_CHECK_EQUAL(acre_find(s, &item_type, "it", &p, NULL), 0);
    acre_off at = acre_segment_offset(s, p) - ((names_tag *)p)[-1].distance;
    size_t bytes = acre_segment_offset(s, p) + 2 * sizeof(item) - at;
    char *old = malloc(bytes);
    memcpy(old, (char *)acre_segment_base(s) + at, bytes);
    ((names_entry *)(void *)old)->count = LOOK_DECOY;
    ACRE_CHECK_EQUAL(acre_destroy(s, &item_type, "it"), 0);
    memcpy((char *)acre_segment_base(s) + at, old, bytes); /* (nobody uses this heap any more) */
    free(old);
}

/* The index grows, and loses again all that came. */
static void look_grow_and_shrink(acre_segment *s)
{
    look_construct(s, "more", 60);
    look_destroy(s, "more", 60);
    ACRE_CHECK_EQUAL(acre_shrink_indexes(s), 0);
}

static void look_grow(acre_segment *s)
{
    look_construct(s, "more", 60);
}

/* Its neighbours, over which a finder may be walking, go. */
static void look_take_others(acre_segment *s)
{
    look_destroy(s, "other", LOOK_OTHERS);
    look_construct(s, "another", LOOK_OTHERS);
}

/* ---- at each instruction ---- */

static bool look_once(uint32_t index, size_t k, bool visit, void (*meanwhile)(acre_segment *), look_result *found)
{
    look_run r = {object_segment(index, "rbtree_best_fit", LOOK_SIZE), found, visit};
    *found = (look_result){0};
    look_construct(r.s, "other", LOOK_OTHERS);
    ACRE_CHECK_EQUAL(acre_construct(r.s, &item_type, "it", 2, NULL, NULL), 0);
    pid_t child = acre_test_spawn(look_child, &r);
    bool inside = look_step(child, k);
    if (inside) {
        meanwhile(r.s);
        look_go_on(child);
    }
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    acre_segment_close(r.s);
    return inside;
}

static void look_all(uint32_t index, bool visit, void (*meanwhile)(acre_segment *), bool goes)
{
    look_result *found = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    size_t k = 0, there = 0, absent = 0, stride = LOOK_STRIDE * (visit ? 61 : 1);
    for (; look_once(index, k, visit, meanwhile, found); k += stride) {
        ACRE_CHECK(found->error == 0 || (goes && found->error == ENOENT), "%zu: %s", k, acre_strerror(found->error));
        ACRE_CHECK(found->error || found->count == 2, "%zu: %zu", k, found->count);
        there += !found->error;
        absent += found->error != 0;
    }
    ACRE_CHECK(k > 100 && there && (absent || !goes), "%zu", k);
    printf("%zu instructions, %zu times there, %zu absent\n", k, there, absent);
}

#define LOOK_TESTS(index, kind)                                                                                        \
    ACRE_TEST(object_look, what_goes_meanwhile_is_not_found_##index)                                                   \
    {                                                                                                                  \
        look_all(kind, false, look_leave_a_decoy, true);                                                               \
    }                                                                                                                  \
    ACRE_TEST(object_look, what_stays_is_found_while_it_grows_##index)                                                 \
    {                                                                                                                  \
        look_all(kind, false, look_grow, false);                                                                       \
    }                                                                                                                  \
    ACRE_TEST(object_look, what_stays_is_found_while_it_shrinks_##index)                                               \
    {                                                                                                                  \
        look_all(kind, false, look_grow_and_shrink, false);                                                            \
    }                                                                                                                  \
    ACRE_TEST(object_look, what_stays_is_found_while_others_go_##index)                                                \
    {                                                                                                                  \
        look_all(kind, false, look_take_others, false);                                                                \
    }                                                                                                                  \
    ACRE_TEST(object_look, what_stays_is_visited_once_##index)                                                         \
    {                                                                                                                  \
        look_all(kind, true, look_grow_and_shrink, false);                                                             \
        look_all(kind, true, look_take_others, false);                                                                 \
    }
LOOK_TESTS(hash, ACRE_INDEX_HASH)
LOOK_TESTS(ordered, ACRE_INDEX_ORDERED)
LOOK_TESTS(flat, ACRE_INDEX_FLAT)
