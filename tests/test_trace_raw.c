/* SPDX-License-Identifier: MIT */
/* Raw recordings made by hand: lanes, merging, copies, what is torn, what is damaged. */
#include "tests/acre_test.h"
#include "traces/rawfile.h"
#include "traces/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 5, FILE_BYTES = BLOCKS * ACRE__RAW_BLOCK };

static unsigned char *raw_bytes;
static char raw_path[64];

static void raw_begin(void)
{
    acre__raw_header h = {.magic = ACRE__RAW_MAGIC, .version = ACRE__RAW_VERSION, .pid = 7,
                          .hz = 1000000000, .exe = "/bin/hand", .command = "hand made"};
    snprintf(raw_path, sizeof raw_path, "/tmp/acre-test-%d.raw", (int)getpid());
    raw_bytes = calloc(1, FILE_BYTES);
    memcpy(raw_bytes, &h, sizeof h);
}

/* Makes block n of the file and returns the place of its first record. */
static uint64_t *raw_block(size_t n, uint32_t magic, uint32_t lane, uint64_t seq, uint64_t start)
{
    acre__raw_block head = {magic, lane, seq, start, {0}};
    memcpy(raw_bytes + n * ACRE__RAW_BLOCK, &head, sizeof head);
    return (uint64_t *)(raw_bytes + n * ACRE__RAW_BLOCK + sizeof head);
}

static uint64_t *raw_put(uint64_t *r, uint64_t op, uint64_t address, uint64_t ticks, uint64_t size)
{
    *r++ = op << ACRE__RAW_OP_SHIFT | address;
    *r++ = ticks << 32 | size;
    return r;
}

static int raw_open(acre_trace **t, size_t n, acre_trace_error *e)
{
    FILE *f = fopen(raw_path, "wb");
    ACRE_CHECK(f && fwrite(raw_bytes, 1, n, f) == n && fclose(f) == 0);
    int err = acre_trace_open(t, raw_path, e);
    unlink(raw_path);
    return err;
}

static acre_trace *raw_load(void)
{
    acre_trace *t = NULL;
    acre_trace_error e;
    ACRE_CHECK(raw_open(&t, FILE_BYTES, &e) == 0, "%s", e.text);
    return t;
}

static void raw_expect(acre_trace *t, unsigned kind, uint64_t serial, uint64_t old, uint64_t size,
                       uint64_t time)
{
    acre_trace_op op;
    acre_trace_error e;
    ACRE_CHECK(acre_trace_next(t, &op, &e) == 1);
    ACRE_CHECK(op.kind == kind && op.serial == serial && op.old == old && op.size == size &&
                   op.time == time,
               "kind %u serial %d old %d size %d time %d", op.kind, (int)op.serial, (int)op.old,
               (int)op.size, (int)op.time);
}

static void raw_end(acre_trace *t)
{
    acre_trace_op op;
    ACRE_CHECK(acre_trace_next(t, &op, NULL) == 0);
    acre_trace_close(t);
    free(raw_bytes);
}

static bool raw_meta(acre_trace *t, const char *key, const char *value)
{
    const char *found = acre_trace_meta_get(acre_trace_info_of(t), key);
    return found && strcmp(found, value) == 0;
}

ACRE_TEST(trace_raw, lanes_merge_by_time_ends_first)
{
    raw_begin();
    uint64_t *a = raw_block(1, ACRE__RAW_BUFFER_MAGIC, 0, 1, 100);
    uint64_t *b = raw_block(2, ACRE__RAW_BUFFER_MAGIC, 1, 1, 100);
    a = raw_put(a, ACRE__RAW_MALLOC, 0x1000, 10, 64);  /* 110 */
    a = raw_put(a, ACRE__RAW_FREE, 0x1000, 90, 0);     /* 200 */
    b = raw_put(b, ACRE__RAW_CALLOC, 0x2000, 50, 32);  /* 150 */
    b = raw_put(b, ACRE__RAW_MALLOC, 0x1000, 50, 16);  /* 200: the address given back then */
    acre_trace *t = raw_load();
    ACRE_CHECK(raw_meta(t, "program", "hand") && raw_meta(t, "pid", "7"));
    ACRE_CHECK(!acre_trace_meta_get(acre_trace_info_of(t), "import.implied_frees"));
    raw_expect(t, ACRE_TRACE_MALLOC, 1, 0, 64, 110);
    raw_expect(t, ACRE_TRACE_CALLOC, 2, 0, 32, 150);
    raw_expect(t, ACRE_TRACE_FREE, 1, 0, 0, 200);
    raw_expect(t, ACRE_TRACE_MALLOC, 3, 0, 16, 200);
    raw_end(t);
}

/* Another thread gets the old address while realloc still runs. */
ACRE_TEST(trace_raw, realloc_ends_early_and_is_born_late)
{
    raw_begin();
    uint64_t *a = raw_block(1, ACRE__RAW_BUFFER_MAGIC, 0, 1, 0);
    uint64_t *b = raw_block(2, ACRE__RAW_BUFFER_MAGIC, 1, 1, 0);
    a = raw_put(a, ACRE__RAW_MALLOC, 0x1000, 10, 64);
    a = raw_put(a, ACRE__RAW_REALLOC, 0x3000, 90, 128); /* 100 … 180 */
    a = raw_put(a, ACRE__RAW_CONT, 0x1000, 80, 0);
    b = raw_put(b, ACRE__RAW_MALLOC, 0x1000, 150, 8);
    acre_trace *t = raw_load();
    ACRE_CHECK(!acre_trace_meta_get(acre_trace_info_of(t), "import.implied_frees"));
    raw_expect(t, ACRE_TRACE_MALLOC, 1, 0, 64, 10);
    raw_expect(t, ACRE_TRACE_MALLOC, 2, 0, 8, 150);
    raw_expect(t, ACRE_TRACE_REALLOC, 3, 1, 128, 180);
    raw_end(t);
}

