/* SPDX-License-Identifier: MIT */
/* `acre tune`: what traces need, the best table of classes against all tables there are, parameters, and the
 * command as a user meets it. */
#include "tests/acre_test.h"
#include "tests/support_tool.h"

#include "bench/tune.h"
#include "traces/trace.h"

#include <acre/alloc.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool near(double a, double b)
{
    return fabs(a - b) <= 1e-9 * (1 + fabs(a));
}

/* ---- needs, against counting again after each operation ---- */

enum { NEED_OPS = 600, NEED_SIZES = 400 };

typedef struct shadow_object {
    uint64_t serial, size;
    bool counts; /* not over-aligned */
} shadow_object;

typedef struct shadow {
    acre_image_builder *builder;
    uint64_t seed, born, live_bytes, peak;
    shadow_object live[NEED_OPS];
    size_t n;
    acre_tune_moment now, at_peak, sum; /* sum: over operations */
    uint64_t ops;
} shadow;

static void shadow_count(shadow *s)
{
    memset(&s->now, 0, sizeof s->now);
    s->live_bytes = 0;
    for (size_t i = 0; i < s->n; i++) {
        uint64_t asked = s->live[i].size, size = asked < 8 ? 8 : asked, units = (size + 15) / 16;
        s->live_bytes += asked;
        if (!s->live[i].counts || size > ACRE_TUNE_LARGEST)
            continue;
        s->now.objects[units]++;
        s->now.asked[units] += (double)size;
        s->now.alone[units] += (double)((size + 8 + 15) / 16 * 16);
    }
}

static void shadow_after(shadow *s)
{
    shadow_count(s);
    if (s->live_bytes > s->peak) {
        s->peak = s->live_bytes;
        s->at_peak = s->now;
    }
    s->ops++;
}

/* The numbers stand until the next operation. */
static void shadow_before(shadow *s)
{
    for (size_t u = 0; s->ops && u <= ACRE_TUNE_UNITS; u++) {
        s->sum.objects[u] += s->now.objects[u];
        s->sum.asked[u] += s->now.asked[u];
        s->sum.alone[u] += s->now.alone[u];
    }
}

static void shadow_step(shadow *s)
{
    uint64_t what = acre_test_below(&s->seed, 10), size = acre_test_below(&s->seed, NEED_SIZES);
    size_t at = s->n ? acre_test_below(&s->seed, s->n) : 0;
    acre_trace_op op = {.size = acre_test_below(&s->seed, 30) ? size : size + 5000};
    shadow_before(s);
    if (what < 3 && s->n) {
        op.kind = ACRE_TRACE_FREE;
        op.serial = s->live[at].serial;
        s->live[at] = s->live[--s->n];
    } else if (what < 5 && s->n) {
        op.kind = ACRE_TRACE_REALLOC;
        op.old = s->live[at].serial;
        op.serial = ++s->born;
        s->live[at] = (shadow_object){op.serial, op.size, true};
    } else {
        op.kind = what == 5 ? ACRE_TRACE_ALIGNED : ACRE_TRACE_MALLOC;
        op.align_log2 = what == 5 ? (uint8_t)(3 + acre_test_below(&s->seed, 4)) : 0;
        op.serial = ++s->born;
        s->live[s->n++] = (shadow_object){op.serial, op.size, op.align_log2 <= 4};
    }
    ACRE_CHECK_EQUAL(acre_image_builder_add(s->builder, &op), 0);
    shadow_after(s);
}

static acre_image shadow_image(shadow *s)
{
    acre_image m;
    *s = (shadow){.builder = acre_image_builder_create(), .seed = acre_test_seed()};
    ACRE_CHECK(s->builder != NULL);
    for (int i = 0; i < NEED_OPS; i++)
        shadow_step(s);
    shadow_before(s);
    ACRE_CHECK_EQUAL(acre_image_builder_finish(s->builder, 0, &m), 0);
    acre_image_builder_destroy(s->builder);
    return m;
}

static acre_tune_need need_of(const acre_image *m, enum acre_tune_weight weight)
{
    acre_tune_need n;
    ACRE_CHECK_EQUAL(acre_tune_need_of(m, weight, &n), 0);
    return n;
}

