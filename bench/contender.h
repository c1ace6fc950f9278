/* SPDX-License-Identifier: MIT */
/* contender.h: who can be measured: acre's algorithms, mallocs, Boost and reference points.
 *
 * A contender is written as "name" or "name:option=value,…", and may end in "(A/A)": a second
 * series of the same, which shows how much two series of the same thing differ. */
#ifndef ACRE_BENCH_CONTENDER_H
#define ACRE_BENCH_CONTENDER_H

#include "bench/engine.h"

#include <stdbool.h>

enum acre_family { ACRE_FAMILY_REFERENCE, ACRE_FAMILY_ACRE, ACRE_FAMILY_MALLOC, ACRE_FAMILY_BOOST };

enum { ACRE_SPEC_MAX = 320, ACRE_SWEEP_MAX = 4096 };

typedef struct acre_contender {
    char spec[ACRE_SPEC_MAX];    /* as it was written */
    char name[ACRE_SPEC_MAX];    /* without options */
    char options[ACRE_SPEC_MAX]; /* what stood behind the colon, or "" */
    enum acre_family family;
    const char *summary;
    uint32_t growth;           /* enum acre_growth */
    const char *library;       /* to preload, or NULL */
    const char *package;       /* Debian's, or NULL */
    uint32_t flags;            /* of an acre algorithm: enum acre_algorithm_flags */
    const acre_engine *engine; /* NULL: libacre_boost.so has it */
} acre_contender;

/* "reference", "acre", "malloc", "boost". */
const char *acre_family_name(enum acre_family f);

/* "O(1)", "O(log n)", "O(n)"; NULL: nobody told. */
const char *acre_growth_name(uint32_t growth);

/* Who the spec names.  0; ENOENT: unknown name; EINVAL: unknown option. */
int acre_contender_find(acre_contender *c, const char *spec);

/* The same, and on failure one line that tells what is wrong: the parameter, its range. */
int acre_contender_explain(acre_contender *c, const char *spec, char *text, size_t room);

/* The i-th of all, without options: references, acre's registry, mallocs, Boost.  False: past the
 * end. */
bool acre_contender_at(acre_contender *c, size_t i);

/* The i-th of those that `acre compare` runs by default; NULL: past the end. */
const char *acre_contender_variant(size_t i);

/* The spec under which c's algorithm itself is measured, without lock and journal if it has them.
 * False: it measures the harness. */
bool acre_contender_bare(const acre_contender *c, char spec[ACRE_SPEC_MAX]);

/* True, with the reason as a sentence, if what it needs is not installed. */
bool acre_contender_missing(const acre_contender *c, char *reason, size_t size);

/* Its engine, loading libacre_boost.so if need be; NULL: missing. */
const acre_engine *acre_contender_engine(const acre_contender *c);

/* Its library has to be preloaded and has not been: the malloc of this process is another's. */
bool acre_contender_needs_preload(const acre_contender *c);

/* Splits "a,b:x=1,y=2,c" at the commas that separate contenders (those of options do not).
 * Each call writes the next one to spec and advances *list; false at the end, or if it is longer
 * than ACRE_SPEC_MAX (then spec is cut). */
bool acre_contender_next(const char **list, char spec[ACRE_SPEC_MAX]);

/* Sweeps: "b:x=1|2,y=3|4" becomes its cross product, four contenders, the last option fastest; names
 * have alternatives, too ("a|b:x=1").  0 with *expanded, the caller's to free; ENOMEM; E2BIG: more than
 * ACRE_SWEEP_MAX contenders. */
int acre_contender_expand(const char *list, char **expanded);

#endif
