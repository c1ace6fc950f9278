/* SPDX-License-Identifier: MIT */
/* The soak (tests/soak/), shortly: users come, go and are killed by the dozen, and the heap stays sound; and it
 * finds what it is made to find. */
#include "tests/acre_test.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char soak_said[8192]; /* both streams, their beginning */

static const char *soak_build_dir(void)
{
    const char *dir = getenv("ACRE_BUILD_DIR");
    return dir ? dir : "build/release";
}

static int soak_run(const char *arguments, size_t ops)
{
    char command[2 * PATH_MAX];
    snprintf(command, sizeof command, "%s/soak -n %zu -s %llu %s 2>&1", soak_build_dir(), ops,
             (unsigned long long)acre_test_seed() % 1000000 + 1, arguments);
    FILE *in = popen(command, "r");
    ACRE_CHECK(in, "%s", command);
    size_t n = fread(soak_said, 1, sizeof soak_said - 1, in);
    soak_said[n] = 0;
    while (fgetc(in) != EOF)
        ;
    int status = pclose(in);
    ACRE_CHECK(WIFEXITED(status), "%s", command);
    return WEXITSTATUS(status);
}

static json_int_t soak_get(json_t *o, const char *key)
{
    json_t *value = json_object_get(o, key);
    ACRE_CHECK(json_is_integer(value), "%s", key);
    return json_integer_value(value);
}

static json_t *soak_good(const char *algorithm, size_t ops)
{
    char path[PATH_MAX], arguments[2 * PATH_MAX];
    snprintf(path, sizeof path, "%s/test-soak-%d.json", soak_build_dir(), (int)getpid());
    snprintf(arguments, sizeof arguments, "-a %s -j %s", algorithm, path);
    int status = soak_run(arguments, acre_test_rounds(ops));
    ACRE_CHECK(status == 0, "%d: %s", status, soak_said);
    json_t *o = json_load_file(path, 0, NULL);
    ACRE_CHECK(o, "%s: %s", path, soak_said);
    unlink(path);
    return o;
}

/* All that it is for has happened; in a short run some of it may not have, by chance. */
static void soak_was_lively(json_t *o, size_t ops)
{
    ACRE_CHECK(soak_get(o, "ops") >= (json_int_t)acre_test_rounds(ops));
    if (acre_test_rounds(ops) >= 600000) {
        ACRE_CHECK(soak_get(o, "killed") > 0 && soak_get(o, "killed_threads") > 0);
        ACRE_CHECK(soak_get(o, "ended") > soak_get(o, "ended_attached"));
        ACRE_CHECK(soak_get(o, "threads") > 0 && soak_get(o, "cancelled") > 0);
        ACRE_CHECK(soak_get(o, "forked") > 0 && soak_get(o, "censuses") > 10);
    }
    ACRE_CHECK(soak_get(o, "in_hand") <= soak_get(o, "killed_threads"));
    ACRE_CHECK_EQUAL(soak_get(o, "live_at_end") + soak_get(o, "refused"), 0);
    ACRE_CHECK_EQUAL(soak_get(o, "wrong"), 0);
}

/* More threads come than there are parts: they are taken over. */
ACRE_TEST(soak, sharded_stays_sound_and_flat_while_users_come_and_go)
{
    enum { OPS = 3000000 };
    json_t *o = soak_good("sharded", OPS);
    soak_was_lively(o, OPS);
    ACRE_CHECK(soak_get(o, "parts") > 0);
    ACRE_CHECK(soak_get(o, "parts") <= soak_get(o, "parts_limit"));
    ACRE_CHECK(soak_get(o, "threads") + soak_get(o, "workers") + soak_get(o, "forked") >
               3 * soak_get(o, "parts"));
    json_decref(o);
}

ACRE_TEST(soak, heaps_with_one_lock_do_as_well)
{
    enum { OPS = 600000 };
    static const char *const algorithm[] = {"rbtree_best_fit", "tlsf:lock=spin",
                                            "adaptive_pools:checks=2"};
    for (int i = 0; i < 3; i++) {
        json_t *o = soak_good(algorithm[i], OPS);
        soak_was_lively(o, OPS);
        ACRE_CHECK_EQUAL(soak_get(o, "parts"), 0);
        json_decref(o);
    }
}

static void soak_finds(const char *spoil, const char *text)
{
    char arguments[100];
    snprintf(arguments, sizeof arguments, "--spoil %s", spoil);
    int status = soak_run(arguments, 2000000);
    ACRE_CHECK(status == 1, "%s: %d: %s", spoil, status, soak_said);
    ACRE_CHECK(strstr(soak_said, text), "%s: %s", spoil, soak_said);
}

ACRE_TEST(soak, it_finds_what_is_spoilt)
{
    soak_finds("leak", "are nobody's, more than threads were killed");
    soak_finds("smash", "was overwritten");
    soak_finds("hoard", "more in the second half");
    soak_finds("open", "file descriptors");
}

ACRE_TEST(soak, bad_usage_ends_with_2)
{
    ACRE_CHECK_EQUAL(soak_run("-a nosuch", 1000), 2);
    ACRE_CHECK(strstr(soak_said, "unknown memory algorithm"), "%s", soak_said);
    ACRE_CHECK_EQUAL(soak_run("-p 17", 1000), 2);
    ACRE_CHECK_EQUAL(soak_run("-n 0", 1000), 2);
    ACRE_CHECK_EQUAL(soak_run("--spoil nosuch", 1000), 2);
}
