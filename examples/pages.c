/* SPDX-License-Identifier: MIT */
/* pages.c: the first use of memory costs a page fault: what huge pages and populating make of it.
 *
 *     build/release/examples/pages [MiB]
 */
#include <acre.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BLOCK = 200, ROUNDS = 5 };

static double cpu_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

typedef struct costs {
    double populate, fill; /* ms; ns a block */
} costs;

/* Fill a new segment with blocks. */
static int run(enum acre_source source, const acre_segment_options *o, bool populate, costs *c)
{
    acre_segment *s;
    size_t n = 0, most = o->size / (BLOCK + 8) * 9 / 10;
    int e = acre_segment_create(&s, source, NULL, o);
    if (e)
        return fprintf(stderr, "create: %s\n", acre_strerror(e)), 1;
    double begun = cpu_ms();
    e = populate ? acre_segment_populate(s, 0, o->size) : 0;
    double ready = cpu_ms();
    for (void *p; n < most && (p = acre_alloc(acre_segment_heap(s), BLOCK)); n++)
        memset(p, 1, BLOCK);
    *c = (costs){ready - begun, (cpu_ms() - ready) * 1e6 / (double)n};
    acre_segment_close(s);
    return e ? fprintf(stderr, "populate: %s\n", acre_strerror(e)), 1 : 0;
}

/* The quickest of some, which meet least of what else the machine does. */
static int show(const char *name, enum acre_source source, size_t size, uint32_t huge,
                bool populate)
{
    acre_segment_options o = {.size = size, .huge_pages = huge};
    costs best = {0}, c;
    for (int i = 0; i < ROUNDS; i++) {
        if (run(source, &o, populate, &c) != 0)
            return 1;
        if (i == 0 || c.fill < best.fill)
            best = c;
    }
    printf("%-8s %-8s %-10s %8.1f ms to populate %8.1f ns a block\n", name,
           huge ? "advised" : "system", populate ? "populated" : "", best.populate, best.fill);
    return 0;
}

int main(int argc, char **argv)
{
    size_t size = (argc > 1 ? strtoull(argv[1], NULL, 10) : 16) << 20;
    int failed = 0;
    for (int i = 0; i < 4; i++)
        failed |= show("private", ACRE_HEAP, size, i & 1, i & 2);
    for (int i = 0; i < 4; i++)
        failed |= show("memfd", ACRE_MEMFD, size, i & 1, i & 2);
    return failed;
}
