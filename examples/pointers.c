/* SPDX-License-Identifier: MIT */
/* pointers.c: a list in shared memory, walked by a process that has it at another address. */
#include <acre.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct word {
    acre_ptr(struct word) next; /* distance from itself: the same wherever the segment is */
    char text[24];
};

static int reader(int fd, const void *elsewhere)
{
    acre_segment *s;
    int words = 0, e = acre_segment_open(&s, ACRE_MEMFD, NULL, &(acre_segment_options){.fd = fd});
    if (e)
        return fprintf(stderr, "open: %s\n", acre_strerror(e)), 1;
    struct word *first = acre_segment_address(s, *acre_segment_root(s));
    for (struct word *w = first; w; w = acre_get(w->next), words++)
        printf("%s%s", w->text, acre_is_null(w->next) ? "\n" : " ");
    fflush(stdout);
    bool moved = acre_segment_base(s) != elsewhere;
    acre_segment_close(s);
    return words != 3 || !moved;
}

static struct word *push(acre_heap *h, struct word *first, const char *text)
{
    struct word *w = acre_alloc(h, sizeof *w);
    if (w) {
        snprintf(w->text, sizeof w->text, "%s", text);
        acre_set(w->next, first);
    }
    return w;
}

int main(void)
{
    static const char *const text[] = {"you are", "wherever", "the same"};
    acre_segment *s;
    struct word *first = NULL;
    int status = 1;
    int e = acre_segment_create(&s, ACRE_MEMFD, "words", &(acre_segment_options){.size = 1 << 20});
    if (e)
        return fprintf(stderr, "create: %s\n", acre_strerror(e)), 1;
    for (int i = 0; i < 3; i++)
        if (!(first = push(acre_segment_heap(s), first, text[i])))
            return 1;
    *acre_segment_root(s) = acre_segment_offset(s, first);
    pid_t child = fork();
    if (child == 0) /* it still has the parent's mapping, so its own is another one */
        _exit(reader(acre_segment_fd(s), acre_segment_base(s)));
    waitpid(child, &status, 0);
    acre_segment_close(s);
    return status != 0;
}
