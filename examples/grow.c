/* SPDX-License-Identifier: MIT */
/* grow.c: a heap grows while another process uses it, and nothing moves. */
#include <acre.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SMALL = 64 << 10, LARGE = 8 << 20 };

/* Allocate; if there is no room, make some. */
static void *alloc_growing(acre_segment *s, size_t size)
{
    void *p = acre_alloc(acre_segment_heap(s), size);
    if (!p && acre_segment_grow(s, acre_segment_size(s) + 2 * size) == 0)
        p = acre_alloc(acre_segment_heap(s), size);
    return p;
}

static int child_grows(acre_segment *s)
{
    char *p = alloc_growing(s, 1 << 20);
    if (!p)
        return 1;
    memset(p, 'x', 1 << 20);
    *acre_segment_root(s) = acre_segment_offset(s, p);
    return 0;
}

int main(void)
{
    acre_segment *s;
    int status = 1;
    acre_segment_options o = {.size = SMALL, .capacity = LARGE};
    int e = acre_segment_create(&s, ACRE_MEMFD, NULL, &o);
    if (e)
        return fprintf(stderr, "create: %s\n", acre_strerror(e)), 1;
    pid_t child = fork();
    if (child == 0)
        _exit(child_grows(s));
    waitpid(child, &status, 0);
    char *p = acre_segment_address(s, *acre_segment_root(s));
    printf("was %d bytes, is %zu, may be %zu\n", SMALL, acre_segment_size(s), acre_segment_capacity(s));
    bool good = status == 0 && p && p[0] == 'x' && p[(1 << 20) - 1] == 'x';
    acre_segment_close(s);
    return !good;
}
