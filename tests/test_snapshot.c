/* SPDX-License-Identifier: MIT */
/* Snapshots: what is copied and what is refused.  (While others work, and die: test_snapshot_work.c.) */
#include "tests/support_copy.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* White box: lock words. */
#include "segment/internal.h"

static acre_segment *snapshot_open(const copy_house *h, bool read_only)
{
    acre_segment_options o = {.read_only = read_only};
    acre_segment *s;
    int e = acre_segment_open(&s, ACRE_FILE, h->path, &o);
    ACRE_CHECK(e == 0, "%s", acre_strerror(e));
    return s;
}

static void snapshot_take(const copy_house *h, const acre_snapshot_options *o)
{
    int e = acre_segment_snapshot(h->s, h->path, o);
    ACRE_CHECK(e == 0, "%s", acre_strerror(e));
}

static void snapshot_away(const copy_house *h)
{
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_FILE, h->path), 0);
}

static uint64_t snapshot_blocks(const copy_house *h)
{
    struct stat st;
    ACRE_CHECK_EQUAL(stat(h->path, &st), 0);
    return (uint64_t)st.st_blocks * 512;
}

/* ---- what is copied ---- */

/* Contents, root, algorithm; a segment of its own; both can be used. */
static void the_copy_is_alike(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    static const enum acre_source sources[] = {ACRE_SHM, ACRE_FILE, ACRE_MEMFD, ACRE_ANON,
                                               ACRE_HEAP};
    copy_house h = copy_make("rbtree_best_fit", 64 << 10);
    acre_segment *was = h.s;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++) {
        acre_segment_options o = {.size = 200000, .capacity = 400000, .algorithm = a};
        h.s = test_segment_in(sources[i], o);
        ACRE_CHECK_EQUAL(acre_alloc_into(acre_segment_heap(h.s), acre_segment_root(h.s), 10000), 0);
        test_fill(acre_segment_address(h.s, *acre_segment_root(h.s)), 10000, 7);
        snapshot_take(&h, &(acre_snapshot_options){.flags = ACRE_SNAPSHOT_CHECK});
        acre_segment *s = snapshot_open(&h, false);
        acre_segment_info one, other;
        acre_segment_info_get(h.s, &one);
        acre_segment_info_get(s, &other);
        ACRE_CHECK(memcmp(one.uuid, other.uuid, sizeof one.uuid) == 0);
        ACRE_CHECK(one.size == other.size && one.capacity == other.capacity &&
                   !strcmp(one.algorithm, other.algorithm));
        ACRE_CHECK_EQUAL(*acre_segment_root(s), *acre_segment_root(h.s));
        ACRE_CHECK(test_filled(acre_segment_address(s, *acre_segment_root(s)), 10000, 7));
        test_sound(acre_segment_heap(s));
        acre_heap_detach(acre_segment_heap(s));
        ACRE_CHECK(acre_alloc(acre_segment_heap(s), 100) &&
                   acre_alloc(acre_segment_heap(h.s), 100));
        acre_segment_close(s);
        acre_segment_close(h.s);
        snapshot_away(&h);
    }
    h.s = was;
    copy_end(&h);
}

#define CASES(X, a) X(a, the_copy_is_alike)
#define ACRE_ALGORITHM(a) CASES(TEST_CASE, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM

ACRE_TEST(snapshot, without_a_directory)
{
    copy_house h = copy_make("rbtree_best_fit", 64 << 10);
    acre_segment *was = h.s;
    acre_segment_options o = {.size = 50000, .index = ACRE_INDEX_NONE};
    acre_hold hold;
    ACRE_CHECK_EQUAL(acre_segment_create(&h.s, ACRE_HEAP, NULL, &o), 0);
    ACRE_CHECK_EQUAL(acre_hold_join(&hold, h.s), ENOTSUP);
    snapshot_take(&h, NULL);
    acre_segment_close(snapshot_open(&h, false));
    snapshot_away(&h);
    acre_segment_close(h.s);
    h.s = was;
    copy_end(&h);
}

