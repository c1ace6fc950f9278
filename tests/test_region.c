/* SPDX-License-Identifier: MIT */
/* Memory objects and mapped parts of them: any byte offset, modes, fixed addresses, flushing, advice, shrinking,
 * sizes, names (A-29, A-35 … A-40). */
#include "tests/support_heap.h"

#include <acre/region.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 40000 };

static size_t page(void)
{
    return acre_mapping_page_size();
}

static const char *path_of(void)
{
    static char path[100];
    snprintf(path, sizeof path, "/tmp/acre-%s", test_name());
    return path;
}

static acre_memory memory_of(enum acre_source source, const char *name, uint64_t size)
{
    acre_memory m = {0};
    ACRE_CHECK_EQUAL(acre_memory_create(&m, source, name, &(acre_memory_options){.size = size}), 0);
    return m;
}

static acre_mapping mapped(const acre_memory *m, acre_mapping_options o)
{
    acre_mapping r = {0};
    ACRE_CHECK_EQUAL(acre_mapping_map(&r, m, &o), 0);
    return r;
}

static char pattern(size_t i)
{
    return (char)(i * 31 + i / 251);
}

static void fill(const acre_mapping *r, size_t from)
{
    for (size_t i = 0; i < r->size; i++)
        r->address[i] = pattern(from + i);
}

static void expect_filled(const acre_mapping *r, size_t from)
{
    for (size_t i = 0; i < r->size; i++)
        ACRE_CHECK(r->address[i] == pattern(from + i), "byte %zu of %zu", i, r->size);
}

/* Is a page of address space in use? */
static bool is_mapped(const char *at)
{
    unsigned char in;
    return mincore((void *)((uintptr_t)at & ~(page() - 1)), 1, &in) == 0;
}

/* ---- mapping ---- */

static void halves(enum acre_source source, const char *name)
{
    acre_memory m = memory_of(source, name, SIZE);
    size_t half = SIZE / 2 + 123; /* no page's */
    acre_mapping front = mapped(&m, (acre_mapping_options){.size = half});
    acre_mapping back = mapped(&m, (acre_mapping_options){.offset = half});
    ACRE_CHECK_EQUAL(back.size, SIZE - half);
    ACRE_CHECK_EQUAL((uintptr_t)back.address % page(), half % page());
    fill(&front, 0);
    fill(&back, half);
    acre_mapping all = mapped(&m, (acre_mapping_options){.mode = ACRE_MAPPING_READ});
    ACRE_CHECK_EQUAL(all.size, SIZE);
    expect_filled(&all, 0);
    acre_memory_close(&m);
    ACRE_CHECK_EQUAL(acre_memory_fd(&m), -1);
    acre_mapping_unmap(&front);
    acre_mapping_unmap(&back);
    expect_filled(&all, 0);
    acre_mapping_unmap(&all);
    ACRE_CHECK(!all.address && all.size == 0);
    acre_mapping_unmap(&all);
}

ACRE_TEST(region, halves_of_shared_memory_at_any_byte_A35)
{
    const char *name = test_name();
    ACRE_REMOVED(guard, acre_memory_remove, ACRE_SHM, name);
    halves(ACRE_SHM, name);
    acre_memory m;
    ACRE_CHECK_EQUAL(
        acre_memory_open(&m, ACRE_SHM, name, &(acre_memory_options){.read_only = true}), 0);
    acre_mapping r = mapped(&m, (acre_mapping_options){.mode = ACRE_MAPPING_READ, .offset = 7});
    expect_filled(&r, 7);
    acre_mapping_unmap(&r);
    acre_memory_close(&m);
}

/* ---- handles ---- */

static void swap_mappings(acre_mapping *a, acre_mapping *b)
{
    acre_mapping was = *a;
    *a = *b;
    *b = was;
}

ACRE_TEST(region, what_a_handle_was_moved_to_is_unmapped_once_A29)
{
    acre_memory from = memory_of(ACRE_MEMFD, NULL, 2 * page()), to = from;
    from = (acre_memory){0};
    acre_mapping a = mapped(&to, (acre_mapping_options){.size = page()}), moved = a;
    acre_mapping b = mapped(&to, (acre_mapping_options){.offset = page()});
    const char *first = a.address, *second = b.address;
    fill(&moved, 0);
    fill(&b, page());
    a = (acre_mapping){0};
    acre_mapping_unmap(&a);
    acre_memory_close(&from);
    swap_mappings(&moved, &b);
    ACRE_CHECK(moved.address == second && b.address == first);
    expect_filled(&b, 0);
    expect_filled(&moved, page());
    acre_mapping_unmap(&b);
    ACRE_CHECK(!is_mapped(first) && is_mapped(second));
    acre_mapping_unmap(&moved);
    ACRE_CHECK(!is_mapped(second));
    uint64_t size;
    ACRE_CHECK_EQUAL(acre_memory_size(&to, &size), 0);
    acre_memory_close(&to);
    ACRE_CHECK_EQUAL(acre_memory_size(&to, &size), EBADF);
}

