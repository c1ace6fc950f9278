/* SPDX-License-Identifier: MIT */
/* Archives: what goes in comes out, and nothing damaged is believed. */
#include "tests/acre_test.h"
#include "traces/codec.h"
#include "traces/crc32c.h"
#include "traces/trace.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LIVE_MAX = 3000 };

typedef struct buffer {
    unsigned char *data;
    size_t n;
} buffer;

static char dir[64];

/* A path in a folder of this test's own. */
static const char *path_of(const char *name)
{
    static char path[128];
    if (!dir[0]) {
        snprintf(dir, sizeof dir, "/tmp/acre-test-trace-XXXXXX");
        ACRE_CHECK(mkdtemp(dir) != NULL);
    }
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void clean_up(void)
{
    char command[128];
    if (dir[0])
        snprintf(command, sizeof command, "rm -rf %s", dir);
    if (dir[0] && system(command) == 0)
        dir[0] = '\0';
}

static buffer slurp(const char *path)
{
    FILE *f = fopen(path, "rb");
    ACRE_CHECK(f != NULL, "%s", path);
    buffer b = {malloc(1 << 26), 0};
    b.n = fread(b.data, 1, 1 << 26, f);
    fclose(f);
    return b;
}

static void spill(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");
    ACRE_CHECK(f != NULL && fwrite(data, 1, n, f) == n);
    ACRE_CHECK(fclose(f) == 0);
}

/* ---- Random traces -------------------------------------------------------------------------- */

static uint64_t random_size(uint64_t *state)
{
    static const uint64_t common[] = {0, 1, 16, 24, 32, 100, 4096};
    switch (acre_test_below(state, 8)) {
    case 0:
        return acre_test_random(state) >> acre_test_below(state, 64) >> 12;
    case 1:
        return acre_test_below(state, 10000);
    default:
        return common[acre_test_below(state, 7)];
    }
}

typedef struct generator {
    uint64_t state, newest, live[LIVE_MAX], time;
    size_t n_live;
} generator;

static uint64_t take_live(generator *g)
{
    size_t i = acre_test_below(&g->state, g->n_live);
    uint64_t serial = g->live[i];
    g->live[i] = g->live[--g->n_live];
    return serial;
}

static acre_trace_op random_birth(generator *g)
{
    static const uint8_t kinds[] = {ACRE_TRACE_MALLOC, ACRE_TRACE_MALLOC, ACRE_TRACE_CALLOC,
                                    ACRE_TRACE_REALLOC, ACRE_TRACE_ALIGNED};
    acre_trace_op op = {.kind = kinds[acre_test_below(&g->state, 5)]};
    op.size = random_size(&g->state);
    if (op.kind == ACRE_TRACE_REALLOC && g->n_live && acre_test_below(&g->state, 8))
        op.old = take_live(g);
    if (op.kind == ACRE_TRACE_ALIGNED)
        op.align_log2 = (uint8_t)acre_test_below(&g->state, 22);
    op.flags = acre_test_below(&g->state, 4) ? 0 : ACRE_TRACE_CXX;
    op.serial = ++g->newest;
    g->live[g->n_live++] = op.serial;
    return op;
}

static acre_trace_op random_op(generator *g)
{
    uint64_t dice = acre_test_below(&g->state, 100);
    acre_trace_op op = {.kind = ACRE_TRACE_FREE};
    if (dice == 0)
        op = (acre_trace_op){.kind = ACRE_TRACE_EXT, .size = acre_test_random(&g->state),
                             .flags = (uint16_t)(1 + acre_test_below(&g->state, 4))};
    else if (dice == 1)
        op.serial = 0; /* free(NULL) */
    else if (g->n_live == LIVE_MAX || (g->n_live && dice < 48))
        op.serial = take_live(g);
    else
        op = random_birth(g);
    g->time += acre_test_below(&g->state, 5) * 1000;
    op.time = g->time;
    op.tid = acre_test_below(&g->state, 10) ? 0 : (uint32_t)acre_test_below(&g->state, 5);
    return op;
}

static acre_trace_op *random_ops(size_t n, uint64_t seed)
{
    generator *g = calloc(1, sizeof *g);
    acre_trace_op *ops = calloc(n + 1, sizeof *ops);
    g->state = seed;
    for (size_t i = 0; i < n; i++)
        ops[i] = random_op(g);
    free(g);
    return ops;
}

static acre_trace_writer *start_archive(const char *path, uint64_t ticks_per_s)
{
    acre_trace_writer *w = NULL;
    acre_trace_error e;
    acre_trace_options o = {.ticks_per_s = ticks_per_s, .wall_start_ns = 12345, .level = 1};
    ACRE_CHECK(acre_trace_writer_create(&w, path, &o, &e) == 0, "%s", e.text);
    ACRE_CHECK(acre_trace_writer_meta(w, "program", "test") == 0);
    return w;
}

static void add_all(acre_trace_writer *w, const acre_trace_op *ops, size_t n)
{
    acre_trace_error e;
    for (size_t i = 0; i < n; i++)
        ACRE_CHECK(acre_trace_writer_add(w, &ops[i], &e) == 0, "op %zu: %s", i, e.text);
}

static void write_archive(const char *path, const acre_trace_op *ops, size_t n, uint64_t ticks)
{
    acre_trace_error e;
    acre_trace_writer *w = start_archive(path, ticks);
    add_all(w, ops, n);
    ACRE_CHECK(acre_trace_writer_meta(w, "late", "yes") == 0);
    ACRE_CHECK(acre_trace_writer_finish(w, &e) == 0, "%s", e.text);
}

static acre_trace *open_trace(const char *path)
{
    acre_trace *t = NULL;
    acre_trace_error e;
    ACRE_CHECK(acre_trace_open(&t, path, &e) == 0, "%s", e.text);
    return t;
}

static bool same_op(const acre_trace_op *a, const acre_trace_op *b, bool timed)
{
    return a->serial == b->serial && a->old == b->old && a->size == b->size && a->tid == b->tid &&
           a->kind == b->kind && a->align_log2 == b->align_log2 && a->flags == b->flags &&
           b->time == (timed ? a->time : 0);
}

static void expect_ops(acre_trace *t, const acre_trace_op *ops, size_t n, bool timed)
{
    acre_trace_op op;
    acre_trace_error e;
    for (size_t i = 0; i < n; i++) {
        int got = acre_trace_next(t, &op, &e);
        ACRE_CHECK(got == 1, "op %zu: %d %s", i, got, got < 0 ? e.text : "");
        ACRE_CHECK(same_op(&ops[i], &op, timed), "op %zu", i);
    }
    ACRE_CHECK(acre_trace_next(t, &op, &e) == 0);
}

/* Opens and reads to the end: 0, or the first error. */
static int read_all(const char *path, acre_trace_error *e, uint64_t *n)
{
    acre_trace *t = NULL;
    acre_trace_op op;
    int got = acre_trace_open(&t, path, e);
    for (*n = 0; t && (got = acre_trace_next(t, &op, e)) == 1;)
        ++*n;
    acre_trace_close(t);
    return got;
}

/* ---- Round trips ---------------------------------------------------------------------------- */

ACRE_TEST(trace, round_trip_of_random_operations)
{
    static const size_t lengths[] = {0, 1, 2, 100, 65535, 65536, 65537, 200000};
    uint64_t seed = acre_test_seed();
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        acre_trace_op *ops = random_ops(lengths[i], seed + i);
        for (int timed = 0; timed < 2; timed++) {
            write_archive(path_of("a.acr"), ops, lengths[i], timed ? 1000000 : 0);
            acre_trace *t = open_trace(path_of("a.acr"));
            ACRE_CHECK(acre_trace_info_of(t)->n_ops == lengths[i]);
            expect_ops(t, ops, lengths[i], timed);
            ACRE_CHECK(acre_trace_rewind(t, NULL) == 0);
            expect_ops(t, ops, lengths[i], timed);
            acre_trace_close(t);
        }
        free(ops);
    }
    clean_up();
}

