/* SPDX-License-Identifier: MIT */
/* support_script.h: images by hand, operation by operation. */
#ifndef ACRE_TESTS_SUPPORT_SCRIPT_H
#define ACRE_TESTS_SUPPORT_SCRIPT_H

#include "bench/image.h"
#include "tests/acre_test.h"
#include "traces/trace.h"

typedef struct script {
    acre_image_builder *b;
    uint64_t born;
} script;

static inline script script_begin(void)
{
    script s = {acre_image_builder_create(), 0};
    ACRE_CHECK(s.b != NULL);
    return s;
}

/* By thread `tid` of the trace: the serial of the object. */
static inline uint64_t script_do_by(script *s, int kind, uint64_t old, uint64_t size, uint32_t tid)
{
    acre_trace_op op = {
        .kind = (uint8_t)kind, .old = old, .size = size, .serial = ++s->born, .tid = tid};
    op.align_log2 = kind == ACRE_TRACE_ALIGNED ? 8 : 0;
    ACRE_CHECK_EQUAL(acre_image_builder_add(s->b, &op), 0);
    return s->born;
}

static inline uint64_t script_malloc_by(script *s, uint64_t size, uint32_t tid)
{
    return script_do_by(s, ACRE_TRACE_MALLOC, 0, size, tid);
}

static inline int script_try_free(script *s, uint64_t serial, uint32_t tid)
{
    acre_trace_op op = {.kind = ACRE_TRACE_FREE, .serial = serial, .tid = tid};
    return acre_image_builder_add(s->b, &op);
}

static inline void script_free_by(script *s, uint64_t serial, uint32_t tid)
{
    ACRE_CHECK_EQUAL(script_try_free(s, serial, tid), 0);
}

static inline uint64_t script_do(script *s, int kind, uint64_t old, uint64_t size)
{
    return script_do_by(s, kind, old, size, 0);
}

static inline uint64_t script_malloc(script *s, uint64_t size)
{
    return script_malloc_by(s, size, 0);
}

static inline void script_free(script *s, uint64_t serial)
{
    script_free_by(s, serial, 0);
}

static inline acre_image script_end(script *s)
{
    acre_image m;
    ACRE_CHECK_EQUAL(acre_image_builder_finish(s->b, 0, &m), 0);
    acre_image_builder_destroy(s->b);
    return m;
}

#endif
