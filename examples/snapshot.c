/* SPDX-License-Identifier: MIT */
/* snapshot.c: a process moves money between two accounts by transactions, for ever; meanwhile a copy is made
 * of the segment, in which nothing has got lost.  The original's worker is then killed; the copy stays. */
#include <acre.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct bank {
    acre_off left, right; /* together always 1000 */
} bank;

static int fail(const char *what, int error)
{
    fprintf(stderr, "%s: %s\n", what, acre_strerror(error));
    return 1;
}

static void work(acre_segment *s, bank *b)
{
    acre_hold hold;
    acre_tx tx;
    if (acre_hold_join(&hold, s) != 0)
        _exit(1);
    for (;;) {
        acre_hold_point(&hold); /* stands here while somebody copies */
        if (acre_tx_begin(&tx, s) != 0)
            _exit(1);
        acre_tx_set(&tx, &b->left, b->left - 1);
        acre_tx_set(&tx, &b->right, b->right + 1);
        acre_tx_commit(&tx);
    }
}

static int look(const char *path)
{
    acre_segment *copy;
    int e = acre_segment_open(&copy, ACRE_FILE, path, NULL);
    if (e)
        return fail(path, e);
    const bank *b = acre_segment_address(copy, *acre_segment_root(copy));
    long sum = b ? (long)(b->left + b->right) : 0;
    printf("in the copy there are %ld\n", sum);
    acre_segment_close(copy);
    return sum != 1000;
}

int main(void)
{
    acre_segment_options o = {.size = 64 << 10};
    char path[] = "/tmp/acre-snapshot-XXXXXX/copy";
    acre_segment *s;
    path[sizeof path - sizeof "/copy"] = 0;
    if (!mkdtemp(path))
        return perror("mkdtemp"), 1;
    path[sizeof path - sizeof "/copy"] = '/';
    int e = acre_segment_create(&s, ACRE_ANON, NULL, &o);
    e = e ? e : acre_alloc_into(acre_segment_heap(s), acre_segment_root(s), sizeof(bank));
    if (e)
        return fail("segment", e);
    bank *b = acre_segment_address(s, *acre_segment_root(s));
    *b = (bank){1000, 0};
    pid_t child = fork();
    if (child == 0)
        work(s, b);
    usleep(20000);
    e = acre_segment_snapshot(s, path, NULL);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    int status = e ? fail("snapshot", e) : look(path);
    unlink(path);
    path[sizeof path - sizeof "/copy"] = 0;
    rmdir(path);
    acre_segment_close(s);
    return status;
}