ACRE_TEST(trace, info_has_totals_and_both_metas)
{
    const acre_trace_op ops[] = {
        {.kind = ACRE_TRACE_MALLOC, .serial = 1, .size = 100},
        {.kind = ACRE_TRACE_MALLOC, .serial = 2, .size = 50, .tid = 3},
        {.kind = ACRE_TRACE_FREE, .serial = 1},
        {.kind = ACRE_TRACE_REALLOC, .serial = 3, .old = 2, .size = 149},
    };
    write_archive(path_of("a.acr"), ops, 4, 0);
    acre_trace *t = open_trace(path_of("a.acr"));
    const acre_trace_info *info = acre_trace_info_of(t);
    ACRE_CHECK(info->n_ops == 4 && info->n_objects == 3 && info->n_threads == 4);
    ACRE_CHECK(info->peak_live_bytes == 150 && info->peak_live_objects == 2);
    ACRE_CHECK(info->wall_start_ns == 12345 && !info->unfinished);
    ACRE_CHECK(strcmp(acre_trace_meta_get(info, "program"), "test") == 0);
    ACRE_CHECK(strcmp(acre_trace_meta_get(info, "late"), "yes") == 0);
    ACRE_CHECK(acre_trace_meta_get(info, "nothing") == NULL);
    acre_trace_close(t);
    clean_up();
}

