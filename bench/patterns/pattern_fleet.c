/* SPDX-License-Identifier: MIT */
/* pattern_fleet.c: births and deaths as in a large fleet of servers.
 *
 * Google's fleetbench, the empirical driver of its TCMalloc benchmark.  A profile tells of each size how often a
 * block is asked for and how many are live; by Little's law their quotient is how long one lives on average.
 * Blocks are born at random times, sizes by their rates, and each dies at a random time after its birth, however
 * old it is.
 *
 * The profile is TCMALLOC_1 (its smallest heap, 93 MB), whose 1,038 sizes are put together here in bands of half
 * an octave: rates and live blocks are sums, the size is the mean of what is live.  Of the live blocks there is
 * a 32nd, over all workers.
 *
 * As there, what happens is written down before the clock starts (there 1,000,000 operations, here 65,536 a
 * worker, each worker its own) and then repeated.  A repetition must begin as it ended: there objects are
 * renamed, here the record runs forwards and then backwards, a death for each birth.  Such a process is the same
 * in both directions of time (F. Kelly: Reversibility and Stochastic Networks, 1979).  There a second heap of a
 * ten-thousandth of the first is made and dropped at the start; it is left out. */
#include "bench/patterns/pattern.h"

#include <math.h>

const pattern_fleet_class pattern_fleet_classes[] = {
    {8, 16305, 17857.6},    {10, 49, 323.9},       {16, 110887, 27423.6},  {20, 240, 3139.3},
    {28, 271211, 150485.6}, {40, 92319, 53150.7},  {54, 231190, 159903.7}, {78, 60383, 67170.6},
    {110, 85261, 76856.4},  {154, 31999, 33369.6}, {221, 41324, 35038.3},  {300, 7908, 18877.3},
    {446, 4165, 4281.7},    {586, 4817, 2601.5},   {910, 20076, 2322.0},   {1305, 1201, 2584.9},
    {1948, 2870, 1194.7},   {2457, 833, 847.9},    {3865, 12456, 1249.1},  {4734, 2286, 384.1},
    {7056, 1546, 440.8},    {9932, 109, 88.3},     {14232, 88, 75.9},      {19140, 54, 59.7},
    {27738, 76, 50.7},      {38973, 104, 32.6},    {54024, 171, 30.3},     {77951, 40, 7.0},
    {117738, 5, 5.5},       {159005, 6, 9.1},      {386428, 19, 2.4},
};
const size_t pattern_fleet_n_classes = sizeof pattern_fleet_classes / sizeof *pattern_fleet_classes;

enum { FLEET_OPS = 1 << 16, FLEET_SCALE = 32, FLEET_SPARE = 1024 };

typedef struct fleet_op {
    uint32_t slot;
    uint16_t class;
    uint16_t birth;
} fleet_op;

typedef struct fleet_death {
    double time;
    uint32_t slot, class;
} fleet_death;

/* The beginning of w->own; the arrays, with a place for each slot, lie behind it. */
typedef struct fleet {
    uint32_t slots, first; /* all, and those that are live at the start */
    uint32_t unused, dying;
    pattern_slot *slot;
    uint32_t *unused_slot; /* a stack */
    uint16_t *first_class;
    fleet_death *death; /* a binary heap: the next one is on top */
    fleet_op op[FLEET_OPS];
} fleet;

static double fleet_part(const procs_worker *w)
{
    return 1.0 / FLEET_SCALE / w->n;
}

static double fleet_births(void)
{
    double sum = 0;
    for (size_t i = 0; i < pattern_fleet_n_classes; i++)
        sum += pattern_fleet_classes[i].births;
    return sum;
}

/* Twice what is live on average is never reached. */
static size_t fleet_slots(const procs_worker *w)
{
    double live = 0;
    for (size_t i = 0; i < pattern_fleet_n_classes; i++)
        live += pattern_fleet_classes[i].live;
    return (size_t)(2 * live * fleet_part(w)) + FLEET_SPARE;
}

size_t pattern_fleet_room(const procs_worker *w)
{
    size_t each = sizeof(pattern_slot) + sizeof(fleet_death) + sizeof(uint32_t) + sizeof(uint16_t);
    return sizeof(fleet) + fleet_slots(w) * each;
}

/* The widest first, so that each is aligned. */
static void fleet_lay_out(procs_worker *w)
{
    fleet *f = w->own;
    f->slots = (uint32_t)fleet_slots(w);
    f->slot = (pattern_slot *)(f + 1);
    f->death = (fleet_death *)(f->slot + f->slots);
    f->unused_slot = (uint32_t *)(f->death + f->slots);
    f->first_class = (uint16_t *)(f->unused_slot + f->slots);
    for (uint32_t i = f->slots; i--;)
        f->unused_slot[f->unused++] = i;
}

