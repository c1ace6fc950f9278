/* SPDX-License-Identifier: MIT */
/* Message queues between processes: deaths, stopped ones, names, descriptors, damaged images. */
#include "tests/acre_test.h"

#include "sync/queue.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/poll.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- making ---- */

static void *shared_bytes(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(p != MAP_FAILED);
    return p;
}

/* Handles end with the test. */
static acre_queue *made[64];
static size_t made_count;

static acre_queue *make(acre_queue_options o)
{
    acre_queue **q = &made[made_count++];
    void *memory = shared_bytes(acre_queue_size(&o));
    ACRE_CHECK_EQUAL(acre_queue_init(memory, &o), 0);
    ACRE_CHECK_EQUAL(acre_queue_attach(q, memory, acre_queue_size(&o)), 0);
    return *q;
}

static void put(acre_queue *q, uint32_t number, uint32_t priority)
{
    ACRE_CHECK_EQUAL(acre_queue_trysend(q, &number, sizeof number, priority), 0);
}

static uint32_t get(acre_queue *q)
{
    uint32_t number = 0;
    ACRE_CHECK_EQUAL(acre_queue_tryreceive(q, &number, sizeof number, NULL, NULL), 0);
    return number;
}

/* As many messages as places go in and out again. */
static void expect_whole(acre_queue *q)
{
    ACRE_CHECK_EQUAL(acre_queue_count(q), 0);
    for (uint32_t i = 0; i < acre_queue_capacity(q); i++)
        put(q, i, i % 100);
    ACRE_CHECK_EQUAL(acre_queue_trysend(q, "", 1, 0), EAGAIN);
    for (uint32_t i = 0; i < acre_queue_capacity(q); i++)
        get(q);
    ACRE_CHECK_EQUAL(acre_queue_count(q), 0);
    ACRE_CHECK_EQUAL(acre_queue_check(q), 0);
}

static const acre_queue_options small_options = {.capacity = 4, .max_size = 400};
static const acre_queue_options byte_options = {.capacity = 8, .max_size = 400, .bytes = 1024};

/* ---- who dies with a place in its hands ---- */

static void reserve_and_die(void *arg)
{
    acre_message m;
    ACRE_CHECK_EQUAL(acre_queue_reserve(arg, 300, &m), 0);
    memset(m.data, 'd', 300);
    kill(getpid(), SIGKILL);
}

static void acquire_and_die(void *arg)
{
    acre_message m;
    ACRE_CHECK_EQUAL(acre_queue_acquire(arg, &m), 0);
    kill(getpid(), SIGKILL);
}

static void check_dead_senders(acre_queue_options o)
{
    acre_queue *q = make(o);
    for (int i = 0; i < 20; i++)
        acre_test_expect_killed(acre_test_spawn(reserve_and_die, q));
    ACRE_CHECK_EQUAL(acre_queue_count(q), 0);
    ACRE_CHECK_EQUAL(acre_queue_check(q), 0);
    expect_whole(q);
}

ACRE_TEST(queue_shared, a_dead_senders_place_is_found_when_the_queue_is_full)
{
    check_dead_senders(small_options);
    check_dead_senders(byte_options);
}

/* Nobody sends, so nobody else would find the place. */
ACRE_TEST(queue_shared, who_watches_for_room_finds_what_the_dead_left)
{
    acre_queue *q = make((acre_queue_options){.capacity = 1, .max_size = 400});
    acre_waitable room = acre_queue_writable(q);
    struct timespec deadline = acre_deadline(10000000000u);
    size_t which = 9;
    acre_test_expect_killed(acre_test_spawn(reserve_and_die, q));
    ACRE_CHECK_EQUAL(acre_wait_any(&room, 1, &deadline, &which), 0);
    ACRE_CHECK_EQUAL(which, 0);
    expect_whole(q);
}

ACRE_TEST(queue_shared, a_dead_receivers_message_is_gone_and_its_place_free)
{
    acre_queue *q = make(small_options);
    for (uint32_t i = 0; i < 20; i++) {
        put(q, i, 0);
        put(q, 100 + i, 0);
        acre_test_expect_killed(acre_test_spawn(acquire_and_die, q));
        ACRE_CHECK_EQUAL(get(q), 100 + i);
    }
    expect_whole(q);
}

static void *send_blocking(void *arg)
{
    static const char text[] = "through";
    ACRE_CHECK_EQUAL(acre_queue_send(arg, text, sizeof text, 0), 0);
    return NULL;
}

