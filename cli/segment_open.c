/* SPDX-License-Identifier: MIT */
/* segment_open.c: which segment is meant, and opening it so that nobody notices. */
#include "cli/cli.h"
#include "cli/segment_tools.h"

#include "segment/layout.h"
#include "sync/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum acre_source segment_source(const char *name)
{
    char shared[300];
    snprintf(shared, sizeof shared, ACRE__SHM_DIR "/" ACRE__SHM_PREFIX "%.200s", name);
    bool file = strchr(name, '/') || (access(shared, F_OK) != 0 && access(name, F_OK) == 0);
    return file ? ACRE_FILE : ACRE_SHM;
}

void segment_path(const char *name, char path[4096])
{
    bool file = segment_source(name) == ACRE_FILE;
    snprintf(path, 4096, "%s%.4000s", file ? "" : ACRE__SHM_DIR "/" ACRE__SHM_PREFIX, name);
}

int segment_open_to_look(acre_segment **s, const char *name)
{
    static const acre_segment_options look = {.read_only = true, .any_owner = true};
    return acre_segment_open(s, segment_source(name), name, &look);
}

/* ---- why not ---- */

static bool open_header(const char *name, segment_header *h, uint64_t *length)
{
    char path[4096];
    struct stat st;
    segment_path(name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    bool read = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && pread(fd, h, sizeof *h, 0) == sizeof *h;
    if (read)
        *length = (uint64_t)st.st_size;
    if (fd >= 0)
        close(fd);
    return read;
}

/* FNV-1a, as the format has it. */
static uint64_t open_checksum(const segment_header *h)
{
    const unsigned char *byte = (const unsigned char *)h;
    uint64_t sum = 0xcbf29ce484222325u;
    for (size_t i = 0; i < SEGMENT_CONSTANT; i++)
        sum = (sum ^ byte[i]) * 0x100000001b3u;
    return sum;
}

static const char *open_damage(const segment_header *h)
{
    if (h->checksum != open_checksum(h))
        return "its header's checksum is wrong";
    if (h->size < h->heap || h->size > h->capacity || h->capacity > ACRE_SIZE_MAX)
        return "the sizes in its header are impossible";
    if (h->state != SEGMENT_READY)
        return "its header's state is not \"ready\"";
    return "the heap's control, or its algorithm's constants, are no such heap's";
}

/* More than the error's own text, where there are several reasons for it. */
static void open_explain(const segment_header *h, uint64_t length, int error, char text[160])
{
    char name[33];
    snprintf(name, sizeof name, "%.32s", h->algorithm);
    if (error == ACRE_ECORRUPT)
        snprintf(text, 160, ": %s", open_damage(h));
    else if (error == ACRE_EVERSION && h->format != SEGMENT_FORMAT)
        snprintf(text, 160, ": format %u, this is for %d", h->format, SEGMENT_FORMAT);
    else if (error == ACRE_EVERSION)
        snprintf(text, 160, ": layout %u of %s", h->algorithm_version, name);
    else if (error == ACRE_EALGORITHM)
        snprintf(text, 160, ": \"%s\"", name);
    else if (error == ACRE_ETRUNCATED)
        snprintf(text, 160, ": %" PRIu64 " bytes, not %" PRIu64, length, h->size);
}

int segment_refuse(const char *name, int error)
{
    segment_header h;
    uint64_t length = 0;
    char more[160] = "";
    if (error < 0 && open_header(name, &h, &length))
        open_explain(&h, length, error, more);
    for (char *c = more; *c; c++)
        *c = (unsigned char)*c < 32 || (unsigned char)*c > 126 ? '?' : *c;
    return cli_fail("%s: %s%s", name, acre_strerror(error), more);
}
