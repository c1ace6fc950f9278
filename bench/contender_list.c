/* SPDX-License-Identifier: MIT */
/* contender_list.c: lists of contenders: "a,b:x=1,y=2", sweeps "b:x=1|2", and what is wrong in them.
 *
 *   a,b:x=1|2,y=3|4   ->   a,b:x=1,y=3,b:x=1,y=4,b:x=2,y=3,b:x=2,y=4 */
#include "bench/contender.h"

#include <acre/alloc.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Splitting ---------------------------------------------------------------------------------- */

/* A piece with '=' but no ':' in front of it goes on with the options of the last one. */
static bool list_is_option(const char *piece)
{
    size_t n = strcspn(piece, ":=,");
    return piece[n] == '=';
}

/* Bytes of the first contender. */
static size_t list_first(const char *list)
{
    size_t n = strcspn(list, ",");
    while (list[n] && list_is_option(list + n + 1))
        n += 1 + strcspn(list + n + 1, ",");
    return n;
}

bool acre_contender_next(const char **list, char spec[ACRE_SPEC_MAX])
{
    const char *begin = *list;
    size_t n = list_first(begin);
    if (!*begin)
        return false;
    snprintf(spec, ACRE_SPEC_MAX, "%.*s", (int)n, begin);
    *list = begin + n + (begin[n] != 0);
    return n < ACRE_SPEC_MAX;
}

/* Sweeps ------------------------------------------------------------------------------------- */

typedef struct list_sweep {
    FILE *out;
    size_t rows;
} list_sweep;

/* Where the alternatives around the first '|' begin: behind the last separator. */
static const char *list_sweep_begin(const char *spec, const char *bar)
{
    const char *at = bar;
    while (at > spec && !strchr("=,", at[-1]))
        at--;
    return at;
}

/* One contender: the leftmost alternatives, each followed by what the rest expands to. */
static int list_sweep_one(list_sweep *s, const char *spec)
{
    const char *bar = strchr(spec, '|');
    if (!bar) {
        fprintf(s->out, "%s%s", s->rows ? "," : "", spec);
        return ++s->rows > ACRE_SWEEP_MAX ? E2BIG : 0;
    }
    const char *begin = list_sweep_begin(spec, bar),
               *rest = bar + strcspn(bar, begin > spec ? "," : ":,");
    for (const char *at = begin; at < rest;) {
        char *one;
        int n = (int)strcspn(at, "|"), e = ENOMEM;
        n = at + n > rest ? (int)(rest - at) : n;
        if (asprintf(&one, "%.*s%.*s%s", (int)(begin - spec), spec, n, at, rest) >= 0) {
            e = list_sweep_one(s, one);
            free(one);
        }
        if (e)
            return e;
        at += n + 1;
    }
    return 0;
}

static int list_sweep_all(list_sweep *s, const char *list)
{
    while (*list) {
        size_t n = list_first(list);
        char *spec = strndup(list, n);
        int e = spec ? list_sweep_one(s, spec) : ENOMEM;
        free(spec);
        if (e)
            return e;
        list += n + (list[n] != 0);
    }
    return 0;
}

int acre_contender_expand(const char *list, char **expanded)
{
    char *text = NULL;
    size_t size;
    list_sweep s = {open_memstream(&text, &size), 0};
    if (!s.out)
        return ENOMEM;
    int e = list_sweep_all(&s, list);
    if (fclose(s.out) && !e)
        e = ENOMEM;
    if (e)
        free(text);
    else
        *expanded = text;
    return e;
}

/* What is wrong ------------------------------------------------------------------------------ */

typedef struct list_text {
    char *at;
    size_t room;
} list_text;

__attribute__((format(printf, 2, 3))) static void list_say(list_text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->at, t->room, format, args);
    va_end(args);
    n = n < (int)t->room ? n : (int)t->room - 1;
    t->at += n;
    t->room -= (size_t)n;
}

static const acre_param *list_param(const acre_algorithm *a, const char *option)
{
    size_t n = strcspn(option, "=");
    for (size_t i = 0; a->params && i < ACRE_PARAMS && a->params[i].name; i++)
        if (strlen(a->params[i].name) == n && memcmp(a->params[i].name, option, n) == 0)
            return &a->params[i];
    return NULL;
}

static void list_say_known(list_text *t, const acre_algorithm *a)
{
    list_say(t, " (known: lock, journal, checks");
    for (size_t i = 0; a->params && i < ACRE_PARAMS && a->params[i].name; i++)
        list_say(t, ", %s", a->params[i].name);
    list_say(t, "%s)", a->classes ? ", classes" : "");
}

static void list_say_option(list_text *t, const acre_algorithm *a, const char *option)
{
    static const struct {
        const char *name, *values;
    } words[] = {
        {"lock=", "robust, spin or none"}, {"journal=", "on or off"}, {"checks=", "0, 1, 2 or 3"}};
    const acre_param *p = list_param(a, option);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strncmp(option, words[i].name, strlen(words[i].name)) == 0) {
            list_say(t, "'%s': has to be %s", option, words[i].values);
            return;
        }
    if (p)
        list_say(t, "'%s': has to be a number from %u to %u", option, p->least, p->most);
    else if (a->classes && strncmp(option, "classes=", 8) == 0)
        list_say(t, "'%s': has to be at most %d ascending sizes parted by colons", option,
                 ACRE_CLASSES - 1);
    else {
        list_say(t, "unknown parameter '%.*s'", (int)strcspn(option, "="), option);
        list_say_known(t, a);
    }
}

/* The first option that alone is not understood. */
static void list_say_algorithm(list_text *t, const acre_contender *c, const acre_algorithm *a)
{
    char options[ACRE_SPEC_MAX], alone[2 * ACRE_SPEC_MAX], *rest = options;
    acre_heap_options o;
    strcpy(options, c->options);
    for (char *option; (option = strsep(&rest, ","));) {
        snprintf(alone, sizeof alone, "%s:%s", c->name, option);
        if (acre_spec_parse(alone, &a, &o)) {
            list_say(t, "%s: ", c->name);
            list_say_option(t, a, option);
            return;
        }
    }
}

int acre_contender_explain(acre_contender *c, const char *spec, char *text, size_t room)
{
    list_text t = {text, room};
    int e = acre_contender_find(c, spec);
    const acre_algorithm *a = acre_algorithm_find(c->name);
    if (e == ENOENT)
        list_say(&t, "unknown algorithm '%s' (acre algorithms lists them)", spec);
    else if (e && a && !c->summary) /* no row of contenders.def */
        list_say_algorithm(&t, c, a);
    else if (e)
        list_say(&t, "unknown option in '%s'%s", spec,
                 c->family == ACRE_FAMILY_BOOST ? " (Boost's take lock=none)" : "");
    return e;
}
