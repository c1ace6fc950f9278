/* SPDX-License-Identifier: MIT */
/* size_tree.h: a red-black tree of free blocks by size, its nodes inside the blocks.
 *
 * Links are 32-bit unit indexes (0 = none), so the tree lies in a region that may be mapped
 * anywhere.  A size is in the tree once; further blocks of that size hang in a list behind the
 * node («chain»), which makes the common removal one unlinking instead of a rebalancing.
 * Source: Cormen, Leiserson, Rivest, Stein, Introduction to Algorithms, chapter 13.
 *
 * The tree is derived from the blocks' headers: nothing here is noted in the undo journal, a
 * recovery builds it anew.
 *
 * T1  search order: sizes left of a node are smaller, right of it larger
 * T2  a child's parent is its node; the root's parent is 0
 * T3  no red node has a red child; the root is black
 * T4  each path from a node down has equally many black nodes
 * T5  a chain's members have their node's size, point back at their predecessor, and are marked
 */
#ifndef ACRE_ALLOC_SIZE_TREE_H
#define ACRE_ALLOC_SIZE_TREE_H

#include "alloc/tags.h"

/* A node's next and back are its chain's; child[0] has the smaller sizes, child[1] the larger; up is
 * the parent * 2 + red, or: */
#define TREE_CHAINED 0xffffffffu

static inline uint32_t tree_parent(const acre_region *r, uint32_t u)
{
    return tag_at(r, u)->up >> 1;
}

static inline bool tree_red(const acre_region *r, uint32_t u)
{
    return u && (tag_at(r, u)->up & 1);
}

static inline void tree_set_parent(const acre_region *r, uint32_t u, uint32_t parent)
{
    tag_block *b = tag_at(r, u);
    b->up = parent << 1 | (b->up & 1);
}

static inline void tree_paint(const acre_region *r, uint32_t u, uint32_t red)
{
    tag_block *b = tag_at(r, u);
    if ((b->up & 1) != red)
        b->up = (b->up & ~1u) | red;
}

/* Where the link to u stands: in its parent or at the root. */
static inline void tree_relink(const acre_region *r, uint32_t *root, uint32_t parent, uint32_t u,
                               uint32_t to)
{
    uint32_t *link = root;
    if (parent)
        link = &tag_at(r, parent)->child[tag_at(r, parent)->child[1] == u];
    *link = to;
}

/* x goes down to side `side`, its other child comes up. */
static __attribute__((noinline)) void tree_rotate(const acre_region *r, uint32_t *root, uint32_t x,
                                                  int side)
{
    uint32_t y = tag_at(r, x)->child[!side], inner = tag_at(r, y)->child[side];
    uint32_t parent = tree_parent(r, x);
    tag_at(r, x)->child[!side] = inner;
    if (inner)
        tree_set_parent(r, inner, x);
    if (!ACRE_BUG_IS(47))
        tree_set_parent(r, y, parent);
    tree_relink(r, root, parent, x, y);
    tag_at(r, y)->child[side] = x;
    tree_set_parent(r, x, y);
}

/* u is red and its parent may be too. */
static __attribute__((noinline)) void tree_mend_insert(const acre_region *r, uint32_t *root,
                                                       uint32_t u)
{
    for (;;) {
        uint32_t p = tree_parent(r, u);
        if (!tree_red(r, p))
            break;
        uint32_t g = tree_parent(r, p);
        int side = tag_at(r, g)->child[1] == p;
        uint32_t uncle = tag_at(r, g)->child[!side];
        if (!tree_red(r, uncle)) {
            if (tag_at(r, p)->child[!side] == u) {
                tree_rotate(r, root, p, side);
                p = u;
            }
            tree_paint(r, p, 0);
            tree_paint(r, g, 1);
            tree_rotate(r, root, g, !side);
            break;
        }
        tree_paint(r, p, 0);
        tree_paint(r, uncle, 0);
        tree_paint(r, g, 1);
        u = g;
    }
    tree_paint(r, *root, 0);
}

/* Hang u into the list behind the node of its size. */
static inline void tree_chain(const acre_region *r, uint32_t node, uint32_t u)
{
    tag_block *b = tag_at(r, u), *n = tag_at(r, node);
    b->next = n->next;
    b->back = node;
    b->up = TREE_CHAINED;
    if (n->next)
        tag_at(r, n->next)->back = u;
    n->next = u;
}

/* u has its head; it is in no index. */
static __attribute__((noinline)) void tree_insert(const acre_region *r, uint32_t *root, uint32_t u)
{
    tag_block *b = tag_at(r, u);
    uint32_t *link = root, parent = 0, units = b->head & TAG_UNITS;
    while (*link) {
        parent = *link;
        uint32_t here = tag_units(r, parent);
        if (here == units) {
            tree_chain(r, parent, u);
            return;
        }
        link = &tag_at(r, parent)->child[here < units];
    }
    b->next = 0;
    b->back = 0;
    b->child[0] = 0;
    b->child[1] = 0;
    b->up = parent << 1 | 1;
    *link = u;
    tree_mend_insert(r, root, u);
}

