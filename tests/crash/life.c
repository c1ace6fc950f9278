/* SPDX-License-Identifier: MIT */
/* life.c: deaths while a segment is created, opened, closed, grown, shrunk, removed.
 *
 *     a segment, always the same ▸ victim led to its k-th instruction ▸ SIGKILL ▸ look at names and files
 *         ▸ open by name, as a stranger would ▸ look ▸ use on ▸ free all ▸ remove ▸ no name is left
 *
 * Each time from the beginning.  In a dry run it is found out which instructions matter: before and
 * after each that changed the file or its mapping, or was a system call, the victim always dies; of the
 * others, most of which are in the C library and private to the victim, at some. */
#include "tests/crash/captive.h"
#include "tests/crash/published.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LIFE_SECONDS = 30, /* for one death */
    LIFE_LONGEST = 1 << 20,
    LIFE_TURNS = 60, /* what is in the segment comes from so many */
    LIFE_QUICK = 4,  /* deaths at instructions that change nothing */
    LIFE_MORE = 400,
    LIFE_ROOM = PUBLISHED_MOST + (64 << 10)
};

typedef struct life_run {
    const crash_case *c;
    crash_board *b;
    enum acre_source source;
    char dir[64], name[128]; /* name: of the segment; a file's lies in dir */
    uint64_t seed;
    published p; /* as the victim has it, if it has it */
    bool exists; /* before the operation */
    size_t size_was, size_will;
    bool seen_done;
    char *image; /* the file before */
    ssize_t bytes;
} life_run;

/* ---- what victims do ---- */

static const acre_heap_options life_defaults;

static void life_create(void *arg)
{
    const life_run *r = arg;
    acre_segment_options o = {
        .size = PUBLISHED_LEAST, .capacity = PUBLISHED_MOST, .algorithm = r->c->algorithm};
    acre_segment *s;
    (void)acre_segment_create(&s, r->source, r->name, &o);
}

static void life_attach(void *arg)
{
    const life_run *r = arg;
    acre_segment *s;
    (void)acre_segment_open(&s, r->source, r->name, NULL);
}

static void life_detach(void *arg)
{
    const life_run *r = arg;
    (void)acre_segment_close(r->p.s);
}

static void life_grow(void *arg)
{
    const life_run *r = arg;
    (void)acre_segment_grow(r->p.s, PUBLISHED_MOST);
}

static void life_shrink(void *arg)
{
    const life_run *r = arg;
    (void)acre_segment_shrink(r->p.s, PUBLISHED_LEAST);
}

static void life_remove(void *arg)
{
    const life_run *r = arg;
    (void)acre_segment_remove(r->source, r->name);
}

enum life_flags {
    LIFE_NEW = 1,     /* the segment does not exist before */
    LIFE_LARGE = 2,   /* it is large before */
    LIFE_RESIZES = 4, /* its size changes */
    LIFE_REMOVES = 8
};

static const struct life_operation {
    const char *name;
    void (*work)(void *run);
    unsigned flags;
} life_operations[] = {
    {"create", life_create, LIFE_NEW},
    {"attach", life_attach, 0},
    {"detach", life_detach, 0},
    {"grow", life_grow, LIFE_RESIZES},
    {"shrink", life_shrink, LIFE_RESIZES | LIFE_LARGE},
    {"remove", life_remove, LIFE_REMOVES},
};
enum { LIFE_OPERATIONS = sizeof life_operations / sizeof *life_operations };

static const struct life_place {
    const char *name;
    enum acre_source source;
} life_places[] = {{"shm", ACRE_SHM}, {"file", ACRE_FILE}};
enum { LIFE_PLACES = 2 };

static const struct life_operation *life_operation_of(const life_run *r)
{
    return &life_operations[r->c->index / LIFE_PLACES];
}

static bool life_can(const acre_algorithm *a, size_t o)
{
    return (life_operations[o].work != life_grow || a->grow) &&
           (life_operations[o].work != life_shrink || (a->grow && a->shrink));
}

/* The quick share takes shared memory and files in turn. */
static bool life_chosen(size_t algorithm, size_t o, size_t place)
{
    return !crash_chosen.quick || (algorithm + o) % LIFE_PLACES == place;
}