static void hold_all_until_killed(void *arg)
{
    acre_message m[4];
    for (int i = 0; i < 4; i++)
        ACRE_CHECK_EQUAL(acre_queue_reserve(arg, 10, &m[i]), 0);
    for (;;)
        pause();
}

static bool all_in_hands(acre_queue *q)
{
    return __atomic_load_n(&q->shared->free, __ATOMIC_ACQUIRE) == ACRE__QUEUE_NONE &&
           acre_queue_count(q) == 0;
}

/* Asleep when the owners of all places die. */
ACRE_TEST(queue_shared, a_sleeping_sender_finds_the_places_of_the_dead)
{
    acre_queue *q = make(small_options);
    pthread_t t;
    acre_test_limit(60);
    pid_t holder = acre_test_spawn(hold_all_until_killed, q);
    while (!all_in_hands(q))
        sched_yield();
    ACRE_CHECK(pthread_create(&t, NULL, send_blocking, q) == 0);
    usleep(20000);
    kill(holder, SIGKILL);
    acre_test_expect_killed(holder);
    pthread_join(t, NULL);
    ACRE_CHECK_EQUAL(acre_queue_count(q), 1);
}

/* A stopped one is not robbed, and keeps its one place only. */
static void reserve_stop_and_commit(void *arg)
{
    acre_message m;
    ACRE_CHECK_EQUAL(acre_queue_reserve(arg, 300, &m), 0);
    kill(getpid(), SIGSTOP);
    memset(m.data, 's', 300);
    ACRE_CHECK_EQUAL(acre_queue_commit(arg, &m), 0);
}

ACRE_TEST(queue_shared, nobody_waits_for_a_stopped_sender_and_it_is_not_robbed)
{
    acre_queue *q = make(small_options);
    char buffer[400];
    size_t size;
    int status;
    pid_t child = acre_test_spawn(reserve_stop_and_commit, q);
    ACRE_CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    for (uint32_t i = 0; i < 1000; i++) {
        for (uint32_t k = 0; k < 3; k++)
            put(q, i + k, 0);
        ACRE_CHECK_EQUAL(acre_queue_trysend(q, "", 1, 0), EAGAIN);
        for (uint32_t k = 0; k < 3; k++)
            ACRE_CHECK_EQUAL(get(q), i + k);
    }
    kill(child, SIGCONT);
    acre_test_expect_exit(child, 0);
    ACRE_CHECK_EQUAL(acre_queue_tryreceive(q, buffer, sizeof buffer, &size, NULL), 0);
    ACRE_CHECK(size == 300 && buffer[299] == 's');
    expect_whole(q);
}

/* ---- who dies with the lock ---- */

static void scramble(acre_queue *q)
{
    acre__queue *s = q->shared;
    s->free = 3;
    s->hands = 0;
    s->lanes = ~(uint64_t)0;
    s->count = 77;
    s->high = 12345;
    memset(s->lane, 0x5a, sizeof s->lane);
    memset(q->link, 0x5a, q->capacity * sizeof *q->link);
    memset(q->heap, 0x5a, q->capacity * sizeof *q->heap);
    memset(q->used, 0x5a, (q->units + 63) / 64 * 8);
}

static void die_with_the_lock(void *arg)
{
    acre_queue *q = arg;
    ACRE_CHECK_EQUAL(acre__queue_lock(q, NULL), 0);
    scramble(q);
    kill(getpid(), SIGKILL);
}

static const uint32_t order_priority[] = {0, 63, 64, 5, 1000, 63, 64, 0, 7, 1000};
static const uint32_t order_sorted[] = {4, 9, 2, 6, 1, 5, 8, 3, 0, 7};
enum { ORDER = 10 };

static void check_rebuilt(uint64_t bytes)
{
    acre_queue *q = make((acre_queue_options){.capacity = 16, .max_size = 200, .bytes = bytes});
    acre_message held;
    for (uint32_t i = 0; i < ORDER; i++)
        put(q, i, order_priority[i]);
    ACRE_CHECK_EQUAL(acre_queue_reserve(q, 200, &held), 0);
    for (int i = 0; i < 3; i++) {
        acre_test_expect_killed(acre_test_spawn(die_with_the_lock, q));
        ACRE_CHECK_EQUAL(acre_queue_check(q), 0);
        ACRE_CHECK_EQUAL(acre_queue_count(q), ORDER);
    }
    held.priority = UINT32_MAX;
    held.size = sizeof(uint32_t);
    *(uint32_t *)held.data = 99;
    ACRE_CHECK_EQUAL(acre_queue_commit(q, &held), 0);
    ACRE_CHECK_EQUAL(get(q), 99);
    for (uint32_t i = 0; i < ORDER; i++)
        ACRE_CHECK_EQUAL(get(q), order_sorted[i]);
    expect_whole(q);
}

