/* SPDX-License-Identifier: MIT */
/* remove.c: taking segments' names away. */
#include "segment/internal.h"

#include <errno.h>
#include <unistd.h>

static int remove_file(acre__file *f)
{
    uint64_t magic = 0;
    if (pread(f->fd, &magic, sizeof magic, 0) != sizeof magic || magic != SEGMENT_MAGIC)
        return ACRE_EFORMAT;
    return acre__file_unlink(f);
}

int acre_segment_remove(enum acre_source source, const char *name)
{
    static const acre_segment_options look = {.any_owner = true};
    acre__file f;
    if (source == ACRE_XSI)
        return acre__xsi_remove(name);
    if (source != ACRE_SHM && source != ACRE_FILE)
        return ENOTSUP;
    int e = acre__source_locate(&f, source, name);
    if (!e)
        e = acre__source_open(&f, source, true, &look);
    if (!e)
        e = remove_file(&f);
    acre__file_close(&f);
    return e;
}

void acre_remove_guard_end(acre_remove_guard *g)
{
    if (g->name)
        acre_segment_remove(g->source, g->name);
}