static void expect_moment(const acre_tune_moment *got, const acre_tune_moment *want, double ops)
{
    for (size_t u = 0; u <= ACRE_TUNE_UNITS; u++)
        ACRE_CHECK(near(got->objects[u], want->objects[u] / ops) &&
                       near(got->asked[u], want->asked[u] / ops) &&
                       near(got->alone[u], want->alone[u] / ops),
                   "%zu units: %g objects, not %g", u, got->objects[u], want->objects[u] / ops);
}

ACRE_TEST(tune, needs_are_what_is_live_at_the_peak_and_in_the_mean)
{
    static shadow s;
    acre_image m = shadow_image(&s);
    acre_tune_need peak = need_of(&m, ACRE_TUNE_PEAK), mean = need_of(&m, ACRE_TUNE_MEAN);
    ACRE_CHECK(peak.moments == 1 && mean.moments == 1);
    ACRE_CHECK(near(peak.peak_live, (double)s.peak));
    ACRE_CHECK(near(peak.born, (double)s.born));
    expect_moment(&peak.moment[0], &s.at_peak, 1);
    expect_moment(&mean.moment[0], &s.sum, NEED_OPS);
    acre_tune_need_release(&peak);
    acre_tune_need_release(&mean);
    acre_image_unmap(&m);
}

/* It looks at more moments than the peak, so that no class holds less. */
ACRE_TEST(tune, what_is_held_is_the_most_of_all_looks)
{
    static shadow s;
    acre_image m = shadow_image(&s);
    acre_tune_need peak = need_of(&m, ACRE_TUNE_PEAK), held = need_of(&m, ACRE_TUNE_HELD);
    acre_tune_costs at_peak, most;
    size_t more = 0;
    ACRE_CHECK(!acre_tune_costs_init(&at_peak) && !acre_tune_costs_init(&most));
    acre_tune_costs_of(&at_peak, &peak);
    acre_tune_costs_of(&most, &held);
    for (size_t i = 0; i < ACRE_TUNE_UNITS; i++)
        for (size_t j = i + 1; j <= ACRE_TUNE_UNITS; j++) {
            ACRE_CHECK(acre_tune_held(&most, i, j) >= acre_tune_held(&at_peak, i, j));
            more += acre_tune_held(&most, i, j) > acre_tune_held(&at_peak, i, j);
        }
    ACRE_CHECK(more > 0, "no class had more at another moment");
    acre_tune_costs_release(&at_peak);
    acre_tune_costs_release(&most);
    acre_tune_need_release(&peak);
    acre_tune_need_release(&held);
    acre_image_unmap(&m);
}

/* ---- the best table, against all of them ---- */

enum { SMALL_UNITS = 10, SMALL_LARGEST = SMALL_UNITS * ACRE_TUNE_UNIT };

static void random_moment(acre_tune_moment *m, uint64_t *seed)
{
    for (size_t u = 1; u <= SMALL_UNITS; u++) {
        uint64_t n = acre_test_below(seed, 3) ? acre_test_below(seed, 50) : 0;
        m->objects[u] = (double)n;
        for (uint64_t i = 0; i < n; i++) {
            uint64_t size = u * 16 - acre_test_below(seed, 16);
            m->asked[u] += (double)size;
            m->alone[u] += (double)((size + 23) / 16 * 16);
        }
    }
}

static void random_costs(acre_tune_costs *c, uint64_t *seed)
{
    acre_tune_need n = {.moments = 1 + acre_test_below(seed, 4), .peak_live = 1000};
    n.moment = calloc(n.moments, sizeof *n.moment);
    ACRE_CHECK(n.moment && !acre_tune_costs_init(c));
    for (size_t i = 0; i < n.moments; i++)
        random_moment(&n.moment[i], seed);
    for (size_t u = 1; u <= SMALL_UNITS; u++)
        n.born += n.born_of[u] = (double)acre_test_below(seed, 100);
    acre_tune_costs_of(c, &n);
    free(n.moment);
}

static acre_tune_table table_of_bits(unsigned bits)
{
    acre_tune_table t = {0};
    for (uint32_t u = 1; u <= SMALL_UNITS; u++)
        if (bits >> (u - 1) & 1)
            t.size[t.n++] = u * ACRE_TUNE_UNIT;
    return t;
}

