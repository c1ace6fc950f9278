/* SPDX-License-Identifier: MIT */
/* shards.h: what the memory of a heap of `sharded` says of threads and their nodes.  White box; nobody else
 * in the laboratory looks inside.  A shard is named by its number; blocks are of one size each. */
#ifndef ACRE_TESTS_CRASH_SHARDS_H
#define ACRE_TESTS_CRASH_SHARDS_H

#include <acre.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { SHARDS_NONE = UINT32_MAX };

/* What a thread's record says is under way. */
enum shards_record {
    SHARDS_IDLE,
    SHARDS_NOTICE,
    SHARDS_SEND,
    SHARDS_SENT,
    SHARDS_INTO,
    SHARDS_FROM,
    SHARDS_RECORDS
};

bool shards_are(const acre_heap *h);

/* The one that the calling thread has, SHARDS_NONE: none. */
uint32_t shards_mine(const acre_heap *h);
/* The one in whose slab p is, SHARDS_NONE: p is no node. */
uint32_t shards_owner(const acre_heap *h, const void *p);
/* Somebody lives who holds it. */
bool shards_held(const acre_heap *h, uint32_t shard);

/* This thread is taking over a dead one's. */
bool shards_adopts(const acre_heap *h, uint32_t thread);

/* Nodes like p: has the magazine room for none more; how many can be had without asking anybody. */
bool shards_full(const acre_heap *h, uint32_t shard, const void *p);
size_t shards_at_hand(const acre_heap *h, uint32_t shard, const void *p);

/* Nodes that others have freed and the owner has not collected: beside p, in its word. */
bool shards_waiting_beside(const acre_heap *h, const void *p);

/* Parts of dead threads that were in the middle of something. */
size_t shards_unfinished(const acre_heap *h);

enum shards_record shards_under_way(const acre_heap *h, uint32_t shard);
/* The node that its record names has arrived at its slab, and waits there. */
bool shards_arrived(const acre_heap *h, uint32_t shard);
/* Somebody has told it that something waits. */
bool shards_hinted(const acre_heap *h, uint32_t shard);

/* Both nodes are in the same slab. */
bool shards_together(const acre_heap *h, const void *a, const void *b);

/* Slabs of all; chunks of the map. */
size_t shards_slabs(const acre_heap *h);
size_t shards_chunks(const acre_heap *h);

#endif
