/* SPDX-License-Identifier: MIT */
/* trace_meta.c: what is known about a trace, as key=value lines.  A handful of entries: a list. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "traces/internal.h"

static acre_trace_meta *meta_find(const acre__meta *m, const char *key)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->items[i].key, key) == 0)
            return &m->items[i];
    return NULL;
}

static int meta_grow(acre__meta *m)
{
    if (m->n < m->room)
        return 0;
    size_t room = m->room ? m->room * 2 : 16;
    acre_trace_meta *items = realloc(m->items, room * sizeof *items);
    if (!items)
        return ENOMEM;
    m->items = items;
    m->room = room;
    return 0;
}

int acre__meta_set(acre__meta *m, const char *key, const char *value)
{
    if (!*key || strpbrk(key, "=\n") || strchr(value, '\n'))
        return EINVAL;
    size_t key_size = strlen(key) + 1, value_size = strlen(value) + 1;
    char *text = malloc(key_size + value_size);
    if (!text || meta_grow(m) != 0) {
        free(text);
        return ENOMEM;
    }
    memcpy(text, key, key_size);
    memcpy(text + key_size, value, value_size);
    acre_trace_meta *item = meta_find(m, key);
    if (item)
        free((char *)item->key);
    else
        item = &m->items[m->n++];
    *item = (acre_trace_meta){text, text + key_size};
    return 0;
}

int acre__meta_set_count(acre__meta *m, const char *key, uint64_t value)
{
    char text[24];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    return value ? acre__meta_set(m, key, text) : 0;
}

static int meta_parse_line(acre__meta *m, char *line)
{
    char *equals = strchr(line, '=');
    if (!equals)
        return EINVAL;
    *equals = '\0';
    return acre__meta_set(m, line, equals + 1);
}

int acre__meta_parse(acre__meta *m, const char *text, size_t n)
{
    if (memchr(text, '\0', n) || (n && text[n - 1] != '\n'))
        return EINVAL;
    char *copy = malloc(n + 1), *save = NULL;
    if (!copy)
        return ENOMEM;
    memcpy(copy, text, n);
    copy[n] = '\0';
    int err = 0;
    for (char *line = strtok_r(copy, "\n", &save); line && !err; line = strtok_r(NULL, "\n", &save))
        err = meta_parse_line(m, line);
    free(copy);
    return err;
}

const char *acre__meta_get(const acre__meta *m, const char *key)
{
    const acre_trace_meta *item = meta_find(m, key);
    return item ? item->value : NULL;
}

void acre__meta_clear(acre__meta *m)
{
    for (size_t i = 0; i < m->n; i++)
        free((char *)m->items[i].key);
    free(m->items);
    *m = (acre__meta){0};
}
