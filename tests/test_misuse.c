/* SPDX-License-Identifier: MIT */
/* What misuse of a heap is detected, by algorithm and checking level: every cell of misuse.def is tried, and
 * alloc/README.md shows the same table.  ACRE_MISUSE_SHOW=1 prints what is seen. */
#include "tests/support_heap.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MISUSE_SEGMENT = 1 << 20, MISUSE_BLOCKS = 600, MISUSE_VICTIM = 400 };

/* Whole words, and not. */
static const size_t misuse_size[] = {40, 41};

/* One heap, one block that is misused among many of its size. */
typedef struct scene {
    acre_segment *s;
    acre_heap *h;
    char *block[MISUSE_BLOCKS];
    size_t size; /* of each */
    char *victim;
    size_t usable; /* of the victim */
} scene;

/* What was seen of it; better known is greater. */
typedef enum finding {
    FOUND_NOT,   /* . */
    FOUND_CHECK, /* C  by acre_heap_check(), right after */
    FOUND_LATER, /* L  by a later call, when the quarantine gives the block back */
    FOUND_CALL   /* R  the call that misuses, or the next one with that block, is refused */
} finding;
static const char finding_letter[] = ".CLR";

static volatile uint32_t *misuse_seen; /* shared with the process that tries */

static void misuse_found(finding f)
{
    if (*misuse_seen < (uint32_t)f)
        *misuse_seen = (uint32_t)f;
}

static void misuse_look(scene *t)
{
    if (acre_heap_check(t->h, NULL) != 0)
        misuse_found(FOUND_CHECK);
}

static void misuse_free(scene *t, void *p)
{
    if (acre_free(t->h, p) != 0)
        misuse_found(FOUND_CALL);
}

static void misuse_free_well(scene *t, void *p)
{
    ACRE_CHECK_EQUAL(acre_free(t->h, p), 0);
}

/* ---- freeing what is not there to be freed ---- */

static void double_free(scene *t)
{
    misuse_free_well(t, t->victim);
    misuse_free(t, t->victim);
}

static void double_free_merged(scene *t)
{
    for (int i = -2; i <= 2; i++)
        misuse_free_well(t, t->block[MISUSE_VICTIM + i]);
    misuse_free(t, t->victim);
}

static void double_free_later(scene *t)
{
    misuse_free_well(t, t->victim);
    for (int i = 1; i <= 8; i++)
        misuse_free_well(t, t->block[MISUSE_VICTIM + 3 * i]);
    misuse_free(t, t->victim);
}

static void double_free_reused(scene *t)
{
    misuse_free_well(t, t->victim);
    for (int i = 0; i < MISUSE_BLOCKS; i++)
        if (acre_alloc(t->h, t->size) == (void *)t->victim)
            break;
    misuse_free(t, t->victim);
}

static void double_free_elsewhere(scene *t)
{
    pid_t child = fork();
    if (child == 0)
        _exit(acre_free(t->h, t->victim) != 0);
    int status;
    ACRE_CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
    misuse_free(t, t->victim);
}

static void free_of_a_middle(scene *t)
{
    misuse_free(t, t->victim + ACRE_ALIGN_MIN);
}

static void free_unaligned(scene *t)
{
    misuse_free(t, t->victim + 1);
}

static void free_of_a_foreign(scene *t)
{
    static _Alignas(16) char foreign[64];
    misuse_free(t, foreign + 16);
}

/* ---- writing where it is not allowed ---- */

/* Of what is written, no byte is one that the heap is likely to have there. */
static void misuse_overflow(scene *t, size_t bytes)
{
    memset(t->victim + t->usable, 0x5a, bytes);
    misuse_look(t);
    misuse_free(t, t->victim);
}

static void overflow_by_1(scene *t)
{
    misuse_overflow(t, 1);
}

static void overflow_by_8(scene *t)
{
    misuse_overflow(t, 8);
}

static void misuse_told(void *arg, acre_heap *h, int error, const void *p)
{
    (void)h;
    if (error == ACRE_EUSEDFREED && p == arg)
        misuse_found(FOUND_LATER);
}

static void misuse_write_freed(scene *t, size_t at)
{
    acre_heap_on_misuse(t->h, misuse_told, t->victim);
    misuse_free_well(t, t->victim);
    memset(t->victim + at, 0x5a, 8);
    misuse_look(t);
    acre_heap_free_empty(t->h);
}

static void write_after_free(scene *t)
{
    misuse_write_freed(t, 0);
}

static void write_after_free_behind_links(scene *t)
{
    misuse_write_freed(t, 24);
}

/* ---- the table ---- */

static const struct misuse {
    const char *name, *text;
    void (*run)(scene *t);
} misuses[] = {
    {"double_free", "free twice, at once", double_free},
    {"double_free_merged", "free twice, when its neighbours are free too", double_free_merged},
    {"double_free_later", "free twice, with eight others of its size between", double_free_later},
    {"double_free_reused", "free twice, when the block is another's", double_free_reused},
    {"double_free_elsewhere", "free twice, first in another process", double_free_elsewhere},
    {"free_of_a_middle", "free 16 bytes behind the start", free_of_a_middle},
    {"free_unaligned", "free 1 byte behind the start", free_unaligned},
    {"free_of_a_foreign", "free an address outside the segment", free_of_a_foreign},
    {"overflow_by_1", "write 1 byte behind the end", overflow_by_1},
    {"overflow_by_8", "write 8 bytes behind the end", overflow_by_8},
    {"write_after_free", "write the first 8 bytes after the free", write_after_free},
    {"write_after_free_behind_links", "write bytes 24 to 31 after the free",
     write_after_free_behind_links},
};
enum { MISUSES = sizeof misuses / sizeof *misuses, LEVELS = 4 };

