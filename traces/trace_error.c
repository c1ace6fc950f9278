/* SPDX-License-Identifier: MIT */
/* trace_error.c: one ready line for every failure, and exact reads. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "traces/internal.h"

int acre__trace_fail(acre_trace_error *e, int code, const char *path, uint64_t offset,
                     const char *what, ...)
{
    if (!e)
        return code;
    e->code = code;
    e->offset = offset;

    /* The file name may be long; what went wrong must never be cut off. */
    char text[160], where[40] = "";
    va_list args;
    va_start(args, what);
    vsnprintf(text, sizeof text, what, args);
    va_end(args);
    if (code < 0) /* errno values are about the file, not about a place in it */
        snprintf(where, sizeof where, " at offset %llu", (unsigned long long)offset);
    int room = (int)(sizeof e->text - strlen(text) - 40);
    int skip = (int)strlen(path) > room ? (int)strlen(path) - room : 0;
    snprintf(e->text, sizeof e->text, "%s%s: %s%s", skip ? "..." : "", path + skip, text, where);
    return code;
}

int acre__trace_pread(int fd, void *buf, size_t n, uint64_t offset, const char *path,
                      acre_trace_error *e)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(fd, (char *)buf + done, n - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return acre__trace_fail(e, ACRE_ETRACE_IO, path, offset + done, "cannot read: %s",
                                    strerror(errno));
        if (got == 0)
            return acre__trace_fail(e, ACRE_ETRACE_CORRUPT, path, offset + done,
                                    "file ends too early");
        done += (size_t)got;
    }
    return 0;
}