ACRE_TEST(trace, seek_lands_on_the_operation)
{
    enum { N = 200000 };
    uint64_t state = acre_test_seed();
    acre_trace_op *ops = random_ops(N, state), op;
    acre_trace_error e;
    write_archive(path_of("a.acr"), ops, N, 1000000);
    acre_trace *t = open_trace(path_of("a.acr"));
    for (int i = 0; i < 40; i++) {
        uint64_t k = i == 0 ? 0 : i == 1 ? N - 1 : acre_test_below(&state, N);
        ACRE_CHECK(acre_trace_seek(t, k, &e) == 0, "%s", e.text);
        ACRE_CHECK(acre_trace_next(t, &op, &e) == 1);
        ACRE_CHECK(same_op(&ops[k], &op, true), "op %d", (int)k);
    }
    ACRE_CHECK(acre_trace_seek(t, N, &e) == ACRE_ETRACE_INVALID);
    acre_trace_close(t);
    free(ops);
    clean_up();
}

/* ---- Writers -------------------------------------------------------------------------------- */

ACRE_TEST(trace, writer_refuses_the_impossible)
{
    const acre_trace_op bad[] = {
        {.kind = ACRE_TRACE_MALLOC, .serial = 3},          /* not the next */
        {.kind = ACRE_TRACE_FREE, .serial = 2},            /* never born */
        {.kind = ACRE_TRACE_REALLOC, .serial = 2, .old = 7},
        {.kind = ACRE_TRACE_MALLOC, .serial = 2, .old = 1},
        {.kind = 4}, {.kind = 6}, {.kind = 8},
        {.kind = ACRE_TRACE_EXT, .flags = 14},
        {.kind = ACRE_TRACE_ALIGNED, .serial = 2, .align_log2 = 64},
        {.kind = ACRE_TRACE_MALLOC, .serial = 2, .flags = 2},
        {.kind = ACRE_TRACE_FREE, .serial = 1, .tid = 1u << 30},
    };
    const acre_trace_op good[] = {{.kind = ACRE_TRACE_MALLOC, .serial = 1, .size = 5},
                                  {.kind = ACRE_TRACE_FREE, .serial = 1}};
    acre_trace_writer *w = start_archive(path_of("a.acr"), 0);
    acre_trace_error e;
    add_all(w, good, 1);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ACRE_CHECK(acre_trace_writer_add(w, &bad[i], &e) == ACRE_ETRACE_INVALID, "%zu", i);
    add_all(w, good + 1, 1);
    ACRE_CHECK(acre_trace_writer_add(w, good + 1, &e) == ACRE_ETRACE_INVALID); /* twice */
    ACRE_CHECK(acre_trace_writer_finish(w, &e) == 0);
    acre_trace *t = open_trace(path_of("a.acr"));
    expect_ops(t, good, 2, false);
    acre_trace_close(t);
    clean_up();
}

ACRE_TEST(trace, name_appears_only_when_finished)
{
    acre_trace_writer *w = start_archive(path_of("a.acr"), 0);
    ACRE_CHECK(access(path_of("a.acr"), F_OK) != 0);
    ACRE_CHECK(access(path_of("a.acr.part"), F_OK) == 0);
    acre_trace_writer_abort(w);
    ACRE_CHECK(access(path_of("a.acr.part"), F_OK) != 0);
    ACRE_CHECK(acre_trace_writer_create(&w, "/nonexistent/a.acr", NULL, NULL) > 0);
    clean_up();
}

static void write_and_die(void *ops)
{
    acre_trace_writer *w = start_archive(path_of("a.acr"), 0);
    add_all(w, ops, 150000);
    _exit(0); /* nothing of the third chunk was written */
}

