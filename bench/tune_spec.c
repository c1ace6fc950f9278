/* SPDX-License-Identifier: MIT */
/* tune_spec.c: a table of classes as option of a contender. */
#include "bench/tune.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Text that knows when it was too much. */
typedef struct spec_text {
    char *at;
    size_t room; /* 0: it was */
} spec_text;

__attribute__((format(printf, 2, 3))) static void spec_say(spec_text *t, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(t->at, t->room, format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= t->room) {
        t->room = 0;
        return;
    }
    t->at += n;
    t->room -= (size_t)n;
}

/* Every option but classes; how many. */
static size_t spec_say_options(spec_text *t, const char *options)
{
    size_t kept = 0;
    while (*options) {
        size_t n = strcspn(options, ",");
        if (strncmp(options, "classes=", 8))
            spec_say(t, "%s%.*s", kept++ ? "," : ":", (int)n, options);
        options += n + (options[n] != 0);
    }
    return kept;
}

bool acre_tune_spec(const char *spec, const acre_tune_table *t, char out[ACRE_SPEC_MAX])
{
    spec_text text = {out, ACRE_SPEC_MAX};
    size_t name = strcspn(spec, ":");
    spec_say(&text, "%.*s", (int)name, spec);
    size_t kept = spec_say_options(&text, spec + name + (spec[name] != 0));
    for (size_t i = 0; i < t->n; i++)
        spec_say(&text, "%s%u", i ? ":" : kept ? ",classes=" : ":classes=", t->size[i]);
    return text.room > 0;
}
