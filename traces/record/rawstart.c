/* SPDX-License-Identifier: MIT */
/* rawstart.c: the recording of this process: DIR/PID-N.raw, N counting the images of one pid.
 *
 * DIR comes from ACRE_RECORD_DIR.  It is read from /proc, because the first allocations come from
 * the dynamic linker, before libc knows the environment.  No descriptor stays open: daemons close
 * what they do not know.  The file grows by fallocate, so a full disk is an error here and never a
 * SIGBUS in the program; what could not be stored is counted in the header. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "traces/record/record.h"

enum { RAWSTART_ENVIRON_MAX = 1 << 20, RAWSTART_IMAGES_MAX = 10000 };

static const char rawstart_variable[] = "ACRE_RECORD_DIR=";

static acre__raw_header *rawstart_header; /* shared mapping of the file's first page */
static char rawstart_dir[1024];
static char rawstart_path[1100];
static uint64_t rawstart_base;
static uint32_t rawstart_pid, rawstart_parent;
static bool rawstart_off; /* tried, and cannot record */

static uint64_t rawstart_ns(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- What this process is ------------------------------------------------------------------- */

static size_t rawstart_slurp(const char *path, char *out, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got = 1;
    while (fd >= 0 && n + 1 < room && got > 0) {
        got = read(fd, out + n, room - 1 - n);
        n += got > 0 ? (size_t)got : 0;
    }
    if (fd >= 0)
        close(fd);
    out[n] = '\0';
    return n;
}

static void rawstart_find_dir(void)
{
    char *text = mmap(NULL, RAWSTART_ENVIRON_MAX, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (text == MAP_FAILED)
        return;
    size_t n = rawstart_slurp("/proc/self/environ", text, RAWSTART_ENVIRON_MAX);
    for (char *entry = text; entry < text + n; entry += strlen(entry) + 1)
        if (strncmp(entry, rawstart_variable, sizeof rawstart_variable - 1) == 0)
            snprintf(rawstart_dir, sizeof rawstart_dir, "%s",
                     entry + sizeof rawstart_variable - 1);
    munmap(text, RAWSTART_ENVIRON_MAX);
}

/* Turns the NULs of /proc/self/cmdline and any control character into spaces. */
static void rawstart_command(char *out, size_t room)
{
    size_t n = rawstart_slurp("/proc/self/cmdline", out, room);
    while (n && out[n - 1] == '\0')
        n--;
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)out[i] < ' ')
            out[i] = ' ';
}

static void rawstart_fill(acre__raw_header *h)
{
    h->version = ACRE__RAW_VERSION;
    h->pid = rawstart_pid;
    h->parent = rawstart_parent ? rawstart_parent : (uint32_t)getppid();
    h->forked = rawstart_parent != 0;
    h->page_size = (uint64_t)sysconf(_SC_PAGESIZE);
    h->wall_start_ns = rawstart_ns(CLOCK_REALTIME);
#if defined __aarch64__
    __asm__ volatile("mrs %0, cntfrq_el0" : "=r"(h->hz));
#endif
    h->next_block = ACRE__RAW_BLOCK;
    ssize_t n = readlink("/proc/self/exe", h->exe, sizeof h->exe - 1);
    h->exe[n > 0 ? n : 0] = '\0';
    rawstart_command(h->command, sizeof h->command);
    h->end_ns = h->start_ns = rawstart_ns(CLOCK_MONOTONIC_RAW);
    h->end_ticks = h->start_ticks = acre__record_clock();
    memcpy(h->magic, ACRE__RAW_MAGIC, sizeof h->magic); /* last: now it is a recording */
}

/* ---- The file ------------------------------------------------------------------------------- */

static int rawstart_create(void)
{
    int fd = -1;
    for (int image = 0; image < RAWSTART_IMAGES_MAX; image++) {
        snprintf(rawstart_path, sizeof rawstart_path, "%s/%u-%d.raw", rawstart_dir, rawstart_pid,
                 image);
        fd = open(rawstart_path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0 || errno != EEXIST)
            break;
    }
    return fd;
}