ACRE_TEST(queue_shared, the_index_is_made_anew_when_the_locks_owner_dies)
{
    check_rebuilt(0);
    check_rebuilt(4096);
}

static void die_with_the_lock_slowly(void *arg)
{
    ACRE_CHECK_EQUAL(acre__queue_lock(arg, NULL), 0);
    kill(getpid(), SIGSTOP);
}

/* The lock's owner is stopped: no call hangs but the one that may wait for ever. */
ACRE_TEST(queue_shared, a_stopped_owner_of_the_lock_costs_the_others_their_deadline)
{
    acre_queue *q = make(small_options);
    int status;
    pid_t child = acre_test_spawn(die_with_the_lock_slowly, q);
    ACRE_CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    ACRE_CHECK_EQUAL(acre_queue_send_for(q, "x", 1, 0, 5000000), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_queue_trysend(q, "x", 1, 0), EBUSY);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    expect_whole(q);
}

/* Out of time in the middle of a large message: its place is not lost. */
static void *lock_for_a_while(void *arg)
{
    acre_queue *q = arg;
    ACRE_CHECK_EQUAL(acre__queue_lock(q, NULL), 0);
    usleep(100000);
    acre__queue_unlock(q);
    return NULL;
}

ACRE_TEST(queue_shared, a_place_that_cannot_be_given_back_in_time_is_dropped)
{
    acre_queue *q = make(small_options);
    acre_message m;
    pthread_t t;
    struct timespec soon = {0};
    ACRE_CHECK_EQUAL(acre_queue_reserve(q, 8, &m), 0);
    ACRE_CHECK(pthread_create(&t, NULL, lock_for_a_while, q) == 0);
    while (!__atomic_load_n(&q->shared->lock_word, __ATOMIC_ACQUIRE))
        sched_yield();
    acre__queue_finish(q, m.place, &soon);
    ACRE_CHECK_EQUAL(acre_queue_abandon(q, &m), EPERM);
    pthread_join(t, NULL);
    ACRE_CHECK_EQUAL(acre_queue_check(q), 0);
    expect_whole(q);
}

/* ---- random kills ---- */

enum { WORKERS = 4, LEDGER = 1 << 22, STREAMS = 4096 };

/* Every message says who sent it, as which of its own; the receiver notes it before the next. */
typedef struct ledger {
    acre_queue *q;
    uint32_t stop, streams;
    uint32_t sent[STREAMS];         /* by each stream, before the call */
    uint8_t seen[STREAMS][1 << 10]; /* [stream][number] */
    uint32_t doubled, disordered;
    uint32_t killed_senders, killed_receivers;
} ledger;

typedef struct ledger_message {
    uint32_t stream, number;
    uint8_t bytes[192];
} ledger_message;

static size_t ledger_size(uint32_t number)
{
    return number % 3 ? sizeof(ledger_message) : 16;
}

static void ledger_send(void *arg)
{
    ledger *l = arg;
    ledger_message m = {.stream = __atomic_fetch_add(&l->streams, 1, __ATOMIC_SEQ_CST)};
    while (!l->stop && m.number < (1 << 10) - 1 && m.stream < STREAMS) {
        l->sent[m.stream] = ++m.number;
        ACRE_CHECK_EQUAL(acre_queue_send(l->q, &m, ledger_size(m.number), m.stream % 2 * 80), 0);
    }
    for (;;)
        pause();
}

static void ledger_receive(void *arg)
{
    ledger *l = arg;
    ledger_message m;
    size_t size;
    static uint32_t last[STREAMS];
    for (;;) {
        ACRE_CHECK_EQUAL(acre_queue_receive(l->q, &m, sizeof m, &size, NULL), 0);
        ACRE_CHECK(m.stream < STREAMS && m.number < 1 << 10 && size == ledger_size(m.number));
        if (__atomic_exchange_n(&l->seen[m.stream][m.number], 1, __ATOMIC_SEQ_CST))
            __atomic_fetch_add(&l->doubled, 1, __ATOMIC_SEQ_CST);
        if (m.number <= last[m.stream]) /* one receiver sees each stream in order */
            __atomic_fetch_add(&l->disordered, 1, __ATOMIC_SEQ_CST);
        last[m.stream] = m.number;
    }
}

