/* SPDX-License-Identifier: MIT */
/* names.c: objects by name: finding one among n, constructing and destroying one beside n, and finding by one and
 * by two processes at once; with each of acre's indexes, Boost.Interprocess's, and std::unordered_map.
 *
 * Names are paths of 16 to 22 bytes, made in one random order and asked for in another, so that what was made one
 * after the other is not found one after the other.  What they name is an int. */
#include "bench/micro/micro.h"

#include "bench/lab.h"
#include "bench/library.h"
#include "bench/names_peer.h"

#include <acre/object.h>

#include <dlfcn.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { NAMES_TEXT = 24, NAMES_ROUND = 1 << 12, NAMES_BYTES_EACH = 512, NAMES_BYTES = 1 << 22 };

typedef struct names {
    const names_peer *peer;
    size_t count; /* names that are there, and as many that come and go */
    void *memory, *table;
    char (*text)[NAMES_TEXT];
    names_key *key;
    uint32_t *made, *order; /* those that are there: as they were made, as they are asked for */
} names;

/* ---- acre's own tables ---- */

typedef struct names_acre {
    acre_segment *segment;
    const names_key *key;
} names_acre;

static const acre_type names_int = ACRE_TYPE_INIT(int, NULL, NULL);

static void *names_acre_open(void *memory, size_t bytes, const names_key *key, uint32_t index)
{
    names_acre *t = malloc(sizeof *t);
    acre_segment_options o = {.size = bytes, .buffer = memory, .index = index};
    o.algorithm = acre_algorithm_find("sharded");
    if (!t || acre_segment_create(&t->segment, ACRE_BUFFER, NULL, &o) != 0) {
        free(t);
        return NULL;
    }
    t->key = key;
    return t;
}

static void *names_hash_open(void *memory, size_t bytes, const names_key *key, size_t keys)
{
    (void)keys;
    return names_acre_open(memory, bytes, key, ACRE_INDEX_HASH);
}

static void *names_ordered_open(void *memory, size_t bytes, const names_key *key, size_t keys)
{
    (void)keys;
    return names_acre_open(memory, bytes, key, ACRE_INDEX_ORDERED);
}

static void *names_flat_open(void *memory, size_t bytes, const names_key *key, size_t keys)
{
    (void)keys;
    return names_acre_open(memory, bytes, key, ACRE_INDEX_FLAT);
}

static void names_acre_close(void *table)
{
    names_acre *t = table;
    acre_segment_close(t->segment);
    free(t);
}

static size_t names_acre_construct(void *table, const uint32_t *order, size_t n)
{
    names_acre *t = table;
    size_t done = 0;
    for (size_t i = 0; i < n; i++) {
        const names_key *k = &t->key[order[i]];
        done += !acre_construct_n(t->segment, &names_int, k->text, k->length, 1, NULL, NULL);
    }
    return done;
}

static size_t names_acre_find(void *table, const uint32_t *order, size_t n)
{
    names_acre *t = table;
    size_t done = 0;
    void *found;
    for (size_t i = 0; i < n; i++) {
        const names_key *k = &t->key[order[i]];
        done += !acre_find_n(t->segment, &names_int, k->text, k->length, &found, NULL);
    }
    return done;
}

static size_t names_acre_destroy(void *table, const uint32_t *order, size_t n)
{
    names_acre *t = table;
    size_t done = 0;
    for (size_t i = 0; i < n; i++) {
        const names_key *k = &t->key[order[i]];
        done += !acre_destroy_n(t->segment, &names_int, k->text, k->length);
    }
    return done;
}

static const names_peer names_own[] = {
    {"acre_hash", names_hash_open, names_acre_close, names_acre_construct, names_acre_find,
     names_acre_destroy},
    {"acre_ordered", names_ordered_open, names_acre_close, names_acre_construct, names_acre_find,
     names_acre_destroy},
    {"acre_flat", names_flat_open, names_acre_close, names_acre_construct, names_acre_find,
     names_acre_destroy},
};

/* ---- the names ---- */

static size_t names_bytes(const names *m)
{
    return NAMES_BYTES + m->count * NAMES_BYTES_EACH;
}

static bool names_make(names *m)
{
    size_t all = 2 * m->count;
    m->text = malloc(all * sizeof *m->text);
    m->key = malloc(all * sizeof *m->key);
    for (size_t i = 0; m->text && m->key && i < all; i++) {
        int length = snprintf(m->text[i], NAMES_TEXT, "sensor/%zu/pressure", i);
        m->key[i] = (names_key){m->text[i], (size_t)length};
    }
    return m->text && m->key;
}

/* Fisher and Yates; `random` is not 0. */
static uint32_t *names_shuffled(size_t n, uint64_t random)
{
    uint32_t *order = malloc(n * sizeof *order);
    for (size_t i = 0; order && i < n; i++) {
        size_t j = acre_lab_random(&random) % (i + 1);
        order[i] = order[j];
        order[j] = (uint32_t)i;
    }
    return order;
}