ACRE_TEST(region, halves_of_files_and_nameless_memory_at_any_byte_A35)
{
    const char *path = path_of();
    ACRE_REMOVED(guard, acre_memory_remove, ACRE_FILE, path);
    halves(ACRE_FILE, path);
    halves(ACRE_MEMFD, NULL);
}

static void write_in_child(void *arg)
{
    fill(arg, 5);
}

ACRE_TEST(region, anonymous_memory_is_zero_and_shared_with_children_A35)
{
    acre_mapping r, other;
    ACRE_CHECK_EQUAL(acre_mapping_anonymous(&r, 0, NULL), EINVAL);
    ACRE_CHECK_EQUAL(acre_mapping_anonymous(&r, SIZE, NULL), 0);
    for (size_t i = 0; i < SIZE; i++)
        ACRE_CHECK(r.address[i] == 0);
    acre_test_run(write_in_child, &r);
    expect_filled(&r, 5);
    ACRE_CHECK_EQUAL(acre_mapping_anonymous(&other, SIZE, r.address), EBUSY);
    ACRE_CHECK_EQUAL(acre_mapping_anonymous(&other, SIZE, r.address + 16), EINVAL);
    expect_filled(&r, 5);
    acre_mapping_unmap(&r);
}

ACRE_TEST(region, extents_that_cannot_be_are_refused_A35)
{
    acre_memory m = memory_of(ACRE_MEMFD, NULL, SIZE), empty = memory_of(ACRE_MEMFD, NULL, 0);
    acre_memory none = {0};
    acre_mapping r = {.size = 77};
    acre_mapping_options behind = {.offset = SIZE + 1}, at_end = {.offset = SIZE},
                         past = {.offset = 1, .size = SIZE}, wild = {.offset = 1, .size = SIZE_MAX},
                         mode = {.mode = 4}, most = {.offset = UINT64_MAX};
    ACRE_CHECK_EQUAL(acre_mapping_map(&r, &m, &behind), EINVAL);
    ACRE_CHECK_EQUAL(acre_mapping_map(&r, &m, &at_end), ENODATA);
    ACRE_CHECK_EQUAL(acre_mapping_map(&r, &m, &past), EINVAL);
    ACRE_CHECK_EQUAL(acre_mapping_map(&r, &m, &wild), EINVAL);
    wild.beyond = true;
    ACRE_CHECK_EQUAL(acre_mapping_map(&r, &m, &wild), ENOMEM);
    ACRE_CHECK_EQUAL(acre_mapping_map(&r, &m, &mode), EINVAL);
    ACRE_CHECK_EQUAL(acre_mapping_map(&r, &m, &most), EINVAL);
    ACRE_CHECK_EQUAL(acre_mapping_map(&r, &empty, NULL), ENODATA);
    ACRE_CHECK_EQUAL(acre_mapping_map(&r, &none, NULL), EBADF);
    /* System V memory cannot be mapped in part: it is no memory object. */
    ACRE_CHECK_EQUAL(acre_memory_create(&none, ACRE_XSI, "0x1", &(acre_memory_options){.size = SIZE}), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_memory_open(&none, ACRE_XSI, "0x1", NULL), ENOTSUP);
    ACRE_CHECK(r.size == 77 && !r.address); /* outputs are unchanged */
    acre_memory_close(&m);
    acre_memory_close(&empty);
}

ACRE_TEST(region, an_address_that_is_taken_is_busy_A35)
{
    acre_memory m = memory_of(ACRE_MEMFD, NULL, 4 * page());
    acre_mapping r = mapped(&m, (acre_mapping_options){.offset = 100}), other;
    acre_mapping_options o = {.offset = 100, .address = r.address};
    ACRE_CHECK_EQUAL(acre_mapping_map(&other, &m, &o), EBUSY);
    fill(&r, 1);
    acre_mapping_unmap(&r);
    ACRE_CHECK_EQUAL(acre_mapping_map(&other, &m, &o), 0);
    ACRE_CHECK(other.address == o.address);
    expect_filled(&other, 1);
    acre_mapping_unmap(&other);
    o.address = (char *)o.address + 1;
    ACRE_CHECK_EQUAL(acre_mapping_map(&other, &m, &o), EINVAL);
    o.address = (char *)1;
    ACRE_CHECK_EQUAL(acre_mapping_map(&other, &m, &o), EINVAL);
    acre_memory_close(&m);
}

