/* SPDX-License-Identifier: MIT */
/* Snapshots while four processes work, and while they, or who takes the snapshot, are killed. */
#include "tests/support_copy.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORK_SIZE = 512 << 10, WORK_COPIES = 50, WORK_DEATHS = 150 };

static const char *const work_algorithms[] = {"rbtree_best_fit", "sharded"};

static void work_nap(uint64_t *seed, uint64_t most_us)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)(acre_test_below(seed, most_us) * 1000)}, NULL);
}

static void work_take(const copy_house *h)
{
    struct timespec late = acre_deadline((uint64_t)60 * 1000 * 1000 * 1000);
    acre_snapshot_options o = {.deadline = &late};
    int e = acre_segment_snapshot(h->s, h->path, &o);
    ACRE_CHECK(e == 0, "%s", acre_strerror(e));
}

static void work_copied_while_at_work(const char *algorithm)
{
    uint64_t seed = acre_test_seed();
    copy_house h = copy_make(algorithm, WORK_SIZE);
    copy_start_all(&h);
    for (size_t i = 0; i < acre_test_rounds(WORK_COPIES); i++) {
        work_nap(&seed, 3000);
        work_take(&h);
        copy_verify(&h);
    }
    copy_expect_at_work(&h);
    copy_kill_all(&h);
    copy_end(&h);
}

ACRE_TEST(snapshot_work, of_rbtree_best_fit)
{
    work_copied_while_at_work(work_algorithms[0]);
}

ACRE_TEST(snapshot_work, of_sharded)
{
    work_copied_while_at_work(work_algorithms[1]);
}

/* A snapshot, or none, and never half of one. */
static void work_look(const copy_house *h)
{
    struct stat st;
    if (stat(h->path, &st) == 0)
        copy_verify(h);
    copy_expect_none(h);
}

static void work_take_and_end(void *h)
{
    work_take(h);
}

/* Sometimes it has been done before. */
static void work_reap(pid_t child)
{
    int status;
    kill(child, SIGKILL);
    ACRE_CHECK(waitpid(child, &status, 0) == child);
    ACRE_CHECK(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : WEXITSTATUS(status) == 0);
}

static void work_taker_killed(const char *algorithm)
{
    uint64_t seed = acre_test_seed();
    copy_house h = copy_make(algorithm, WORK_SIZE);
    copy_start_all(&h);
    for (size_t i = 0; i < acre_test_rounds(WORK_DEATHS); i++) {
        pid_t taker = acre_test_spawn(work_take_and_end, &h);
        work_nap(&seed, 6000);
        work_reap(taker);
        copy_expect_at_work(&h);
        work_look(&h);
    }
    work_take(&h);
    copy_verify(&h);
    copy_kill_all(&h);
    copy_end(&h);
}

ACRE_TEST(snapshot_work, whose_taker_is_killed)
{
    work_taker_killed(work_algorithms[0]);
}

ACRE_TEST(snapshot_work, of_sharded_whose_taker_is_killed)
{
    work_taker_killed(work_algorithms[1]);
}

/* One of those who take part dies, wherever it is: at work, on its way, standing.  Its words need not be alike
 * until its successor has come to work. */
static void work_member_killed(const char *algorithm)
{
    uint64_t seed = acre_test_seed();
    copy_house h = copy_make(algorithm, WORK_SIZE);
    copy_start_all(&h);
    for (size_t i = 0; i < acre_test_rounds(WORK_DEATHS); i++) {
        int who = (int)acre_test_below(&seed, COPY_WORKERS);
        pid_t taker = acre_test_spawn(work_take_and_end, &h);
        work_nap(&seed, 3000);
        copy_kill(&h, who);
        acre_test_expect_exit(taker, 0);
        ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_FILE, h.path), 0);
        copy_start(&h, who);
        copy_expect_at_work(&h);
        if (i % 8 == 0) {
            work_take(&h);
            copy_verify(&h);
        }
    }
    copy_kill_all(&h);
    copy_end(&h);
}

ACRE_TEST(snapshot_work, with_a_member_killed)
{
    work_member_killed(work_algorithms[0]);
}

ACRE_TEST(snapshot_work, of_sharded_with_a_member_killed)
{
    work_member_killed(work_algorithms[1]);
}
