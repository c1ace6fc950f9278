/* SPDX-License-Identifier: MIT */
/* image_compile.c: from a trace's file to an image. */
#include "bench/image.h"

#include "traces/trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static int compile_error(acre_trace_error *e, const char *trace, int code)
{
    e->code = code;
    snprintf(e->text, sizeof e->text, "%.150s: %s", trace,
             code == EINVAL ? "operations contradict each other" : strerror(code));
    return code;
}

static int compile_ops(acre_image_builder *b, acre_trace *t, uint64_t max_ops, const char *trace,
                       acre_trace_error *e)
{
    acre_trace_op op;
    for (uint64_t n = 0; !max_ops || n < max_ops; n++) {
        int r = acre_trace_next(t, &op, e);
        if (r <= 0)
            return r;
        r = acre_image_builder_add(b, &op);
        if (r)
            return compile_error(e, trace, r);
    }
    return 0;
}

static int compile_trace(acre_image *m, acre_trace *t, uint64_t max_ops, const char *trace,
                         acre_trace_error *e)
{
    acre_image_builder *b = acre_image_builder_create();
    if (!b)
        return compile_error(e, trace, ENOMEM);
    uint64_t all = acre_trace_info_of(t)->n_ops;
    int r = compile_ops(b, t, max_ops, trace, e);
    if (!r && acre_image_builder_finish(b, max_ops && max_ops < all ? all : 0, m))
        r = compile_error(e, trace, ENOMEM);
    acre_image_builder_destroy(b);
    return r;
}

int acre_image_compile(acre_image *m, const char *trace, uint64_t max_ops, acre_trace_error *e)
{
    acre_trace *t;
    int r = acre_trace_open(&t, trace, e);
    if (r)
        return r;
    r = compile_trace(m, t, max_ops, trace, e);
    acre_trace_close(t);
    return r;
}

static int compile_and_save(const char *path, const char *trace, uint64_t max_ops,
                            acre_trace_error *e)
{
    acre_image m;
    int r = acre_image_compile(&m, trace, max_ops, e);
    if (r)
        return r;
    r = acre_image_save(&m, path);
    acre_image_unmap(&m);
    return r ? compile_error(e, path, r) : 0;
}

int acre_image_compile_file(const char *path, const char *trace, uint64_t max_ops,
                            acre_trace_error *e)
{
    acre_trace_error *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED)
        return compile_error(e, trace, errno);
    compile_error(shared, trace, EIO); /* what stands if the child dies */
    pid_t child = fork();
    if (child == 0) {
        shared->code = compile_and_save(path, trace, max_ops, shared);
        _exit(0);
    }
    int status;
    if (child < 0 || waitpid(child, &status, 0) != child)
        compile_error(shared, trace, errno);
    *e = *shared;
    munmap(shared, sizeof *shared);
    return e->code;
}
