/* SPDX-License-Identifier: MIT */
/* shared.c: a picture that several processes use, and that goes when the last one has finished with it: however that
 * one ends.
 *
 * Workers take their reference into a slot of a holder.  The last of them is killed in the middle of its work; what
 * it held is reaped, and the object, which owns a second block, is destroyed by whoever is last. */
#include <acre.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 1 << 20, PIXELS = 4000, WORKERS = 3 };

typedef struct picture {
    acre_off pixels;
    uint32_t looked_at; /* by how many */
} picture;

/* If it is killed in here, another process does it again. */
static void picture_delete(void *arg, acre_segment *s, void *object)
{
    picture *p = object;
    (void)arg;
    acre_free_from(acre_segment_heap(s), &p->pixels);
}

static int make(acre_segment *s, acre_shared *to, uint32_t deleter)
{
    int e = acre_shared_make(s, to, sizeof(picture), deleter);
    picture *p = acre_shared_get(s, to);
    return e ? e : acre_alloc_into(acre_segment_heap(s), &p->pixels, PIXELS);
}

static int work(acre_segment *s, const acre_shared *from, bool dies)
{
    acre_holder mine;
    if (acre_holder_open(&mine, s, 1, 0) != 0)
        return 1;
    acre_shared *slot = acre_holder_shared(&mine, 0);
    if (acre_shared_copy(s, slot, from) != 0)
        return 1;
    picture *p = acre_shared_get(s, slot);
    __atomic_fetch_add(&p->looked_at, 1, __ATOMIC_RELAXED);
    if (dies)
        raise(SIGKILL);
    return acre_holder_close(&mine) != 0;
}

int main(void)
{
    acre_segment_options o = {.size = SIZE};
    acre_segment *s;
    acre_shared mine = {{0, 0}};
    size_t reaped;
    uint32_t deleter = acre_deleter_id("picture");
    if (acre_segment_create(&s, ACRE_ANON, NULL, &o) != 0 ||
        acre_deleter_register(deleter, picture_delete, NULL) != 0 || make(s, &mine, deleter) != 0)
        return 1;
    for (int i = 0; i < WORKERS; i++)
        if (fork() == 0)
            _exit(work(s, &mine, false));
    for (int i = 0; i < WORKERS; i++)
        wait(NULL);
    if (fork() == 0)
        _exit(work(s, &mine, true));
    wait(NULL);
    printf("looked at by %u; references now: %u\n", ((picture *)acre_shared_get(s, &mine))->looked_at,
           acre_shared_use_count(s, &mine));
    if (acre_shared_reap(s, &reaped) != 0)
        return 1;
    printf("reaped: %zu; references now: %u\n", reaped, acre_shared_use_count(s, &mine));
    if (acre_shared_release(s, &mine) != 0 || reaped != 1)
        return 1;
    bool empty = acre_heap_all_free(acre_segment_heap(s));
    printf("the segment is %s\n", empty ? "empty" : "not empty");
    return !empty || acre_segment_close(s) != 0;
}
