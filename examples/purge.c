/* SPDX-License-Identifier: MIT */
/* purge.c: a service whose heap is full at times: a thread gives back what stays free.
 *
 * Pages that are soon needed again are dearer to give back than to keep.  So it looks twice, and gives back only
 * what nobody used in between, and only blocks that are worth it. */
#include <acre.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 64 << 20, BLOCKS = 400, BLOCK = 128 << 10, WORTH_IT = 64 << 10, LOOK_MS = 20 };

typedef struct keeper {
    acre_segment *s;
    volatile int stop;
    size_t given;
} keeper;

/* Free memory did not shrink since the last look: nobody has needed it. */
static void *keep(void *arg)
{
    keeper *k = arg;
    acre_heap *h = acre_segment_heap(k->s);
    for (size_t before = 0, now, bytes, done = 0; !k->stop; before = now) {
        usleep(LOOK_MS * 1000);
        now = acre_heap_free_memory(h);
        if (now < SIZE / 4 || now != before || now == done)
            continue;
        if (acre_heap_purge(h, WORTH_IT, &bytes) == 0)
            k->given += bytes;
        done = now;
    }
    return NULL;
}

static size_t held(const acre_segment *s)
{
    struct stat st;
    return fstat(acre_segment_fd(s), &st) ? 0 : (size_t)st.st_blocks * 512;
}

/* The hour in which all come. */
static int rush(acre_heap *h)
{
    static void *p[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        if (!(p[i] = acre_alloc(h, BLOCK)))
            return fputs("no room\n", stderr), 1;
        memset(p[i], 1, BLOCK);
    }
    return acre_free_many(h, BLOCKS, p);
}

int main(void)
{
    keeper k = {0};
    pthread_t thread;
    acre_segment_options o = {.size = SIZE};
    int e = acre_segment_create(&k.s, ACRE_MEMFD, NULL, &o);
    if (e)
        return fprintf(stderr, "create: %s\n", acre_strerror(e)), 1;
    if (pthread_create(&thread, NULL, keep, &k) != 0 || rush(acre_segment_heap(k.s)) != 0)
        return 1;
    printf("after the rush: %zu MiB held\n", held(k.s) >> 20);
    for (int i = 0; i < 500 && held(k.s) > SIZE / 4; i++)
        usleep(LOOK_MS * 1000);
    k.stop = 1;
    pthread_join(thread, NULL);
    printf("later: %zu MiB held, %zu MiB given back\n", held(k.s) >> 20, k.given >> 20);
    return acre_segment_close(k.s) || !k.given;
}