static bool table_serves(const acre_tune_costs *c, const acre_tune_table *t, double serve)
{
    double born = c->born[SMALL_UNITS];
    return t->n && c->born[t->size[t->n - 1] / ACRE_TUNE_UNIT] >= serve * born * (1 - 1e-9);
}

/* The least waste of all tables of at most k classes. */
static double waste_by_trying(const acre_tune_costs *c, size_t k, double serve)
{
    double least = INFINITY;
    for (unsigned bits = 1; bits < 1u << SMALL_UNITS; bits++) {
        acre_tune_table t = table_of_bits(bits);
        if (t.n <= k && table_serves(c, &t, serve))
            least = fmin(least, acre_tune_waste(c, &t, SMALL_LARGEST));
    }
    return least;
}

static void expect_best(const acre_tune_costs *recorded, const acre_tune_question *q)
{
    acre_tune_table t[ACRE_CLASSES];
    acre_tune_costs unknown, all, *c = &all;
    ACRE_CHECK(!acre_tune_costs_init(&unknown) && !acre_tune_costs_init(c));
    acre_tune_costs_unknown(&unknown, q->largest);
    acre_tune_costs_add(c, recorded, 1);
    acre_tune_costs_add(c, &unknown, q->smooth);
    ACRE_CHECK_EQUAL(acre_tune_solve(recorded, q, t), 0);
    for (size_t k = 1; k <= q->most; k++) {
        double got = acre_tune_waste(c, &t[k], q->largest), want = waste_by_trying(c, k, q->serve);
        ACRE_CHECK(near(got, want), "%zu classes: %.12g, tried: %.12g", k, got, want);
        ACRE_CHECK(t[k].n >= 1 && t[k].n <= k && table_serves(c, &t[k], q->serve));
    }
    acre_tune_costs_release(&unknown);
    acre_tune_costs_release(c);
}

ACRE_TEST(tune, table_is_the_best_of_all_there_are)
{
    uint64_t seed = acre_test_seed();
    for (size_t i = 0, n = acre_test_rounds(40); i < n; i++) {
        acre_tune_costs c;
        random_costs(&c, &seed);
        expect_best(&c, &(acre_tune_question){
                            .most = 1 + acre_test_below(&seed, SMALL_UNITS + 2),
                            .largest = SMALL_LARGEST,
                            .serve = (double)acre_test_below(&seed, 5) / 4,
                            .smooth = (double)acre_test_below(&seed, 3) / 2,
                        });
        acre_tune_costs_release(&c);
    }
}

/* By hand: 10 objects of 16 bytes and one of 160, of which a class of 160 for all would waste 1,440. */
ACRE_TEST(tune, waste_is_what_a_hand_finds)
{
    acre_tune_moment m = {.objects = {[1] = 10, [10] = 1},
                          .asked = {[1] = 160, [10] = 160},
                          .alone = {[1] = 320, [10] = 176}};
    acre_tune_need n = {
        .moments = 1, .moment = &m, .peak_live = 320, .born = 11, .born_of = {[1] = 10, [10] = 1}};
    acre_tune_costs c;
    ACRE_CHECK_EQUAL(acre_tune_costs_init(&c), 0);
    acre_tune_costs_of(&c, &n);
    ACRE_CHECK(near(acre_tune_waste(&c, &(acre_tune_table){1, {160}}, 160), 1440 / 320.0));
    ACRE_CHECK(near(acre_tune_waste(&c, &(acre_tune_table){1, {16}}, 160), 16 / 320.0));
    ACRE_CHECK(near(acre_tune_waste(&c, &(acre_tune_table){2, {16, 160}}, 160), 0));
    ACRE_CHECK(
        near(acre_tune_waste(&c, &(acre_tune_table){2, {10, 150}}, 160), 0)); /* rounded up */
    ACRE_CHECK(near(acre_tune_waste(&c, &(acre_tune_table){1, {160}}, 32),
                    160 / 320.0)); /* none of it counts */
    acre_tune_costs_release(&c);
}

/* Each of two sizes has half of the bytes: in 1/17 and 1/49 objects; what stands alone takes 16 or 32 bytes,
 * and 32 or 48. */
