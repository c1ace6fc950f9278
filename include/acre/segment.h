/* SPDX-License-Identifier: MIT */
/* acre/segment.h: memory that processes share, with a heap in it.
 *
 *   0        256          region                                        size         capacity
 *   +--------+------------+----------------------------------------------+ - - - - - - +
 *   | header | heap's     | the algorithm's memory: blocks               | address      |
 *   |        | lock and   |                                              | space kept   |
 *   |        | journal    |                                              | for growth   |
 *   +--------+------------+----------------------------------------------+ - - - - - - +
 *
 * A segment is created whole and then appears under its name: nobody ever sees a half-made one,
 * and a creator that dies leaves nothing behind (but for ACRE_XSI: see acre_segment_remove()).  Every
 * process maps `capacity` bytes of address space, so that growing needs nothing of the others: new
 * offsets just work.
 *
 * Each process may map the segment at another address: store acre_off in it, or the pointers of
 * acre/pointer.h, never plain ones.  An acre_segment is this process's handle.  Functions on one
 * handle are thread safe, except close.  After fork() parent and child each have the mapping.  A
 * process's death closes its handles; the segment stays until acre_segment_remove() (shared memory of both
 * kinds, files), or until the last mapping goes (memfd, anonymous).
 */
#ifndef ACRE_SEGMENT_H
#define ACRE_SEGMENT_H

#include <acre/alloc.h>
#include <acre/base.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct acre_segment acre_segment;

/* Where the memory comes from, and how long it lives. */
enum acre_source {
    ACRE_SHM = 0, /* named shared memory, until removed or reboot; name without '/' */
    ACRE_FILE,    /* a mapped file, persistent; name is its path */
    ACRE_MEMFD,   /* nameless; pass acre_segment_fd() on, open with options.fd */
    ACRE_ANON,    /* anonymous shared mapping; for this process and children forked later */
    ACRE_HEAP,    /* private memory of this process */
    ACRE_BUFFER,  /* the caller's buffer (16-aligned, options.size bytes); may be moved by memcpy
                     while closed, also into a larger one and grown there */
    ACRE_XSI      /* System V shared memory, until removed or reboot; name is its key, "0x1234abcd" or decimal,
                     or NULL: create one without a key (IPC_PRIVATE), open by options.xsi_id.  Cannot grow */
};

/* What pages the memory is made of: fewer and larger ones cost less to have and to find, and are given back
 * in larger parts. */
enum acre_huge_pages {
    ACRE_HUGE_SYSTEM = 0, /* as the system does it by itself */
    ACRE_HUGE_ADVISED,    /* this process's mapping asks for them, if it has 2 MiB or more; a wish, and
                             of use where nothing is reserved at creation: ACRE_HEAP, ACRE_ANON */
    ACRE_HUGE_RESERVED    /* create ACRE_MEMFD: of 2 MiB, from those that the system has put aside
                             (/proc/sys/vm/nr_hugepages); sizes are rounded up to them */
};

/* How objects are found by name (acre/object.h). */
enum acre_index {
    ACRE_INDEX_HASH = 0, /* without a lock, in constant time */
    ACRE_INDEX_ORDERED,  /* without a lock, in the order of names */
    ACRE_INDEX_FLAT,     /* in the order of names, one array: 8 bytes an object, slow to change */
    ACRE_INDEX_NONE      /* no names, no transactions, no shared objects: a heap and a root; 512 bytes less */
};

/* What a handle may do. */
enum acre_access {
    ACRE_ACCESS_WRITE = 0,
    ACRE_ACCESS_READ,        /* look only; the same as read_only */
    ACRE_ACCESS_COPY,        /* a private copy, made page by page as it is written to: this process (and a child
                                that it forks, with a copy of its own) may alter and destroy what it likes, and
                                nobody else sees it */
    ACRE_ACCESS_READ_PRIVATE /* look only, through a private mapping */
};

