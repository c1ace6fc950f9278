/* SPDX-License-Identifier: MIT */
/* share_heap.c: two processes share a heap by its name. */
#include <acre.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int reader(const char *name)
{
    acre_segment *s;
    int e = acre_segment_open(&s, ACRE_SHM, name, NULL);
    if (e)
        return fprintf(stderr, "open: %s\n", acre_strerror(e)), 1;
    char *text = acre_segment_address(s, *acre_segment_root(s));
    printf("the child reads: %s\n", text);
    e = strcmp(text, "hello from the parent") || acre_free_from(acre_segment_heap(s), acre_segment_root(s));
    fflush(stdout);
    acre_segment_close(s);
    return e;
}

int main(void)
{
    char name[32];
    acre_segment *s;
    int status = 1;
    snprintf(name, sizeof name, "example-%d", (int)getpid());
    int e = acre_segment_create(&s, ACRE_SHM, name, &(acre_segment_options){.size = 1 << 20});
    if (!e) /* the block and the place that names it: one step, whoever dies when */
        e = acre_alloc_into(acre_segment_heap(s), acre_segment_root(s), 100);
    if (e)
        return fprintf(stderr, "create: %s\n", acre_strerror(e)), 1;
    strcpy(acre_segment_address(s, *acre_segment_root(s)), "hello from the parent");
    pid_t child = fork();
    if (child == 0)
        _exit(reader(name));
    waitpid(child, &status, 0);
    acre_segment_remove(ACRE_SHM, name);
    bool good = status == 0 && acre_heap_all_free(acre_segment_heap(s));
    acre_segment_close(s);
    return !good;
}
