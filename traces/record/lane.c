/* SPDX-License-Identifier: MIT */
/* lane.c: where a thread puts its records.
 *
 * A thread takes a lane at its first event and writes to it without any lock.  When it has ended,
 * which only the kernel knows (libc frees memory after the last destructor), another may continue
 * the lane; so there are as many lanes as threads at one time. */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "traces/record/record.h"

enum {
    LANE_MAX = 16384,
    LANE_ROUNDS = 3, /* of destructors that our own lets pass, so as to be the last */
    LANE_WORDS_OF_HEAD = sizeof(acre__raw_block) / sizeof(uint64_t)
};

/* In a mapping that a forked child finds cleared. */
typedef struct lane_table {
    int lock;
    bool alive;
    uint32_t n;
    record_lane lanes[LANE_MAX];
} lane_table;

static record_lane lane_none;
static lane_table *lane_all;
static pthread_key_t lane_key;

__thread record_thread acre__record_thread = {.lane = &lane_none};

/* ---- The table ------------------------------------------------------------------------------ */

static void lane_lock(void)
{
    while (__atomic_exchange_n(&lane_all->lock, 1, __ATOMIC_ACQUIRE))
        sched_yield();
}

static void lane_unlock(void)
{
    __atomic_store_n(&lane_all->lock, 0, __ATOMIC_RELEASE);
}