ACRE_TEST(snapshot, the_mode_is_exact)
{
    copy_house h = copy_make("rbtree_best_fit", 64 << 10);
    struct stat st;
    umask(077);
    snapshot_take(&h, &(acre_snapshot_options){.mode = 0664});
    ACRE_CHECK(stat(h.path, &st) == 0 && (st.st_mode & 07777) == 0664);
    snapshot_away(&h);
    copy_end(&h);
}

/* What is not used takes no room, be it reserved or purged; and it is zero when it is read. */
ACRE_TEST(snapshot, zeros_take_no_room)
{
    copy_house h = copy_make("rbtree_best_fit", 64 << 20);
    acre_heap *heap = acre_segment_heap(h.s);
    void *full = acre_alloc(heap, 1 << 20), *gone = acre_alloc(heap, 8 << 20);
    test_fill(full, 1 << 20, 1);
    memset(gone, 1, 8 << 20);
    ACRE_CHECK_EQUAL(acre_free(heap, gone), 0);
    ACRE_CHECK_EQUAL(acre_heap_purge(heap, 0, NULL), 0);
    snapshot_take(&h, NULL);
    ACRE_CHECK(snapshot_blocks(&h) < (1 << 20) + (256 << 10), "%llu",
               (unsigned long long)snapshot_blocks(&h));
    acre_segment *s = snapshot_open(&h, true);
    ACRE_CHECK(
        test_filled((char *)acre_segment_base(s) + ((char *)full - (char *)acre_segment_base(h.s)),
                    1 << 20, 1));
    ACRE_CHECK_EQUAL(acre_segment_size(s), 64 << 20);
    acre_segment_close(s);
    snapshot_away(&h);
    copy_end(&h);
}

/* Memory without a file tells of no holes: they are found by what is in it. */
ACRE_TEST(snapshot, zeros_of_private_memory_take_no_room)
{
    copy_house h = copy_make("rbtree_best_fit", 64 << 10);
    acre_segment *was = h.s;
    acre_segment_options o = {.size = 16 << 20};
    ACRE_CHECK_EQUAL(acre_segment_create(&h.s, ACRE_HEAP, NULL, &o), 0);
    memset(acre_alloc(acre_segment_heap(h.s), 1 << 20), 1, 1 << 20);
    snapshot_take(&h, NULL);
    ACRE_CHECK(snapshot_blocks(&h) < (1 << 20) + (256 << 10));
    snapshot_away(&h);
    acre_segment_close(h.s);
    h.s = was;
    copy_end(&h);
}

/* A capacity of 1 GiB, 1 MiB in use. */
ACRE_TEST(snapshot, address_space_takes_no_room)
{
    copy_house h = copy_make("rbtree_best_fit", 64 << 10);
    acre_segment *was = h.s;
    acre_segment_options o = {.size = 2 << 20, .capacity = (size_t)1 << 30};
    ACRE_CHECK_EQUAL(acre_segment_create(&h.s, ACRE_MEMFD, NULL, &o), 0);
    memset(acre_alloc(acre_segment_heap(h.s), 1 << 20), 1, 1 << 20);
    snapshot_take(&h, NULL);
    ACRE_CHECK(snapshot_blocks(&h) < (1 << 20) + (128 << 10));
    acre_segment *s = snapshot_open(&h, false);
    ACRE_CHECK_EQUAL(acre_segment_capacity(s), (size_t)1 << 30);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, 64 << 20), 0);
    acre_segment_close(s);
    snapshot_away(&h);
    acre_segment_close(h.s);
    h.s = was;
    copy_end(&h);
}

/* ---- in the copy everybody is dead ---- */

static void snapshot_no_owner(void *arg, uint32_t *word)
{
    (void)arg;
    ACRE_CHECK(!(*word & FUTEX_TID_MASK), "held by %u", *word & FUTEX_TID_MASK);
}

