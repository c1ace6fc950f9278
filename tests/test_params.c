/* SPDX-License-Identifier: MIT */
/* Conformance of parameters: every declared one at its ends and its standard gives a heap that works,
 * what is out of range or unknown is refused, and what was given comes back from the heap. */
#include "tests/support_heap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PARAMS_SIZE = 256 << 10, PARAMS_BLOCKS = 512 };

static int create(acre_segment **s, const acre_algorithm *a, const acre_heap_options *h)
{
    acre_segment_options o = {.size = PARAMS_SIZE, .algorithm = a, .heap = *h};
    return acre_segment_create(s, ACRE_HEAP, NULL, &o);
}

static void use(acre_heap *h)
{
    void *p[PARAMS_BLOCKS];
    size_t n = 0;
    while (n < PARAMS_BLOCKS && (p[n] = acre_alloc(h, 1 + n % 200)))
        n++;
    ACRE_CHECK(n > 0);
    test_sound(h);
    for (size_t i = 0; i < n; i++)
        ACRE_CHECK_EQUAL(acre_free(h, p[i]), 0);
    test_sound(h);
    ACRE_CHECK(acre_heap_all_free(h));
}

static void value_works(const acre_algorithm *a, uint32_t i, uint32_t value)
{
    acre_segment *s;
    acre_heap_options o = {.given = 1u << i};
    o.param[i] = value;
    ACRE_CHECK_EQUAL(create(&s, a, &o), 0);
    ACRE_CHECK_EQUAL(acre_heap_options_of(acre_segment_heap(s)).param[i], value);
    use(acre_segment_heap(s));
    acre_segment_close(s);
}

static void value_is_refused(const acre_algorithm *a, uint32_t i, uint32_t value)
{
    char spec[128];
    acre_segment *s;
    const acre_algorithm *found;
    acre_heap_options o = {.given = 1u << i};
    o.param[i] = value;
    ACRE_CHECK_EQUAL(create(&s, a, &o), EINVAL);
    snprintf(spec, sizeof spec, "%s:%s=%u", a->name, a->params[i].name, value);
    ACRE_CHECK(acre_spec_parse(spec, &found, &o) == ACRE_EOPTION, "%s", spec);
}

static void values_in_range_work_others_are_refused(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    if (!a->params)
        acre_test_skip("%s has no parameters", a->name);
    for (uint32_t i = 0; a->params[i].name; i++) {
        const acre_param *p = &a->params[i];
        value_works(a, i, p->least);
        value_works(a, i, p->standard);
        value_works(a, i, p->most);
        if (p->least > 0)
            value_is_refused(a, i, p->least - 1);
        if (p->most < UINT32_MAX)
            value_is_refused(a, i, p->most + 1);
    }
}

static void unknown_names_and_numbers_are_refused(const acre_algorithm *a)
{
    static const char *const bad[] = {
        "nonesuch=1",     "nonesuch=",           "=1",      "classes=", "classes=32:16",
        "classes=16::32", "classes=99999999999", "checks=4"};
    char spec[128];
    const acre_algorithm *found;
    acre_heap_options o;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        snprintf(spec, sizeof spec, "%s:%s", a->name, bad[i]);
        ACRE_CHECK(acre_spec_parse(spec, &found, &o) == ACRE_EOPTION, "%s", spec);
    }
    snprintf(spec, sizeof spec, "%s:classes=16:32", a->name);
    ACRE_CHECK_EQUAL(acre_spec_parse(spec, &found, &o), a->classes ? 0 : ACRE_EOPTION);
}

#define CASES(X, a)                                                                                \
    X(a, values_in_range_work_others_are_refused)                                                  \
    X(a, unknown_names_and_numbers_are_refused)

#define ACRE_ALGORITHM(a) CASES(TEST_CASE, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
