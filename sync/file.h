/* SPDX-License-Identifier: MIT */
/* file.h: files that appear whole: where segments, named objects and queues live.
 *
 *    locate ──▶ create ──▶ reserve ──▶ (map, fill) ──▶ publish ──▶ close
 *               no name yet                            the name, if it is free
 *    locate ──▶ open ──▶ (check, map) ──▶ close
 *
 * Killed where?  Before publish: nobody can see the file, and the kernel frees it with its last
 * descriptor; where a file system has no unnamed files a `.acre-new-…` stays behind, which nobody
 * opens or waits for.  After publish: the file is whole.  Publishing is one link(2).
 */
#ifndef ACRE_SYNC_FILE_H
#define ACRE_SYNC_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define ACRE__SHM_DIR "/dev/shm"
#define ACRE__SHM_PREFIX "acre."

typedef struct acre__file {
    int fd;         /* -1: none */
    int dir;        /* directory of the name; -1: it has no name */
    char name[256]; /* in dir */
    char temp[64];  /* in dir: its name until it is published; "": it is unnamed */
} acre__file;

#define ACRE__NO_FILE                                                                              \
    (acre__file)                                                                                   \
    {                                                                                              \
        .fd = -1, .dir = -1                                                                        \
    }

/* Open the directory of a name and check the name: a path, or the name of shared memory (1–200
 * bytes without '/' and control characters, not beginning with '.').  ACRE_ENAME, ENAMETOOLONG,
 * ENOENT, …  Close in any case. */
int acre__file_locate(acre__file *f, const char *path);
int acre__file_locate_shm(acre__file *f, const char *name);
/* Shared memory that is no segment, object or queue: another prefix than theirs. */
int acre__file_locate_prefixed(acre__file *f, const char *prefix, const char *name);

/* An unnamed empty file with exactly these permission bits (0: 0600).  EEXIST: the name is taken
 * already (publishing decides; this spares the work). */
int acre__file_create(acre__file *f, mode_t mode);
/* The bits alone, whatever the umask, for descriptors that came from elsewhere. */
int acre__file_mode(int fd, mode_t mode);
/* Real memory for bytes [0, size), size > 0, never a SIGBUS later.  ENOSPC, EFBIG: its size is what it was. */
int acre__file_reserve(int fd, size_t size);
/* As long, and what is new is a hole: nothing is reserved.  EFBIG. */
int acre__file_lengthen(int fd, size_t size);
/* 0, or EFBIG: beyond RLIMIT_FSIZE, where the kernel would send SIGXFSZ, which kills by default. */
int acre__file_within_limit(size_t size);
/* Give it its name.  EEXIST. */
int acre__file_publish(acre__file *f);

/* ENOENT, EACCES, ELOOP (a symbolic link), ACRE_ETYPE (no regular file), ACRE_EOWNER. */
int acre__file_open(acre__file *f, bool read_only, bool any_owner);
int acre__file_check(int fd, bool any_owner);

/* Take the name away.  ENOENT, EACCES. */
int acre__file_unlink(const acre__file *f);
/* Whatever is open. */
void acre__file_close(acre__file *f);

#endif
