/* SPDX-License-Identifier: MIT */
/* support_hostile.c: meeting an image that a stranger may have written: all that can be looked at, all that can be
 * done.  What is touched outside of it is a page without access, or the address sanitizer's. */
#include "tests/support_hostile.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { HOSTILE_PAGE = 4096, HOSTILE_KEPT = 48 };

int hostile_place_make(hostile_place *p)
{
    size_t whole = HOSTILE_ROOM + 2 * HOSTILE_PAGE;
    unsigned char *at = mmap(NULL, whole, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (at == MAP_FAILED || mprotect(at + HOSTILE_PAGE, HOSTILE_ROOM, PROT_READ | PROT_WRITE) != 0)
        return -1;
    p->room = at + HOSTILE_PAGE;
    p->fd = memfd_create("hostile", MFD_CLOEXEC);
    return p->fd < 0 || ftruncate(p->fd, HOSTILE_ROOM) != 0 ? -1 : 0;
}

/* ---- looking ---- */

typedef struct hostile_user {
    acre_segment *segment;
    acre_heap *heap;
    uint64_t seed;
    size_t kept, seen;
    void *block[HOSTILE_KEPT]; /* that walk() calls used */
} hostile_user;

static int hostile_block(void *arg, const acre_block *b)
{
    hostile_user *u = arg;
    acre_segment_info info;
    u->seen++;
    if (u->kept == HOSTILE_KEPT || !b->used)
        return 0;
    acre_segment_info_get(u->segment, &info);
    u->block[u->kept++] = (char *)acre_segment_base(u->segment) + info.region + b->offset;
    return 0;
}

static int hostile_part(void *arg, const acre_part *part)
{
    *(uint64_t *)arg += part->used_bytes;
    return 0;
}

static int hostile_class(void *arg, const acre_class *class)
{
    *(uint64_t *)arg += class->live_blocks;
    return 0;
}

static int hostile_look(hostile_user *u)
{
    acre_stats stats;
    acre_damage damage;
    uint64_t sum = acre_heap_options_of(u->heap).lock;
    u->kept = 0;
    acre_heap_walk(u->heap, hostile_block, u);
    acre_heap_stats(u->heap, &stats);
    acre_heap_parts(u->heap, hostile_part, &sum);
    acre_heap_classes(u->heap, hostile_class, &sum);
    sum += acre_heap_free_memory(u->heap) + acre_heap_high_water(u->heap) +
           acre_heap_all_free(u->heap);
    return acre_heap_check(u->heap, &damage);
}

/* Objects, found as the index has them and by their names. */
static void hostile_look_objects(hostile_user *u)
{
    acre_cursor c = {0};
    acre_object o;
    void *p;
    for (int i = 0; i < 64 && acre_object_next(u->segment, &c, &o) == 0; i++) {
        acre_object info;
        acre_object_info(u->segment, o.address, &info);
        acre_find_n(u->segment, NULL, o.name, o.name_length, &p, NULL);
    }
    acre_object_end(&c);
    acre_find(u->segment, NULL, "queue", &p, NULL);
    acre_find_unique(u->segment, ACRE_TYPE(double), &p, NULL);
    u->seen += acre_named_count(u->segment) + acre_unique_count(u->segment);
}

/* Of what is a block, and of what may be none. */
static size_t hostile_ask(hostile_user *u)
{
    size_t sum = 0, size = acre_segment_size(u->segment);
    char *base = acre_segment_base(u->segment);
    for (size_t i = 0; i < u->kept; i++)
        sum += acre_usable_size(u->heap, u->block[i]);
    for (int i = 0; i < 16; i++)
        sum += acre_usable_size(u->heap, base + (hostile_random(&u->seed) % size & ~(uint64_t)15));
    return sum;
}

/* ---- using ---- */

/* Only where the memory is: what is handed out lies in the image, whatever its links say. */
static void hostile_touch(const hostile_user *u, char *p, size_t n)
{
    if (!p)
        return;
    if (!acre_segment_contains(u->segment, p) ||
        (n && !acre_segment_contains(u->segment, p + n - 1)))
        __builtin_trap();
    memset(p, 0xa5, n);
}

static void hostile_use_one(hostile_user *u, size_t size)
{
    acre_resize_command grow = {.flags = ACRE_FORWARDS | ACRE_BACKWARDS | ACRE_NEW,
                                .limit = size + 8,
                                .preferred = size * 2 + 64};
    bool reused;
    char *p = acre_alloc(u->heap, size);
    hostile_touch(u, p, size);
    char *q = acre_realloc(u->heap, p, size * 2 + 1);
    hostile_touch(u, q, q ? size * 2 + 1 : 0);
    p = q ? q : p;
    char *r = p ? acre_resize(u->heap, p, &grow, &reused) : NULL;
    acre_free(u->heap, r ? r : p);
    acre_free(u->heap, acre_alloc_aligned(u->heap, size, 256));
}

static void hostile_use_many(hostile_user *u)
{
    void *many[6];
    acre_off *root = acre_segment_root(u->segment);
    if (acre_alloc_many(u->heap, 6, NULL, 40, many) == 0)
        acre_free_many(u->heap, 6, many);
    *root = 0; /* the application's own: what it named may be no block */
    if (acre_alloc_into(u->heap, root, 72) == 0)
        acre_free_from(u->heap, root);
}

/* Each block is given back once: an address inside of another block may look like one. */
static void hostile_free(hostile_user *u, size_t first, size_t step)
{
    for (size_t i = first; i < u->kept; i += step)
        acre_free(u->heap, u->block[i]);
}

static void hostile_realloc(hostile_user *u)
{
    for (size_t i = 1; i < u->kept; i += 2) {
        void *p = acre_realloc(u->heap, u->block[i], 20 * i);
        u->block[i] = p ? p : u->block[i];
    }
}

static void hostile_use(hostile_user *u)
{
    static const size_t sizes[] = {0, 16, 24, 100, 500, 3000, 40000};
    size_t given;
    hostile_free(u, 0, 2);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        hostile_use_one(u, sizes[i]);
    hostile_realloc(u);
    hostile_use_many(u);
    hostile_free(u, 1, 2);
    acre_heap_free_empty(u->heap);
    acre_heap_purge(u->heap, 0, &given);
    acre_heap_zero_free(u->heap);
}

/* ---- both ---- */

static int hostile_open(const hostile_place *p, const unsigned char *image, size_t size,
                        bool read_only, bool in_file, acre_segment **s)
{
    unsigned char *at = p->room + (HOSTILE_ROOM - size) / 16 * 16;
    acre_segment_options o = {.read_only = read_only, .fd = p->fd, .buffer = at, .size = size,
                              .grow_limit = 1 << 20};
    if (!in_file) {
        memcpy(at, image, size);
        return acre_segment_open(s, ACRE_BUFFER, NULL, &o);
    }
    if (ftruncate(p->fd, (off_t)size) != 0 || pwrite(p->fd, image, size, 0) != (ssize_t)size)
        __builtin_trap();
    return acre_segment_open(s, ACRE_MEMFD, NULL, &o);
}

void hostile_meet(const hostile_place *p, const unsigned char *image, size_t size, bool read_only,
                  bool in_file, hostile_seen *seen)
{
    hostile_user u = {.seed = size * 2 + 1};
    *seen = (hostile_seen){0};
    seen->opened = hostile_open(p, image, size, read_only, in_file, &u.segment);
    if (seen->opened)
        return;
    u.heap = acre_segment_heap(u.segment);
    seen->checked = hostile_look(&u);
    read_only |= (acre_heap_algorithm(u.heap)->flags & ACRE_REFERENCE) != 0; /* not a usable heap */
    if (!seen->checked) {
        hostile_look_objects(&u);
        hostile_ask(&u);
    }
    if (!seen->checked && !read_only) {
        hostile_use(&u);
        seen->left = hostile_look(&u);
    }
    acre_segment_close(u.segment);
}