static bool names_order(names *m)
{
    m->made = names_shuffled(m->count, m->count);
    m->order = names_shuffled(m->count, m->count + 1);
    return m->made && m->order;
}

static void names_open(void *context)
{
    names *m = context;
    m->memory = acre_lab_map_segment(names_bytes(m));
    bool ready = m->memory && names_make(m) && names_order(m);
    m->table = ready ? m->peer->open(m->memory, names_bytes(m), m->key, 2 * m->count) : NULL;
    if (!m->table || m->peer->construct(m->table, m->made, m->count) != m->count)
        bench_skip("no room");
}

static void names_close(void *context)
{
    names *m = context;
    if (m->table)
        m->peer->close(m->table);
    m->table = NULL;
    acre_lab_unmap(m->memory, names_bytes(m));
    free(m->text);
    free(m->key);
    free(m->made);
    free(m->order);
}

/* ---- rounds ---- */

static size_t names_part(const names *m, size_t left)
{
    return left < m->count ? left : m->count;
}

static size_t names_find_many(const names *m, size_t n)
{
    size_t found = 0;
    for (size_t left = n; left; left -= names_part(m, left))
        found += m->peer->find(m->table, m->order, names_part(m, left));
    return found;
}

static void names_find(void *context, size_t n)
{
    if (names_find_many(context, n) != n)
        bench_skip("some were not found");
    bench_items(n);
}

/* One comes and goes, of names that were not there. */
static void names_come_and_go(void *context, size_t n)
{
    names *m = context;
    size_t done = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t one = m->order[i % m->count] + (uint32_t)m->count;
        done += m->peer->construct(m->table, &one, 1) + m->peer->destroy(m->table, &one, 1);
    }
    if (done != 2 * n)
        bench_skip("some failed");
    bench_items(n);
}

/* ---- processes ---- */

typedef struct names_start {
    uint32_t ready, go, done;
} names_start;

static void names_await(const uint32_t *word)
{
    while (!__atomic_load_n(word, __ATOMIC_ACQUIRE))
        sched_yield();
}

static double names_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static pid_t names_helper(names *m, names_start *s, size_t n)
{
    pid_t helper = fork();
    if (helper != 0)
        return helper;
    __atomic_store_n(&s->ready, 1, __ATOMIC_RELEASE);
    names_await(&s->go);
    bool right = names_find_many(m, n) == n;
    __atomic_store_n(&s->done, 1, __ATOMIC_RELEASE);
    _exit(!right);
}

/* This process and a forked one do n rounds each; the time until both are done counts. */
static void names_find_by_two(void *context, size_t n)
{
    names_start *s =
        mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t helper = s == MAP_FAILED ? -1 : names_helper(context, s, n);
    if (helper < 0) {
        bench_skip("no process");
        return;
    }
    names_await(&s->ready);
    double start = names_now();
    __atomic_store_n(&s->go, 1, __ATOMIC_RELEASE);
    bool right = names_find_many(context, n) == n;
    names_await(&s->done);
    bench_round_seconds(names_now() - start);
    int status;
    right &= waitpid(helper, &status, 0) == helper && status == 0;
    munmap(s, sizeof *s);
    if (!right)
        bench_skip("some were not found");
    bench_items(2 * n);
}

static void names_find_by_one(void *context, size_t n)
{
    double start = names_now();
    names_find(context, n);
    bench_round_seconds(names_now() - start);
}

/* ---- the list ---- */

static bench *names_add(const char *what, const char *size, size_t count, const names_peer *p,
                        bench_function *run)
{
    names *m = calloc(1, sizeof *m);
    char full[96];
    if (!m)
        abort();
    *m = (names){.peer = p, .count = count};
    snprintf(full, sizeof full, "names/%s/%s/%s", what, size, p->name);
    return bench_setup(bench_add(full, run, m), names_open, names_close);
}

/* Flat ones move half their names for each that comes or goes. */
static bool names_bears(const names_peer *p, size_t count)
{
    return count <= 100000 || !strstr(p->name, "flat");
}

static void names_add_peer(const names_peer *p)
{
    static const struct {
        const char *name;
        size_t count;
    } size[] = {{"10", 10}, {"1k", 1000}, {"100k", 100000}, {"1M", 1000000}};
    for (size_t i = 0; i < 4; i++)
        if (names_bears(p, size[i].count)) {
            names_add("find", size[i].name, size[i].count, p, names_find);
            names_add("construct_destroy", size[i].name, size[i].count, p, names_come_and_go);
        }
    bench_manual_time(names_add("find_by_1", "1k", 1000, p, names_find_by_one));
    bench_manual_time(names_add("find_by_2", "1k", 1000, p, names_find_by_two));
}

void micro_names(void)
{
    void *library = acre_library_load("libacre_boost.so");
    acre_names_peer_function *get;
    *(void **)&get = library ? dlsym(library, "acre_names_peer") : NULL;
    for (size_t i = 0; i < sizeof names_own / sizeof *names_own; i++)
        names_add_peer(&names_own[i]);
    const names_peer *p;
    for (size_t i = 0; get && (p = get(i)); i++)
        names_add_peer(p);
}
