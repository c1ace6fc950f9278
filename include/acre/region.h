/* SPDX-License-Identifier: MIT */
/* acre/region.h: memory that processes share, without a heap in it, and any part of it mapped.
 *
 *   acre_memory     0                                                       size
 *   (a descriptor)  +----------+-----------------------------+--------------+
 *                   |          |   offset ──▶  size bytes    |              |
 *                   +----------+-----------------------------+--------------+
 *   acre_mapping                ^ address: of any byte, not only of a page's first
 *
 * Handles are plain structs; all zero is an empty one.  Moving one is copying the struct and forgetting the
 * original: exactly one copy is closed or unmapped.  A region needs its memory's handle only while it is being
 * mapped.  Different handles may be used by different threads; one handle by one thread at a time.  After fork()
 * parent and child each have both.  A process's death closes and unmaps; what has a name stays until removed.
 */
#ifndef ACRE_REGION_H
#define ACRE_REGION_H

#include <acre/base.h>
#include <acre/segment.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- memory objects ---- */

typedef struct acre_memory {
    int fd;         /* see acre_memory_fd() */
    bool open;      /* fd is one */
    bool read_only; /* opened so */
} acre_memory;

/* All zero = the defaults. */
typedef struct acre_memory_options {
    uint64_t size;  /* create: bytes, all zero, reserved at once; 0 is allowed */
    mode_t mode;    /* create: exact permission bits whatever the umask; 0 = 0600 */
    bool read_only; /* open */
    bool any_owner; /* open, wrap: accept another user's */
} acre_memory_options;

/* Create; it appears under its name with its full size.  Sources: ACRE_SHM (its name here is no segment's: the
 * system's name is `acre-NAME`, a segment's `acre.NAME`), ACRE_FILE, ACRE_MEMFD (nameless, name is not looked at;
 * gone with its last user).  options may be NULL.  EEXIST; ENOSPC, EFBIG (RLIMIT_FSIZE): nothing is left behind;
 * EACCES, EMFILE, ACRE_ENAME, ENAMETOOLONG; ENOTSUP: another source. */
ACRE_API int acre_memory_create(acre_memory *out, enum acre_source source, const char *name,
                                const acre_memory_options *options);

/* Open what exists under a name: any regular file, of any size.  ENOENT, EACCES, ELOOP (a symbolic link),
 * ACRE_ETYPE (no regular file), ACRE_EOWNER, EMFILE, ACRE_ENAME, ENAMETOOLONG; ENOTSUP: another source. */
ACRE_API int acre_memory_open(acre_memory *out, enum acre_source source, const char *name,
                              const acre_memory_options *options);

/* Open, or create if it does not exist; exactly one of several callers creates.  *created (may be NULL) tells
 * which it was. */
ACRE_API int acre_memory_open_or_create(acre_memory *out, enum acre_source source, const char *name,
                                        const acre_memory_options *options, bool *created);

/* Of a descriptor that came from elsewhere, which is duplicated and stays the caller's.  EBADF, EMFILE,
 * ACRE_ETYPE, ACRE_EOWNER; EACCES: it cannot be read, or only read and options do not say so. */
ACRE_API int acre_memory_wrap(acre_memory *out, int fd, const acre_memory_options *options);

/* Bytes now.  EBADF: an empty handle. */
ACRE_API int acre_memory_size(const acre_memory *m, uint64_t *size);

/* Make it `size` bytes.  New ones are zero, and all are reserved: a full system is ENOSPC here and never a SIGBUS
 * later; EFBIG: RLIMIT_FSIZE or what the file system can; either leaves the size as it was.  Fewer: who touches
 * the rest through a mapping gets SIGBUS.  EBADF, EACCES (read-only), EPERM (sealed).  Not while another thread or
 * process changes the size.  Killed: any size between the two. */
ACRE_API int acre_memory_set_size(acre_memory *m, uint64_t size);