static void snapshot_nobody_holds(const char *algorithm)
{
    copy_house h = copy_make(algorithm, 512 << 10);
    acre_hold hold;
    ACRE_CHECK_EQUAL(acre_hold_join(&hold, h.s), 0);
    void *mine = acre_alloc(acre_segment_heap(h.s), 40); /* this thread has a part of `sharded` */
    snapshot_take(&h, NULL);
    acre_segment *s = snapshot_open(&h, true);
    acre__boot_each_word(s, snapshot_no_owner, NULL);
    ACRE_CHECK_EQUAL(acre_heap_check(acre_segment_heap(s), NULL), 0);
    acre_segment_close(s);
    s = snapshot_open(&h, false);
    ACRE_CHECK(!segment_directory_of(s)->hold.first, "a member is left");
    acre_tx tx;
    ACRE_CHECK_EQUAL(acre_tx_begin_try(&tx, s), 0);
    ACRE_CHECK_EQUAL(acre_tx_abort(&tx), 0);
    ACRE_CHECK_EQUAL(acre_free(acre_segment_heap(s),
                               (char *)acre_segment_base(s) + acre_segment_offset(h.s, mine)),
                     0);
    ACRE_CHECK_EQUAL(acre_free_from(acre_segment_heap(s), acre_segment_root(s)), 0);
    acre_heap_free_empty(acre_segment_heap(s));
    ACRE_CHECK(acre_heap_all_free(acre_segment_heap(s)));
    acre_segment_close(s);
    snapshot_away(&h);
    ACRE_CHECK_EQUAL(acre_hold_leave(&hold), 0);
    ACRE_CHECK(!segment_directory_of(h.s)->hold.first);
    copy_end(&h);
}

ACRE_TEST(snapshot, nobody_holds_anything_in_it)
{
    snapshot_nobody_holds("rbtree_best_fit");
}

ACRE_TEST(snapshot, nobody_holds_anything_in_one_of_sharded)
{
    snapshot_nobody_holds("sharded");
}

/* ---- names ---- */

/* Each kind of index, with objects; in the copy they are found, and others can be made. */
ACRE_TEST(snapshot, objects_are_found_in_it)
{
    copy_house h = copy_make("rbtree_best_fit", 64 << 10);
    acre_segment *was = h.s;
    char name[24];
    for (uint32_t index = ACRE_INDEX_HASH; index < ACRE_INDEX_NONE; index++) {
        acre_segment_options o = {.size = 256 << 10, .index = index};
        ACRE_CHECK_EQUAL(acre_segment_create(&h.s, ACRE_MEMFD, NULL, &o), 0);
        for (int i = 0; i < 100; i++) {
            void *p;
            snprintf(name, sizeof name, "object %d", i);
            ACRE_CHECK_EQUAL(acre_construct(h.s, ACRE_TYPE(uint64_t), name, 1, NULL, &p), 0);
            *(uint64_t *)p = (uint64_t)i;
        }
        snapshot_take(&h, NULL);
        acre_segment *s = snapshot_open(&h, false);
        for (int i = 0; i < 101; i++) {
            void *p;
            snprintf(name, sizeof name, "object %d", i);
            ACRE_CHECK_EQUAL(acre_find(s, ACRE_TYPE(uint64_t), name, &p, NULL),
                             i < 100 ? 0 : ENOENT);
            ACRE_CHECK(i == 100 || *(uint64_t *)p == (uint64_t)i);
        }
        ACRE_CHECK_EQUAL(acre_construct(s, ACRE_TYPE(uint64_t), "one more", 1, NULL, NULL), 0);
        acre_segment_close(s);
        snapshot_away(&h);
        acre_segment_close(h.s);
    }
    h.s = was;
    copy_end(&h);
}

/* ---- what is refused ---- */

static void snapshot_refused(const copy_house *h, const acre_snapshot_options *o, int error)
{
    ACRE_CHECK_EQUAL(acre_segment_snapshot(h->s, h->path, o), error);
    copy_expect_none(h);
}

