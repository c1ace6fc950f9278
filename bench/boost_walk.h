/* SPDX-License-Identifier: MIT */
/* boost_walk.h: a list whose links are Boost.Interprocess's offset_ptr, in libacre_boost.so. */
#ifndef ACRE_BENCH_BOOST_WALK_H
#define ACRE_BENCH_BOOST_WALK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct boost_walk_node {
    uint64_t link; /* room for an offset_ptr */
    uint32_t value;
} boost_walk_node;

typedef struct boost_walk {
    void (*link)(boost_walk_node *from, boost_walk_node *to); /* to: or NULL, the end */
    /* n steps, again from `first` after the end; the sum of the values. */
    uint32_t (*run)(boost_walk_node *first, size_t n);
} boost_walk;

/* The symbol to look up. */
typedef const boost_walk *acre_boost_walk_function(void);

#ifdef __cplusplus
}
#endif
#endif