/* All zero = the defaults. */
typedef struct acre_segment_options {
    size_t size;       /* create: bytes, header included; files are rounded up to pages */
    size_t capacity;   /* create: bytes it may grow to; 0 = size (no growth) */
    const acre_algorithm *algorithm; /* create: NULL = rbtree_best_fit */
    acre_heap_options heap;          /* create: lock and journal */
    mode_t mode;       /* create: exact permission bits whatever the umask; 0 = 0600 */
    bool read_only;    /* open: map without write permission; the heap can only be looked at */
    bool any_owner;    /* open: accept a segment of another user */
    int fd;            /* open ACRE_MEMFD: its descriptor (duplicated, stays the caller's) */
    void *buffer;      /* ACRE_BUFFER: the memory */
    uint32_t huge_pages; /* enum acre_huge_pages */
    uint32_t index;      /* create: enum acre_index */
    size_t grow_step;    /* create: where an allocation finds no room, the segment grows by so many bytes, or
                            what is needed if that is more; 0 = it does not grow by itself */
    size_t grow_limit;   /* create: up to so many bytes; 0, or more than capacity = capacity.  Open: the same for
                            what this process allocates, if it is less: a stranger's file may say anything */
    uint32_t access;     /* open: enum acre_access; create: 0 */
    int xsi_id;          /* open ACRE_XSI without a name: acre_segment_xsi_id() of who created it */
    void *address;       /* map it there and nowhere else, a multiple of a page; NULL: anywhere (and always so
                            for an ACRE_BUFFER) */
} acre_segment_options;

/* Create; EEXIST if the name is taken.  options->size is required.
 * Also ENOSPC (reserved at once: never a SIGBUS later; ACRE_HUGE_RESERVED: the system has not so many huge
 * pages), ENOTSUP (it knows none), EACCES, ACRE_ENAME, ACRE_ETOOSMALL, ACRE_ETOOBIG, EINVAL; EBUSY (something is
 * mapped at options->address, or in the capacity's bytes behind it). */
ACRE_API int acre_segment_create(acre_segment **out, enum acre_source source, const char *name,
                                 const acre_segment_options *options);

/* Open what exists; options may be NULL.  ENOENT, EACCES, ELOOP (a symbolic link), ACRE_ETYPE,
 * ACRE_EOWNER, ACRE_EFORMAT, ACRE_EVERSION, ACRE_ELAYOUT, ACRE_EFEATURE, ACRE_EALGORITHM,
 * ACRE_ETRUNCATED, ACRE_EPOISONED, ACRE_ECORRUPT (header's checksum); EBUSY (something is mapped at
 * options->address, or its capacity is being changed); EINVAL (options); ENOTSUP (a source that has no private copies, or cannot be opened).
 *
 * ACRE_ACCESS_COPY needs no permission to write.  Locks of the segment's own that are held by then are free in
 * the copy, and a call that somebody is at is undone there, as after a death; locks that the application has put
 * into the segment stay as they are.  It is for a segment that nobody changes meanwhile: a page that was not
 * written to yet shows what others store there, and a heap half of whose pages are from later is damaged.
 * acre_segment_populate() of all of it makes every page this process's own.  Nobody may shrink the segment.  The
 * copy's size is fixed: growing and shrinking are ENOTSUP. */
ACRE_API int acre_segment_open(acre_segment **out, enum acre_source source, const char *name,
                               const acre_segment_options *options);

/* Open, or create if it does not exist; exactly one of several callers creates.  *created (may be
 * NULL) tells which it was. */
ACRE_API int acre_segment_open_or_create(acre_segment **out, enum acre_source source,
                                         const char *name, const acre_segment_options *options,
                                         bool *created);

/* Unmap and forget the handle.  NULL is allowed.  No call on it may be in progress.  What the heap keeps
 * for this thread goes to the next one (acre_heap_detach()); other threads that used a heap of `sharded`
 * have ended by now, or have detached.  EBUSY: this thread holds a lock (acre/sync.h) that lies in the
 * segment; nothing has changed. */
ACRE_API int acre_segment_close(acre_segment *s);

/* Delete the name of an ACRE_SHM, ACRE_FILE or ACRE_XSI segment; mappings live on.  ENOENT, EACCES,
 * ACRE_ENAME, ACRE_EFORMAT (what is not a segment is left alone).  ACRE_XSI, which others can find before it is
 * whole: what a dead creator has left, memory of the caller's that begins with zeros, is removed as well, unless
 * somebody has it attached (EBUSY). */
ACRE_API int acre_segment_remove(enum acre_source source, const char *name);