static sigjmp_buf faulted;

static void on_fault(int signal)
{
    siglongjmp(faulted, signal);
}

static int fault_of_writing(volatile char *at)
{
    signal(SIGSEGV, on_fault);
    signal(SIGBUS, on_fault);
    int got = sigsetjmp(faulted, 1);
    if (!got)
        *at = 1;
    signal(SIGSEGV, SIG_DFL);
    signal(SIGBUS, SIG_DFL);
    return got;
}

ACRE_TEST(region, modes_do_what_they_say_A35)
{
    const char *name = test_name();
    ACRE_REMOVED(guard, acre_memory_remove, ACRE_SHM, name);
    acre_memory m = memory_of(ACRE_SHM, name, SIZE), look;
    acre_memory_options read_only = {.read_only = true};
    ACRE_CHECK_EQUAL(acre_memory_open(&look, ACRE_SHM, name, &read_only), 0);
    acre_mapping r = mapped(&m, (acre_mapping_options){0}), other;
    fill(&r, 0);
    ACRE_CHECK_EQUAL(acre_mapping_map(&other, &look, NULL), EACCES);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&look, 2 * SIZE), EACCES);
    acre_mapping cow =
        mapped(&look, (acre_mapping_options){.mode = ACRE_MAPPING_COPY_ON_WRITE, .offset = 9});
    expect_filled(&cow, 9);
    memset(cow.address, 0, cow.size);
    expect_filled(&r, 0);
    ACRE_CHECK_EQUAL(acre_mapping_advise(&cow, ACRE_ADVICE_DONTNEED), ENOTSUP);
    ACRE_CHECK(cow.address[1] == 0 && cow.address[cow.size - 1] == 0);
    acre_mapping private = mapped(&look, (acre_mapping_options){.mode = ACRE_MAPPING_READ_PRIVATE});
    acre_mapping shared = mapped(&m, (acre_mapping_options){.mode = ACRE_MAPPING_READ});
    expect_filled(&private, 0);
    ACRE_CHECK_EQUAL(fault_of_writing(private.address), SIGSEGV);
    ACRE_CHECK_EQUAL(fault_of_writing(shared.address), SIGSEGV);
    acre_mapping_unmap(&private);
    acre_mapping_unmap(&shared);
    acre_mapping_unmap(&cow);
    acre_mapping_unmap(&r);
    acre_memory_close(&look);
    acre_memory_close(&m);
}

/* ---- shrinking ---- */

static void shrink_step(const acre_memory *m, size_t offset, size_t bytes, bool front)
{
    acre_mapping r = mapped(m, (acre_mapping_options){.offset = offset});
    char *start = r.address, *end = r.address + r.size;
    size_t size = r.size;
    ACRE_CHECK_EQUAL(acre_mapping_shrink_by(&r, bytes, front), 0);
    ACRE_CHECK_EQUAL(r.size, size - bytes);
    ACRE_CHECK(r.address == start + (front ? bytes : 0));
    expect_filled(&r, offset + (front ? bytes : 0));
    uintptr_t mask = page() - 1, from = (uintptr_t)start & ~mask,
              to = ((uintptr_t)end + mask) & ~mask;
    for (uintptr_t at = from; at < to; at += page())
        ACRE_CHECK_EQUAL(is_mapped((char *)at),
                         at + page() > (uintptr_t)r.address && at < (uintptr_t)r.address + r.size);
    ACRE_CHECK_EQUAL(acre_mapping_shrink_by(&r, r.size + 1, front), EINVAL);
    ACRE_CHECK_EQUAL(acre_mapping_shrink_by(&r, r.size, front), 0);
    ACRE_CHECK(!r.address && !is_mapped(start) && !is_mapped(end - 1));
}

ACRE_TEST(region, shrinks_from_both_sides_A36)
{
    acre_memory m = memory_of(ACRE_MEMFD, NULL, SIZE);
    acre_mapping r = mapped(&m, (acre_mapping_options){0});
    size_t steps[] = {
        0, 1, 99, page() - 1, page(), page() + 1, 2 * page(), 3 * page() - 100, SIZE - 201};
    fill(&r, 0);
    acre_mapping_unmap(&r);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        for (size_t offset = 0; offset <= 200; offset += 100) {
            shrink_step(&m, offset, steps[i], false);
            shrink_step(&m, offset, steps[i], true);
        }
    acre_memory_close(&m);
    ACRE_CHECK_EQUAL(acre_mapping_shrink_by(&r, 0, true), EINVAL);
}

