/* SPDX-License-Identifier: MIT */
/* What pages segments are made of: where mappings begin, huge pages, having memory before it is needed, also
 * on a full file system and on a kernel that cannot. */
#include "tests/support_heap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

enum { PAGE = 4096, MIB = 1 << 20, HUGE = 2 << 20, SIZE = 8 << 20 };

static const enum acre_source sources[] = {ACRE_SHM, ACRE_FILE, ACRE_MEMFD, ACRE_ANON, ACRE_HEAP};
enum { SOURCES = sizeof sources / sizeof *sources };

/* Pages of [at, at + bytes) that this process could use without waiting: mapped, not only there. */
static size_t pages_mapped(const acre_segment *s, size_t at, size_t bytes)
{
    size_t n = 0;
    int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    ACRE_CHECK(fd >= 0);
    for (size_t page = at / PAGE; page < (at + bytes) / PAGE; page++) {
        uint64_t entry = 0;
        off_t where = (off_t)(((uintptr_t)acre_segment_base(s) / PAGE + page) * sizeof entry);
        ACRE_CHECK_EQUAL(pread(fd, &entry, sizeof entry, where), sizeof entry);
        n += entry >> 63;
    }
    close(fd);
    return n;
}

/* ---- where mappings begin ---- */

ACRE_TEST(pages, large_mappings_begin_at_a_huge_page)
{
    for (int i = 0; i < SOURCES; i++) {
        acre_segment *s =
            test_segment_in(sources[i], (acre_segment_options){.size = 64 << 10, .capacity = HUGE});
        ACRE_CHECK_EQUAL((uintptr_t)acre_segment_base(s) % HUGE, 0);
        acre_segment_close(s);
    }
}

static size_t address_space(void)
{
    size_t pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    ACRE_CHECK(f && fscanf(f, "%zu", &pages) == 1);
    fclose(f);
    return pages * PAGE;
}

/* What was kept to choose from is given back. */
ACRE_TEST(pages, alignment_keeps_no_address_space)
{
    size_t before = address_space();
    for (int i = 0; i < 50; i++) {
        acre_segment *s = test_segment_in(ACRE_HEAP, (acre_segment_options){.size = HUGE + 12345});
        acre_segment_close(s);
    }
    ACRE_CHECK(address_space() < before + 10 * HUGE, "%zu", address_space() - before);
}

/* ---- huge pages ---- */

/* The first number behind `key`: in the part of smaps that begins with this address, or in all of it. */
static size_t number_in(const char *file, const void *address, const char *key)
{
    char line[512], begin[32] = "";
    size_t value = 0;
    bool here = !address;
    FILE *f = fopen(file, "re");
    if (address)
        snprintf(begin, sizeof begin, "%lx-", (unsigned long)(uintptr_t)address);
    while (f && fgets(line, sizeof line, f)) {
        here |= address && strncmp(line, begin, strlen(begin)) == 0;
        if (here && strncmp(line, key, strlen(key)) == 0) {
            value = strtoull(line + strlen(key), NULL, 10);
            break;
        }
    }
    if (f)
        fclose(f);
    return value;
}

ACRE_TEST(pages, advised_memory_has_huge_pages)
{
    char mode[64] = "";
    FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "re");
    if (!f || !fgets(mode, sizeof mode, f) || strstr(mode, "[never]"))
        acre_test_skip("no transparent huge pages");
    fclose(f);
    acre_segment *s = test_segment_in(
        ACRE_HEAP, (acre_segment_options){.size = SIZE, .huge_pages = ACRE_HUGE_ADVISED});
    ACRE_CHECK_EQUAL(acre_segment_populate(s, 0, SIZE), 0);
    size_t huge = number_in("/proc/self/smaps", acre_segment_base(s), "AnonHugePages:") << 10;
    if (!huge)
        acre_test_skip("the system had no huge page to spare");
    ACRE_CHECK(huge % HUGE == 0 && huge <= SIZE, "%zu", huge);
    test_sound(acre_segment_heap(s));
    void *p = acre_alloc(acre_segment_heap(s), SIZE / 2), *q = acre_alloc(acre_segment_heap(s), 1);
    test_fill(p, SIZE / 2, 1);
    test_fill(q, 1, 2);
    ACRE_CHECK_EQUAL(acre_free(acre_segment_heap(s), p), 0);
    ACRE_CHECK_EQUAL(acre_heap_purge(acre_segment_heap(s), 0, NULL), 0);
    ACRE_CHECK(test_filled(q, 1, 2));
    test_sound(acre_segment_heap(s));
    acre_segment_close(s);
}