ACRE_TEST(tune, what_nobody_recorded_has_the_same_bytes_of_each_size)
{
    acre_tune_costs c;
    ACRE_CHECK_EQUAL(acre_tune_costs_init(&c), 0);
    acre_tune_costs_unknown(&c, 32);
    ACRE_CHECK(near(c.asked[1], 0.5) && near(c.asked[2], 1) && near(c.asked[ACRE_TUNE_UNITS], 1));
    ACRE_CHECK(near(acre_tune_held(&c, 0, 1), 16 / 17.0), "%g", acre_tune_held(&c, 0, 1));
    ACRE_CHECK(near(acre_tune_held(&c, 1, 2), 32 / 49.0));
    ACRE_CHECK(near(acre_tune_held(&c, 0, 2), 32 / 17.0 + 32 / 49.0));
    ACRE_CHECK(near(c.alone[1], 40 / 49.0) && near(c.alone[0], 24 / 17.0 + 40 / 49.0));
    ACRE_CHECK(c.traces == 0 && c.born[2] <= 0);
    acre_tune_costs_release(&c);
}

ACRE_TEST(tune, each_trace_weighs_the_same)
{
    acre_tune_moment m = {.objects = {[2] = 3}, .asked = {[2] = 75}, .alone = {[2] = 144}},
                     large = m;
    acre_tune_need n = {
        .moments = 1, .moment = &m, .peak_live = 100, .born = 3, .born_of = {[2] = 3}};
    acre_tune_need thousand = {
        .moments = 1, .moment = &large, .peak_live = 1e5, .born = 3e3, .born_of = {[2] = 3e3}};
    acre_tune_costs a, b;
    large.objects[2] *= 1000, large.asked[2] *= 1000, large.alone[2] *= 1000;
    ACRE_CHECK(!acre_tune_costs_init(&a) && !acre_tune_costs_init(&b));
    acre_tune_costs_of(&a, &n);
    acre_tune_costs_of(&b, &thousand);
    ACRE_CHECK(near(acre_tune_held(&a, 0, 4), 192 / 100.0));
    ACRE_CHECK(near(acre_tune_held(&a, 0, 4), acre_tune_held(&b, 0, 4)));
    ACRE_CHECK(near(a.alone[1], b.alone[1]) && near(a.born[2], b.born[2]));
    acre_tune_costs_release(&a);
    acre_tune_costs_release(&b);
}

ACRE_TEST(tune, left_out_trace_gets_the_table_of_the_others)
{
    uint64_t seed = acre_test_seed();
    acre_tune_question q = {.most = 4, .largest = SMALL_LARGEST};
    acre_tune_costs each[2];
    acre_tune_table t[ACRE_CLASSES];
    double waste[2 * 5];
    for (int i = 0; i < 2; i++)
        random_costs(&each[i], &seed);
    ACRE_CHECK_EQUAL(acre_tune_left_out(each, 2, &q, waste), 0);
    for (int i = 0; i < 2; i++) {
        ACRE_CHECK_EQUAL(acre_tune_solve(&each[1 - i], &q, t), 0);
        for (size_t k = 1; k <= q.most; k++)
            ACRE_CHECK(near(waste[(size_t)i * 5 + k], acre_tune_waste(&each[i], &t[k], q.largest)));
    }
    for (int i = 0; i < 2; i++)
        acre_tune_costs_release(&each[i]);
}

/* ---- what algorithms take ---- */

/* A heap that is made with the classes has them. */
static void expect_taken(const acre_algorithm *a, const acre_tune_limits *l)
{
    acre_heap_options o = {0};
    acre_tune_limits again;
    for (size_t i = 0; i < l->most; i++)
        o.class_size[i] = l->largest - (uint32_t)(l->most - 1 - i) * ACRE_TUNE_UNIT;
    ACRE_CHECK_EQUAL(acre_tune_limits_of(a, &o, &again), 0);
    ACRE_CHECK(again.standard.n == l->most, "%s: %zu of %zu classes", a->name, again.standard.n,
               l->most);
    for (size_t i = 0; i < l->most; i++)
        ACRE_CHECK_EQUAL(again.standard.size[i], o.class_size[i]);
    ACRE_CHECK(again.largest == l->largest && again.most == l->most);
}