/* Below `parent` on the side of u (may be 0) a black node is missing. */
static __attribute__((noinline)) void tree_mend_erase(const acre_region *r, uint32_t *root,
                                                      uint32_t u, uint32_t parent)
{
    while (u != *root && !tree_red(r, u)) {
        int side = tag_at(r, parent)->child[1] == u;
        uint32_t w = tag_at(r, parent)->child[!side];
        if (tree_red(r, w)) {
            tree_paint(r, w, 0);
            tree_paint(r, parent, 1);
            tree_rotate(r, root, parent, side);
            w = tag_at(r, parent)->child[!side];
        }
        uint32_t near = tag_at(r, w)->child[side], far = tag_at(r, w)->child[!side];
        if (!tree_red(r, near) && !tree_red(r, far)) {
            tree_paint(r, w, 1);
            u = parent;
            parent = tree_parent(r, u);
            continue;
        }
        if (!tree_red(r, far)) {
            tree_paint(r, near, 0);
            tree_paint(r, w, 1);
            tree_rotate(r, root, w, !side);
            far = w;
            w = near;
        }
        tree_paint(r, w, tree_red(r, parent));
        tree_paint(r, parent, 0);
        tree_paint(r, far, 0);
        tree_rotate(r, root, parent, side);
        return;
    }
    if (u)
        tree_paint(r, u, 0);
}

/* y takes z's place: its parent, children and colour. */
static __attribute__((noinline)) void tree_replace(const acre_region *r, uint32_t *root, uint32_t z,
                                                   uint32_t y)
{
    tag_block *from = tag_at(r, z), *to = tag_at(r, y);
    tree_relink(r, root, from->up >> 1, z, y);
    for (int side = 0; side < 2; side++) {
        to->child[side] = from->child[side];
        if (from->child[side])
            tree_set_parent(r, from->child[side], y);
    }
    to->up = from->up;
}

/* Take a node with at most one child out; mend below its parent. */
static __attribute__((noinline)) void tree_splice(const acre_region *r, uint32_t *root, uint32_t z)
{
    tag_block *b = tag_at(r, z);
    uint32_t u = b->child[0] ? b->child[0] : b->child[1], parent = b->up >> 1;
    bool black = !(b->up & 1);
    tree_relink(r, root, parent, z, u);
    if (u)
        tree_set_parent(r, u, parent);
    if (black)
        tree_mend_erase(r, root, u, parent);
}

/* Take node z, which has no chain, out of the tree: its successor leaves its own place and takes
 * z's. */
static void tree_erase_node(const acre_region *r, uint32_t *root, uint32_t z)
{
    uint32_t y = tag_at(r, z)->child[1];
    if (!y || !tag_at(r, z)->child[0]) {
        tree_splice(r, root, z);
        return;
    }
    while (tag_at(r, y)->child[0])
        y = tag_at(r, y)->child[0];
    tree_splice(r, root, y);
    tree_replace(r, root, z, y);
}

static inline void tree_unchain(const acre_region *r, uint32_t u)
{
    tag_block *b = tag_at(r, u);
    tag_at(r, b->back)->next = b->next;
    if (b->next)
        tag_at(r, b->next)->back = b->back;
}

/* Take block u out, wherever it is. */
static __attribute__((noinline)) void tree_erase(const acre_region *r, uint32_t *root, uint32_t u)
{
    tag_block *b = tag_at(r, u);
    uint32_t heir = b->next;
    if (b->up == TREE_CHAINED) {
        tree_unchain(r, u);
    } else if (heir) {
        tree_replace(r, root, u, heir);
        tag_at(r, heir)->back = 0;
    } else {
        tree_erase_node(r, root, u);
    }
}

/* The smallest block of at least `units`: a chained one if there is one, for it is cheaper to
 * take.  0: none. */
static inline uint32_t tree_best(const acre_region *r, uint32_t root, uint32_t units)
{
    uint32_t best = 0;
    while (root) {
        const tag_block *b = tag_at(r, root);
        uint32_t here = b->head & TAG_UNITS;
        if (here >= units)
            best = root;
        if (here == units)
            break;
        root = b->child[here < units];
    }
    return best && tag_at(r, best)->next ? tag_at(r, best)->next : best;
}

static const char *tree_check_chain(const acre_region *r, tag_census *c, uint32_t node)
{
    uint32_t units = tag_units(r, node), back = node;
    for (uint32_t u = tag_at(r, node)->next; u; u = tag_at(r, u)->next) {
        if (!tag_meet(r, c, u, units))
            return "T5";
        if (tag_at(r, u)->back != back || tag_at(r, u)->up != TREE_CHAINED)
            return "T5";
        back = u;
    }
    return NULL;
}

/* The subtree at u, whose sizes must lie strictly between low and high.  Depth is bounded, and
 * so is the recursion: a red-black tree of 2^31 nodes has at most 62 levels. */
static inline const char *tree_check(const acre_region *r, tag_census *c, uint32_t u,
                                     uint32_t parent, uint64_t low, uint64_t high, int depth,
                                     int *blacks)
{
    *blacks = 1;
    if (!u)
        return NULL;
    if (depth > 64 || u < c->first || u > c->end - 2)
        return "T2";
    const tag_block *b = tag_at(r, u);
    uint32_t units = b->head;
    int left, right;
    if (!tag_meet(r, c, u, units) || units <= low || units >= high)
        return "T1";
    if (b->up >> 1 != parent || b->back != 0)
        return "T2";
    if ((b->up & 1) && (!parent || tree_red(r, parent)))
        return "T3";
    const char *e = tree_check_chain(r, c, u);
    if (!e)
        e = tree_check(r, c, b->child[0], u, low, units, depth + 1, &left);
    if (!e)
        e = tree_check(r, c, b->child[1], u, units, high, depth + 1, &right);
    if (!e && left != right)
        e = "T4";
    *blacks = e ? 0 : left + !(b->up & 1);
    return e;
}

#endif