/* Takes a name away when the block of code is left in which it stands, in any way but longjmp(), exit() and death:
 *     ACRE_REMOVED(guard, acre_segment_remove, ACRE_SHM, "example");      or acre_memory_remove
 *     ACRE_REMOVED_NAME(guard, acre_queue_remove, "jobs");                or acre_ring_remove, acre_named_remove
 * Whether there is one then, and whether that could be removed, is not told. */
typedef struct acre_remover {
    const char *name; /* the caller's; NULL: it shall stay */
    int (*remove)(const char *name);
    int (*remove_from)(enum acre_source source, const char *name); /* NULL: remove() */
    enum acre_source source;
} acre_remover;
ACRE_API void acre_remover_end(acre_remover *r);
#define ACRE_REMOVED(guard, remove_from, source, name)                                             \
    acre_remover guard __attribute__((cleanup(acre_remover_end), unused)) = {name, NULL, remove_from, source}
#define ACRE_REMOVED_NAME(guard, remove, name)                                                     \
    acre_remover guard __attribute__((cleanup(acre_remover_end), unused)) = {name, remove, NULL, ACRE_SHM}

/* The heap in it; belongs to the handle. */
ACRE_API acre_heap *acre_segment_heap(acre_segment *s);

/* Make it `size` bytes (rounded up to pages, but in an ACRE_BUFFER), while others use it.  0; ENOSPC; E2BIG above
 * the capacity; EROFS; ENOTSUP for ACRE_XSI, a private copy, and algorithms that cannot.  A size not above the
 * present one is 0 and does nothing.
 *
 * Where nobody else can have it mapped, it grows beyond the capacity, which becomes `size`.  An ACRE_BUFFER: up
 * to what options.size said when it was opened.  ACRE_HEAP: without limit, and if there is no address space
 * behind it, it moves: offsets stay, addresses (of blocks, and of all that acre has told) do not.  So no other
 * thread may be using the handle then.  Also ACRE_ETOOBIG, ENOMEM (no address space; or it has to stay at
 * options.address), EBUSY (this thread holds a lock that lies in it). */
ACRE_API int acre_segment_grow(acre_segment *s, size_t size);

/* Give back free memory at the end, down to `size` bytes or as near to it as live blocks allow,
 * while others use it.  0; EROFS; ENOTSUP if the algorithm cannot or it is an ACRE_BUFFER or a private
 * copy. */
ACRE_API int acre_segment_shrink(acre_segment *s, size_t size);

/* As small as live blocks allow: acre_segment_shrink(s, 0). */
ACRE_API int acre_segment_shrink_to_fit(acre_segment *s);

/* Make the capacity of a segment that nobody has open `capacity` bytes (rounded up to pages; 0: as it is), and
 * its size at least `size` bytes (0: as it is).  ACRE_SHM and ACRE_FILE.  Everybody who has it open, reading
 * or writing, holds a lock on the file (of its open description: children that were forked count, who was killed
 * does not); so who may read the file can keep it from being changed.  While it is being changed, who opens
 * it waits, a second at most.
 * Killed at any instruction: the segment is as before, or whoever opens it for writing next finishes the change.
 * 0; EBUSY: somebody has it open; EINVAL: its capacity is larger already; E2BIG: size is above the capacity;
 * ACRE_ETOOBIG: beyond what the algorithm reaches; ENOSPC; ENOTSUP: other sources, an algorithm that cannot
 * grow, a file system without locks; or what acre_segment_open() may be refused with.  Nothing has changed then. */
ACRE_API int acre_segment_grow_offline(enum acre_source source, const char *name, size_t size,
                                       size_t capacity);

/* Make a segment that nobody has open as small as its live blocks allow, and, if `capacity`, its capacity no
 * larger than that.  Both are one step each: killed in between, the size is new and the capacity old.
 * 0; EBUSY, ENOTSUP, or what acre_segment_open() may be refused with, as above. */
ACRE_API int acre_segment_shrink_offline(enum acre_source source, const char *name, bool capacity);

/* Have bytes [offset, offset + bytes) in memory before they are needed, so that nobody waits for a page there;
 * what acre_heap_purge() gave back is reserved again.  Changes no contents; others may use the memory meanwhile, but nobody may shrink the
 * segment.  0; EINVAL: not inside the segment; EROFS; ENOSPC, ENOMEM: there is no room, part of it may have been
 * done; ENOTSUP for ACRE_BUFFER. */
