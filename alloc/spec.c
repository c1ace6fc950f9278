/* SPDX-License-Identifier: MIT */
/* spec.c: "name:lock=none,journal=off" as people write it. */
#include <acre/alloc.h>
#include <string.h>

struct spec_word {
    const char *text;
    size_t offset; /* of the option in acre_heap_options */
    uint32_t value;
};

static const struct spec_word spec_words[] = {
    {"lock=robust", offsetof(acre_heap_options, lock), ACRE_LOCK_ROBUST},
    {"lock=none", offsetof(acre_heap_options, lock), ACRE_LOCK_NONE},
    {"journal=on", offsetof(acre_heap_options, journal), ACRE_JOURNAL_ON},
    {"journal=off", offsetof(acre_heap_options, journal), ACRE_JOURNAL_OFF},
};

static int spec_option(const char *text, size_t n, acre_heap_options *o)
{
    for (size_t i = 0; i < sizeof spec_words / sizeof *spec_words; i++) {
        const struct spec_word *w = &spec_words[i];
        if (strlen(w->text) == n && memcmp(w->text, text, n) == 0) {
            *(uint32_t *)((char *)o + w->offset) = w->value;
            return 0;
        }
    }
    return ACRE_EOPTION;
}

static int spec_options(const char *text, acre_heap_options *o)
{
    for (;;) {
        size_t n = strcspn(text, ",");
        if (spec_option(text, n, o) != 0)
            return ACRE_EOPTION;
        if (!text[n])
            return 0;
        text += n + 1;
    }
}

int acre_spec_parse(const char *spec, const acre_algorithm **algorithm, acre_heap_options *options)
{
    char name[32] = "";
    acre_heap_options o = {0};
    size_t n = strcspn(spec, ":");
    if (n >= sizeof name)
        return ACRE_EALGORITHM;
    const acre_algorithm *a = acre_algorithm_find(memcpy(name, spec, n));
    if (!a)
        return ACRE_EALGORITHM;
    if (spec[n] && spec_options(spec + n + 1, &o) != 0)
        return ACRE_EOPTION;
    *algorithm = a;
    *options = o;
    return 0;
}