/* ---- who dies next ---- */

static void fleet_swap(fleet_death *a, fleet_death *b)
{
    fleet_death x = *a;
    *a = *b;
    *b = x;
}

static void fleet_add_death(fleet *f, fleet_death d)
{
    uint32_t i = f->dying++;
    f->death[i] = d;
    for (; i && f->death[i].time < f->death[(i - 1) / 2].time; i = (i - 1) / 2)
        fleet_swap(&f->death[i], &f->death[(i - 1) / 2]);
}

static fleet_death fleet_take_death(fleet *f)
{
    fleet_death top = f->death[0];
    f->death[0] = f->death[--f->dying];
    for (uint32_t i = 0, k; (k = 2 * i + 1) < f->dying; i = k) {
        k += k + 1 < f->dying && f->death[k + 1].time < f->death[k].time;
        if (f->death[i].time <= f->death[k].time)
            break;
        fleet_swap(&f->death[i], &f->death[k]);
    }
    return top;
}

/* ---- the record ---- */

static double fleet_after(procs_worker *w, double mean)
{
    return -mean * log(1 - pattern_unit(w));
}

/* Little's law: a block lives as long as it takes to be asked for so many.  A worker's part has fewer of both. */
static uint32_t fleet_bear(procs_worker *w, uint32_t class, double now)
{
    const pattern_fleet_class *c = &pattern_fleet_classes[class];
    fleet *f = w->own;
    uint32_t slot = f->unused_slot[--f->unused];
    fleet_add_death(f, (fleet_death){now + fleet_after(w, c->live / c->births), slot, class});
    return slot;
}

/* Of 2.4 blocks there are two, and a third four times in ten. */
static void fleet_populate(procs_worker *w)
{
    fleet *f = w->own;
    for (uint32_t c = 0; c < pattern_fleet_n_classes; c++) {
        double n = pattern_fleet_classes[c].live * fleet_part(w) + pattern_unit(w);
        for (uint32_t i = 1; i <= n && f->unused; i++)
            f->first_class[fleet_bear(w, c, 0)] = (uint16_t)c;
    }
    f->first = f->dying;
}

static uint32_t fleet_draw_class(procs_worker *w, double births)
{
    double x = pattern_unit(w) * births;
    uint32_t c = 0;
    while (c + 1 < pattern_fleet_n_classes && x >= pattern_fleet_classes[c].births)
        x -= pattern_fleet_classes[c++].births;
    return c;
}

static void fleet_record(procs_worker *w)
{
    fleet *f = w->own;
    double births = fleet_births(), gap = 1 / (births * fleet_part(w)), next = fleet_after(w, gap);
    for (uint32_t i = 0; i < FLEET_OPS; i++)
        if ((f->dying && f->death[0].time < next) || !f->unused) {
            fleet_death d = fleet_take_death(f);
            f->unused_slot[f->unused++] = d.slot;
            f->op[i] = (fleet_op){d.slot, (uint16_t)d.class, false};
        } else {
            uint32_t c = fleet_draw_class(w, births);
            f->op[i] = (fleet_op){fleet_bear(w, c, next), (uint16_t)c, true};
            next += fleet_after(w, gap);
        }
}

void pattern_fleet_prepare(procs_worker *w)
{
    fleet_lay_out(w);
    fleet_populate(w);
    fleet_record(w);
}

/* ---- the work ---- */

static void fleet_play(procs_worker *w, const fleet_op *op, bool backwards)
{
    fleet *f = w->own;
    if (op->birth != backwards)
        pattern_replace(w, &f->slot[op->slot], pattern_fleet_classes[op->class].size);
    else
        pattern_empty(w, &f->slot[op->slot]);
}

void pattern_fleet_work(procs_worker *w)
{
    fleet *f = w->own;
    uint32_t at = 0;
    for (uint32_t i = 0; i < f->first; i++)
        pattern_replace(w, &f->slot[i], pattern_fleet_classes[f->first_class[i]].size);
    do
        for (int i = 0; i < PATTERN_CHUNK; i++, at = (at + 1) % (2 * FLEET_OPS))
            fleet_play(w, &f->op[at < FLEET_OPS ? at : 2 * FLEET_OPS - 1 - at], at >= FLEET_OPS);
    while (procs_on(w));
    pattern_clear(w, f->slot, f->slots);
}