static void life_plan_one(const crash_part *self, const acre_algorithm *a, size_t o, size_t k)
{
    crash_plan(self, a, life_operations[o].name, life_places[k].name, o * LIFE_PLACES + k,
               LIFE_SECONDS);
}

static void life_plan(const crash_part *self)
{
    const acre_algorithm *a;
    for (size_t i = 0; (a = crash_algorithm(i)); i++)
        for (size_t o = 0; o < LIFE_OPERATIONS; o++)
            for (size_t k = 0; k < LIFE_PLACES; k++)
                if (life_can(a, o) && life_chosen(i, o, k))
                    life_plan_one(self, a, o, k);
}

/* ---- names ---- */

static void life_path(const life_run *r, char *path, size_t n)
{
    snprintf(path, n, "%s%s", r->source == ACRE_SHM ? "/dev/shm/acre." : "", r->name);
}

static bool life_leftover(const life_run *r, const char *entry)
{
    if (r->source == ACRE_FILE)
        return strcmp(entry, ".") != 0 && strcmp(entry, "..") != 0;
    return strstr(entry, r->name) || strstr(entry, ".acre-new-");
}

/* In the segment's folder, that is there for this case alone, or among all shared memory. */
static size_t life_names(const life_run *r)
{
    size_t n = 0;
    DIR *dir = opendir(r->source == ACRE_SHM ? "/dev/shm" : r->dir);
    if (!dir)
        crash_give_up("%s: %s", r->dir, strerror(errno));
    for (const struct dirent *e; (e = readdir(dir));)
        n += life_leftover(r, e->d_name);
    closedir(dir);
    return n;
}

/* A folder where files can be without a name; others may be left a file `.acre-new-…` by a death. */
static bool life_folder(life_run *r, const char *parent)
{
    snprintf(r->dir, sizeof r->dir, "%s/acre-crash-XXXXXX", parent);
    if (!mkdtemp(r->dir))
        return false;
    int fd = open(r->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd < 0)
        return rmdir(r->dir) != 0;
    return close(fd) == 0;
}

static void life_name(life_run *r)
{
    if (r->source == ACRE_SHM)
        snprintf(r->name, sizeof r->name, "crash-%07d", (int)getpid());
    else if (life_folder(r, "/tmp") || life_folder(r, "/dev/shm"))
        snprintf(r->name, sizeof r->name, "%s/segment", r->dir);
    else
        crash_give_up("no folder where files can be without a name");
}

/* ---- before ---- */