ACRE_TEST(tune, limits_are_what_heaps_take)
{
    const acre_algorithm *a;
    acre_heap_options o = {0};
    acre_tune_limits l;
    int found = 0;
    for (size_t i = 0; (a = acre_algorithm_at(i)); i++) {
        int e = acre_tune_limits_of(a, &o, &l);
        ACRE_CHECK_EQUAL(e, a->classes ? 0 : ENOTSUP);
        if (e)
            continue;
        ACRE_CHECK(l.standard.n > 0 && l.standard.n <= l.most && l.most < ACRE_CLASSES, "%s",
                   a->name);
        ACRE_CHECK(l.standard.size[l.standard.n - 1] <= l.largest, "%s", a->name);
        expect_taken(a, &l);
        found++;
    }
    ACRE_CHECK(found >= 3, "only %d algorithms with classes", found);
}

static void expect_spec(const char *spec, const char *want)
{
    char got[ACRE_SPEC_MAX];
    acre_tune_table t = {2, {16, 400}};
    ACRE_CHECK(acre_tune_spec(spec, &t, got) && strcmp(got, want) == 0, "%s became %s", spec, got);
}

ACRE_TEST(tune, spec_gets_the_classes_and_keeps_its_other_options)
{
    expect_spec("sharded", "sharded:classes=16:400");
    expect_spec("sharded:lock=spin", "sharded:lock=spin,classes=16:400");
    expect_spec("sharded:classes=32:64", "sharded:classes=16:400");
    expect_spec("p:nodes=4,classes=32:64,lock=none", "p:nodes=4,lock=none,classes=16:400");
}

ACRE_TEST(tune, spec_of_any_table_has_room_and_a_longer_one_is_refused)
{
    char got[ACRE_SPEC_MAX], spec[ACRE_SPEC_MAX];
    acre_tune_table t = {.n = ACRE_CLASSES - 1};
    acre_contender c;
    for (uint32_t i = 0; i < t.n; i++)
        t.size[i] = 1024 + 16 * i;
    ACRE_CHECK(
        acre_tune_spec("segregated_pools:lock=robust,journal=off,nodes=252,overhead=50", &t, got));
    ACRE_CHECK_EQUAL(acre_contender_find(&c, got), 0);
    memset(spec, 'a', sizeof spec);
    spec[ACRE_SPEC_MAX - 20] = '\0';
    ACRE_CHECK(!acre_tune_spec(spec, &t, got));
}

/* ---- parameters ---- */

ACRE_TEST(tune, values_are_the_standard_half_and_double_or_all_of_few)
{
    uint32_t v[ACRE_TUNE_VALUES];
    ACRE_CHECK_EQUAL(acre_tune_values(&(acre_param){"a", "", 1, 252, 8}, v), 3);
    ACRE_CHECK(v[0] == 8 && v[1] == 4 && v[2] == 16);
    ACRE_CHECK_EQUAL(acre_tune_values(&(acre_param){"a", "", 1, 5, 4}, v), 5);
    ACRE_CHECK(v[0] == 4 && v[1] == 1 && v[4] == 5);
    ACRE_CHECK_EQUAL(acre_tune_values(&(acre_param){"a", "", 0, 100, 0}, v), 2);
    ACRE_CHECK(v[0] == 0 && v[1] == 1);
    ACRE_CHECK_EQUAL(acre_tune_values(&(acre_param){"a", "", 7, 20, 10}, v), 3);
    ACRE_CHECK(v[1] == 7 && v[2] == 20);
    ACRE_CHECK_EQUAL(acre_tune_values(&(acre_param){"a", "", 1, UINT32_MAX, UINT32_MAX}, v), 2);
}

ACRE_TEST(tune, front_is_what_nobody_beats)
{
    acre_tune_point p[] = {{1, 1.2, 0}, {2, 1.1, 0}, {2, 1.2, 0}, {1, 1.2, 0},
                           {3, 1.1, 0}, {0.5, 9, 0}, {NAN, 1, 0}, {0.1, NAN, 0}};
    static const bool want[] = {1, 1, 0, 1, 0, 1, 0, 0};
    acre_tune_front(p, 8);
    for (int i = 0; i < 8; i++)
        ACRE_CHECK(p[i].front == want[i], "point %d", i);
}

/* ---- the command ---- */

