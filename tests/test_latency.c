/* SPDX-License-Identifier: MIT */
/* `acre replay --latency`: percentiles are there, in order, and a least is never above what it is of. */
#include "tests/acre_test.h"
#include "tests/support_tool.h"

#include <stdio.h>

static double latency_of(const json_t *o, const char *prefix, const char *point)
{
    char key[64];
    snprintf(key, sizeof key, "latency_%s%s", prefix, point);
    json_t *x = json_object_get(o, key);
    ACRE_CHECK(json_is_real(x), "%s is missing in %s", key, tool_text);
    return json_real_value(x);
}

ACRE_TEST(latency, percentiles_are_in_order_and_least_is_least)
{
    static const char *const point[] = {"p50", "p99", "p99_9", "p99_99", "max"};
    json_t *o =
        tool_json("replay --json --latency --warm 1 -a rbtree_best_fit tests/data/golden.acr");
    double before = 0, least_before = 0;
    for (int i = 0; i < 5; i++) {
        double x = latency_of(o, "", point[i]), least = latency_of(o, "least_", point[i]);
        ACRE_CHECK(x >= before && least >= least_before && least <= x + 0.01, "%s: %g, %g",
                   point[i], x, least);
        before = x;
        least_before = least;
    }
    ACRE_CHECK(before > 0 && before < 1e10);
    ACRE_CHECK(json_integer_value(json_object_get(o, "latency_passes")) == 7);
    json_decref(o);
}

ACRE_TEST(latency, curve_falls_and_ends_with_the_worst)
{
    json_t *o = tool_json("replay --json --latency --warm 1 -a buddy tests/data/golden.acr");
    json_t *tail = json_object_get(o, "tail"), *least = json_object_get(o, "least");
    size_t n = json_array_size(tail);
    ACRE_CHECK(n >= 3 && json_array_size(least) == n, "%s", tool_text);
    for (size_t i = 1; i < n; i++) {
        ACRE_CHECK(json_number_value(json_array_get(tail, i)) <
                   json_number_value(json_array_get(tail, i - 1)));
        ACRE_CHECK(json_number_value(json_array_get(least, i)) >=
                   json_number_value(json_array_get(least, i - 1)));
    }
    ACRE_CHECK(json_number_value(json_array_get(least, n - 1)) == latency_of(o, "least_", "max"));
    json_decref(o);
}

ACRE_TEST(latency, without_the_option_there_is_none)
{
    json_t *o = tool_json("replay --json --warm 1 -a buddy tests/data/golden.acr");
    ACRE_CHECK(!json_object_get(o, "latency_p50"));
    json_decref(o);
}
