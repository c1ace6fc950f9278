/* SPDX-License-Identifier: MIT */
/* boost_walk.cc: the loop of micro/walk.c with offset_ptr, as its users write it. */
#include "bench/boost_walk.h"

#include <boost/interprocess/offset_ptr.hpp>

#include <new>

namespace
{

struct node {
    boost::interprocess::offset_ptr<node> next;
    uint32_t value;
};
static_assert(sizeof(node) == sizeof(boost_walk_node), "the same layout in C");

void walk_link(boost_walk_node *from, boost_walk_node *to)
{
    new (from) boost::interprocess::offset_ptr<node>(reinterpret_cast<node *>(to));
}

uint32_t walk_run(boost_walk_node *first, size_t n)
{
    uint32_t sum = 0;
    for (size_t left = n; left;)
        for (const node *m = reinterpret_cast<node *>(first); m && left; m = m->next.get(), left--)
            sum += m->value;
    return sum;
}

const boost_walk walk = {walk_link, walk_run};

} // namespace

extern "C" __attribute__((visibility("default"))) const boost_walk *acre_boost_walk()
{
    return &walk;
}