ACRE_TEST(trace, unfinished_archive_is_read_to_its_last_chunk)
{
    acre_trace_op *ops = random_ops(150000, acre_test_seed());
    path_of("");
    acre_test_run(write_and_die, ops);
    acre_trace *t = open_trace(path_of("a.acr.part"));
    ACRE_CHECK(acre_trace_info_of(t)->unfinished);
    ACRE_CHECK(acre_trace_info_of(t)->n_ops == 131072);
    ACRE_CHECK(acre_trace_meta_get(acre_trace_info_of(t), "program") != NULL);
    expect_ops(t, ops, 131072, false);
    acre_trace_close(t);

    /* Cut anywhere in the second chunk, it ends after the first. */
    buffer b = slurp(path_of("a.acr.part"));
    acre_trace_error e;
    uint64_t n;
    spill(path_of("cut"), b.data, b.n - 1);
    ACRE_CHECK(read_all(path_of("cut"), &e, &n) == 0 && n == 65536);
    free(b.data);
    free(ops);
    clean_up();
}

/* ---- Damage --------------------------------------------------------------------------------- */

static buffer small_archive(size_t n, uint64_t ticks)
{
    acre_trace_op *ops = random_ops(n, acre_test_seed());
    write_archive(path_of("good.acr"), ops, n, ticks);
    free(ops);
    return slurp(path_of("good.acr"));
}

static void expect_refused(const char *what, size_t at)
{
    acre_trace_error e = {0};
    uint64_t n;
    int got = read_all(path_of("bad.acr"), &e, &n);
    ACRE_CHECK(got != 0, "%s at %zu was not noticed", what, at);
    ACRE_CHECK(e.code == got && strstr(e.text, "bad.acr: ") && strstr(e.text, " at offset "),
               "%s at %zu: %s", what, at, e.text);
}

ACRE_TEST(trace, every_truncation_is_refused)
{
    buffer b = small_archive(200, 1000000);
    for (size_t n = 0; n < b.n; n++) {
        spill(path_of("bad.acr"), b.data, n);
        expect_refused("truncation", n);
    }
    free(b.data);
    clean_up();
}