static const char *const misuse_algorithm[] = {
#define ACRE_MISUSES(algorithm, ...) #algorithm,
#include "tests/misuse.def"
#undef ACRE_MISUSES
};
enum { ALGORITHMS = sizeof misuse_algorithm / sizeof *misuse_algorithm };

static const char *const misuse_expected[ALGORITHMS][MISUSES] = {
#define ACRE_MISUSES(algorithm, ...) {__VA_ARGS__},
#include "tests/misuse.def"
#undef ACRE_MISUSES
};

/* ---- trying a cell ---- */

static const acre_heap_options misuse_level[LEVELS] = {
    {.checks = ACRE_CHECKS_NONE, .lock = ACRE_LOCK_NONE, .journal = ACRE_JOURNAL_OFF},
    {.checks = ACRE_CHECKS_STANDARD},
    {.checks = ACRE_CHECKS_CANARY},
    {.checks = ACRE_CHECKS_QUARANTINE},
};

static scene misuse_scene(const char *algorithm, int level, size_t size)
{
    scene t = {.size = size};
    acre_segment_options o = {.size = MISUSE_SEGMENT,
                              .algorithm = acre_algorithm_find(algorithm),
                              .heap = misuse_level[level]};
    ACRE_CHECK_EQUAL(acre_segment_create(&t.s, ACRE_MEMFD, NULL, &o), 0);
    t.h = acre_segment_heap(t.s);
    for (int i = 0; i < MISUSE_BLOCKS; i++) {
        t.block[i] = acre_alloc(t.h, size);
        ACRE_CHECK(t.block[i]);
    }
    t.victim = t.block[MISUSE_VICTIM];
    t.usable = acre_usable_size(t.h, t.victim);
    return t;
}

/* What is not found may end in anything: in a process of its own, that is short of nothing but a dump. */
static char misuse_try(const char *algorithm, int level, size_t size, void (*run)(scene *))
{
    scene t = misuse_scene(algorithm, level, size);
    *misuse_seen = FOUND_NOT;
    pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        for (int s = SIGILL; s <= SIGSEGV; s++)
            if (s != SIGKILL)
                signal(s, SIG_DFL);
        alarm(20);
        run(&t);
        _exit(0);
    }
    int status;
    ACRE_CHECK(child > 0 && waitpid(child, &status, 0) == child);
    acre_segment_close(t.s);
    return finding_letter[*misuse_seen];
}

/* The letter; '?': it depends on the size. */
static char misuse_cell(const char *algorithm, int level, void (*run)(scene *))
{
    const acre_algorithm *a = acre_algorithm_find(algorithm);
    if (acre_heap_options_check(a, &misuse_level[level]) != 0)
        return '-';
    char whole = misuse_try(algorithm, level, misuse_size[0], run);
    char broken = misuse_try(algorithm, level, misuse_size[1], run);
    return whole == broken ? whole : '?';
}

static size_t misuse_row(const char *algorithm)
{
    for (size_t i = 0; i < ALGORITHMS; i++)
        if (!strcmp(misuse_algorithm[i], algorithm))
            return i;
    acre_test_fail(__FILE__, __LINE__, "misuse.def", "has no line for %s", algorithm);
}

static void every_cell_is_as_the_table_says(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE | ACRE_NO_FREE);
    size_t row = misuse_row(a->name);
    bool show = getenv("ACRE_MISUSE_SHOW"), right = true;
    misuse_seen = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < MISUSES; i++) {
        char seen[LEVELS + 1] = "";
        for (int level = 0; level < LEVELS; level++)
            seen[level] = misuse_cell(a->name, level, misuses[i].run);
        bool same = misuse_expected[row][i] && !strcmp(seen, misuse_expected[row][i]);
        if (show || !same)
            fprintf(stderr, "%s, %s: seen %s, table %s\n", a->name, misuses[i].name, seen,
                    misuse_expected[row][i] ? misuse_expected[row][i] : "blank");
        right &= same;
    }
    ACRE_CHECK(right, "%s", a->name);
}

#define ACRE_ALGORITHM(a) TEST_CASE(a, every_cell_is_as_the_table_says)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM

/* ---- the table that people read ---- */

static size_t misuse_line(char *line, size_t size, size_t i)
{
    size_t n = (size_t)snprintf(line, size, "| %s |", misuses[i].text);
    for (size_t k = 0; k < ALGORITHMS; k++)
        n += (size_t)snprintf(line + n, size - n, " `%s` |", misuse_expected[k][i]);
    return n;
}

static void misuse_expect(const char *page, const char *line)
{
    ACRE_CHECK(strstr(page, line), "alloc/README.md lacks\n%s", line);
}

ACRE_TEST(misuse, readme_shows_this_table)
{
    static char page[1 << 17];
    char line[1024];
    FILE *f = fopen("alloc/README.md", "re");
    if (!f)
        acre_test_skip("not in the project's own tree");
    page[fread(page, 1, sizeof page - 1, f)] = 0;
    fclose(f);
    size_t n = (size_t)snprintf(line, sizeof line, "| |");
    for (size_t k = 0; k < ALGORITHMS; k++)
        n += (size_t)snprintf(line + n, sizeof line - n, " `%s` |", misuse_algorithm[k]);
    misuse_expect(page, line);
    for (size_t i = 0; i < MISUSES; i++) {
        misuse_line(line, sizeof line, i);
        misuse_expect(page, line);
    }
}
