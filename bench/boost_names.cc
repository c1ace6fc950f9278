/* SPDX-License-Identifier: MIT */
/* boost_names.cc: objects by name as users of Boost.Interprocess have them, with each of its indexes, and
 * std::unordered_map in private memory. */
#include "bench/names_peer.h"

#include <boost/interprocess/indexes/flat_map_index.hpp>
#include <boost/interprocess/indexes/iset_index.hpp>
#include <boost/interprocess/indexes/iunordered_set_index.hpp>
#include <boost/interprocess/indexes/map_index.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <boost/interprocess/mem_algo/rbtree_best_fit.hpp>
#include <boost/interprocess/sync/mutex_family.hpp>

#include <new>
#include <string>
#include <unordered_map>
#include <vector>

namespace bip = boost::interprocess;

namespace
{

/* ---- Boost.Interprocess ---- */

template <template <class> class Index>
using managed =
    bip::basic_managed_external_buffer<char, bip::rbtree_best_fit<bip::mutex_family>, Index>;

template <template <class> class Index> struct boost_table {
    managed<Index> segment;
    const names_key *key;
};

template <template <class> class Index>
void *boost_open(void *memory, size_t bytes, const names_key *key, size_t)
{
    try {
        return new boost_table<Index>{managed<Index>(bip::create_only, memory, bytes), key};
    } catch (...) {
        return nullptr;
    }
}

template <template <class> class Index> void boost_close(void *table)
{
    delete static_cast<boost_table<Index> *>(table);
}

template <template <class> class Index>
size_t boost_construct(void *table, const uint32_t *order, size_t n)
{
    auto &t = *static_cast<boost_table<Index> *>(table);
    size_t done = 0;
    for (size_t i = 0; i < n; i++)
        done += t.segment.template construct<int>(t.key[order[i]].text, std::nothrow)(int(i)) !=
                nullptr;
    return done;
}

template <template <class> class Index>
size_t boost_find(void *table, const uint32_t *order, size_t n)
{
    auto &t = *static_cast<boost_table<Index> *>(table);
    size_t done = 0;
    for (size_t i = 0; i < n; i++)
        done += t.segment.template find<int>(t.key[order[i]].text).first != nullptr;
    return done;
}

template <template <class> class Index>
size_t boost_destroy(void *table, const uint32_t *order, size_t n)
{
    auto &t = *static_cast<boost_table<Index> *>(table);
    size_t done = 0;
    for (size_t i = 0; i < n; i++)
        done += t.segment.template destroy<int>(t.key[order[i]].text);
    return done;
}

template <template <class> class Index> constexpr names_peer boost_peer(const char *name)
{
    return {name,
            boost_open<Index>,
            boost_close<Index>,
            boost_construct<Index>,
            boost_find<Index>,
            boost_destroy<Index>};
}

/* ---- std::unordered_map ---- */

struct std_table {
    std::unordered_map<std::string, int> map;
    std::vector<std::string> key; /* made before the clock runs */
};

void *std_open(void *, size_t, const names_key *key, size_t keys)
{
    auto *t = new std_table;
    for (size_t i = 0; i < keys; i++)
        t->key.emplace_back(key[i].text, key[i].length);
    return t;
}

void std_close(void *table)
{
    delete static_cast<std_table *>(table);
}

size_t std_construct(void *table, const uint32_t *order, size_t n)
{
    auto &t = *static_cast<std_table *>(table);
    size_t done = 0;
    for (size_t i = 0; i < n; i++)
        done += t.map.emplace(t.key[order[i]], int(i)).second;
    return done;
}

size_t std_find(void *table, const uint32_t *order, size_t n)
{
    auto &t = *static_cast<std_table *>(table);
    size_t done = 0;
    for (size_t i = 0; i < n; i++)
        done += t.map.find(t.key[order[i]]) != t.map.end();
    return done;
}

size_t std_destroy(void *table, const uint32_t *order, size_t n)
{
    auto &t = *static_cast<std_table *>(table);
    size_t done = 0;
    for (size_t i = 0; i < n; i++)
        done += t.map.erase(t.key[order[i]]);
    return done;
}

const names_peer peers[] = {
    boost_peer<bip::iset_index>("boost_iset"),
    boost_peer<bip::iunordered_set_index>("boost_iunordered_set"),
    boost_peer<bip::map_index>("boost_map"),
    boost_peer<bip::flat_map_index>("boost_flat_map"),
    {"std_unordered_map", std_open, std_close, std_construct, std_find, std_destroy},
};

} // namespace

extern "C" __attribute__((visibility("default"))) const names_peer *acre_names_peer(size_t i)
{
    return i < sizeof peers / sizeof *peers ? &peers[i] : nullptr;
}