ACRE_TEST(snapshot, what_is_wrong_is_told)
{
    copy_house h = copy_make("rbtree_best_fit", 64 << 10);
    acre_segment *s;
    acre_segment_options look = {.read_only = true, .fd = acre_segment_fd(h.s)};
    snapshot_refused(&h, &(acre_snapshot_options){.flags = 4}, EINVAL);
    snapshot_refused(&h, &(acre_snapshot_options){.mode = 010000}, EINVAL);
    ACRE_CHECK_EQUAL(acre_segment_snapshot(h.s, "/tmp/acre-no-such-folder/copy", NULL), ENOENT);
    ACRE_CHECK_EQUAL(acre_segment_snapshot(h.s, "/tmp/", NULL), ACRE_ENAME);
    ACRE_CHECK_EQUAL(acre_segment_snapshot(h.s, NULL, NULL), ACRE_ENAME);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_MEMFD, NULL, &look), 0);
    ACRE_CHECK_EQUAL(acre_segment_snapshot(s, h.path, NULL), EROFS);
    acre_segment_close(s);
    snapshot_take(&h, NULL);
    ACRE_CHECK_EQUAL(acre_segment_snapshot(h.s, h.path, NULL), EEXIST);
    acre_segment_close(snapshot_open(&h, true));
    snapshot_away(&h);
    copy_end(&h);
}

ACRE_TEST(snapshot, not_inside_a_transaction)
{
    copy_house h = copy_make("rbtree_best_fit", 64 << 10);
    acre_hold hold, again;
    acre_tx tx;
    ACRE_CHECK_EQUAL(acre_hold_join(&hold, h.s), 0);
    ACRE_CHECK_EQUAL(acre_hold_join(&again, h.s), EALREADY);
    ACRE_CHECK_EQUAL(acre_tx_begin(&tx, h.s), 0);
    snapshot_refused(&h, NULL, EDEADLK);
    ACRE_CHECK_EQUAL(acre_hold_join(&again, h.s), EDEADLK);
    ACRE_CHECK_EQUAL(acre_hold_wait(&hold), EDEADLK);
    ACRE_CHECK_EQUAL(acre_hold_leave(&hold), EDEADLK);
    ACRE_CHECK_EQUAL(acre_tx_commit(&tx), 0);
    ACRE_CHECK_EQUAL(acre_segment_close(h.s), EBUSY);
    ACRE_CHECK_EQUAL(acre_hold_leave(&hold), 0);
    ACRE_CHECK_EQUAL(acre_hold_point(&hold), 0);
    ACRE_CHECK_EQUAL(acre_hold_leave(&hold), EINVAL);
    copy_end(&h);
}

/* 60 KiB of a file are allowed; the segment has more. */
static void snapshot_beyond_limit(void *arg)
{
    copy_house *h = arg;
    struct rlimit limit = {60 << 10, 60 << 10};
    ACRE_CHECK_EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
    snapshot_refused(h, NULL, EFBIG);
}

ACRE_TEST(snapshot, a_file_that_would_be_too_large_is_not_begun)
{
    copy_house h = copy_make("rbtree_best_fit", 64 << 10);
    acre_test_run(snapshot_beyond_limit, &h);
    snapshot_take(&h, NULL);
    snapshot_away(&h);
    copy_end(&h);
}

/* A file system of 256 KiB, mounted where nobody else sees it. */
static void snapshot_full_disk(void *arg)
{
    copy_house *h = arg;
    if (unshare(CLONE_NEWNS) != 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
        mount("tmpfs", h->dir, "tmpfs", 0, "size=256k") != 0)
        _exit(3);
    snapshot_refused(h, NULL, ENOSPC);
    ACRE_CHECK_EQUAL(acre_free_from(acre_segment_heap(h->s), acre_segment_root(h->s)), 0);
    acre_heap_purge(acre_segment_heap(h->s), 0, NULL);
    snapshot_take(h, NULL);
    snapshot_away(h);
}

ACRE_TEST(snapshot, a_full_disk_is_told)
{
    copy_house h = copy_make("rbtree_best_fit", 1 << 20);
    if (geteuid() != 0)
        acre_test_skip("only root may mount");
    ACRE_CHECK_EQUAL(acre_free_from(acre_segment_heap(h.s), acre_segment_root(h.s)), 0);
    ACRE_CHECK_EQUAL(acre_alloc_into(acre_segment_heap(h.s), acre_segment_root(h.s), 600000), 0);
    memset(acre_segment_address(h.s, *acre_segment_root(h.s)), 1, 600000);
    int status = 0;
    pid_t child = acre_test_spawn(snapshot_full_disk, &h);
    ACRE_CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3)
        acre_test_skip("mounting is not allowed");
    ACRE_CHECK_EQUAL(status, 0);
    copy_end(&h);
}

