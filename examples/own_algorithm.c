/* SPDX-License-Identifier: MIT */
/* own_algorithm.c: a program brings its own memory algorithm.  Segments that name it can be opened
 * by every program that has registered it; others are told so. */
#include <acre.h>
#include <stdio.h>

#include "algorithm/toy_algorithm.c"

static int fail(const char *what, int error)
{
    fprintf(stderr, "%s: %s\n", what, acre_strerror(error));
    return 1;
}

int main(void)
{
    acre_segment *s;
    acre_segment_options o = {.size = 1 << 20};
    int e = acre_algorithm_register(&acre__toy);
    if (e)
        return fail("register", e);
    o.algorithm = acre_algorithm_find("toy");
    e = acre_segment_create(&s, ACRE_MEMFD, NULL, &o);
    if (e)
        return fail("create", e);
    acre_heap *h = acre_segment_heap(s);
    void *p = acre_alloc(h, 1000), *q = acre_alloc_aligned(h, 5000, 4096);
    printf("%s serves %zu and %zu bytes\n", acre_heap_algorithm(h)->name, acre_usable_size(h, p),
           acre_usable_size(h, q));
    if (!p || !q || acre_free(h, p) || acre_free(h, q) || acre_heap_check(h, NULL))
        return fail("use", ACRE_ECORRUPT);
    puts(acre_heap_all_free(h) ? "all is free again" : "something leaked");
    acre_segment_close(s);
    return 0;
}