#define POOL "/sys/kernel/mm/hugepages/hugepages-2048kB/"

/* Whatever the system has put aside. */
ACRE_TEST(pages, reserved_huge_pages_or_a_clear_error)
{
    acre_segment *s = NULL;
    acre_segment_options o = {
        .size = 100 << 10, .capacity = 3 * HUGE, .huge_pages = ACRE_HUGE_RESERVED};
    size_t spare =
        number_in(POOL "free_hugepages", NULL, "") - number_in(POOL "resv_hugepages", NULL, "");
    int e = acre_segment_create(&s, ACRE_MEMFD, NULL, &o);
    if (!spare) {
        ACRE_CHECK((e == ENOSPC || e == ENOTSUP || e == 0) && (e == 0) == (s != NULL), "%s",
                   acre_strerror(e));
        return;
    }
    ACRE_CHECK_EQUAL(e, 0);
    ACRE_CHECK_EQUAL(acre_segment_size(s), HUGE);
    ACRE_CHECK_EQUAL(acre_segment_capacity(s), 3 * HUGE);
    void *p = acre_alloc(acre_segment_heap(s), MIB);
    test_fill(p, MIB, 1);
    ACRE_CHECK_EQUAL(acre_heap_purge(acre_segment_heap(s), 0, NULL), 0);
    ACRE_CHECK(test_filled(p, MIB, 1));
    if (spare > 1) {
        ACRE_CHECK_EQUAL(acre_segment_grow(s, HUGE + 1), 0);
        ACRE_CHECK_EQUAL(acre_segment_size(s), 2 * HUGE);
    }
    test_sound(acre_segment_heap(s));
    acre_segment_close(s);
}

ACRE_TEST(pages, reserved_huge_pages_are_for_memfds)
{
    acre_segment *s;
    acre_segment_options o = {.size = SIZE, .huge_pages = ACRE_HUGE_RESERVED};
    for (int i = 0; i < SOURCES; i++)
        if (sources[i] != ACRE_MEMFD)
            ACRE_CHECK_EQUAL(acre_segment_create(&s, sources[i], "nosuch", &o), EINVAL);
    o.huge_pages = ACRE_HUGE_RESERVED + 1;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), EINVAL);
}

/* ---- populating ---- */

/* Around a block in use, of which nothing changes; the range need not begin or end with a page. */
static void populate_all(acre_segment *s)
{
    acre_heap *h = acre_segment_heap(s);
    char *p = acre_alloc(h, 3 * PAGE);
    test_fill(p, 3 * PAGE, 1);
    size_t end = acre_segment_size(s), middle = end / 2;
    ACRE_CHECK(pages_mapped(s, middle, MIB) < MIB / PAGE);
    ACRE_CHECK_EQUAL(acre_segment_populate(s, middle + 1, MIB - 2), 0);
    ACRE_CHECK_EQUAL(pages_mapped(s, middle, MIB), MIB / PAGE);
    ACRE_CHECK_EQUAL(acre_segment_populate(s, 0, end), 0);
    ACRE_CHECK_EQUAL(pages_mapped(s, 0, end), end / PAGE);
    ACRE_CHECK(test_filled(p, 3 * PAGE, 1));
    test_sound(h);
    ACRE_CHECK_EQUAL(acre_free(h, p), 0);
}

ACRE_TEST(pages, populated_memory_is_there)
{
    for (int i = 0; i < SOURCES; i++) {
        acre_segment *s = test_segment_in(sources[i], (acre_segment_options){.size = SIZE});
        populate_all(s);
        acre_segment_close(s);
    }
}

ACRE_TEST(pages, populating_reserves_what_was_purged)
{
    acre_segment *s = test_segment_in(ACRE_MEMFD, (acre_segment_options){.size = SIZE});
    struct stat full, less, again;
    size_t given;
    fstat(acre_segment_fd(s), &full);
    ACRE_CHECK_EQUAL(acre_heap_purge(acre_segment_heap(s), 0, &given), 0);
    fstat(acre_segment_fd(s), &less);
    ACRE_CHECK(given > SIZE / 2 && less.st_blocks < full.st_blocks / 2);
    ACRE_CHECK_EQUAL(acre_segment_populate(s, 0, SIZE), 0);
    fstat(acre_segment_fd(s), &again);
    ACRE_CHECK_EQUAL(again.st_blocks, full.st_blocks);
    ACRE_CHECK_EQUAL(again.st_size, full.st_size);
    acre_segment_close(s);
}