static int snapshot_stop_at_half(void *arg, size_t done, size_t total)
{
    size_t *last = arg;
    ACRE_CHECK(done > *last && done <= total);
    *last = done;
    return done >= total / 2 ? -7 : 0;
}

static int snapshot_watch(void *arg, size_t done, size_t total)
{
    size_t *last = arg;
    ACRE_CHECK(done >= *last && done <= total && total == 4 << 20);
    *last = done;
    return 0;
}

ACRE_TEST(snapshot, progress_is_told_and_may_end_it)
{
    copy_house h = copy_make("rbtree_best_fit", 4 << 20);
    size_t last = 0;
    memset(acre_alloc(acre_segment_heap(h.s), 3 << 20), 1, 3 << 20);
    snapshot_refused(&h, &(acre_snapshot_options){.progress = snapshot_stop_at_half, .arg = &last},
                     -7);
    last = 0;
    snapshot_take(&h, &(acre_snapshot_options){.progress = snapshot_watch, .arg = &last});
    ACRE_CHECK(last > 3 << 20);
    snapshot_away(&h);
    copy_end(&h);
}

ACRE_TEST(snapshot, a_damaged_heap_is_found_when_asked)
{
    copy_house h = copy_make("rbtree_best_fit", 64 << 10);
    char *p = acre_alloc(acre_segment_heap(h.s), 100);
    uint64_t was;
    memcpy(&was, p - 8, sizeof was);
    memset(p - 8, 0x55, 8);
    snapshot_refused(&h, &(acre_snapshot_options){.flags = ACRE_SNAPSHOT_CHECK}, ACRE_ECORRUPT);
    memcpy(p - 8, &was, sizeof was);
    copy_end(&h);
}

/* ---- threads that do not come ---- */

typedef struct snapshot_thread {
    acre_segment *s;
    volatile uint32_t stage;
    bool joins;
} snapshot_thread;

static void snapshot_until(volatile uint32_t *word, uint32_t least)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) < least)
        nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL);
}

/* 1: has a part of the heap, and takes part if so asked; goes on at 2, comes to a hold point, leaves. */
static void *snapshot_stand(void *arg)
{
    snapshot_thread *t = arg;
    acre_hold hold;
    if (t->joins)
        ACRE_CHECK_EQUAL(acre_hold_join(&hold, t->s), 0);
    void *p = acre_alloc(acre_segment_heap(t->s), 20);
    __atomic_store_n(&t->stage, 1, __ATOMIC_RELEASE);
    snapshot_until(&t->stage, 2);
    if (t->joins)
        ACRE_CHECK_EQUAL(acre_hold_point(&hold), 0);
    acre_free(acre_segment_heap(t->s), p);
    acre_heap_detach(acre_segment_heap(t->s));
    if (t->joins)
        ACRE_CHECK_EQUAL(acre_hold_leave(&hold), 0);
    return NULL;
}

static pthread_t snapshot_thread_start(snapshot_thread *t)
{
    pthread_t thread;
    ACRE_CHECK_EQUAL(pthread_create(&thread, NULL, snapshot_stand, t), 0);
    snapshot_until(&t->stage, 1);
    return thread;
}

static void snapshot_thread_end(snapshot_thread *t, pthread_t thread)
{
    __atomic_store_n(&t->stage, 2, __ATOMIC_RELEASE);
    pthread_join(thread, NULL);
}

ACRE_TEST(snapshot, who_does_not_come_in_time_is_told)
{
    copy_house h = copy_make("rbtree_best_fit", 64 << 10);
    snapshot_thread t = {.s = h.s, .joins = true};
    pthread_t thread = snapshot_thread_start(&t);
    struct timespec soon = acre_deadline(30 * 1000 * 1000);
    snapshot_refused(&h, &(acre_snapshot_options){.deadline = &soon}, ETIMEDOUT);
    soon = acre_deadline(10 * 1000 * 1000);
    snapshot_refused(&h, &(acre_snapshot_options){.deadline = &soon}, ETIMEDOUT);
    snapshot_thread_end(&t, thread);
    snapshot_take(&h, NULL);
    snapshot_away(&h);
    copy_end(&h);
}