static bool lane_map_table(void)
{
    lane_table *table = mmap(NULL, sizeof *table, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (table == MAP_FAILED || madvise(table, sizeof *table, MADV_WIPEONFORK) != 0)
        return false;
    lane_all = table;
    return true;
}

static void lane_at_thread_exit(void *unused);

/* The table of this process.  Its first event precedes its second thread. */
static bool lane_ready(void)
{
    if (!lane_all && (!lane_map_table() || pthread_key_create(&lane_key, lane_at_thread_exit) != 0))
        return false;
    if (!lane_all->alive) {
        acre__record_forked();
        lane_all->alive = true;
    }
    return acre__record_start();
}

/* A lane whose thread is gone, or a new one. */
static record_lane *lane_take(void)
{
    for (uint32_t i = 0; i < lane_all->n; i++) {
        record_lane *lane = &lane_all->lanes[i];
        if (lane->exiting && syscall(SYS_tgkill, getpid(), lane->tid, 0) != 0)
            return lane;
    }
    if (lane_all->n == LANE_MAX)
        return NULL;
    record_lane *lane = &lane_all->lanes[lane_all->n];
    lane->id = lane_all->n++;
    return lane;
}

/* ---- Room ----------------------------------------------------------------------------------- */

static bool lane_next_block(record_lane *lane)
{
    size_t bytes = lane->block ? ACRE__RAW_BLOCK : ACRE__RAW_GRAIN;
    uint64_t *block = acre__record_claim(lane->id, bytes);
    if (!block)
        return false;
    if (lane->block)
        munmap(lane->block, lane->block_bytes);
    lane->block = block;
    lane->block_bytes = bytes;
    lane->cur = block + LANE_WORDS_OF_HEAD;
    lane->end = block + bytes / sizeof *block;
    return true;
}

static void lane_adopt(record_thread *thread)
{
    lane_lock();
    record_lane *lane = lane_take();
    if (lane) {
        lane->tid = (int)syscall(SYS_gettid);
        lane->exiting = false;
        thread->lane = lane;
    }
    lane_unlock();
}

static bool lane_has_room(const record_lane *lane, size_t words)
{
    return (size_t)(lane->end - lane->cur) >= words;
}

/* Gives the thread a lane with room for `words` more than a THREAD_START.  A lane without thread
 * id is none yet, or one that fork has cleared. */
static bool lane_find_room(record_thread *thread, size_t words)
{
    if (!lane_ready())
        return false;
    bool fresh = thread->lane->tid == 0;
    if (fresh)
        lane_adopt(thread);
    record_lane *lane = thread->lane;
    if (lane->tid == 0)
        return false;
    words += fresh ? ACRE__RAW_WORDS : 0;
    return lane_has_room(lane, words) || lane_next_block(lane);
}

/* The slow way: false if there is nowhere to store. */
static bool lane_make_room(record_thread *thread, size_t words, uint64_t stamp)
{
    if (thread->busy)
        return false;
    int saved = errno;
    uint32_t before = (uint32_t)thread->lane->tid;
    thread->busy = true;
    bool room = lane_find_room(thread, words);
    if (room && before == 0) {
        acre__record_event(ACRE__RAW_THREAD_START, stamp, NULL, 0, 0, (uint64_t)thread->lane->tid);
        pthread_setspecific(lane_key, thread);
    }
    thread->busy = false;
    errno = saved;
    if (!room)
        acre__record_lost();
    return room;
}

/* Memory for n records, or NULL: then the event is lost, and counted. */
static uint64_t *lane_reserve(size_t n, uint64_t stamp)
{
    record_thread *thread = &acre__record_thread;
    size_t words = n * ACRE__RAW_WORDS;
    if (RECORD_UNLIKELY(!lane_has_room(thread->lane, words)) &&
        !lane_make_room(thread, words, stamp))
        return NULL;
    uint64_t *words_at = thread->lane->cur;
    thread->lane->cur = words_at + words; /* first: a signal handler may record, too */
    return words_at;
}

/* ---- Records -------------------------------------------------------------------------------- */

/* The word with the op goes last: until then the record is not there. */
static void lane_store(uint64_t *r, unsigned op, uint64_t ticks, uint64_t word1, uint64_t word2)
{
    r[1] = word1;
    r[2] = word2;
    __atomic_store_n(r, (uint64_t)op << ACRE__RAW_TICK_BITS | ticks, __ATOMIC_RELEASE);
}

static uint64_t lane_word1(const void *p, unsigned align_log2, unsigned flags)
{
    uint64_t mask = (UINT64_C(1) << ACRE__RAW_ADDRESS_BITS) - 1;
    return ((uintptr_t)p & mask) | (uint64_t)(align_log2 | flags << 6) << ACRE__RAW_ADDRESS_BITS;
}

/* The first event of a process is stamped before its file has a base. */
static uint64_t lane_ticks(uint64_t stamp)
{
    uint64_t base = acre__record_base();
    return stamp > base ? stamp - base : 0;
}

void acre__record_event(unsigned op, uint64_t stamp, const void *p, unsigned align_log2,
                        unsigned flags, uint64_t size)
{
    bool large = size >= ACRE__RAW_SIZE_ESCAPE;
    uint64_t *r = lane_reserve(large ? 2 : 1, stamp);
    if (!r)
        return;
    if (RECORD_UNLIKELY(large))
        lane_store(r + ACRE__RAW_WORDS, ACRE__RAW_CONT, 0, 0, size);
    lane_store(r, op, lane_ticks(stamp), lane_word1(p, align_log2, flags),
               large ? ACRE__RAW_SIZE_ESCAPE : size);
}

void acre__record_realloc(uint64_t start, uint64_t end, const void *p, unsigned flags,
                          const void *old, uint64_t size)
{
    uint64_t *r = lane_reserve(2, start);
    if (!r)
        return;
    lane_store(r + ACRE__RAW_WORDS, ACRE__RAW_CONT, end - start, lane_word1(old, 0, 0), size);
    lane_store(r, ACRE__RAW_REALLOC, lane_ticks(start), lane_word1(p, 0, flags), 0);
}

/* ---- The end of a thread -------------------------------------------------------------------- */

static void lane_at_thread_exit(void *pointer)
{
    record_thread *thread = pointer;
    if (++thread->rounds < LANE_ROUNDS) {
        pthread_setspecific(lane_key, thread);
        return;
    }
    acre__record_event(ACRE__RAW_THREAD_EXIT, acre__record_clock(), NULL, 0, 0, 0);
    thread->lane->exiting = true;
}
