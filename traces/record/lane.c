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
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "traces/record/record.h"

enum {
    LANE_MAX = 16384,
    LANE_ROUNDS = 3 /* of destructors that our own lets pass, so as to be the last */
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

static uint64_t *lane_records(const record_lane *lane)
{
    return (uint64_t *)(lane->buffer + 1);
}

static bool lane_map(record_lane *lane)
{
    lane->buffer = acre__record_map_buffer(lane->id);
    if (!lane->buffer)
        return false;
    lane->cur = lane_records(lane);
    lane->end = (uint64_t *)((char *)lane->buffer + ACRE__RAW_BLOCK);
    return true;
}

/* Appends the buffer to the file and begins anew.  Clearing comes before the new seq, so a kill in
 * between leaves a buffer that is known to be a copy. */
static bool lane_flush(record_lane *lane)
{
    uint64_t *records = lane_records(lane);
    if (!acre__record_append(lane->buffer))
        acre__record_lost((uint64_t)(lane->cur - records) / ACRE__RAW_WORDS);
    memset(records, 0, (size_t)((char *)lane->end - (char *)records));
    lane->buffer->start_tick = lane->last;
    __atomic_store_n(&lane->buffer->seq, lane->buffer->seq + 1, __ATOMIC_RELEASE);
    lane->cur = records;
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
    return lane_has_room(lane, words) || (lane->buffer ? lane_flush(lane) : lane_map(lane));
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
        acre__record_lost(1);
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
static void lane_store(uint64_t *r, uint64_t word0, uint32_t ticks, uint32_t size)
{
    r[1] = (uint64_t)ticks << 32 | size;
    __atomic_store_n(r, word0, __ATOMIC_RELEASE);
}

static uint64_t lane_word0(unsigned op, const void *p, unsigned align_log2, unsigned flags)
{
    uint64_t above = op << (ACRE__RAW_ALIGN_BITS + ACRE__RAW_FLAG_BITS) |
                     flags << ACRE__RAW_ALIGN_BITS | align_log2;
    uint64_t mask = (UINT64_C(1) << ACRE__RAW_ADDRESS_BITS) - 1;
    return ((uintptr_t)p & mask) | above << ACRE__RAW_ADDRESS_BITS;
}

static void lane_store_wide(uint64_t *r, uintptr_t what, uint64_t value)
{
    r[1] = value;
    __atomic_store_n(r, lane_word0(ACRE__RAW_WIDE, (const void *)what, 0, 0), __ATOMIC_RELEASE);
}

/* Ticks since the record before; what comes before it (a first event, or clocks of two processors
 * that differ) happens at the same tick. */
static uint64_t lane_advance(record_lane *lane, uint64_t stamp)
{
    uint64_t tick = stamp - acre__record_base(), since = tick - lane->last;
    if (RECORD_UNLIKELY((int64_t)tick < 0 || (int64_t)since < 0))
        return 0;
    lane->last = tick;
    return since;
}

static uint32_t lane_narrow(uint64_t value)
{
    return value < ACRE__RAW_ESCAPE ? (uint32_t)value : ACRE__RAW_ESCAPE;
}

typedef struct lane_event {
    uint64_t word0, tick, size, cont; /* cont: CONT's word 0, or 0 */
    uint32_t duration;
} lane_event;

/* An event whose tick difference or size does not fit: the tick is written in full. */
static __attribute__((noinline)) void lane_put_wide(const lane_event *event)
{
    uint64_t *r = lane_reserve(4, event->tick + acre__record_base()), *next = r;
    if (!r)
        return;
    lane_store_wide(next += ACRE__RAW_WORDS, 0, event->tick);
    if (event->size >= ACRE__RAW_ESCAPE)
        lane_store_wide(next += ACRE__RAW_WORDS, 1, event->size);
    if (event->cont)
        lane_store(next += ACRE__RAW_WORDS, event->cont, event->duration, 0);
    lane_store(r, event->word0, ACRE__RAW_ESCAPE, lane_narrow(event->size));
}

void acre__record_event(unsigned op, uint64_t stamp, const void *p, unsigned align_log2,
                        unsigned flags, uint64_t size)
{
    uint64_t *r = lane_reserve(1, stamp), word0 = lane_word0(op, p, align_log2, flags);
    if (!r)
        return;
    record_lane *lane = acre__record_thread.lane;
    uint64_t since = lane_advance(lane, stamp);
    if (RECORD_UNLIKELY(since >= ACRE__RAW_ESCAPE || size >= ACRE__RAW_ESCAPE)) {
        lane->cur = r; /* give it back */
        lane_put_wide(&(lane_event){word0, lane->last, size, 0, 0});
        return;
    }
    lane_store(r, word0, (uint32_t)since, (uint32_t)size);
}

void acre__record_realloc(uint64_t start, uint64_t end, const void *p, unsigned flags,
                          const void *old, uint64_t size)
{
    uint64_t *r = lane_reserve(2, start), word0 = lane_word0(ACRE__RAW_REALLOC, p, 0, flags);
    uint64_t cont = lane_word0(ACRE__RAW_CONT, old, 0, 0);
    if (!r)
        return;
    record_lane *lane = acre__record_thread.lane;
    uint64_t since = lane_advance(lane, start);
    uint32_t duration = lane_narrow(end - start);
    if (RECORD_UNLIKELY(since >= ACRE__RAW_ESCAPE || size >= ACRE__RAW_ESCAPE)) {
        lane->cur = r;
        lane_put_wide(&(lane_event){word0, lane->last, size, cont, duration});
        return;
    }
    lane_store(r + ACRE__RAW_WORDS, cont, duration, 0);
    lane_store(r, word0, (uint32_t)since, (uint32_t)size);
}

/* ---- Muting --------------------------------------------------------------------------------- */

/* A lane without room, and a thread that is busy: nothing is stored, and nothing is lost. */
record_lane *acre__record_mute(void)
{
    record_thread *thread = &acre__record_thread;
    record_lane *lane = thread->lane;
    thread->lane = &lane_none;
    thread->busy = true;
    return lane;
}

void acre__record_unmute(record_lane *lane)
{
    acre__record_thread.lane = lane;
    acre__record_thread.busy = false;
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