static int rawstart_extend(int fd, uint64_t offset, size_t bytes)
{
    if (fallocate(fd, 0, (off_t)offset, (off_t)bytes) == 0)
        return 0;
    if (errno != EOPNOTSUPP)
        return errno;
    /* Only ever makes the file longer, whatever other threads extend. */
    return pwrite(fd, "", 1, (off_t)(offset + bytes - 1)) == 1 ? 0 : ENOSPC;
}

static void *rawstart_map(int fd, uint64_t offset, size_t bytes)
{
    if (rawstart_extend(fd, offset, bytes) != 0)
        return NULL;
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
    if (p == MAP_FAILED)
        return NULL;
    madvise(p, bytes, MADV_DONTFORK);
    return p;
}

static bool rawstart_open(void)
{
    if (!rawstart_dir[0])
        rawstart_find_dir();
    if (!rawstart_dir[0])
        return false;
    rawstart_pid = (uint32_t)getpid();
    int fd = rawstart_create();
    if (fd < 0)
        return false;
    rawstart_header = rawstart_map(fd, 0, 4096);
    close(fd);
    if (!rawstart_header)
        return false;
    rawstart_fill(rawstart_header);
    rawstart_base = rawstart_header->start_ticks;
    return true;
}

bool acre__record_start(void)
{
    if (rawstart_header || rawstart_off)
        return rawstart_header != NULL;
    int saved = errno;
    rawstart_off = !rawstart_open();
    errno = saved;
    return !rawstart_off;
}

void acre__record_forked(void)
{
    rawstart_parent = rawstart_pid; /* 0: this is no child, but the first event of an image */
    rawstart_header = NULL; /* not mapped here: MADV_DONTFORK */
    rawstart_off = false;
}

uint64_t acre__record_base(void)
{
    return rawstart_base;
}

void acre__record_lost(uint64_t events)
{
    if (rawstart_header)
        __atomic_fetch_add(&rawstart_header->lost, events, __ATOMIC_RELAXED);
}

/* A second moment in both clocks; the converter takes the rate of the ticks from the two. */
static void rawstart_tell_time(void)
{
    rawstart_header->end_ns = rawstart_ns(CLOCK_MONOTONIC_RAW);
    rawstart_header->end_ticks = acre__record_clock();
}

/* Opens the file and claims a block of it: the descriptor, or -1. */
static int rawstart_claim(uint64_t *at)
{
    int fd = open(rawstart_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd >= 0)
        *at = __atomic_fetch_add(&rawstart_header->next_block, ACRE__RAW_BLOCK, __ATOMIC_RELAXED);
    return fd;
}

acre__raw_block *acre__record_map_buffer(uint32_t lane)
{
    uint64_t at;
    int fd = rawstart_claim(&at);
    if (fd < 0)
        return NULL;
    acre__raw_block *buffer = rawstart_map(fd, at, ACRE__RAW_BLOCK);
    close(fd);
    if (buffer)
        *buffer = (acre__raw_block){ACRE__RAW_BUFFER_MAGIC, lane, 1, 0, {0}};
    return buffer;
}

static bool rawstart_pwrite(int fd, const void *data, size_t n, uint64_t at)
{
    for (size_t done = 0; done < n;) {
        ssize_t put = pwrite(fd, (const char *)data + done, n - done, (off_t)(at + done));
        if (put <= 0 && !(put < 0 && errno == EINTR))
            return false;
        done += put > 0 ? (size_t)put : 0;
    }
    return true;
}

bool acre__record_append(const acre__raw_block *buffer)
{
    uint64_t at;
    acre__raw_block head = *buffer;
    head.magic = ACRE__RAW_FULL_MAGIC;
    int fd = rawstart_claim(&at);
    if (fd < 0)
        return false;
    /* The head goes last: without it the block does not count, and the buffer still does. */
    size_t body = ACRE__RAW_BLOCK - sizeof head;
    bool stored = rawstart_pwrite(fd, buffer + 1, body, at + sizeof head) &&
                  rawstart_pwrite(fd, &head, sizeof head, at);
    close(fd);
    rawstart_tell_time();
    return stored;
}

__attribute__((destructor)) static void rawstart_at_exit(void)
{
    if (rawstart_header)
        rawstart_tell_time();
}
