/* SPDX-License-Identifier: MIT */
/* names_peer.h: tables of names beside which acre's are measured, in libacre_boost.so: the indexes of
 * Boost.Interprocess, and std::unordered_map. */
#ifndef ACRE_BENCH_NAMES_PEER_H
#define ACRE_BENCH_NAMES_PEER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct names_key {
    const char *text; /* ends with a NUL */
    size_t length;
} names_key;

/* What is kept by name is an int. */
typedef struct names_peer {
    const char *name;
    /* An empty table, in memory that is shared if the table can lie there.  NULL: it cannot be had. */
    void *(*open)(void *memory, size_t bytes, const names_key *key, size_t keys);
    void (*close)(void *table);
    /* Each does n keys, order[0], order[1] …: how often that succeeded. */
    size_t (*construct)(void *table, const uint32_t *order, size_t n);
    size_t (*find)(void *table, const uint32_t *order, size_t n);
    size_t (*destroy)(void *table, const uint32_t *order, size_t n);
} names_peer;

/* The symbol to look up: the i-th peer; NULL behind the last. */
typedef const names_peer *acre_names_peer_function(size_t i);

#ifdef __cplusplus
}
#endif
#endif
