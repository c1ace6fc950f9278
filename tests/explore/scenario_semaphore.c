/* SPDX-License-Identifier: MIT */
/* acre_semaphore, acre_permits, and waiting for any of them. */
#include "tests/explore/explore.h"

enum { PERMITS = 2 };

typedef struct state {
    acre_semaphore semaphore;
    uint32_t taken, given_up, holder[PERMITS];
    _Alignas(64) acre_permits permits;
} state;

static state *get(void)
{
    return EXPLORE_SHARED(state);
}

/* ---- semaphore ---- */

static void begin_with(uint32_t count)
{
    EXPLORE_CHECK(acre_semaphore_init(&get()->semaphore, count) == 0);
}

static void begin_0(void)
{
    begin_with(0);
}

static void begin_1(void)
{
    begin_with(1);
}

static void post(void)
{
    EXPLORE_CHECK(acre_semaphore_post(&get()->semaphore, 1) == 0);
}

static void post_one_by_one(void)
{
    post();
    post();
}

static void post_two(void)
{
    EXPLORE_CHECK(acre_semaphore_post(&get()->semaphore, 2) == 0);
}

/* What is not posted nobody gets: here the poster lives. */
static void post_one_by_one_alive(void)
{
    explore_spare(true);
    post_one_by_one();
}

static void await(void)
{
    EXPLORE_CHECK(acre_semaphore_wait(&get()->semaphore) == 0);
    acre__add(&get()->taken, 1u);
}

static void await_and_post(void)
{
    await();
    acre__add(&get()->taken, (uint32_t)-1);
    post();
}

static void await_timed(void)
{
    int e = acre_semaphore_wait_until(&get()->semaphore, &explore_soon);
    EXPLORE_CHECK(e == 0 || e == ETIMEDOUT);
    acre__add(e ? &get()->given_up : &get()->taken, 1u);
}

static void await_timed_and_post(void)
{
    int e = acre_semaphore_wait_until(&get()->semaphore, &explore_soon);
    EXPLORE_CHECK(e == 0 || e == ETIMEDOUT);
    if (e == 0)
        post();
}

/* Here at most one waits for what is there already: trying succeeds. */
static void try_free(void)
{
    EXPLORE_CHECK(acre_semaphore_trywait(&get()->semaphore) == 0);
    post();
}

static void finish_2(void)
{
    EXPLORE_CHECK(acre_semaphore_count(&get()->semaphore) + get()->taken == 2);
}

static void finish_1(void)
{
    EXPLORE_CHECK(acre_semaphore_count(&get()->semaphore) == 1);
}

/* After a death: what was posted is there for those who come. */
static void finish_any(void)
{
    EXPLORE_CHECK(acre_semaphore_count(&get()->semaphore) <= 2);
}

/* ---- permits ---- */

static void begin_permits(uint32_t n)
{
    EXPLORE_CHECK(acre_permits_init(&get()->permits, n) == 0);
}

static void begin_permit(void)
{
    begin_permits(1);
}

static void begin_two_permits(void)
{
    begin_permits(2);
}

static void use_permit(uint32_t i)
{
    uint32_t before = acre__peek(&get()->holder[i]);
    EXPLORE_CHECK(before == 0 || explore_dead(before - 1));
    acre__put(&get()->holder[i], explore_me() + 1);
    EXPLORE_CHECK(acre__peek(&get()->holder[i]) == explore_me() + 1);
    acre__put(&get()->holder[i], 0u);
    EXPLORE_CHECK(acre_permits_release(&get()->permits, i) == 0);
}

static void acquire(void)
{
    uint32_t i;
    EXPLORE_CHECK(acre_permits_acquire(&get()->permits, &i) == 0);
    use_permit(i);
}

static void acquire_timed(void)
{
    uint32_t i;
    int e = acre_permits_acquire_until(&get()->permits, &i, &explore_soon);
    EXPLORE_CHECK(e == 0 || e == ETIMEDOUT);
    if (e == 0)
        use_permit(i);
}

