/* SPDX-License-Identifier: MIT */
/* support_page.c: what must be true of any page that a report writes. */
#include "tests/support_page.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *acre_test_slurp(const char *path)
{
    FILE *in = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;

    if (in) {
        if (getdelim(&text, &room, '\0', in) < 0) {
            free(text);
            text = calloc(1, 1);
        }
        fclose(in);
    }
    return text;
}

bool acre_test_page_has(const char *text, const char *what)
{
    return text && strstr(text, what);
}

/* The word itself, in any case, not as a part of another. */
bool acre_test_page_has_word(const char *text, const char *word)
{
    size_t n = strlen(word);

    for (const char *at = text; (at = strcasestr(at, word)); at++) {
        bool starts = at == text || !isalnum((unsigned char)at[-1]);

        if (starts && !isalnum((unsigned char)at[n]))
            return true;
    }
    return false;
}

static bool page_is_void(const char *name)
{
    static const char *const list[] = {"meta", "link", "br", "wbr", "img", "hr", "input"};

    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (strcmp(list[i], name) == 0)
            return true;
    return false;
}

enum { PAGE_DEEP = 64, PAGE_NAME = 32 };

typedef struct page_tags {
    char open[PAGE_DEEP][PAGE_NAME];
    size_t depth;
} page_tags;

/* One tag from `at`, which points behind "<"; the answer points behind ">", NULL on a mistake. */
static const char *page_take_tag(page_tags *t, const char *at)
{
    bool closing = *at == '/';
    char name[PAGE_NAME] = "";
    const char *end = strchr(at, '>');

    if (!end)
        return NULL;
    sscanf(at + closing, "%31[a-zA-Z0-9]", name);
    if (closing)
        return t->depth && strcmp(t->open[--t->depth], name) == 0 ? end + 1 : NULL;
    if (*at == '!' || end[-1] == '/' || page_is_void(name))
        return end + 1;
    if (t->depth == PAGE_DEEP)
        return NULL;
    strcpy(t->open[t->depth++], name);
    if (strcmp(name, "style") == 0 || strcmp(name, "script") == 0)
        end = strstr(end, strcmp(name, "style") ? "</script>" : "</style>") - 1;
    return end + 1;
}

/* NULL, or where the first tag stands that does not fit. */
const char *acre_test_page_first_unbalanced(const char *text)
{
    page_tags t = {.depth = 0};
    const char *at = text, *last = text;

    while ((at = strchr(at, '<'))) {
        last = at;
        at = page_take_tag(&t, at + 1);
        if (!at)
            return last;
    }
    return t.depth ? last : NULL;
}

bool acre_test_page_ids_are_unique(const char *text)
{
    for (const char *at = text; (at = strstr(at, " id=")); at++) {
        const char *end = strchr(at + 5, at[4]);
        char id[200];

        snprintf(id, sizeof id, "%.*s", (int)(end - at + 1), at);
        if (strstr(at + 1, id))
            return false;
    }
    return true;
}