ACRE_TEST(trace, every_flipped_bit_is_refused)
{
    buffer b = small_archive(100, 1000000);
    for (size_t i = 0; i < b.n * 8; i += acre_test_rounds(20) == 20 ? 1 : 7) {
        b.data[i / 8] ^= (unsigned char)(1 << i % 8);
        spill(path_of("bad.acr"), b.data, b.n);
        expect_refused("flipped bit", i);
        b.data[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    free(b.data);
    clean_up();
}

ACRE_TEST(trace, zeroed_and_appended_bytes_are_refused)
{
    buffer b = small_archive(300, 0);
    for (size_t i = 0; i < b.n; i++) {
        unsigned char was = b.data[i];
        b.data[i] = (unsigned char)~was;
        spill(path_of("bad.acr"), b.data, b.n);
        expect_refused("changed byte", i);
        b.data[i] = was;
    }
    b.data[b.n] = 0;
    spill(path_of("bad.acr"), b.data, b.n + 1);
    expect_refused("appended byte", b.n);
    free(b.data);
    clean_up();
}

ACRE_TEST(trace, chunks_of_another_archive_are_refused)
{
    /* The same operations, but the file began at another time: the chunks do not fit. */
    buffer b = small_archive(300, 0);
    b.data[24] ^= 1;
    spill(path_of("bad.acr"), b.data, b.n);
    expect_refused("foreign header", 24);
    free(b.data);
    clean_up();
}

static int open_code(const char *path)
{
    acre_trace *t = NULL;
    acre_trace_error e;
    int err = acre_trace_open(&t, path, &e);
    ACRE_CHECK(t == NULL && err == e.code && e.text[0]);
    return err;
}

ACRE_TEST(trace, foreign_files_and_versions_are_named_as_such)
{
    buffer b = small_archive(10, 0);
    spill(path_of("bad.acr"), "just some text, and more of it\n", 31);
    ACRE_CHECK(open_code(path_of("bad.acr")) == ACRE_ETRACE_FORMAT);
    spill(path_of("bad.acr"), "", 0);
    ACRE_CHECK(open_code(path_of("bad.acr")) == ACRE_ETRACE_FORMAT);
    b.data[8] = 2;
    spill(path_of("bad.acr"), b.data, b.n);
    ACRE_CHECK(open_code(path_of("bad.acr")) == ACRE_ETRACE_VERSION);
    ACRE_CHECK(open_code("/nonexistent/file") > 0);
    ACRE_CHECK(open_code("/tmp") == ACRE_ETRACE_FORMAT);
    free(b.data);
    clean_up();
}

ACRE_TEST(trace, huge_sizes_in_headers_take_no_memory)
{
    /* Sizes of chunk and column are far beyond the file; each must be refused before it is used. */
    static const size_t fields[] = {8, 12, 16, 48 + 4, 48 + 8};
    buffer b = small_archive(10, 0);
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        buffer bad = {malloc(b.n), b.n};
        memcpy(bad.data, b.data, b.n);
        memset(bad.data + 64 + fields[i], 0xff, 4);
        spill(path_of("bad.acr"), bad.data, bad.n);
        expect_refused("huge size", fields[i]);
        free(bad.data);
    }
    free(b.data);
    clean_up();
}

/* ---- The format itself ---------------------------------------------------------------------- */

ACRE_TEST(trace, crc32c_of_the_standard)
{
    unsigned char zeros[32] = {0}, digits[] = "123456789";
    ACRE_CHECK(acre__crc32c(0, zeros, 32) == 0x8A9136AA); /* RFC 3720, B.4 */
    ACRE_CHECK(acre__crc32c(0, digits, 9) == 0xE3069283);
    ACRE_CHECK(acre__crc32c(acre__crc32c(0, digits, 4), digits + 4, 5) == 0xE3069283);
}

ACRE_TEST(trace, operations_have_the_documented_bytes)
{
    static const struct {
        acre_trace_op op;
        unsigned char bytes[4];
        size_t n;
    } want[] = {
        {{.kind = ACRE_TRACE_MALLOC, .serial = 1, .size = 200}, {0x78, 0xc8, 0x01}, 3},
        {{.kind = ACRE_TRACE_CALLOC, .serial = 2, .size = 200}, {0x01}, 1},
        {{.kind = ACRE_TRACE_MALLOC, .serial = 3, .size = 0, .flags = ACRE_TRACE_CXX}, {0x88}, 1},
        {{.kind = ACRE_TRACE_REALLOC, .serial = 4, .old = 2, .size = 200}, {0x0a, 0x02}, 2},
        {{.kind = ACRE_TRACE_ALIGNED, .serial = 5, .size = 7, .align_log2 = 12}, {0x7d, 7, 12}, 3},
        {{.kind = ACRE_TRACE_FREE, .serial = 5}, {0x03}, 1},            /* age 0 */
        {{.kind = ACRE_TRACE_FREE, .serial = 4}, {0x0c}, 1},            /* one before, zigzag 1 */
        {{.kind = ACRE_TRACE_FREE}, {0x7b, 0x00}, 2},                   /* free(NULL) */
        {{.kind = ACRE_TRACE_EXT, .flags = ACRE_TRACE_EXT_FAILED, .size = 300}, {0x1f, 0xac, 2}, 3},
    };
    acre__codec put, get;
    acre__codec_init(&put, 0);
    acre__codec_init(&get, 0);
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        unsigned char out[ACRE__CODEC_OP_MAX];
        acre_trace_op op;
        size_t n = acre__codec_put(&put, &want[i].op, out);
        ACRE_CHECK(n == want[i].n && memcmp(out, want[i].bytes, n) == 0, "%zu: %02x", i, out[0]);
        ACRE_CHECK(acre__codec_get(&get, &op, out, out + n) == n);
        ACRE_CHECK(same_op(&want[i].op, &op, false));
        ACRE_CHECK(acre__codec_get(&get, &op, out, out) == 0);
    }
}

/* tests/data/golden.acr was written by the first version; what can be read once stays readable. */
ACRE_TEST(trace, golden_archive_stays_readable)
{
    acre_trace *acr = open_trace("tests/data/golden.acr");
    acre_trace *rep = open_trace("tests/data/golden.rep");
    acre_trace_op a, b;
    ACRE_CHECK(acre_trace_info_of(acr)->n_ops == 8);
    while (acre_trace_next(rep, &a, NULL) == 1)
        ACRE_CHECK(acre_trace_next(acr, &b, NULL) == 1 && same_op(&a, &b, false));
    ACRE_CHECK(acre_trace_next(acr, &b, NULL) == 0);
    acre_trace_close(acr);
    acre_trace_close(rep);
}
