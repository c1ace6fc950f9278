/* SPDX-License-Identifier: MIT */
/* fuzz_segment.c: a libFuzzer target: segments that a stranger wrote.  Built and run by `make fuzz`.
 *
 * The corpus begins with real images of every algorithm, made here; the mutator knows where their words are.  An
 * image that breaks something is an image: `acre segment check FILE` takes it. */
#include "tests/support_hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed);
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *two,
                                 size_t two_size, uint8_t *out, size_t room, unsigned seed);

int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
long __wrap_syscall(long n, long a, long b, long c, long d, long e, long f);
long __real_syscall(long n, long a, long b, long c, long d, long e, long f);

static hostile_place place;

/* The library naps where it waits for others, and here are none: the linker leads its naps here. */
int __wrap_nanosleep(const struct timespec *time, struct timespec *left)
{
    (void)time;
    (void)left;
    return 0;
}

long __wrap_syscall(long n, long a, long b, long c, long d, long e, long f)
{
    return n == SYS_clock_nanosleep ? 0 : __real_syscall(n, a, b, c, d, e, f);
}

static void fuzz_write(const char *dir, const char *name, unsigned kind, const unsigned char *image,
                       size_t size)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s.%u", dir, name, kind);
    FILE *f = fopen(path, "wb");
    if (!f || fwrite(image, 1, size, f) != size || fclose(f) != 0)
        abort();
}

/* Into the first folder that is named: libFuzzer reads it next. */
static void fuzz_seed(const char *dir)
{
    static unsigned char image[HOSTILE_ROOM];
    const acre_algorithm *a;
    for (size_t i = 0; (a = acre_algorithm_at(i)); i++)
        for (unsigned kind = 0; kind < HOSTILE_KINDS; kind++) {
            size_t n = hostile_make(image, a, kind);
            if (n)
                fuzz_write(dir, a->name, kind, image, n);
        }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct stat st;
    if (hostile_place_make(&place) != 0)
        abort();
    for (int i = 1; i < *argc; i++)
        if (stat((*argv)[i], &st) == 0 && S_ISDIR(st.st_mode)) {
            fuzz_seed((*argv)[i]);
            break;
        }
    return 0;
}

/* How it is met depends on the input alone, so that a finding can be repeated. */
static unsigned fuzz_way(const uint8_t *data, size_t size)
{
    unsigned way = (unsigned)size;
    for (size_t i = 0; i < size; i += 61)
        way = way * 31 + data[i];
    return way % 64;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static unsigned char image[HOSTILE_ROOM];
    hostile_seen seen;
    if (size > HOSTILE_ROOM)
        return 0;
    unsigned way = fuzz_way(data, size);
    memcpy(image, data, size);
    hostile_unlock(image, size);
    hostile_meet(&place, image, size, way % 4 == 0, way == 1, &seen);
    if (seen.left) /* what the check has passed is a heap, and stays one */
        abort();
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t room, unsigned seed)
{
    static unsigned char whole[HOSTILE_ROOM];
    const acre_algorithm *a = acre_algorithm_at(seed / 8 % 9);
    if (size < 256 && a && room >= HOSTILE_ROOM &&
        (size = hostile_make(whole, a, seed % HOSTILE_KINDS)) != 0)
        memcpy(data, whole, size);
    return hostile_mutate(data, size, room < HOSTILE_ROOM ? room : HOSTILE_ROOM, seed);
}

/* The first up to some word, the second from there on. */
size_t LLVMFuzzerCustomCrossOver(const uint8_t *one, size_t one_size, const uint8_t *two,
                                 size_t two_size, uint8_t *out, size_t room, unsigned seed)
{
    size_t least = one_size < two_size ? one_size : two_size;
    if (one_size > room || least == 0)
        return 0;
    size_t at = seed % least & ~(size_t)7, n = seed / 64 % 512;
    memcpy(out, one, one_size);
    memcpy(out + at, two + at, n < least - at ? n : least - at);
    if (one_size >= 256)
        hostile_sign(out);
    return one_size;
}