ACRE_TEST(pages, impossible_ranges_are_refused)
{
    acre_segment *s =
        test_segment_in(ACRE_MEMFD, (acre_segment_options){.size = MIB, .capacity = SIZE});
    acre_segment *view;
    acre_segment_options look = {.fd = acre_segment_fd(s), .read_only = true};
    ACRE_CHECK_EQUAL(acre_segment_populate(s, 0, MIB + 1), EINVAL);
    ACRE_CHECK_EQUAL(acre_segment_populate(s, MIB + 1, 0), EINVAL);
    ACRE_CHECK_EQUAL(acre_segment_populate(s, PAGE, (size_t)-1), EINVAL);
    ACRE_CHECK_EQUAL(acre_segment_populate(s, MIB, 0), 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, 2 * MIB), 0);
    ACRE_CHECK_EQUAL(acre_segment_populate(s, 0, MIB + 1), 0);
    ACRE_CHECK_EQUAL(acre_segment_open(&view, ACRE_MEMFD, NULL, &look), 0);
    ACRE_CHECK_EQUAL(acre_segment_populate(view, 0, PAGE), EROFS);
    acre_segment_close(view);
    acre_segment_close(s);
}

ACRE_TEST(pages, a_callers_buffer_is_its_own_matter)
{
    acre_segment *s;
    acre_segment_options o = {.size = MIB, .buffer = aligned_alloc(PAGE, MIB)};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &o), 0);
    ACRE_CHECK_EQUAL(acre_segment_populate(s, 0, MIB), ENOTSUP);
    acre_segment_close(s);
    free(o.buffer);
}

/* ---- a kernel before 5.14 ---- */

/* madvise() with this advice is refused as such a kernel does; exit 77: no filters. */
static void forbid_populating(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_madvise, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, MADV_POPULATE_WRITE, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EINVAL),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(77);
    ACRE_CHECK(madvise(NULL, 0, MADV_POPULATE_WRITE) != 0 && errno == EINVAL);
}

static void populate_by_touching(void *arg)
{
    (void)arg;
    forbid_populating();
    for (int i = 0; i < SOURCES; i++)
        populate_all(test_segment_in(sources[i], (acre_segment_options){.size = SIZE}));
}

/* The same in a child that may find something not permitted. */
static void run_or_skip(acre_test_function *fn, void *arg)
{
    int status;
    pid_t child = acre_test_spawn(fn, arg);
    ACRE_CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    if (WEXITSTATUS(status) == 77)
        acre_test_skip("not permitted here");
    ACRE_CHECK_EQUAL(WEXITSTATUS(status), 0);
}

ACRE_TEST(pages, an_old_kernel_is_helped_by_touching)
{
    run_or_skip(populate_by_touching, NULL);
}

/* ---- a full file system ---- */

/* A tmpfs of 4 MiB in a mount namespace of its own, that somebody fills after a purge. */
static void populate_where_there_is_no_room(void *arg)
{
    char file[512], filler[512];
    acre_segment *s;
    if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) != 0 ||
        mount("none", "/", "none", MS_REC | MS_PRIVATE, "") != 0 ||
        mount("tmpfs", arg, "tmpfs", 0, "size=4m") != 0)
        _exit(77);
    snprintf(file, sizeof file, "%s/segment", (const char *)arg);
    snprintf(filler, sizeof filler, "%s/filler", (const char *)arg);
    ACRE_CHECK_EQUAL(
        acre_segment_create(&s, ACRE_FILE, file, &(acre_segment_options){.size = 3 * MIB}), 0);
    void *p = acre_alloc(acre_segment_heap(s), MIB);
    test_fill(p, MIB, 1);
    ACRE_CHECK_EQUAL(acre_heap_purge(acre_segment_heap(s), 0, NULL), 0);
    int fd = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ACRE_CHECK(fd >= 0 && posix_fallocate(fd, 0, 2 * MIB) == 0);
    ACRE_CHECK_EQUAL(acre_segment_populate(s, 0, 3 * MIB), ENOSPC);
    ACRE_CHECK(test_filled(p, MIB, 1));
    test_sound(acre_segment_heap(s));
    ACRE_CHECK_EQUAL(ftruncate(fd, 0), 0);
    ACRE_CHECK_EQUAL(acre_segment_populate(s, 0, 3 * MIB), 0);
    ACRE_CHECK_EQUAL(posix_fallocate(fd, 0, 2 * MIB), ENOSPC);
}

ACRE_TEST(pages, a_full_file_system_is_an_error_not_a_signal)
{
    char path[] = "/tmp/acre-test-XXXXXX";
    ACRE_CHECK(mkdtemp(path));
    run_or_skip(populate_where_there_is_no_room, path);
    ACRE_CHECK_EQUAL(rmdir(path), 0);
}