#define SHORT_TRACE "tests/data/golden.acr"
#define LONG_TRACES "traces/ripgrep.acr traces/vim.acr"

ACRE_TEST(tune, bad_usage_and_bad_input_end_with_2)
{
    tool_expect("tune", "", 2, "no trace is named");
    tool_expect("tune", "/nonexistent", 2, "No such file");
    tool_expect("tune", "README.md", 2, "not a trace");
    tool_expect("tune -a nobody", SHORT_TRACE, 2, "unknown algorithm 'nobody'");
    tool_expect("tune -a mimalloc", SHORT_TRACE, 2, "no algorithm of acre's");
    tool_expect("tune -a tlsf", SHORT_TRACE, 2, "tlsf has no size classes");
    tool_expect("tune -a sharded:x=1", SHORT_TRACE, 2, "unknown parameter 'x'");
    tool_expect("tune --classes 0", SHORT_TRACE, 2, "not a number from 1 to 39");
    tool_expect("tune --classes 33", SHORT_TRACE, 2, "no more than 32 classes");
    tool_expect("tune --largest 1040", SHORT_TRACE, 2, "no class above 1024 bytes");
    tool_expect("tune --largest 100", SHORT_TRACE, 2, "not a multiple of 16");
    tool_expect("tune --largest 16", "tests/data/golden.rep", 2, "nothing of at most 16 bytes");
    tool_expect("tune --weight heavy", SHORT_TRACE, 2, "held, peak or mean");
    tool_expect("tune --serve 101", SHORT_TRACE, 2, "from 0 to 100");
    tool_expect("tune --smooth -1", SHORT_TRACE, 2, "from 0 to 10000");
    tool_expect("tune --png", SHORT_TRACE, 2, "needs -o");
    tool_expect("tune --params --sweep", SHORT_TRACE, 2, "about no classes");
    tool_expect("tune --params -a sharded", SHORT_TRACE, 2, "nothing to choose");
    tool_expect("tune --params -a mimalloc", SHORT_TRACE, 2, "no algorithm of acre's");
    tool_expect("tune --params -a 'tlsf:second_level=9|1'", SHORT_TRACE, 2, "from 1 to 5");
    tool_expect("tune -o /nonexistent/x", SHORT_TRACE, 2, "/nonexistent/x: No such file");
}

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

/* The answer is a contender, as replay takes it, and the last line of what is printed. */
ACRE_TEST(tune, its_answer_can_be_replayed)
{
    json_t *o =
        tool_json("tune --json -n 6 -a segregated_pools:lock=none " SHORT_TRACE " 2>/dev/null");
    const char *spec = json_string_value(json_object_get(o, "spec"));
    char line[ACRE_SPEC_MAX + 64];
    ACRE_CHECK(strncmp(spec, "segregated_pools:lock=none,classes=", 35) == 0, "%s", spec);
    snprintf(line, sizeof line, "\n%s\n", spec);
    tool_expect("tune -n 6 -a segregated_pools:lock=none", SHORT_TRACE, 0, line);
    tool_expect("tune --spec -n 6 -a segregated_pools:lock=none", SHORT_TRACE, 0, line);
    snprintf(line, sizeof line, "replay -a %s", spec);
    tool_expect(line, SHORT_TRACE, 0, "golden");
    json_decref(o);
}

ACRE_TEST(tune, tuned_classes_waste_no_more_than_the_own_ones)
{
    json_t *o = tool_json("tune --json --sweep --smooth 0 " LONG_TRACES " 2>/dev/null");
    double own = number(json_object_get(o, "standard"), "waste"),
           tuned = number(json_object_get(o, "tuned"), "waste");
    const json_t *sweep = json_object_get(o, "sweep"), *traces = json_object_get(o, "traces");
    ACRE_CHECK(tuned > 0 && tuned <= own, "%g, %g", tuned, own);
    ACRE_CHECK_EQUAL(json_array_size(sweep), 32);
    for (size_t i = 1; i < 32; i++)
        ACRE_CHECK(number(json_array_get(sweep, i), "waste") <=
                   number(json_array_get(sweep, i - 1), "waste") + 1e-12);
    ACRE_CHECK(near(number(json_array_get(sweep, 31), "waste"), tuned));
    ACRE_CHECK(near(tuned, (number(json_array_get(traces, 0), "tuned") +
                            number(json_array_get(traces, 1), "tuned")) /
                               2));
    ACRE_CHECK(near(number(json_array_get(sweep, 31), "left_out"),
                    (number(json_array_get(traces, 0), "left_out") +
                     number(json_array_get(traces, 1), "left_out")) /
                        2));
    json_decref(o);
}