static void acquire_two(void)
{
    uint32_t i, j;
    EXPLORE_CHECK(acre_permits_acquire(&get()->permits, &i) == 0);
    if (acre_permits_try(&get()->permits, &j) == 0)
        use_permit(j);
    use_permit(i);
}

static void finish_permits(void)
{
    EXPLORE_CHECK(acre_permits_free(&get()->permits) == get()->permits.count);
    acquire();
    EXPLORE_CHECK(acre_permits_destroy(&get()->permits) == 0);
}

/* ---- waiting for any ---- */

static void begin_both(void)
{
    begin_with(0);
    begin_permits(1);
}

static void await_any(void)
{
    acre_waitable list[2] = {acre_semaphore_waitable(&get()->semaphore),
                             acre_permits_waitable(&get()->permits)};
    size_t which;
    EXPLORE_CHECK(acre_wait_any(list, 1, NULL, &which) == 0 && which == 0);
    EXPLORE_CHECK(acre_wait_any(list, 2, NULL, &which) == 0 && which < 2);
}

static const explore_scenario scenarios[] = {
    EXPLORE_ALL("one waits", 4, 0, 0, begin_0, finish_any, post, await),
    EXPLORE_ALL("one waits twice", 3, 0, 0, begin_0, finish_2, post_one_by_one, await),
    EXPLORE_ALL("two wait, posted one by one", 3, 0, 0, begin_0, finish_2, post_one_by_one, await,
                await),
    EXPLORE_ALL("two wait, posted at once", 3, 0, 0, begin_0, finish_2, post_two, await, await),
    EXPLORE_ALL("two posters, two wait", 2, 0, 0, begin_0, finish_2, post, post, await, await),
    EXPLORE_ALL("one waits, one gives up", 3, 0, 0, begin_0, finish_2, post_one_by_one, await,
                await_timed),
    EXPLORE_ALL("two posters, one gives up", 2, 0, 0, begin_0, finish_2, post, post, await,
                await_timed),
    EXPLORE_ALL("two wait, one dies", 2, 1, 0, begin_0, finish_any, post_one_by_one_alive, await,
                await),
    EXPLORE_ALL("as a lock, three threads", 3, 0, 0, begin_1, finish_1, await_and_post,
                await_and_post, await_and_post),
    EXPLORE_ALL("as a lock, one gives up", 3, 0, 0, begin_1, finish_1, await_and_post,
                await_and_post, await_timed_and_post),
    EXPLORE_ALL("trying what is there", 3, 0, 0, begin_1, finish_1, try_free),
    EXPLORE_RANDOM("as a lock, four threads", 50000, 0, 0, begin_1, finish_1, await_and_post,
                   await_and_post, await_timed_and_post, await_and_post),
    EXPLORE_ALL("permit", 3, 0, 0, begin_permit, finish_permits, acquire, acquire),
    EXPLORE_ALL("permit, one dies", 2, 1, 0, begin_permit, finish_permits, acquire, acquire),
    EXPLORE_ALL("permit, three threads", 2, 0, 0, begin_permit, finish_permits, acquire, acquire,
                acquire),
    EXPLORE_ALL("permit, one gives up", 2, 0, 0, begin_permit, finish_permits, acquire, acquire,
                acquire_timed),
    EXPLORE_ALL("two permits, one dies", 1, 1, 0, begin_two_permits, finish_permits, acquire_two,
                acquire, acquire),
    EXPLORE_RANDOM("two permits, four threads, one dies", 50000, 1, 0, begin_two_permits,
                   finish_permits, acquire_two, acquire, acquire_two, acquire_timed),
    EXPLORE_ALL("any of two", 3, 0, 0, begin_both, NULL, post, await_any, acquire),
    EXPLORE_ALL("any of two, one dies", 1, 1, 0, begin_both, NULL, acquire, await_any,
                post_one_by_one_alive),
};
EXPLORE_GROUP(semaphore, scenarios)
