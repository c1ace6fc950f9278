/* SPDX-License-Identifier: MIT */
/* remove.c: taking names away. */
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

void acre_remover_end(acre_remover *r)
{
    if (r->name && r->remove_from)
        r->remove_from(r->source, r->name);
    else if (r->name)
        r->remove(r->name);
}