/* Rows of classes add up to the whole. */
ACRE_TEST(tune, rows_of_a_table_add_up)
{
    json_t *o = tool_json("tune --json -n 9 -a adaptive_pools " LONG_TRACES " 2>/dev/null"), *row;
    const json_t *tuned = json_object_get(o, "tuned");
    double waste = 0, born = 0;
    size_t i;
    json_array_foreach(json_object_get(tuned, "rows"), i, row)
    {
        waste += number(row, "waste");
        born += number(row, "born");
    }
    ACRE_CHECK(near(waste, number(tuned, "waste")), "%g", waste);
    ACRE_CHECK(born > 0.5 && born <= 1 + 1e-9, "%g", born);
    json_decref(o);
}

ACRE_TEST(tune, check_replays_both)
{
    json_t *o =
        tool_json("tune --json --check -n 4 " SHORT_TRACE " tests/data/golden.rep 2>/dev/null");
    const json_t *check = json_object_get(o, "check");
    ACRE_CHECK_EQUAL(json_array_size(json_object_get(check, "traces")), 2);
    ACRE_CHECK(number(check, "time") > 0 && number(check, "s_min_standard") >= 1 &&
                   number(check, "s_min_tuned") >= 1,
               "%s", tool_text);
    json_decref(o);
    tool_expect("tune --fit -n 4", SHORT_TRACE, 0, "geometric mean");
}

ACRE_TEST(tune, params_are_all_tried_and_the_front_is_told)
{
    json_t *o =
        tool_json("tune --json --params -a 'adaptive_pools:nodes=8|16,overhead=3' " SHORT_TRACE
                  " 2>/dev/null");
    const json_t *all = json_object_get(o, "combinations");
    json_t *one;
    size_t i, front = 0;
    ACRE_CHECK_EQUAL(json_array_size(all), 2 * 3);
    ACRE_CHECK(near(number(json_array_get(all, 0), "time"), 1));
    json_array_foreach(all, i, one)
    {
        ACRE_CHECK(strstr(json_string_value(json_object_get(one, "spec")), "overhead=3,max_free="));
        ACRE_CHECK(number(one, "time") > 0 && number(one, "s_min") >= 1);
        front += json_is_true(json_object_get(one, "front"));
    }
    ACRE_CHECK(front >= 1);
    json_decref(o);
    tool_expect("tune --params -a buddy", SHORT_TRACE, 0, "2 combinations on 1 trace");
}

static void expect_picture(const char *dir, const char *name)
{
    char path[128], text[16] = "";
    snprintf(path, sizeof path, "%s/data/%s.svg", dir, name);
    FILE *f = fopen(path, "r");
    ACRE_CHECK(f && fread(text, 1, sizeof text - 1, f) > 0, "%s", path);
    fclose(f);
    ACRE_CHECK(strncmp(text, "<?xml", 5) == 0, "%s", path);
}

ACRE_TEST(tune, pictures_are_drawn_of_one_trace_and_of_several)
{
    char dir[] = "/tmp/acre-tune-XXXXXX", line[256];
    if (system("command -v gnuplot >/dev/null"))
        acre_test_skip("no gnuplot");
    ACRE_CHECK(mkdtemp(dir) != NULL);
    for (int i = 0; i < 2; i++) {
        snprintf(line, sizeof line, "tune -o %s", dir);
        tool_expect(line, i ? LONG_TRACES : SHORT_TRACE, 0, "classes=");
        expect_picture(dir, "tune-waste");
        expect_picture(dir, "tune-sizes");
        snprintf(line, sizeof line, "test ! -e %s/data/gnuplot.log", dir);
        ACRE_CHECK(system(line) == 0, "gnuplot complains");
    }
    snprintf(line, sizeof line, "rm -r %s", dir);
    ACRE_CHECK(system(line) == 0);
}