/* ---- flushing, advice ---- */

ACRE_TEST(region, flushes_any_part_A37)
{
    const char *path = path_of();
    ACRE_REMOVED(guard, acre_memory_remove, ACRE_FILE, path);
    acre_memory m = memory_of(ACRE_FILE, path, SIZE);
    acre_mapping r = mapped(&m, (acre_mapping_options){.offset = 333});
    static const size_t at[] = {0, 1, 100, 4096, 5000, SIZE - 334}, n[] = {0, 1, 100};
    fill(&r, 333);
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < 3; j++) {
            size_t size = at[i] + n[j] > r.size ? 0 : n[j];
            ACRE_CHECK_EQUAL(acre_mapping_flush(&r, at[i], size, false), 0);
            ACRE_CHECK_EQUAL(acre_mapping_flush(&r, at[i], size, true), 0);
        }
    ACRE_CHECK_EQUAL(acre_mapping_flush(&r, r.size, 0, true), 0);
    ACRE_CHECK_EQUAL(acre_mapping_flush(&r, r.size + 1, 0, true), EINVAL);
    ACRE_CHECK_EQUAL(acre_mapping_flush(&r, 1, r.size, true), EINVAL);
    ACRE_CHECK_EQUAL(acre_mapping_flush(&r, 1, SIZE_MAX, true), EINVAL);
    char byte;
    ACRE_CHECK(pread(acre_memory_fd(&m), &byte, 1, 333 + 500) == 1 && byte == pattern(333 + 500));
    acre_mapping_unmap(&r);
    ACRE_CHECK_EQUAL(acre_mapping_flush(&r, 0, 0, true), EINVAL);
    acre_memory_close(&m);
}

ACRE_TEST(region, advice_is_taken_or_told_A37)
{
    acre_memory m = memory_of(ACRE_MEMFD, NULL, SIZE);
    acre_mapping r = mapped(&m, (acre_mapping_options){.offset = 10});
    fill(&r, 10);
    for (int a = ACRE_ADVICE_NORMAL; a <= ACRE_ADVICE_DONTNEED; a++) {
        int e = acre_mapping_advise(&r, (enum acre_advice)a);
        ACRE_CHECK(e == 0 || e == ENOTSUP, "advice %d: %s", a, acre_strerror(e));
        expect_filled(&r, 10);
    }
    ACRE_CHECK_EQUAL(acre_mapping_advise(&r, (enum acre_advice)5), EINVAL);
    acre_mapping_unmap(&r);
    ACRE_CHECK_EQUAL(acre_mapping_advise(&r, ACRE_ADVICE_NORMAL), EINVAL);
    acre_memory_close(&m);
}

/* ---- sizes, names ---- */

ACRE_TEST(region, grows_and_shrinks_with_real_memory_A40)
{
    acre_memory m = memory_of(ACRE_MEMFD, NULL, 0);
    uint64_t size = 1;
    struct stat st;
    ACRE_CHECK(acre_memory_size(&m, &size) == 0 && size == 0);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&m, SIZE), 0);
    ACRE_CHECK(fstat(acre_memory_fd(&m), &st) == 0 && st.st_blocks * 512 >= SIZE, "only a hole");
    acre_mapping r = mapped(&m, (acre_mapping_options){.size = 4 * SIZE, .beyond = true});
    ACRE_CHECK_EQUAL(fault_of_writing(r.address + 3 * SIZE), SIGBUS);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&m, 4 * SIZE), 0);
    fill(&r, 0);
    expect_filled(&r, 0);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&m, SIZE), 0);
    ACRE_CHECK(acre_memory_size(&m, &size) == 0 && size == SIZE);
    ACRE_CHECK_EQUAL(fault_of_writing(r.address + 3 * SIZE), SIGBUS);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&m, UINT64_MAX), EFBIG);
    ACRE_CHECK(acre_memory_size(&m, &size) == 0 && size == SIZE);
    acre_mapping_unmap(&r);
    acre_memory_close(&m);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&m, 1), EBADF);
}

