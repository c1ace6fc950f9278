/* SPDX-License-Identifier: MIT */
/* contender.c: the list of contenders. */
#include "bench/contender.h"

#include <acre/alloc.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

typedef struct contender_row {
    const char *name;
    enum acre_family family;
    const acre_engine *engine;
    const char *library, *package;
    uint32_t growth;
    const char *summary;
} contender_row;

static const contender_row contender_rows[] = {
#define ACRE_CONTENDER(name, family, engine, library, package, growth, summary)                    \
    {#name, ACRE_FAMILY_##family, engine, library, package, ACRE_GROWTH_##growth, summary},
#define ACRE_VARIANT(spec)
#include "bench/contenders.def"
#undef ACRE_CONTENDER
#undef ACRE_VARIANT
};

static const char *const contender_variants[] = {
#define ACRE_CONTENDER(name, family, engine, library, package, growth, summary)
#define ACRE_VARIANT(spec) spec,
#include "bench/contenders.def"
#undef ACRE_CONTENDER
#undef ACRE_VARIANT
};

enum {
    CONTENDER_ROWS = sizeof contender_rows / sizeof *contender_rows,
    CONTENDER_VARIANTS = sizeof contender_variants / sizeof *contender_variants
};

static const contender_row *contender_row_named(const char *name)
{
    for (size_t i = 0; i < CONTENDER_ROWS; i++)
        if (strcmp(contender_rows[i].name, name) == 0)
            return &contender_rows[i];
    return NULL;
}

const char *acre_family_name(enum acre_family f)
{
    static const char *const name[] = {"reference", "acre", "malloc", "boost"};
    return name[f];
}

const char *acre_growth_name(uint32_t growth)
{
    static const char *const name[] = {NULL, "O(1)", "O(log n)", "O(n)"};
    return growth < sizeof name / sizeof *name ? name[growth] : NULL;
}

const char *acre_contender_variant(size_t i)
{
    return i < CONTENDER_VARIANTS ? contender_variants[i] : NULL;
}

/* "name:options(A/A)" -> its parts.  False: too long. */
static bool contender_split(acre_contender *c, const char *spec)
{
    memset(c, 0, sizeof *c);
    size_t length = strlen(spec);
    if (length >= ACRE_SPEC_MAX)
        return false;
    memcpy(c->spec, spec, length);
    memcpy(c->name, spec, length);
    char *again = strstr(c->name, "(A/A)");
    if (again)
        *again = '\0';
    char *colon = strchr(c->name, ':');
    if (colon) {
        *colon = '\0';
        strcpy(c->options, colon + 1);
    }
    return true;
}

static void contender_from_row(acre_contender *c, const contender_row *r)
{
    c->family = r->family;
    c->summary = r->summary;
    c->growth = r->growth;
    c->library = r->library;
    c->package = r->package;
    c->engine = r->engine;
}

static void contender_from_algorithm(acre_contender *c, const acre_algorithm *a)
{
    c->family = ACRE_FAMILY_ACRE;
    c->summary = a->summary;
    c->growth = a->growth;
    c->flags = a->flags;
    c->engine = &acre__engine_acre;
}

static int contender_check_options(const acre_contender *c)
{
    if (c->family == ACRE_FAMILY_BOOST)
        return *c->options && strcmp(c->options, "lock=none") ? EINVAL : 0;
    return *c->options ? EINVAL : 0;
}

static int contender_find_algorithm(acre_contender *c)
{
    const acre_algorithm *a;
    acre_heap_options o;
    char spec[2 * ACRE_SPEC_MAX];
    snprintf(spec, sizeof spec, "%s%s%s", c->name, *c->options ? ":" : "", c->options);
    int e = acre_spec_parse(spec, &a, &o);
    if (e)
        return e == ACRE_EALGORITHM ? ENOENT : EINVAL;
    contender_from_algorithm(c, a);
    return 0;
}

int acre_contender_find(acre_contender *c, const char *spec)
{
    if (!contender_split(c, spec))
        return ENOENT;
    const contender_row *r = contender_row_named(c->name);
    if (!r)
        return contender_find_algorithm(c);
    contender_from_row(c, r);
    return contender_check_options(c);
}

static bool contender_copy_row(acre_contender *c, const contender_row *r)
{
    contender_split(c, r->name);
    contender_from_row(c, r);
    return true;
}

/* The i-th algorithm of the registry; the library's own reference points are left out, the
 * harness has cheaper ones of the same names. */
static const acre_algorithm *contender_algorithm_at(size_t i)
{
    const acre_algorithm *a;
    for (size_t at = 0; (a = acre_algorithm_at(at)); at++)
        if (!contender_row_named(a->name) && i-- == 0)
            return a;
    return NULL;
}

bool acre_contender_at(acre_contender *c, size_t i)
{
    size_t row = 0;
    for (; row < CONTENDER_ROWS && contender_rows[row].family == ACRE_FAMILY_REFERENCE; row++)
        if (i-- == 0)
            return contender_copy_row(c, &contender_rows[row]);
    const acre_algorithm *a = contender_algorithm_at(i);
    if (a) {
        contender_split(c, a->name);
        contender_from_algorithm(c, a);
        return true;
    }
    for (size_t n = 0; contender_algorithm_at(n); n++)
        i--;
    return row + i < CONTENDER_ROWS && contender_copy_row(c, &contender_rows[row + i]);
}

bool acre_contender_bare(const acre_contender *c, char spec[ACRE_SPEC_MAX])
{
    bool locked = c->family == ACRE_FAMILY_ACRE && !(c->flags & ACRE_CONCURRENT);
    const char *options = locked                           ? ":lock=none,journal=off"
                          : c->family == ACRE_FAMILY_BOOST ? ":lock=none"
                                                           : "";
    return c->family != ACRE_FAMILY_REFERENCE &&
           snprintf(spec, ACRE_SPEC_MAX, "%s%s", c->name, options) < ACRE_SPEC_MAX;
}
