/* SPDX-License-Identifier: MIT */
/* acre/base.h: what every other header needs: version, error codes, offsets.
 *
 * Errors.  A function that can fail for a reason worth telling returns int: 0, a positive errno
 * (EEXIST, ENOSPC, …) or a negative ACRE_E… code for what errno cannot say.  On failure outputs
 * are unchanged.  Allocation returns a pointer or NULL and nothing else.  The library never
 * prints, exits or aborts.
 */
#ifndef ACRE_BASE_H
#define ACRE_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACRE_VERSION_MAJOR 0
#define ACRE_VERSION_MINOR 1
#define ACRE_VERSION_PATCH 0

#define ACRE_API __attribute__((visibility("default")))
#define ACRE_MUST_USE __attribute__((warn_unused_result))
#define ACRE_SHORT static inline __attribute__((unused)) /* in headers: written out, not linked */

#ifdef __cplusplus
extern "C" {
#endif

/* Every block's address is a multiple of this, in every process (bases are page aligned, or
 * checked to be 16-aligned for a caller's own buffer). */
#define ACRE_ALIGN_MIN 16

/* A position in a segment: bytes from its first byte.  0 is null (the header lies there).
 * Means the same place in every process, so it may be stored in the segment itself. */
typedef uint64_t acre_off;

/* The closed list of acre's own errors; the texts are acre_strerror()'s. */
#define ACRE_ERRORS(X)                                                          \
    X(ACRE_ECORRUPT, -30700, "heap, segment or object is damaged")              \
    X(ACRE_EFORMAT, -30701, "not an acre segment")                              \
    X(ACRE_EVERSION, -30702, "segment of another format version")               \
    X(ACRE_ELAYOUT, -30703, "made by an incompatible build")                    \
    X(ACRE_EALGORITHM, -30704, "unknown memory algorithm")                      \
    X(ACRE_ETRUNCATED, -30705, "file is shorter than its header says")          \
    X(ACRE_EOWNER, -30706, "belongs to another user")                           \
    X(ACRE_ETYPE, -30707, "not a regular file")                                 \
    X(ACRE_EPOISONED, -30708, "segment could not be recovered and is closed for use") \
    X(ACRE_EFEATURE, -30709, "segment uses a feature this build does not know") \
    X(ACRE_EINVALID, -30710, "not the address of a live block of this heap")    \
    X(ACRE_ETOOBIG, -30711, "larger than the memory algorithm can reach")       \
    X(ACRE_ETOOSMALL, -30712, "too small for the header and one block")         \
    X(ACRE_ENAME, -30713, "not a valid name")                                   \
    X(ACRE_EOPTION, -30714, "unknown option or value")                          \
    X(ACRE_EOBJECT, -30715, "not an object of this kind")                       \
    X(ACRE_EUNINITIALISED, -30716, "object is not initialised")                 \
    X(ACRE_EPEER, -30717, "another member died")                                \
    X(ACRE_EOVERRUN, -30718, "memory behind the end of a block was overwritten") \
    X(ACRE_EUSEDFREED, -30719, "a block was written to after it was freed") \
    X(ACRE_EOTHERTYPE, -30720, "object is of another type") \
    X(ACRE_EDELETER, -30725, "nobody in this process has registered the object's deleter")

enum acre_error {
#define ACRE_ERROR_ENUM(name, code, text) name = code,
    ACRE_ERRORS(ACRE_ERROR_ENUM)
#undef ACRE_ERROR_ENUM
};

/* Text of an errno or ACRE_E… code.  Static storage for ACRE_E… codes; for errno values as
 * strerror(3), of which this is a superset.  Thread safe. */
ACRE_API const char *acre_strerror(int error);

/* "0.1.0": the version of the library that is linked, not of the header compiled against. */
ACRE_API const char *acre_version(void);

/* How memory that a file backs will be used. */
enum acre_advice {
    ACRE_ADVICE_NORMAL = 0,
    ACRE_ADVICE_SEQUENTIAL, /* in order: read ahead, and soon done with */
    ACRE_ADVICE_RANDOM,     /* here and there: do not read ahead */
    ACRE_ADVICE_WILLNEED,   /* soon: read it now */
    ACRE_ADVICE_DONTNEED    /* not soon: this process can do without the pages until it asks for them again */
};

#ifdef __cplusplus
}
#endif
#endif
