/* SPDX-License-Identifier: MIT */
/* spec.c: "name:lock=none,journal=off,nodes=128" as people write it. */
#include <acre/alloc.h>
#include <string.h>

/* A piece of the text that is read. */
typedef struct spec_text {
    const char *at;
    size_t n;
} spec_text;

typedef struct spec_word {
    const char *text;
    size_t offset; /* of the option in acre_heap_options */
    uint32_t value;
} spec_word;

static const spec_word spec_words[] = {
    {"lock=robust", offsetof(acre_heap_options, lock), ACRE_LOCK_ROBUST},
    {"lock=none", offsetof(acre_heap_options, lock), ACRE_LOCK_NONE},
    {"lock=spin", offsetof(acre_heap_options, lock), ACRE_LOCK_SPIN},
    {"journal=on", offsetof(acre_heap_options, journal), ACRE_JOURNAL_ON},
    {"journal=off", offsetof(acre_heap_options, journal), ACRE_JOURNAL_OFF},
    {"checks=0", offsetof(acre_heap_options, checks), ACRE_CHECKS_NONE},
    {"checks=1", offsetof(acre_heap_options, checks), ACRE_CHECKS_STANDARD},
    {"checks=2", offsetof(acre_heap_options, checks), ACRE_CHECKS_CANARY},
    {"checks=3", offsetof(acre_heap_options, checks), ACRE_CHECKS_QUARANTINE},
};

static bool spec_is(spec_text t, const char *word)
{
    return strlen(word) == t.n && memcmp(t.at, word, t.n) == 0;
}

static bool spec_take_word(spec_text t, acre_heap_options *o)
{
    for (size_t i = 0; i < sizeof spec_words / sizeof *spec_words; i++)
        if (spec_is(t, spec_words[i].text)) {
            *(uint32_t *)((char *)o + spec_words[i].offset) = spec_words[i].value;
            return true;
        }
    return false;
}

/* All of t is one decimal number. */
static bool spec_number(spec_text t, uint32_t *value)
{
    uint64_t n = 0;
    for (size_t i = 0; i < t.n; i++) {
        if (t.at[i] < '0' || t.at[i] > '9' || (n = n * 10 + (uint64_t)(t.at[i] - '0')) > UINT32_MAX)
            return false;
    }
    *value = (uint32_t)n;
    return t.n > 0;
}

static bool spec_take_classes(spec_text t, acre_heap_options *o)
{
    memset(o->class_size, 0, sizeof o->class_size);
    for (size_t i = 0; i < ACRE_CLASSES; i++) {
        const char *colon = memchr(t.at, ':', t.n);
        size_t n = colon ? (size_t)(colon - t.at) : t.n;
        if (!spec_number((spec_text){t.at, n}, &o->class_size[i]) || !o->class_size[i])
            return false;
        if (!colon)
            return true;
        t = (spec_text){colon + 1, t.n - n - 1};
    }
    return false;
}

static bool spec_take_param(const acre_algorithm *a, spec_text name, spec_text value,
                            acre_heap_options *o)
{
    for (uint32_t i = 0; i < ACRE_PARAMS && a->params && a->params[i].name; i++)
        if (spec_is(name, a->params[i].name)) {
            o->given |= 1u << i;
            return spec_number(value, &o->param[i]);
        }
    return false;
}

static bool spec_take(const acre_algorithm *a, spec_text t, acre_heap_options *o)
{
    const char *equals = memchr(t.at, '=', t.n);
    if (spec_take_word(t, o))
        return true;
    if (!equals)
        return false;
    spec_text name = {t.at, (size_t)(equals - t.at)}, value = {equals + 1, t.n - name.n - 1};
    if (spec_is(name, "classes"))
        return spec_take_classes(value, o);
    return spec_take_param(a, name, value, o);
}

static int spec_options(const acre_algorithm *a, const char *text, acre_heap_options *o)
{
    for (;;) {
        size_t n = strcspn(text, ",");
        if (!spec_take(a, (spec_text){text, n}, o))
            return ACRE_EOPTION;
        if (!text[n])
            return acre_heap_options_check(a, o) == 0 ? 0 : ACRE_EOPTION;
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
    if (spec[n] && spec_options(a, spec + n + 1, &o) != 0)
        return ACRE_EOPTION;
    *algorithm = a;
    *options = o;
    return 0;
}