static void ledger_drain(ledger *l)
{
    ledger_message m;
    while (acre_queue_tryreceive(l->q, &m, sizeof m, NULL, NULL) == 0)
        l->doubled += __atomic_exchange_n(&l->seen[m.stream][m.number], 1, __ATOMIC_SEQ_CST);
}

/* The last one of each stream may not have been sent. */
static uint32_t ledger_missing(const ledger *l)
{
    uint32_t missing = 0;
    for (uint32_t s = 0; s < STREAMS && s < l->streams; s++)
        for (uint32_t n = 1; n < l->sent[s]; n++)
            missing += !l->seen[s][n];
    return missing;
}

static pid_t ledger_spawn(ledger *l, int worker)
{
    return acre_test_spawn(worker % 2 ? ledger_receive : ledger_send, l);
}

static void check_kills(acre_queue_options o, size_t rounds)
{
    ledger *l = shared_bytes(sizeof *l);
    uint64_t seed = acre_test_seed();
    pid_t child[WORKERS];
    l->q = make(o);
    for (int i = 0; i < WORKERS; i++)
        child[i] = ledger_spawn(l, i);
    for (size_t i = 0; i < rounds; i++) {
        int victim = (int)acre_test_below(&seed, WORKERS);
        acre_test_limit(60);
        usleep((useconds_t)acre_test_below(&seed, 600));
        kill(child[victim], SIGKILL);
        acre_test_expect_killed(child[victim]);
        *(victim % 2 ? &l->killed_receivers : &l->killed_senders) += 1;
        child[victim] = ledger_spawn(l, victim);
    }
    for (int i = 0; i < WORKERS; i++) {
        kill(child[i], SIGKILL);
        acre_test_expect_killed(child[i]);
    }
    ledger_drain(l);
    uint32_t missing = ledger_missing(l);
    fprintf(stderr, "%zu killed; %u messages lost with %u receivers\n", rounds, missing,
            l->killed_receivers);
    ACRE_CHECK_EQUAL(l->doubled, 0);
    ACRE_CHECK_EQUAL(l->disordered, 0);
    ACRE_CHECK(missing <= l->killed_receivers + WORKERS / 2);
    expect_whole(l->q);
}

ACRE_TEST(queue_shared, kills_lose_nothing_but_what_is_in_hand)
{
    check_kills((acre_queue_options){.capacity = 3, .max_size = 200}, acre_test_rounds(300));
    check_kills((acre_queue_options){.capacity = 50, .max_size = 200}, acre_test_rounds(300));
    check_kills((acre_queue_options){.capacity = 20, .max_size = 200, .bytes = 1280},
                acre_test_rounds(300));
}

/* ---- names ---- */

static const char *own_name(void)
{
    static char name[64];
    snprintf(name, sizeof name, "test-queue-%d", (int)getpid());
    acre_queue_remove(name);
    return name;
}

ACRE_TEST(queue_shared, names_are_made_found_and_removed_A58)
{
    const char *name = own_name();
    acre_queue *a = NULL, *b = NULL;
    bool created = false;
    acre_queue_options o = {.capacity = 10, .max_size = 100, .mode = 0640};
    ACRE_CHECK_EQUAL(acre_queue_open(&a, name, NULL), ENOENT);
    ACRE_CHECK_EQUAL(acre_queue_remove(name), ENOENT);
    umask(077);
    ACRE_CHECK_EQUAL(acre_queue_create(&a, name, &o), 0);
    ACRE_CHECK_EQUAL(acre_queue_create(&b, name, &o), EEXIST);
    ACRE_CHECK_EQUAL(acre_queue_open_or_create(&b, name, &o, &created), 0);
    ACRE_CHECK(!created);
    put(a, 42, 0);
    ACRE_CHECK_EQUAL(get(b), 42);
    ACRE_CHECK_EQUAL(acre_queue_remove(name), 0);
    put(b, 43, 0);
    ACRE_CHECK_EQUAL(get(a), 43);
    ACRE_CHECK_EQUAL(acre_queue_close(a), 0);
    ACRE_CHECK_EQUAL(acre_queue_close(b), 0);
    ACRE_CHECK_EQUAL(acre_queue_open(&a, name, NULL), ENOENT);
}