static ssize_t life_read(const life_run *r, char *image)
{
    char path[160];
    life_path(r, path, sizeof path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : pread(fd, image, LIFE_ROOM, 0);
    if (fd >= 0)
        close(fd);
    return n;
}

static void life_turns(life_run *r, uint64_t seed)
{
    for (int i = 0; i < LIFE_TURNS; i++) {
        const char *wrong = published_turn(&r->p, &seed, PUBLISHED_FIXED, 0, PUBLISHED_SLOTS);
        if (wrong)
            crash_give_up("%s: %s before anything has happened", r->c->algorithm->name, wrong);
    }
}

/* Always the same one, from the case's seed. */
static void life_prepare(life_run *r)
{
    r->p = (published){0};
    r->exists = !(life_operation_of(r)->flags & LIFE_NEW);
    if (!r->exists)
        return;
    int e = published_create(&r->p, r->source, r->name, r->c->algorithm, &life_defaults);
    if (e)
        crash_give_up("%s: %s", r->name, acre_strerror(e));
    life_turns(r, r->seed);
    if (life_operation_of(r)->flags & LIFE_LARGE)
        e = acre_segment_grow(r->p.s, PUBLISHED_MOST);
    if (e)
        crash_give_up("%s: %s", r->name, acre_strerror(e));
    acre_heap_detach(acre_segment_heap(r->p.s)); /* closing changes nothing then */
    r->size_was = acre_segment_size(r->p.s);
    r->bytes = life_read(r, r->image);
}

/* ---- after ---- */

__attribute__((format(printf, 3, 4))) static bool life_wrong(life_run *r, enum crash_wrong what,
                                                             const char *format, ...)
{
    char text[240];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    crash_wrong(r->c, r->b, what, "%s", text);
    return false;
}

static bool life_found(life_run *r, const published_finding *f)
{
    if (f->wrong)
        return life_wrong(r, f->what, "%s", f->text);
    return f->strangers == 0 || life_wrong(r, CRASH_LOST, "%zu blocks are nobody's", f->strangers);
}

/* Only growing and shrinking change the file. */
static bool life_same_bytes(life_run *r)
{
    static char now[LIFE_ROOM];
    ssize_t n = life_read(r, now);
    if (life_operation_of(r)->flags & (LIFE_NEW | LIFE_RESIZES))
        return true;
    return (n == r->bytes && !memcmp(now, r->image, (size_t)n)) ||
           life_wrong(r, CRASH_UNSOUND, "the segment is not as before");
}

/* Before, then after, never back. */
static bool life_in_order(life_run *r, bool was, bool will, bool over)
{
    bool back = (r->seen_done || over) && !will;
    r->seen_done |= !was;
    if (!was && !will)
        return life_wrong(r, CRASH_UNSOUND, "neither before nor after the operation");
    return !back || life_wrong(r, CRASH_LOST, "undone after it was done");
}

static bool life_size(life_run *r, bool over)
{
    char path[160];
    struct stat st;
    size_t size = acre_segment_size(r->p.s);
    life_path(r, path, sizeof path);
    if (stat(path, &st) != 0 || (size_t)st.st_size < size)
        return life_wrong(r, CRASH_UNSOUND, "the file is shorter than the segment");
    if (!(life_operation_of(r)->flags & LIFE_RESIZES))
        return true;
    return life_in_order(r, size == r->size_was, size == r->size_will, over);
}

/* What it is good for: all of it. */
static bool life_use_on(life_run *r)
{
    uint64_t seed = r->seed + r->b->at;
    for (int i = 0; i < LIFE_TURNS; i++) {
        const char *wrong = published_turn(&r->p, &seed, PUBLISHED_PLAIN, 0, PUBLISHED_SLOTS);
        if (wrong)
            return life_wrong(r, CRASH_UNSOUND, "used on: %s", wrong);
    }
    published_finding f = published_look(&r->p);
    if (!life_found(r, &f))
        return false;
    f = published_clear(&r->p);
    return life_found(r, &f);
}

static bool life_opened(life_run *r, bool over)
{
    published_finding f = published_look(&r->p);
    return life_found(r, &f) && life_size(r, over) && life_use_on(r);
}

static bool life_removed(life_run *r)
{
    int e = acre_segment_remove(r->source, r->name);
    if (e)
        return life_wrong(r, CRASH_UNSOUND, "it cannot be removed: %s", acre_strerror(e));
    size_t n = life_names(r);
    return n == 0 || life_wrong(r, CRASH_LOST, "%zu names are left", n);
}

/* One that was just made: nothing is in it. */
static bool life_new(life_run *r)
{
    acre_segment *s;
    int e = acre_segment_open(&s, r->source, r->name, NULL);
    if (e)
        return life_wrong(r, CRASH_UNSOUND, "a half-made segment: %s", acre_strerror(e));
    bool whole = acre_heap_check(acre_segment_heap(s), NULL) == 0 &&
                 acre_heap_all_free(acre_segment_heap(s)) &&
                 acre_segment_size(s) == PUBLISHED_LEAST &&
                 acre_segment_capacity(s) == PUBLISHED_MOST;
    acre_segment_close(s);
    return (whole || life_wrong(r, CRASH_UNSOUND, "a half-made segment")) && life_removed(r);
}

static bool life_old(life_run *r, bool over)
{
    int e = life_same_bytes(r) ? published_open(&r->p, r->source, r->name) : ACRE_ECORRUPT;
    if (e)
        return life_wrong(r, CRASH_UNSOUND, "it cannot be opened: %s", acre_strerror(e));
    bool good = life_opened(r, over);
    published_close(&r->p);
    return good && life_removed(r);
}

/* Whatever was killed, another can create. */
static bool life_again(life_run *r)
{
    int e = published_create(&r->p, r->source, r->name, r->c->algorithm, &life_defaults);
    if (e)
        return life_wrong(r, CRASH_UNSOUND, "it cannot be created: %s", acre_strerror(e));
    bool good = life_use_on(r);
    published_close(&r->p);
    return good && life_removed(r);
}

static bool life_survived(life_run *r, bool over)
{
    unsigned flags = life_operation_of(r)->flags;
    size_t names = life_names(r);
    if (names > 1)
        return life_wrong(r, CRASH_LOST, "%zu names, one segment", names);
    if (flags & (LIFE_NEW | LIFE_REMOVES)) {
        bool gone = flags & LIFE_REMOVES;
        if (!life_in_order(r, names == gone, names == !gone, over))
            return false;
        return (!names || (gone ? life_old(r, over) : life_new(r))) && life_again(r);
    }
    return names ? life_old(r, over) : life_wrong(r, CRASH_LOST, "the segment is gone");
}

/* ---- one death ---- */

static void life_clean(life_run *r)
{
    char path[160];
    life_path(r, path, sizeof path);
    unlink(path);
}

static void life_death(life_run *r, size_t k)
{
    r->b->at = k;
    alarm(LIFE_SECONDS);
    life_prepare(r);
    captive v = captive_begin(life_operation_of(r)->work, r);
    while (v.done < k && captive_step(&v))
        ;
    r->b->address = captive_address(&v);
    captive_kill(&v);
    if (r->exists)
        published_close(&r->p);
    r->b->n.injected++;
    r->b->n.recovered += life_survived(r, v.over);
    life_clean(r);
}

/* ---- which instructions ---- */

typedef struct life_marks {
    size_t n;
    bool *matters; /* [0, n]: the victim dies after so many */
} life_marks;

/* Of a segment that is only being made, nothing is seen but what system calls do. */
static bool life_changed(const life_run *r, char *last)
{
    if (!r->exists || !memcmp(last, acre_segment_base(r->p.s), acre_segment_size(r->p.s)))
        return false;
    memcpy(last, acre_segment_base(r->p.s), acre_segment_size(r->p.s));
    return true;
}

/* The dry run. */
static life_marks life_measure(life_run *r)
{
    life_marks m = {.matters = calloc(LIFE_LONGEST + 1, 1)};
    static char last[PUBLISHED_MOST];
    life_prepare(r);
    if (r->exists)
        memcpy(last, acre_segment_base(r->p.s), r->size_was);
    captive v = captive_begin(life_operation_of(r)->work, r);
    for (bool on = true; on && v.done < LIFE_LONGEST;) {
        bool system = captive_calls_system(&v);
        on = captive_step(&v);
        if (system | life_changed(r, last))
            m.matters[v.done - 1] = m.matters[v.done] = true;
    }
    m.n = v.done;
    m.matters[0] = m.matters[m.n] = true;
    captive_kill(&v);
    r->size_will = r->exists ? acre_segment_size(r->p.s) : 0;
    if (r->exists)
        published_close(&r->p);
    life_clean(r);
    if (life_operation_of(r)->flags & LIFE_RESIZES && r->size_will == r->size_was)
        crash_give_up("%s: the size does not change", r->c->algorithm->name);
    return m;
}

static bool life_wanted(const life_marks *m, size_t k, uint64_t *seed)
{
    size_t others = crash_chosen.quick ? LIFE_QUICK : LIFE_MORE;
    if (crash_chosen.at != CRASH_EVERYWHERE)
        return crash_chosen.at == k;
    return m->matters[k] || crash_below(seed, m->n + 1) < others;
}

static void life_run_case(const crash_case *c, crash_board *b)
{
    life_run r = {.c = c, .b = b, .source = life_places[c->index % LIFE_PLACES].source};
    r.seed = crash_seed(c);
    r.image = malloc(LIFE_ROOM);
    life_name(&r);
    uint64_t seed = r.seed;
    life_marks m = life_measure(&r);
    for (size_t k = 0; k <= m.n; k++)
        if (life_wanted(&m, k, &seed))
            life_death(&r, k);
    if (r.source == ACRE_FILE)
        rmdir(r.dir);
    free(m.matters);
    free(r.image);
}

const crash_part crash_part_life = {
    .name = "life",
    .summary = "deaths in create, open, close, grow, shrink, remove",
    .plan = life_plan,
    .run = life_run_case,
};