/* `sharded`'s threads work without the lock. */
ACRE_TEST(snapshot, who_takes_no_part_is_told)
{
    copy_house h = copy_make("sharded", 512 << 10);
    snapshot_thread t = {.s = h.s};
    pthread_t thread = snapshot_thread_start(&t);
    snapshot_refused(&h, NULL, EBUSY);
    snapshot_take(&h,
                  &(acre_snapshot_options){.flags = ACRE_SNAPSHOT_QUIESCED | ACRE_SNAPSHOT_CHECK});
    snapshot_away(&h);
    snapshot_thread_end(&t, thread);
    snapshot_take(&h, NULL);
    snapshot_away(&h);
    copy_end(&h);
}

static void snapshot_join_and_die(void *arg)
{
    copy_house *h = arg;
    acre_hold hold;
    ACRE_CHECK_EQUAL(acre_hold_join(&hold, h->s), 0);
    ACRE_CHECK(acre_alloc(acre_segment_heap(h->s), 30));
    kill(getpid(), SIGKILL);
}

ACRE_TEST(snapshot, the_dead_are_not_waited_for)
{
    copy_house h = copy_make("sharded", 512 << 10);
    struct timespec soon = acre_deadline((uint64_t)10 * 1000 * 1000 * 1000);
    for (int i = 0; i < 3; i++)
        acre_test_expect_killed(acre_test_spawn(snapshot_join_and_die, &h));
    snapshot_take(&h, &(acre_snapshot_options){.deadline = &soon});
    snapshot_away(&h);
    acre_hold hold; /* who joins next clears up */
    ACRE_CHECK_EQUAL(acre_hold_join(&hold, h.s), 0);
    const hold_member *m = hold.member;
    ACRE_CHECK_EQUAL(m->next, 0);
    ACRE_CHECK_EQUAL(acre_hold_leave(&hold), 0);
    copy_end(&h);
}

/* ---- damaged lists ---- */

/* Some bits of what names a member, or of the member, are not as they were; or the list is a ring. */
static void snapshot_damage(acre_segment *s, uint64_t *seed)
{
    hold_part *part = &segment_directory_of(s)->hold;
    hold_member *m = segment_block(s, part->first, sizeof *m);
    ACRE_CHECK(m);
    unsigned char *first = (unsigned char *)&part->first, *in = (unsigned char *)m;
    unsigned char *at = acre_test_below(seed, 2) ? first + acre_test_below(seed, 8)
                                                 : in + acre_test_below(seed, sizeof *m);
    *at ^= (unsigned char)(1 << acre_test_below(seed, 8));
    if (acre_test_below(seed, 8) == 0)
        m->next = acre_segment_offset(s, m);
}

/* A word that looks held by somebody who lives is waited for, as every lock would be. */
ACRE_TEST(snapshot, a_damaged_list_of_members_does_no_harm)
{
    uint64_t seed = acre_test_seed();
    for (size_t i = 0; i < acre_test_rounds(200); i++) {
        copy_house h = copy_make("rbtree_best_fit", 64 << 10);
        acre_hold hold;
        for (int k = 0; k < 2; k++)
            acre_test_expect_killed(acre_test_spawn(snapshot_join_and_die, &h));
        snapshot_damage(h.s, &seed);
        struct timespec soon = acre_deadline(20 * 1000 * 1000);
        int e = acre_segment_snapshot(h.s, h.path, &(acre_snapshot_options){.deadline = &soon});
        ACRE_CHECK(e == 0 || e == ETIMEDOUT);
        if (!e)
            snapshot_away(&h);
        e = acre_hold_join(&hold, h.s);
        ACRE_CHECK(e == 0 || e == ENOMEM, "%s", acre_strerror(e));
        if (!e)
            ACRE_CHECK_EQUAL(acre_hold_leave(&hold), 0);
        copy_end(&h);
    }
}