static void expect_mode(mode_t mask)
{
    const char *name = own_name();
    char path[128];
    struct stat st;
    acre_queue *q;
    acre_queue_options o = {.capacity = 1, .max_size = 1, .mode = 0664};
    umask(mask);
    ACRE_CHECK_EQUAL(acre_queue_create(&q, name, &o), 0);
    snprintf(path, sizeof path, "/dev/shm/acre.%s", name);
    ACRE_CHECK(stat(path, &st) == 0);
    ACRE_CHECK_EQUAL(st.st_mode & 07777, 0664);
    ACRE_CHECK_EQUAL(acre_queue_close(q), 0);
    ACRE_CHECK_EQUAL(acre_queue_remove(name), 0);
}

ACRE_TEST(queue_shared, the_mode_is_exact_whatever_the_umask_A38)
{
    expect_mode(077);
    expect_mode(000);
}

ACRE_TEST(queue_shared, messages_wait_in_a_closed_queue_A58)
{
    const char *name = own_name();
    acre_queue *q;
    acre_queue_options o = {.capacity = 10, .max_size = 100},
                       other = {.capacity = 2, .max_size = 1};
    ACRE_CHECK_EQUAL(acre_queue_create(&q, name, &o), 0);
    for (uint32_t i = 0; i < 7; i++)
        put(q, i, i);
    ACRE_CHECK_EQUAL(acre_queue_close(q), 0);
    ACRE_CHECK_EQUAL(acre_queue_open_or_create(&q, name, &other, NULL), 0);
    ACRE_CHECK(acre_queue_capacity(q) == 10 && acre_queue_max_size(q) == 100);
    ACRE_CHECK_EQUAL(acre_queue_count(q), 7);
    for (uint32_t i = 7; i-- > 0;)
        ACRE_CHECK_EQUAL(get(q), i);
    ACRE_CHECK_EQUAL(acre_queue_close(q), 0);
    ACRE_CHECK_EQUAL(acre_queue_remove(name), 0);
}

ACRE_TEST(queue_shared, a_name_of_something_else_is_refused)
{
    const char *name = own_name();
    acre_queue *q = NULL;
    acre_named *n;
    acre_queue_options o = {.capacity = 10, .max_size = 100};
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_MUTEX, name, NULL), 0);
    ACRE_CHECK_EQUAL(acre_queue_open(&q, name, NULL), ACRE_EOBJECT);
    ACRE_CHECK_EQUAL(acre_queue_create(&q, name, &o), EEXIST);
    ACRE_CHECK_EQUAL(acre_named_close(n), 0);
    ACRE_CHECK_EQUAL(acre_named_remove(name), 0);
    ACRE_CHECK_EQUAL(acre_queue_open(&q, "with/slash", NULL), ACRE_ENAME);
    o.capacity = 0;
    ACRE_CHECK_EQUAL(acre_queue_create(&q, name, &o), EINVAL);
    ACRE_CHECK_EQUAL(acre_queue_open_or_create(&q, name, NULL, NULL), EINVAL);
    ACRE_CHECK(q == NULL);
}

typedef struct meeting {
    char name[64];
    uint32_t ready, creators;
} meeting;

static void meet(void *arg)
{
    meeting *m = arg;
    acre_queue *q;
    bool created;
    acre_queue_options o = {.capacity = 64, .max_size = 8};
    __atomic_fetch_add(&m->ready, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&m->ready, __ATOMIC_SEQ_CST) % WORKERS)
        sched_yield();
    ACRE_CHECK_EQUAL(acre_queue_open_or_create(&q, m->name, &o, &created), 0);
    __atomic_fetch_add(&m->creators, created, __ATOMIC_SEQ_CST);
    put(q, 1, 0);
}

ACRE_TEST(queue_shared, one_of_many_creates)
{
    meeting *m = shared_bytes(sizeof *m);
    acre_queue *q;
    size_t rounds = acre_test_rounds(40);
    strcpy(m->name, own_name());
    for (size_t i = 1; i <= rounds; i++) {
        pid_t child[WORKERS];
        for (int k = 0; k < WORKERS; k++)
            child[k] = acre_test_spawn(meet, m);
        for (int k = 0; k < WORKERS; k++)
            acre_test_expect_exit(child[k], 0);
        ACRE_CHECK_EQUAL(m->creators, i);
        ACRE_CHECK_EQUAL(acre_queue_open(&q, m->name, NULL), 0);
        ACRE_CHECK_EQUAL(acre_queue_count(q), WORKERS);
        ACRE_CHECK_EQUAL(acre_queue_close(q), 0);
        ACRE_CHECK_EQUAL(acre_queue_remove(m->name), 0);
    }
}

