/* SPDX-License-Identifier: MIT */
/* support_page.h: reading what a report wrote. */
#ifndef ACRE_TESTS_SUPPORT_PAGE_H
#define ACRE_TESTS_SUPPORT_PAGE_H

#include <stdbool.h>

/* A whole file, to be freed; NULL if it cannot be read. */
char *acre_test_slurp(const char *path);

bool acre_test_page_has(const char *text, const char *what);
/* The word itself, in any case, not as a part of another. */
bool acre_test_page_has_word(const char *text, const char *word);
/* NULL, or where the first tag stands that does not fit. */
const char *acre_test_page_first_unbalanced(const char *text);
bool acre_test_page_ids_are_unique(const char *text);

#endif
