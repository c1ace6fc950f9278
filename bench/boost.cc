/* SPDX-License-Identifier: MIT */
/* boost.cc: Boost.Interprocess, called as its users call it: through the segment manager of a
 * managed segment, inlined into the replay loop.  The segment lies in the harness's memory
 * (managed_external_buffer), with the mutex and the offset_ptr that managed_shared_memory has, or
 * with null_mutex_family for ":lock=none".
 *
 * Built into libacre_boost.so, which workers load when a Boost contender runs. */
#include "bench/engine.h"

#include <boost/interprocess/indexes/iset_index.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/mem_algo/simple_seq_fit.hpp>
#include <boost/interprocess/sync/mutex_family.hpp>

#include <cerrno>
#include <cstring>
#include <new>

namespace bip = boost::interprocess;

namespace
{

template <class Algorithm>
using managed = bip::basic_managed_external_buffer<char, Algorithm, bip::iset_index>;

template <class Algorithm> using manager = typename managed<Algorithm>::segment_manager;

using tree_mutex = bip::rbtree_best_fit<bip::mutex_family>;
using tree_null = bip::rbtree_best_fit<bip::null_mutex_family>;
using sequence_mutex = bip::simple_seq_fit<bip::mutex_family>;
using sequence_null = bip::simple_seq_fit<bip::null_mutex_family>;

/* One heap is open at a time; `heap` is its segment manager. */
template <class Algorithm> managed<Algorithm> &boost_buffer()
{
    static managed<Algorithm> buffer;
    return buffer;
}

template <class Algorithm>
int boost_open(void **heap, const char *, const char *, void *memory, size_t bytes)
{
    if (bytes < manager<Algorithm>::get_min_size())
        return ENOSPC;
    try {
        managed<Algorithm> fresh(bip::create_only, memory, bytes);
        boost_buffer<Algorithm>().swap(fresh);
    } catch (...) {
        return ENOMEM;
    }
    *heap = boost_buffer<Algorithm>().get_segment_manager();
    return 0;
}

template <class Algorithm> void boost_close(void *)
{
    managed<Algorithm> none;
    boost_buffer<Algorithm>().swap(none);
}

template <class M> inline void *boost_calloc(M *m, size_t size)
{
    void *p = m->allocate(size, std::nothrow);
    return p ? std::memset(p, 0, size) : nullptr;
}

template <class M> inline void boost_free(M *m, void *p)
{
    if (p)
        m->deallocate(p);
}

template <class M> inline void *boost_move(M *m, char *p, size_t old_size, size_t size)
{
    void *fresh = m->allocate(size, std::nothrow);
    if (!fresh)
        return nullptr;
    std::memcpy(fresh, p, old_size < size ? old_size : size);
    m->deallocate(p);
    return fresh;
}

/* Boost has no realloc: this is what its vector does, expand in place or move, plus giving back
 * what is no longer wanted. */
template <class M> inline void *boost_realloc(M *m, void *old, size_t size)
{
    char *p = static_cast<char *>(old);
    size_t had = m->size(p);
    typename M::size_type received = size;
    bip::allocation_type how = size <= had ? bip::shrink_in_place : bip::expand_fwd;
    size_t limit = size <= had ? had : size;
    char *reuse = p;
    if (m->template allocation_command<char>(how | bip::nothrow_allocation, limit, received, reuse))
        return p;
    return size <= had ? p : boost_move(m, p, had, size);
}

#define BOOST_HEAP(heap) static_cast<manager<REPLAY_STEM> *>(heap)
#define REPLAY_KEEP
#define REPLAY_ALLOC(heap, size) BOOST_HEAP(heap)->allocate(size, std::nothrow)
#define REPLAY_CALLOC(heap, size) boost_calloc(BOOST_HEAP(heap), size)
#define REPLAY_REALLOC(heap, p, size) boost_realloc(BOOST_HEAP(heap), p, size)
#define REPLAY_ALIGNED(heap, size, align)                                                          \
    BOOST_HEAP(heap)->allocate_aligned(size, align, std::nothrow)
#define REPLAY_FREE(heap, p) boost_free(BOOST_HEAP(heap), p)

/* The algorithm's type is also the name of what the template makes. */
#define REPLAY_STEM tree_mutex
#include "bench/replay_loop.h"
#define REPLAY_STEM tree_null
#include "bench/replay_loop.h"
#define REPLAY_STEM sequence_mutex
#include "bench/replay_loop.h"
#define REPLAY_STEM sequence_null
#include "bench/replay_loop.h"

#define BOOST_ENGINE(stem)                                                                         \
    {                                                                                              \
        ACRE_ENGINE_SEGMENT, 16, boost_open<stem>, boost_close<stem>, nullptr, REPLAY_CALLS(stem)  \
    }

const struct {
    const char *name, *options;
    acre_engine engine;
} boost_engines[] = {
    {"boost_rbtree_best_fit", "", BOOST_ENGINE(tree_mutex)},
    {"boost_rbtree_best_fit", "lock=none", BOOST_ENGINE(tree_null)},
    {"boost_simple_seq_fit", "", BOOST_ENGINE(sequence_mutex)},
    {"boost_simple_seq_fit", "lock=none", BOOST_ENGINE(sequence_null)},
};

} // namespace

extern "C" __attribute__((visibility("default"))) const acre_engine *
acre_boost_engine(const char *name, const char *options)
{
    for (const auto &e : boost_engines)
        if (!std::strcmp(e.name, name) && !std::strcmp(e.options, options))
            return &e.engine;
    return nullptr;
}