/* ---- waiting for several things ---- */

static bool readable_now(int fd, int ms)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = poll(&p, 1, ms);
    ACRE_CHECK(n >= 0);
    return n == 1;
}

ACRE_TEST(queue_shared, a_descriptor_tells_of_messages)
{
    acre_queue *q = make(small_options);
    int fd = -1, again;
    uint32_t number;
    ACRE_CHECK_EQUAL(acre_queue_poll_fd(q, &fd), 0);
    ACRE_CHECK_EQUAL(acre_queue_poll_fd(q, &again), 0);
    ACRE_CHECK_EQUAL(fd, again);
    ACRE_CHECK(!readable_now(fd, 0));
    for (uint32_t i = 0; i < 300; i++) {
        put(q, i, 0);
        if (i % 2)
            put(q, i, 0);
        ACRE_CHECK(readable_now(fd, 20000));
        for (uint32_t k = 0; k <= i % 2; k++)
            ACRE_CHECK_EQUAL(get(q), i);
        ACRE_CHECK_EQUAL(acre_queue_tryreceive(q, &number, sizeof number, NULL, NULL), EAGAIN);
    }
    while (readable_now(fd, 0)) /* told of the last ones once more, perhaps */
        ACRE_CHECK_EQUAL(acre_queue_tryreceive(q, &number, sizeof number, NULL, NULL), EAGAIN);
    ACRE_CHECK_EQUAL(acre_queue_close(q), 0);
}

static void send_numbers(void *arg)
{
    for (uint32_t i = 0; i < 2000; i++)
        ACRE_CHECK_EQUAL(acre_queue_send(arg, &i, sizeof i, 0), 0);
}

ACRE_TEST(queue_shared, a_descriptor_misses_no_message_of_another_process)
{
    acre_queue *q = make(small_options);
    int fd;
    uint32_t number, wanted = 0;
    ACRE_CHECK_EQUAL(acre_queue_poll_fd(q, &fd), 0);
    pid_t child = acre_test_spawn(send_numbers, q);
    acre_test_limit(60);
    while (wanted < 2000) {
        ACRE_CHECK(readable_now(fd, 30000));
        while (acre_queue_tryreceive(q, &number, sizeof number, NULL, NULL) == 0)
            ACRE_CHECK_EQUAL(number, wanted++);
    }
    acre_test_expect_exit(child, 0);
    ACRE_CHECK_EQUAL(acre_queue_close(q), 0);
}

static void poll_in_child(void *arg)
{
    int fd;
    ACRE_CHECK_EQUAL(acre_queue_poll_fd(arg, &fd), 0);
    put(arg, 1, 0);
    ACRE_CHECK(readable_now(fd, 20000));
    ACRE_CHECK_EQUAL(get(arg), 1);
    ACRE_CHECK_EQUAL(acre_queue_close(arg), 0);
}

ACRE_TEST(queue_shared, a_child_has_a_descriptor_of_its_own)
{
    acre_queue *q = make(small_options);
    int fd;
    uint32_t number;
#if defined __SANITIZE_THREAD__ || defined __SANITIZE_ADDRESS__
    acre_test_skip("a sanitizer's own locks may be held by the parent's new thread at the fork");
#endif
    ACRE_CHECK_EQUAL(acre_queue_poll_fd(q, &fd), 0);
    acre_test_run(poll_in_child, q);
    while (readable_now(fd, 0))
        ACRE_CHECK_EQUAL(acre_queue_tryreceive(q, &number, sizeof number, NULL, NULL), EAGAIN);
    put(q, 2, 0);
    ACRE_CHECK(readable_now(fd, 20000));
    ACRE_CHECK_EQUAL(get(q), 2);
    ACRE_CHECK_EQUAL(acre_queue_close(q), 0);
}