/* The descriptor, which stays the handle's; -1: an empty one. */
ACRE_API int acre_memory_fd(const acre_memory *m);

/* An empty handle is allowed and becomes one.  Regions live on. */
ACRE_API void acre_memory_close(acre_memory *m);

/* Take the name away; handles and regions live on, and the name is free.  ENOENT, EACCES, ACRE_ENAME,
 * ENAMETOOLONG; ELOOP, ACRE_ETYPE: no regular file, it is left alone; ENOTSUP: another source than ACRE_SHM and
 * ACRE_FILE. */
ACRE_API int acre_memory_remove(enum acre_source source, const char *name);

/* ---- mapped regions ---- */

enum acre_mapping_mode {
    ACRE_MAPPING_WRITE = 0,     /* shared, read and written */
    ACRE_MAPPING_READ,          /* shared, read only */
    ACRE_MAPPING_COPY_ON_WRITE, /* what this process writes, only it sees */
    ACRE_MAPPING_READ_PRIVATE /* private, read only; whether others' later changes are seen is not said */
};

typedef struct acre_mapping {
    char *address; /* of the first byte asked for; NULL: an empty mapping */
    size_t size;   /* bytes asked for, which shrinking reduces */
    uint32_t mode; /* enum acre_mapping_mode */
    size_t page;   /* bytes of a page of it */
} acre_mapping;

/* All zero = everything, readable and writable. */
typedef struct acre_mapping_options {
    uint32_t mode;   /* enum acre_mapping_mode */
    uint64_t offset; /* any byte */
    size_t size;     /* 0 = up to the end */
    void *
        address; /* where the first byte must be: as far behind a page's start as offset is; NULL = anywhere */
    bool
        beyond; /* size may reach behind the memory's end, for a memory that grows; until it has grown,
                        touching pages there is SIGBUS */
} acre_mapping_options;

/* options may be NULL.  EINVAL: the offset lies behind the end, offset + size does (see `beyond`), or the address
 * does not fit the offset; ENODATA: not one byte to map, as of an empty file; EBUSY: something is at the address;
 * EACCES: writing asked of read-only memory; EBADF: an empty handle; ENOMEM: address space (RLIMIT_AS,
 * vm.max_map_count).  A file that somebody cuts later gives SIGBUS where it is gone. */
ACRE_API int acre_mapping_map(acre_mapping *out, const acre_memory *m,
                              const acre_mapping_options *options);

/* Zeroed bytes for this process and children forked later.  EINVAL: no bytes, or address is no page's; EBUSY;
 * ENOMEM. */
ACRE_API int acre_mapping_anonymous(acre_mapping *out, size_t size, void *address);

/* Have bytes [offset, offset + size) of it, of any alignment (size 0 = up to its end), written to the file: `wait`
 * until they are, else only begin, which Linux does anyway.  EINVAL: not inside; EIO; ENOSPC. */
ACRE_API int acre_mapping_flush(const acre_mapping *r, size_t offset, size_t size, bool wait);

/* How the region will be used.  EINVAL: an empty mapping, no such advice; ENOTSUP: the system cannot, or the
 * contents of ACRE_MAPPING_COPY_ON_WRITE would go. */
ACRE_API int acre_mapping_advise(const acre_mapping *r, enum acre_advice advice);

/* Cut `bytes` off its back, or its front, where the address moves up; whole pages that are no longer used are
 * unmapped.  All of them: the region is unmapped and empty.  EINVAL: it has fewer; ENOMEM.  On failure nothing has
 * changed. */
ACRE_API int acre_mapping_shrink_by(acre_mapping *r, size_t bytes, bool from_front);

/* An empty mapping is allowed; it becomes one. */
ACRE_API void acre_mapping_unmap(acre_mapping *r);

/* Bytes of a page: offsets that are its multiples waste no address space. */
ACRE_API size_t acre_mapping_page_size(void);

#ifdef __cplusplus
}
#endif
#endif