ACRE_API int acre_segment_populate(acre_segment *s, size_t offset, size_t bytes);

/* Have what was stored in bytes [offset, offset + bytes) where it lasts: an ACRE_FILE's on the disk; other sources
 * have nowhere else to be, and do nothing.  Any offset and length: whole pages are written.  0; EINVAL: not inside
 * the segment; EIO and what else msync(2) says, of the last writes to the file by anybody; ENOTSUP for
 * ACRE_BUFFER and a private copy. */
enum acre_flush {
    ACRE_FLUSH_WAIT = 0, /* return when it is there */
    ACRE_FLUSH_START     /* the system begins to write, and errors are told by the next flush that waits */
};
ACRE_API int acre_segment_flush(acre_segment *s, size_t offset, size_t bytes, enum acre_flush how);

/* Tell the system how this process will use these bytes: whole pages, from any offset.  Never changes what they
 * hold.  0; EINVAL: not inside the segment; ENOTSUP: the system cannot, or it is an ACRE_BUFFER; DONTNEED also in
 * memory that would forget: ACRE_HEAP, a private copy. */
ACRE_API int acre_segment_advise(acre_segment *s, size_t offset, size_t bytes, enum acre_advice advice);

/* Pass a segment that has a descriptor on, over a connected Unix socket.  The receiver may do with it what the
 * descriptor allows (one of a read-only handle: read), for as long as it keeps it.  0; EPIPE: the other end is
 * closed (no signal); ENOTSUP: it has none; what sendmsg(2) says. */
ACRE_API int acre_segment_send(const acre_segment *s, int socket);

/* Receive what was sent like that, waiting if the socket waits, and open it with these options (NULL: none), as
 * an ACRE_MEMFD.  Whatever comes is checked as in acre_segment_open(), whose errors these are; also EPIPE: the
 * other end is closed; EBADMSG: something else was sent; EBADF: without a descriptor; what recvmsg(2) says.  No
 * descriptor that came stays open on failure.  A sender that is not trusted can shorten the file later, and reads
 * behind its end are SIGBUS: ask for F_SEAL_SHRINK (fcntl(2), F_GET_SEALS) on acre_segment_fd().  (A sealed
 * segment shrinks, but keeps its memory.) */
ACRE_API int acre_segment_receive(acre_segment **out, int socket, const acre_segment_options *options);

/* Address <-> offset.  An address outside the segment gives 0, an offset outside gives NULL. */
ACRE_API acre_off acre_segment_offset(const acre_segment *s, const void *address);
ACRE_API void *acre_segment_address(const acre_segment *s, acre_off offset);
ACRE_API bool acre_segment_contains(const acre_segment *s, const void *address);

/* A place for the application's entry point: an offset that everybody finds, 0 at first.  Lies in
 * the segment, so acre_alloc_into() may publish into it. */
ACRE_API acre_off *acre_segment_root(acre_segment *s);

ACRE_API void *acre_segment_base(const acre_segment *s);
ACRE_API size_t acre_segment_size(const acre_segment *s);     /* bytes now */
ACRE_API size_t acre_segment_capacity(const acre_segment *s); /* bytes it may have */
ACRE_API int acre_segment_fd(const acre_segment *s);          /* -1: it has none */
ACRE_API int acre_segment_xsi_id(const acre_segment *s);      /* ACRE_XSI: its shmid; else -1 */

/* What the header says. */
typedef struct acre_segment_info {
    char algorithm[32];
    uint32_t format_version, algorithm_version;
    uint64_t size, capacity, region; /* region: offset of the algorithm's memory */
    acre_heap_options heap;
    uint8_t uuid[16];
    uint64_t grow_step, grow_limit; /* 0, 0: it does not grow by itself */
} acre_segment_info;
ACRE_API void acre_segment_info_get(const acre_segment *s, acre_segment_info *info);

/* Smallest size that acre_segment_create() accepts for this algorithm and these options, names included. */
ACRE_API size_t acre_segment_min_size(const acre_algorithm *a, const acre_heap_options *o);

#ifdef __cplusplus
}
#endif
#endif