static void *answer(void *arg)
{
    acre_queue **q = arg;
    for (uint32_t i = 0; i < 500; i++) {
        size_t which = 9;
        acre_waitable list[] = {acre_queue_readable(q[0]), acre_queue_readable(q[1])};
        ACRE_CHECK_EQUAL(acre_wait_any(list, 2, NULL, &which), 0);
        ACRE_CHECK_EQUAL(which, i % 2);
        ACRE_CHECK_EQUAL(get(q[which]), i);
        ACRE_CHECK_EQUAL(acre_queue_send(q[2], &i, sizeof i, 0), 0);
    }
    return NULL;
}

ACRE_TEST(queue_shared, several_queues_can_be_waited_for)
{
    acre_queue *q[] = {make(small_options), make(small_options), make(small_options)};
    pthread_t t;
    uint32_t number;
    acre_test_limit(60);
    ACRE_CHECK(pthread_create(&t, NULL, answer, q) == 0);
    for (uint32_t i = 0; i < 500; i++) {
        put(q[i % 2], i, 0);
        ACRE_CHECK_EQUAL(acre_queue_receive(q[2], &number, sizeof number, NULL, NULL), 0);
        ACRE_CHECK_EQUAL(number, i);
    }
    pthread_join(t, NULL);
}

ACRE_TEST(queue_shared, room_can_be_waited_for)
{
    acre_queue *q = make((acre_queue_options){.capacity = 1, .max_size = 8});
    acre_waitable room = acre_queue_writable(q);
    struct timespec soon = acre_deadline(2000000);
    size_t which = 9;
    ACRE_CHECK_EQUAL(acre_wait_any(&room, 1, NULL, &which), 0);
    put(q, 1, 0);
    ACRE_CHECK_EQUAL(acre_wait_any(&room, 1, &soon, &which), ETIMEDOUT);
    get(q);
    ACRE_CHECK_EQUAL(acre_wait_any(&room, 1, &soon, &which), 0);
    ACRE_CHECK_EQUAL(which, 0);
}

/* A watcher takes no wake-up from a receiver: both are told, many times over. */
static void *watch(void *arg)
{
    acre_queue *q = arg;
    acre_waitable w = acre_queue_readable(q);
    size_t which;
    while (!__atomic_load_n(&q->shared->constants.reserved[0], __ATOMIC_ACQUIRE)) {
        struct timespec soon = acre_deadline(20000000);
        acre_wait_any(&w, 1, &soon, &which);
    }
    return NULL;
}

ACRE_TEST(queue_shared, a_watcher_takes_no_receivers_wakeup)
{
    acre_queue *q[] = {make(small_options), make(small_options), make(small_options)};
    pthread_t watcher, receiver;
    uint32_t number;
    acre_test_limit(120);
    ACRE_CHECK(pthread_create(&watcher, NULL, watch, q[0]) == 0);
    ACRE_CHECK(pthread_create(&receiver, NULL, answer, q) == 0);
    for (uint32_t i = 0; i < 500; i++) {
        put(q[i % 2], i, 0);
        ACRE_CHECK_EQUAL(acre_queue_receive(q[2], &number, sizeof number, NULL, NULL), 0);
    }
    pthread_join(receiver, NULL);
    __atomic_store_n(&q[0]->shared->constants.reserved[0], 1, __ATOMIC_RELEASE);
    pthread_join(watcher, NULL);
}

/* ---- damaged images ---- */

/* Every call once or twice; nothing is said about the outcome but that there is one. */
static void try_everything(acre_queue *q)
{
    static const struct timespec soon; /* past: nothing sleeps */
    char data[200] = {0};
    acre_message m;
    acre_message list[3] = {{data, 8, 1, 0}, {data, 8, 70, 0}, {data, 180, 1, 0}};
    size_t size;
    uint32_t priority;
    acre_queue_check(q);
    acre_queue_peek(q, &size, &priority);
    acre_queue_send_until(q, data, 10, 3, &soon);
    acre_queue_send_until(q, data, 170, 99, &soon);
    if (acre_queue_reserve_until(q, 150, &m, &soon) == 0) {
        memset(m.data, 1, 150);
        acre_queue_commit(q, &m);
    }
    acre_queue_receive_until(q, data, sizeof data, &size, &priority, &soon);
    if (acre_queue_acquire_until(q, &m, &soon) == 0)
        acre_queue_release(q, &m);
    acre_queue_send_many_until(q, list, 3, &size, &soon);
    acre_queue_receive_many_until(q, list, 2, &size, &soon);
    for (int i = 0; i < 20; i++)
        acre_queue_receive_until(q, data, sizeof data, &size, &priority, &soon);
}

