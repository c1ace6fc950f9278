/* SPDX-License-Identifier: MIT */
/* map64.h: hash map from a 64-bit key other than 0 to two 64-bit values, for addresses and serials.
 * Open addressing, at most half full, deletion without tombstones: memory follows what is live. */
#ifndef ACRE_TRACES_MAP64_H
#define ACRE_TRACES_MAP64_H

#include <stddef.h>
#include <stdint.h>

typedef struct acre__map64_entry {
    uint64_t key, a, b;
} acre__map64_entry;

typedef struct acre__map64 {
    acre__map64_entry *slots; /* key 0 = empty */
    size_t n, mask;
} acre__map64;

acre__map64_entry *acre__map64_find(const acre__map64 *m, uint64_t key);          /* or NULL */
int acre__map64_set(acre__map64 *m, uint64_t key, uint64_t a, uint64_t b);        /* 0, ENOMEM */
void acre__map64_erase(acre__map64 *m, acre__map64_entry *entry);
void acre__map64_clear(acre__map64 *m);

#endif
