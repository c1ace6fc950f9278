/* SPDX-License-Identifier: MIT */
/* malloclab's .rep files with everything odd that real ones contain, and the way back. */
#include "tests/acre_test.h"
#include "traces/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char rep_path[64], out_path[64];

static void rep_make(const char *text)
{
    snprintf(rep_path, sizeof rep_path, "/tmp/acre-test-%d.rep", (int)getpid());
    snprintf(out_path, sizeof out_path, "/tmp/acre-test-%d.out", (int)getpid());
    FILE *f = fopen(rep_path, "w");
    ACRE_CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

static acre_trace *rep_load(const char *text)
{
    acre_trace *t = NULL;
    acre_trace_error e;
    rep_make(text);
    int err = acre_trace_open(&t, rep_path, &e);
    ACRE_CHECK(err == 0, "%s", e.text);
    ACRE_CHECK(strcmp(acre_trace_info_of(t)->format, "rep") == 0);
    unlink(rep_path);
    return t;
}

static void rep_expect(acre_trace *t, unsigned kind, uint64_t serial, uint64_t old, uint64_t size)
{
    acre_trace_op op;
    acre_trace_error e;
    ACRE_CHECK(acre_trace_next(t, &op, &e) == 1);
    ACRE_CHECK(op.kind == kind && op.serial == serial && op.old == old && op.size == size,
               "kind %u serial %d old %d size %d", op.kind, (int)op.serial, (int)op.old,
               (int)op.size);
}

static void rep_end(acre_trace *t)
{
    acre_trace_op op;
    ACRE_CHECK(acre_trace_next(t, &op, NULL) == 0);
    acre_trace_close(t);
}

static bool rep_meta(acre_trace *t, const char *key, const char *value)
{
    const char *found = acre_trace_meta_get(acre_trace_info_of(t), key);
    return found && strcmp(found, value) == 0;
}

ACRE_TEST(trace_rep, both_headers_and_line_ends)
{
    acre_trace *t = rep_load("20000\n2\n3\n1\na 0 512\na 1 16\nf 0\n");
    ACRE_CHECK(rep_meta(t, "source.format", "rep (2002 header)"));
    ACRE_CHECK(acre_trace_info_of(t)->n_ops == 3 && acre_trace_info_of(t)->peak_live_bytes == 528);
    rep_expect(t, ACRE_TRACE_MALLOC, 1, 0, 512);
    rep_expect(t, ACRE_TRACE_MALLOC, 2, 0, 16);
    rep_expect(t, ACRE_TRACE_FREE, 1, 0, 0);
    rep_end(t);

    t = rep_load("1\r\n1\r\n2\r\n100\r\n\r\na 0 100\r\nf 0");
    ACRE_CHECK(rep_meta(t, "source.format", "rep (2010 header)"));
    rep_expect(t, ACRE_TRACE_MALLOC, 1, 0, 100);
    rep_expect(t, ACRE_TRACE_FREE, 1, 0, 0);
    rep_end(t);

    t = rep_load("1 1 1 100\n  a   7\t5  \n");
    rep_expect(t, ACRE_TRACE_MALLOC, 1, 0, 5);
    rep_end(t);
}

ACRE_TEST(trace_rep, free_null_and_realloc_oddities)
{
    acre_trace *t = rep_load("0\n3\n6\n1\nf -1\nr 0 10\nr 0 20\nr 0 0\nr 0 30\nf 0\n");
    ACRE_CHECK(rep_meta(t, "import.free_null", "1"));
    ACRE_CHECK(rep_meta(t, "import.realloc_of_dead_id", "2"));
    ACRE_CHECK(rep_meta(t, "import.realloc_to_zero", "1"));
    rep_expect(t, ACRE_TRACE_FREE, 0, 0, 0);
    rep_expect(t, ACRE_TRACE_REALLOC, 1, 0, 10);
    rep_expect(t, ACRE_TRACE_REALLOC, 2, 1, 20);
    rep_expect(t, ACRE_TRACE_FREE, 2, 0, 0);
    rep_expect(t, ACRE_TRACE_REALLOC, 3, 0, 30);
    rep_expect(t, ACRE_TRACE_FREE, 3, 0, 0);
    rep_end(t);
}

ACRE_TEST(trace_rep, reused_ids_missing_sizes_dead_frees)
{
    acre_trace *t = rep_load("1\n2\n9\n0\na 5 10\na 5 11\na 10 \nf 5\nf 5\nf 99\n");
    ACRE_CHECK(rep_meta(t, "import.leaked_by_reuse_of_id", "1"));
    ACRE_CHECK(rep_meta(t, "import.skipped_without_size", "1"));
    ACRE_CHECK(rep_meta(t, "import.skipped_unknown_free", "2"));
    ACRE_CHECK(rep_meta(t, "import.operations_promised", "9"));
    ACRE_CHECK(acre_trace_info_of(t)->peak_live_bytes == 21); /* the first was never freed */
    rep_expect(t, ACRE_TRACE_MALLOC, 1, 0, 10);
    rep_expect(t, ACRE_TRACE_MALLOC, 2, 0, 11);
    rep_expect(t, ACRE_TRACE_FREE, 2, 0, 0);
    rep_end(t);
}

ACRE_TEST(trace_rep, sizes_have_64_bits)
{
    acre_trace *t = rep_load("1\n1\n1\n0\na 0 58000000000000000\n");
    rep_expect(t, ACRE_TRACE_MALLOC, 1, 0, 58000000000000000);
    rep_end(t);
}

static void rep_expect_bad(const char *text, uint64_t offset)
{
    acre_trace *t = NULL;
    acre_trace_error e;
    rep_make(text);
    ACRE_CHECK(acre_trace_open(&t, rep_path, &e) == ACRE_ETRACE_CORRUPT, "%s", text);
    ACRE_CHECK(e.offset == offset, "%s: %s", text, e.text);
    unlink(rep_path);
}

ACRE_TEST(trace_rep, nonsense_is_refused_with_its_offset)
{
    rep_expect_bad("1\n1\n1\n0\na 0 1\nx 0 1\n", 14);
    rep_expect_bad("1\n1\n1\n0\na 0 1 2\n", 8);
    rep_expect_bad("1\n1\n1\n0\nf -12\n", 8);
    rep_expect_bad("1\n1\n1\n0\na -1 2\n", 8);
    rep_expect_bad("1\n1\n1\n0\na 1 99999999999999999999999\n", 8);
}

static void rep_export(acre_trace *t, const char *path)
{
    acre_trace_error e;
    ACRE_CHECK(acre_trace_export_rep(t, path, NULL, &e) == 0, "%s", e.text);
}

static bool rep_same(const acre_trace_op *a, const acre_trace_op *b)
{
    return a->kind == b->kind && a->serial == b->serial && a->old == b->old && a->size == b->size;
}

ACRE_TEST(trace_rep, export_then_import_is_the_same_trace)
{
    enum { N = 20000, IDS = 300 };
    uint64_t state = acre_test_seed();
    char *text = malloc(N * 32), *p = text;
    p += sprintf(p, "1\n%d\n%d\n0\n", IDS, N);
    for (int i = 0; i < N; i++) {
        int id = (int)acre_test_below(&state, IDS), size = 1 + (int)acre_test_below(&state, 9999);
        switch (acre_test_below(&state, 4)) {
        case 0: p += sprintf(p, "f %d\n", id); break;
        case 1: p += sprintf(p, "r %d %d\n", id, size); break;
        case 2: p += sprintf(p, i % 50 ? "a %d %d\n" : "f -1\n", id, size); break;
        default: p += sprintf(p, "a %d %d\n", id, size);
        }
    }
    acre_trace *a = rep_load(text), *b = NULL;
    acre_trace_op x, y;
    rep_export(a, out_path);
    ACRE_CHECK(acre_trace_rewind(a, NULL) == 0 && acre_trace_open(&b, out_path, NULL) == 0);
    unlink(out_path);
    ACRE_CHECK(acre_trace_info_of(a)->n_ops == acre_trace_info_of(b)->n_ops);
    for (int got; (got = acre_trace_next(a, &x, NULL)) != 0;) {
        ACRE_CHECK(got == 1 && acre_trace_next(b, &y, NULL) == 1);
        ACRE_CHECK(rep_same(&x, &y), "serial %d", (int)x.serial);
    }
    rep_end(b);
    acre_trace_close(a);
    free(text);
}