ACRE_TEST(trace_raw, what_cannot_be_is_counted)
{
    raw_begin();
    uint64_t *a = raw_block(1, ACRE__RAW_BUFFER_MAGIC, 0, 1, 0);
    a = raw_put(a, ACRE__RAW_FREE, 0x9000, 1, 0);       /* never seen */
    a = raw_put(a, ACRE__RAW_MALLOC, 0x1000, 1, 5);
    a = raw_put(a, ACRE__RAW_MALLOC, 0x1000, 1, 6);     /* given out twice */
    *a++ = 0, *a++ = 77;                                /* torn: the op is missing */
    a = raw_put(a, ACRE__RAW_USABLE, 0x1000, 1, 24);
    a = raw_put(a, ACRE__RAW_FREE, 0x1000, 1, 0);
    acre_trace *t = raw_load();
    ACRE_CHECK(raw_meta(t, "import.unknown_frees", "1") && raw_meta(t, "import.implied_frees", "1"));
    ACRE_CHECK(raw_meta(t, "import.torn_records", "1"));
    ACRE_CHECK(raw_meta(t, "import.usable_size_calls", "1"));
    raw_expect(t, ACRE_TRACE_EXT, 0, 0, 0, 1);
    raw_expect(t, ACRE_TRACE_MALLOC, 1, 0, 5, 2);
    raw_expect(t, ACRE_TRACE_FREE, 1, 0, 0, 3);
    raw_expect(t, ACRE_TRACE_MALLOC, 2, 0, 6, 3);
    raw_expect(t, ACRE_TRACE_FREE, 2, 0, 0, 5);
    raw_end(t);
}

/* Killed between appending a buffer and clearing it, before and after its seq was raised. */
ACRE_TEST(trace_raw, a_buffer_that_was_appended_counts_once)
{
    for (uint64_t seq = 1; seq <= 2; seq++) {
        raw_begin();
        uint64_t *a = raw_block(1, ACRE__RAW_BUFFER_MAGIC, 0, seq, 20);
        uint64_t *b = raw_block(3, ACRE__RAW_FULL_MAGIC, 0, 1, 0); /* block 2 was only claimed */
        raw_put(b, ACRE__RAW_MALLOC, 0x1000, 10, 64);
        raw_put(a, seq == 1 ? ACRE__RAW_MALLOC : ACRE__RAW_FREE, 0x1000, 10, seq == 1 ? 64 : 0);
        acre_trace *t = raw_load();
        raw_expect(t, ACRE_TRACE_MALLOC, 1, 0, 64, 10);
        if (seq == 2)
            raw_expect(t, ACRE_TRACE_FREE, 1, 0, 0, 30);
        raw_end(t);
    }
}

ACRE_TEST(trace_raw, wide_ticks_and_sizes)
{
    raw_begin();
    uint64_t *a = raw_block(1, ACRE__RAW_BUFFER_MAGIC, 0, 1, 0);
    a = raw_put(a, ACRE__RAW_MALLOC, 0x1000, UINT32_MAX, UINT32_MAX);
    a = raw_put(a, ACRE__RAW_WIDE, 0, 0, 0);
    a[-1] = UINT64_C(50000000000);
    a = raw_put(a, ACRE__RAW_WIDE, 1, 0, 0);
    a[-1] = UINT64_C(1) << 40;
    a = raw_put(a, ACRE__RAW_FREE, 0x1000, 5, 0);
    acre_trace *t = raw_load();
    raw_expect(t, ACRE_TRACE_MALLOC, 1, 0, UINT64_C(1) << 40, 50000000000);
    raw_expect(t, ACRE_TRACE_FREE, 1, 0, 0, 50000000005);
    raw_end(t);
}

static void raw_read(size_t n)
{
    acre_trace *t = NULL;
    acre_trace_op op;
    acre_trace_error e = {0};
    int err = raw_open(&t, n, &e);
    ACRE_CHECK(err == 0 || e.text[0]);
    while (err == 0 && acre_trace_next(t, &op, &e) == 1)
        ;
    acre_trace_close(t);
}

ACRE_TEST(trace_raw, damage_never_crashes)
{
    uint64_t state = acre_test_seed();
    raw_begin();
    uint64_t *a = raw_block(1, ACRE__RAW_BUFFER_MAGIC, 0, 1, 0);
    for (int i = 0; i < 50; i++)
        a = raw_put(a, 1 + i % 5, 0x1000 + (uint64_t)i % 7 * 16, (uint64_t)i, 24);
    for (size_t n = 0; n < FILE_BYTES; n += 8191)
        raw_read(n);
    for (size_t i = 0; i < acre_test_rounds(400); i++) {
        size_t at = ACRE__RAW_BLOCK + acre_test_below(&state, 900);
        unsigned char was = raw_bytes[at];
        raw_bytes[at] = (unsigned char)acre_test_random(&state);
        raw_read(FILE_BYTES);
        raw_bytes[at] = was;
    }
    free(raw_bytes);
}
