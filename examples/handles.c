/* SPDX-License-Identifier: MIT */
/* handles.c: a block of shared memory is handed to another program as a number on its command line. */
#include <acre.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* handles NAME OFFSET: the other program. */
static int use(const char *name, const char *handle)
{
    acre_segment *s;
    int e = acre_segment_open(&s, ACRE_SHM, name, NULL);
    if (e)
        return fprintf(stderr, "open: %s\n", acre_strerror(e)), 1;
    char *block = acre_segment_address(s, strtoull(handle, NULL, 10));
    if (!block || strcmp(block, "from one program to another") != 0)
        return 1;
    printf("offset %s holds: %s\n", handle, block);
    e = acre_free(acre_segment_heap(s), block); /* whoever allocated it */
    acre_segment_close(s);
    return e != 0;
}

static int start(const char *name, acre_off handle)
{
    char number[24];
    int status = 1;
    snprintf(number, sizeof number, "%llu", (unsigned long long)handle);
    pid_t child = fork();
    if (child == 0) {
        execl("/proc/self/exe", "handles", name, number, (char *)NULL);
        _exit(127);
    }
    waitpid(child, &status, 0);
    return status;
}

int main(int argc, char **argv)
{
    char name[32];
    acre_segment *s;
    if (argc == 3)
        return use(argv[1], argv[2]);
    snprintf(name, sizeof name, "handles-%d", (int)getpid());
    int e = acre_segment_create(&s, ACRE_SHM, name, &(acre_segment_options){.size = 1 << 20});
    if (e)
        return fprintf(stderr, "create: %s\n", acre_strerror(e)), 1;
    size_t before = acre_heap_free_memory(acre_segment_heap(s));
    char *block = acre_alloc(acre_segment_heap(s), 1000);
    int status = 1;
    if (block) {
        strcpy(block, "from one program to another");
        status = start(name, acre_segment_offset(s, block));
    }
    bool back = acre_heap_free_memory(acre_segment_heap(s)) == before;
    acre_segment_remove(ACRE_SHM, name);
    acre_segment_close(s);
    return status != 0 || !back;
}