typedef struct image {
    acre_queue_options o;
    size_t size, places, stride, end; /* the places end there */
    uint8_t *good, *work;
} image;

static image image_make(acre_queue_options o)
{
    image m = {.o = o, .size = acre_queue_size(&o)};
    acre_queue *q = make(o);
    for (uint32_t i = 0; i < 5; i++)
        put(q, i, i * 30);
    get(q);
    m.good = (uint8_t *)q->shared;
    m.places = (size_t)(q->places - m.good);
    m.stride = q->stride;
    m.end = (size_t)(q->area - m.good);
    m.work = aligned_alloc(64, m.size); /* the sanitizer knows its ends */
    ACRE_CHECK(m.work != NULL);
    return m;
}

static void image_try(const image *m)
{
    acre_queue *q;
    if (acre_queue_attach(&q, m->work, m->size) == 0) {
        try_everything(q);
        acre_queue_close(q);
    }
}

/* Messages may be anything; and the lock with an owner that never was is waited for by every call,
 * so a few of those will do. */
static bool image_skip(const image *m, size_t bit)
{
    size_t at = bit / 8;
    if (at / 4 == offsetof(acre__queue, lock_word) / 4)
        return bit % 32 < 30 && bit % 32 != 3;
    return at >= m->places && (at - m->places) % m->stride >= sizeof(acre__place);
}

static void check_flips(acre_queue_options o, size_t step)
{
    image m = image_make(o);
    size_t first = acre_test_seed() % step;
    for (size_t bit = first; bit < m.end * 8; bit += step) {
        if (image_skip(&m, bit))
            continue;
        memcpy(m.work, m.good, m.size);
        m.work[bit / 8] ^= (uint8_t)(1 << bit % 8);
        image_try(&m);
    }
    free(m.work);
}

ACRE_TEST(queue_shared, any_flipped_bit_is_survived)
{
    size_t step = acre_test_rounds(20) == 20 ? 1 : 37;
    check_flips((acre_queue_options){.capacity = 6, .max_size = 200}, step);
    check_flips((acre_queue_options){.capacity = 6, .max_size = 200, .bytes = 640}, step);
}

/* Whole words replaced, several at once. */
static void image_spoil(image *m, uint64_t *seed)
{
    static const uint32_t words[] = {0, 1, 5, 6, 7, 63, 64, 0x7fffffff, 0xffffffff, 0xfffffffe};
    for (uint64_t n = 1 + acre_test_below(seed, 4); n > 0; n--) {
        size_t at = acre_test_below(seed, m->end / 4);
        uint32_t word = words[acre_test_below(seed, sizeof words / sizeof *words)];
        if (at != offsetof(acre__queue, lock_word) / 4)
            memcpy(m->work + at * 4, &word, 4);
    }
}

ACRE_TEST(queue_shared, random_damage_is_survived)
{
    uint64_t seed = acre_test_seed();
    image m[] = {image_make((acre_queue_options){.capacity = 6, .max_size = 200}),
                 image_make((acre_queue_options){.capacity = 6, .max_size = 200, .bytes = 640})};
    size_t rounds = acre_test_rounds(2000);
    for (size_t i = 0; i < rounds; i++) {
        image *x = &m[i % 2];
        memcpy(x->work, x->good, x->size);
        image_spoil(x, &seed);
        image_try(x);
    }
    free(m[0].work);
    free(m[1].work);
}

/* Another process writes nonsense into the index all the time. */
static void vandalise(void *arg)
{
    acre_queue *q = arg;
    uint64_t seed = acre_test_seed();
    uint32_t *words = (uint32_t *)q->shared;
    size_t lock = offsetof(acre__queue, lock_word) / 4,
           n = (size_t)(q->places - (uint8_t *)words) / 4;
    for (;;) {
        size_t at = lock + 1 + acre_test_below(&seed, n - lock - 1);
        __atomic_store_n(&words[at], (uint32_t)acre_test_below(&seed, 8) - 1, __ATOMIC_RELAXED);
    }
}

ACRE_TEST(queue_shared, a_hostile_process_is_survived)
{
    acre_queue *q = make(byte_options);
    pid_t child = acre_test_spawn(vandalise, q);
    size_t rounds = acre_test_rounds(300);
    for (size_t i = 0; i < rounds; i++)
        try_everything(q);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
}
