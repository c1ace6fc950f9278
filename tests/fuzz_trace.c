/* SPDX-License-Identifier: MIT */
/* Any bytes as a trace: an error or operations, never a crash, a hang or much memory.
 *
 * The CRCs would keep a fuzzer out of the parsers, so an input that begins with "ACRETRC" is tried
 * twice: as it is, and with the CRC of each chunk put right.
 *
 *     clang -fsanitize=fuzzer,address,undefined …       explores
 *     -DACRE_FUZZ_MAIN                                  runs the files and folders named */
#include "traces/crc32c.h"
#include "traces/trace.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

enum { FUZZ_OPS = 2000000, HEADER = 64, CHUNK = 48, MAX_INPUT = 1 << 20 };

static void fuzz_read(const char *path)
{
    acre_trace *t = NULL;
    acre_trace_op op;
    acre_trace_error e;
    if (acre_trace_open(&t, path, &e) != 0)
        return;
    const acre_trace_info *info = acre_trace_info_of(t);
    for (long i = 0; i < FUZZ_OPS && acre_trace_next(t, &op, &e) == 1; i++)
        if (op.serial > info->n_objects || op.old >= (op.old ? op.serial : 1) ||
            op.tid >= info->n_threads)
            abort();
    if (acre_trace_seek(t, info->n_ops / 2, &e) == 0)
        acre_trace_next(t, &op, &e);
    acre_trace_close(t);
}

static void fuzz_file(const uint8_t *data, size_t n)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (fd >= 0 && write(fd, data, n) == (ssize_t)n)
        fuzz_read(path);
    close(fd);
}

static uint32_t fuzz_u32(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

/* Walks the chunks and makes their CRCs right (see traces/README.md for what they cover). */
static void fuzz_mend(uint8_t *data, size_t n)
{
    for (size_t at = HEADER; at + CHUNK <= n;) {
        uint8_t *head = data + at;
        size_t stored = fuzz_u32(head + 12);
        if (stored > n - at - CHUNK)
            return;
        memset(head + 40, 0, 4);
        uint32_t crc = acre__crc32c(0, data, head[4] == 3 ? HEADER : 32);
        crc = acre__crc32c(acre__crc32c(crc, head, CHUNK), head + CHUNK, stored);
        for (int i = 0; i < 4; i++)
            head[40 + i] = (uint8_t)(crc >> 8 * i);
        at += CHUNK + stored;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t copy[MAX_INPUT];
    if (n > sizeof copy)
        return 0;
    fuzz_file(data, n);
    if (n < HEADER || memcmp(data, "ACRETRC", 7) != 0)
        return 0;
    memcpy(copy, data, n);
    fuzz_mend(copy, n);
    fuzz_file(copy, n);
    return 0;
}

#ifdef ACRE_FUZZ_MAIN
#include <dirent.h>

static int fuzz_one(const char *path)
{
    static uint8_t data[MAX_INPUT];
    FILE *f = fopen(path, "rb");
    if (!f)
        return 1;
    size_t n = fread(data, 1, sizeof data, f);
    fclose(f);
    LLVMFuzzerTestOneInput(data, n);
    return 0;
}

static int fuzz_folder(const char *path)
{
    DIR *d = opendir(path);
    if (!d)
        return fuzz_one(path);
    int bad = 0;
    for (struct dirent *entry; (entry = readdir(d));) {
        char name[4096];
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            bad |= fuzz_one(name);
    }
    closedir(d);
    return bad;
}

int main(int argc, char **argv)
{
    int bad = argc < 2;
    for (int i = 1; i < argc; i++)
        bad |= fuzz_folder(argv[i]);
    return bad;
}
#endif