ACRE_TEST(region, removed_names_vanish_and_mappings_live_on_A39)
{
    const char *name = test_name();
    acre_memory m, again;
    acre_memory_options o = {.size = SIZE};
    bool created = false;
    ACRE_CHECK_EQUAL(acre_memory_open(&m, ACRE_SHM, name, NULL), ENOENT);
    ACRE_CHECK_EQUAL(acre_memory_open_or_create(&m, ACRE_SHM, name, &o, &created), 0);
    ACRE_CHECK(created);
    acre_mapping r = mapped(&m, (acre_mapping_options){0}), other;
    fill(&r, 0);
    ACRE_CHECK_EQUAL(acre_memory_create(&again, ACRE_SHM, name, &o), EEXIST);
    ACRE_CHECK_EQUAL(acre_memory_open_or_create(&again, ACRE_SHM, name, &o, &created), 0);
    ACRE_CHECK(!created);
    acre_memory_close(&again);
    ACRE_CHECK_EQUAL(acre_memory_remove(ACRE_SHM, name), 0);
    ACRE_CHECK_EQUAL(acre_memory_remove(ACRE_SHM, name), ENOENT);
    ACRE_CHECK_EQUAL(acre_memory_open(&again, ACRE_SHM, name, NULL), ENOENT);
    expect_filled(&r, 0);
    again = memory_of(ACRE_SHM, name, SIZE);
    other = mapped(&again, (acre_mapping_options){0});
    ACRE_CHECK(other.address[1] == 0 && pattern(1) != 0);
    ACRE_CHECK_EQUAL(acre_memory_remove(ACRE_SHM, name), 0);
    acre_mapping_unmap(&r);
    acre_mapping_unmap(&other);
    acre_memory_close(&m);
    acre_memory_close(&again);
}

ACRE_TEST(region, a_guard_removes_at_the_end_of_its_block_A39)
{
    const char *name = test_name();
    acre_memory m = memory_of(ACRE_SHM, name, 1);
    acre_memory_close(&m);
    {
        ACRE_REMOVED(guard, acre_memory_remove, ACRE_SHM, name);
        guard.name = NULL;
    }
    ACRE_CHECK_EQUAL(acre_memory_open(&m, ACRE_SHM, name, NULL), 0);
    acre_memory_close(&m);
    {
        ACRE_REMOVED(guard, acre_memory_remove, ACRE_SHM, name);
    }
    ACRE_CHECK_EQUAL(acre_memory_open(&m, ACRE_SHM, name, NULL), ENOENT);
}

ACRE_TEST(region, descriptors_from_elsewhere_are_checked)
{
    int fds[2], null = open("/dev/null", O_RDWR), fd = memfd_create("x", MFD_CLOEXEC);
    acre_memory m = {0};
    ACRE_CHECK(pipe(fds) == 0 && null >= 0 && fd >= 0);
    ACRE_CHECK_EQUAL(acre_memory_wrap(&m, -1, NULL), EBADF);
    ACRE_CHECK_EQUAL(acre_memory_wrap(&m, fds[0], &(acre_memory_options){.read_only = true}),
                     ACRE_ETYPE);
    ACRE_CHECK_EQUAL(acre_memory_wrap(&m, null, &(acre_memory_options){.any_owner = true}),
                     ACRE_ETYPE);
    ACRE_CHECK_EQUAL(acre_memory_wrap(&m, fds[1], NULL), EACCES);
    ACRE_CHECK(!m.open);
    ACRE_CHECK_EQUAL(acre_memory_wrap(&m, fd, NULL), 0);
    close(fd);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&m, SIZE), 0);
    ACRE_CHECK(fcntl(acre_memory_fd(&m), F_GETFD) & FD_CLOEXEC);
    ACRE_CHECK(fcntl(acre_memory_fd(&m), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) ==
               -1); /* not sealable */
    acre_memory_close(&m);
    m = memory_of(ACRE_MEMFD, NULL, SIZE);
    ACRE_CHECK(fcntl(acre_memory_fd(&m), F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK) == 0);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&m, 1), EPERM);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&m, 2 * SIZE), EPERM);
    acre_memory_close(&m);
    ACRE_CHECK_EQUAL(acre_memory_open(&m, ACRE_ANON, "x", NULL), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_memory_remove(ACRE_MEMFD, "x"), ENOTSUP);
}

ACRE_TEST(region, a_memory_and_a_segment_may_have_one_name)
{
    const char *name = test_name();
    ACRE_REMOVED(guard, acre_memory_remove, ACRE_SHM, name);
    acre_memory m = memory_of(ACRE_SHM, name, SIZE);
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, name, NULL), ENOENT);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &(acre_segment_options){.size = SIZE}),
                     0);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(acre_memory_open(&m, ACRE_SHM, name, NULL), 0);
    acre_memory_close(&m);
}
