/* SPDX-License-Identifier: MIT */
/* tune_params.c: `acre tune --params`: a small search over parameters, and who is not beaten. */
#include "cli/cli.h"
#include "cli/tune_tools.h"

#include <acre/alloc.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Combinations: more would take hours. */
enum { PARAMS_MOST = 400 };

typedef struct params_search {
    const tune_args *a;
    char *list; /* of the combinations; the first one is what the others are compared with */
    const char **specs; /* they, one by one */
    char (*text)[ACRE_SPEC_MAX];
    size_t n;
    tune_measured *m;
    acre_tune_point *p;
} params_search;

/* ---- what is tried ---- */

/* "nodes=…" is among the options. */
static bool params_named(const char *options, const char *name)
{
    size_t n = strlen(name);
    for (; *options; options += strcspn(options, ","), options += *options != 0)
        if (strncmp(options, name, n) == 0 && options[n] == '=')
            return true;
    return false;
}

static void params_write(FILE *out, const acre_param *p, bool first)
{
    uint32_t value[ACRE_TUNE_VALUES];
    size_t n = acre_tune_values(p, value);
    fprintf(out, "%c%s=", first ? ':' : ',', p->name);
    for (size_t i = 0; i < n; i++)
        fprintf(out, "%s%u", i ? "|" : "", value[i]);
}

/* The spec, with alternatives for each parameter that it does not name; it is one with any at all.
 * NULL: no memory. */
static char *params_sweep(const char *spec, const acre_algorithm *a)
{
    char *text = NULL;
    size_t size;
    const char *options = strchr(spec, ':');
    bool first = !options;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs(spec, out);
    for (size_t i = 0; a->params && i < ACRE_PARAMS && a->params[i].name; i++)
        if (!params_named(options ? options + 1 : "", a->params[i].name)) {
            params_write(out, &a->params[i], first);
            first = false;
        }
    return fclose(out) ? NULL : text;
}

static const acre_algorithm *params_algorithm(const char *spec)
{
    char name[ACRE_SPEC_MAX];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(spec, ":"), spec);
    return acre_algorithm_find(name);
}

static int params_expand(params_search *s)
{
    const acre_algorithm *algorithm = params_algorithm(s->a->algorithm);
    if (!algorithm)
        return cli_fail("%s: no algorithm of acre's", s->a->algorithm);
    char *sweep = params_sweep(s->a->algorithm, algorithm);
    int e = sweep ? acre_contender_expand(sweep, &s->list) : ENOMEM;
    free(sweep);
    if (e)
        return cli_fail("option -a: %s", e == E2BIG ? "too many combinations" : strerror(e));
    return cli_check_algorithms(s->list);
}

/* ---- one by one ---- */

static size_t params_count(const char *list)
{
    char spec[ACRE_SPEC_MAX];
    size_t n = 0;
    while (acre_contender_next(&list, spec))
        n++;
    return n;
}

static int params_split(params_search *s)
{
    const char *list = s->list;
    s->n = params_count(list);
    if (s->n < 2)
        return cli_fail("%s: there is nothing to choose: it has no parameters, or all are named",
                        s->a->algorithm);
    if (s->n > PARAMS_MOST)
        return cli_fail("option -a: %zu combinations are too many, %d are not; name some values",
                        s->n, PARAMS_MOST);
    s->text = calloc(s->n, sizeof *s->text);
    s->specs = calloc(s->n, sizeof *s->specs);
    s->m = calloc(s->n * s->a->n_traces, sizeof *s->m);
    s->p = calloc(s->n, sizeof *s->p);
    if (!s->text || !s->specs || !s->m || !s->p)
        return cli_fail("%s", strerror(ENOMEM));
    for (size_t i = 0; i < s->n; i++) {
        acre_contender_next(&list, s->text[i]);
        s->specs[i] = s->text[i];
    }
    return 0;
}

static int params_measure(params_search *s)
{
    int e = tune_measure(s->a, s->specs, s->n, s->m);
    for (size_t i = 0; i < s->n && !e; i++)
        s->p[i] = tune_mean(s->m, s->a->n_traces, s->n, i);
    if (!e)
        acre_tune_front(s->p, s->n);
    return e;
}

/* ---- what came out ---- */

static void params_json(const params_search *s)
{
    json_t *all = json_array(), *o;
    for (size_t i = 0; i < s->n; i++) {
        const acre_tune_point *p = &s->p[i];
        json_array_append_new(
            all,
            json_pack("{s:s, s:o, s:o, s:b}", "spec", s->specs[i], "time",
                      isfinite(p->time) ? json_real(p->time) : json_null(), "s_min",
                      isfinite(p->memory) ? json_real(p->memory) : json_null(), "front", p->front));
    }
    o = json_pack("{s:s, s:o}", "algorithm", s->a->algorithm, "combinations", all);
    json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    putchar('\n');
    json_decref(o);
}

static void params_row(const params_search *s, size_t i)
{
    if (isfinite(s->p[i].time) && isfinite(s->p[i].memory))
        printf("  %10.3f %10.4f  %s\n", s->p[i].time, s->p[i].memory, s->specs[i]);
    else
        printf("  %10s %10s  %s\n", "-", "-", s->specs[i]);
}

/* The front's next one behind i (n: its first) in the order of time, n if there is none. */
static size_t params_next(const params_search *s, size_t i)
{
    size_t best = s->n;
    for (size_t j = 0; j < s->n; j++) {
        bool behind =
            i == s->n || s->p[j].time > s->p[i].time || (s->p[j].time == s->p[i].time && j > i);
        if (s->p[j].front && behind && (best == s->n || s->p[j].time < s->p[best].time))
            best = j;
    }
    return best;
}

static void params_show(const params_search *s)
{
    printf("%zu combinations on %zu trace%s; those that no other one beats in both\n\n", s->n,
           s->a->n_traces, s->a->n_traces == 1 ? "" : "s");
    printf("  %10s %10s\n", "time", "s_min/live");
    for (size_t i = params_next(s, s->n); i < s->n; i = params_next(s, i))
        params_row(s, i);
    printf("\n  compared with\n");
    params_row(s, 0);
}

int tune_params(const tune_args *a)
{
    params_search s = {.a = a};
    int e = params_expand(&s);
    if (!e)
        e = params_split(&s);
    if (!e)
        e = params_measure(&s);
    if (!e)
        (a->json ? params_json : params_show)(&s);
    free(s.list);
    free(s.text);
    free((void *)s.specs);
    free(s.m);
    free(s.p);
    return e;
}
