/* SPDX-License-Identifier: MIT */
/* lab.c: memory and clock of the measuring code. */
#include "bench/lab.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static void *lab_map(size_t bytes, int flags)
{
    void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

void *acre_lab_map(size_t bytes)
{
    return lab_map(bytes, MAP_PRIVATE | MAP_NORESERVE);
}

void *acre_lab_map_segment(size_t bytes)
{
    return lab_map(bytes, MAP_SHARED | MAP_NORESERVE);
}

void acre_lab_populate(void *p, size_t bytes)
{
    for (size_t i = 0; i < bytes; i += 4096)
        *(volatile char *)((char *)p + i) = 0;
}

void acre_lab_unmap(void *p, size_t bytes)
{
    if (p)
        munmap(p, bytes ? bytes : 1);
}

void acre_lab_forget(void *p, size_t bytes)
{
    madvise(p, bytes, MADV_REMOVE);
}

static int lab_vector_grow(acre_lab_vector *v, size_t bytes)
{
    size_t room = v->room ? 2 * v->room : 1 << 16;
    while (room < v->used + bytes)
        room *= 2;
    void *p = v->data ? mremap(v->data, v->room, room, MREMAP_MAYMOVE) : acre_lab_map(room);
    if (!p || p == MAP_FAILED)
        return -1;
    v->data = p;
    v->room = room;
    return 0;
}

void *acre_lab_vector_push(acre_lab_vector *v, size_t bytes)
{
    if (v->used + bytes > v->room && lab_vector_grow(v, bytes))
        return NULL;
    void *p = (char *)v->data + v->used;
    v->used += bytes;
    return p;
}

void *acre_lab_vector_take(acre_lab_vector *v)
{
    size_t keep = (v->used + 4095) & ~(size_t)4095;
    void *p = v->data;
    if (keep < v->room)
        munmap((char *)p + keep, v->room - keep);
    *v = (acre_lab_vector){0};
    return p;
}

void acre_lab_vector_free(acre_lab_vector *v)
{
    acre_lab_unmap(v->data, v->room);
    *v = (acre_lab_vector){0};
}

uint64_t acre_lab_now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The number behind `key` in a file of /proc, in KiB there; 0 if it is missing.  Plain read():
 * stdio would allocate. */
static uint64_t lab_proc_bytes(const char *file, const char *key)
{
    char text[4096];
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    if (n <= 0)
        return 0;
    text[n] = '\0';
    const char *at = strstr(text, key);
    return at ? strtoull(at + strlen(key), NULL, 10) << 10 : 0;
}

uint64_t acre_lab_resident(void)
{
    return lab_proc_bytes("/proc/self/smaps_rollup", "\nRss:");
}

uint64_t acre_lab_anonymous(pid_t process)
{
    char file[64];
    snprintf(file, sizeof file, "/proc/%d/smaps_rollup", (int)process);
    return lab_proc_bytes(file, "\nAnonymous:");
}

uint64_t acre_lab_resident_peak(void)
{
    return lab_proc_bytes("/proc/self/status", "\nVmHWM:");
}

void acre_lab_reset_peak(void)
{
    int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    ssize_t ignored = write(fd, "5", 1);
    (void)ignored;
    close(fd);
}

uint64_t acre_lab_minor_faults(void)
{
    struct rusage r;
    getrusage(RUSAGE_SELF, &r);
    return (uint64_t)r.ru_minflt;
}
