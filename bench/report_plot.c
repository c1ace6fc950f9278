/* SPDX-License-Identifier: MIT */
/* The pictures of a comparison: their captions, and drawing them. */
#include "bench/report.h"
#include "bench/report_model.h"

#include <errno.h>
#include <string.h>

const report_picture acre__report_pictures[] = {
    {"time-forest", "Time against the reference",
     "Each row is one algorithm: the filled mark is its warm time per operation as a ratio to the "
     "reference, with its 95 % interval where that is wider than the mark; the ring is the same "
     "net of the harness. Left of the line at 1 is faster. A mark inside the grey band around 1 "
     "cannot be told from noise. * marks a mean over fewer traces."},
    {"pareto", "Time against memory",
     "Down and left is better on both counts. The stairs are the front: an algorithm above them "
     "is beaten on time and memory by another at once. Hollow marks are options of an algorithm; "
     "* marks means over fewer traces, which take no part in the front."},
    {"time-by-trace", "Time, program by program",
     "One row a program. See whether an algorithm is ahead everywhere or owes its mean to a few "
     "programs. The grey bar is what the empty replay costs: nothing can lie left of its end."},
    {"memory-by-trace", "Memory, program by program",
     "The smallest segment in which the whole trace succeeds, over the peak of live bytes; for "
     "mallocs, which have no segment, the growth of resident memory. 1× would be no overhead at "
     "all."},
    {"memory-over-time", "Memory over time",
     "The grey hill is what the program holds; each line is what one heap holds for it. The gap "
     "is overhead and fragmentation; a line that stays up when the hill falls keeps memory."},
    {"live-cost", "Cost as the heap fills",
     "One allocation and one free while so many blocks are live, without lock and journal. The legend "
     "names the theory, and the dashed line is it: a shape put through the first two points. A line "
     "that leaves its theory to the right of a few thousand blocks misses caches. A cross at the top: "
     "with so many blocks it could not reach its steady state in time."},
    {"latency", "The slowest operations",
     "How many operations take longer than so long, without lock and journal. The line takes of each "
     "operation its least over seven passes: what the algorithm itself needs; dotted is one pass as "
     "measured, with interrupts and other processes. The end of a line is the worst operation."},
    {"scaling", "Many at work on one heap",
     "What workers get done together: acre's and Boost's processes share one segment, a malloc's have a "
     "heap each, and are threads of one process where blocks are handed on (larson, xmalloc and the like). A "
     "line that rises with the workers scales; one that falls waits for a lock. Default options, lock and "
     "journal on."},
    {"fairness", "How even the work is",
     "Jain's index of what each worker got done: 1 if all did the same, 1 over their number if one did all "
     "(the dashed line). Processes that share a lock may take it from each other unevenly; workers of a "
     "pattern that gives them unequal parts (mstress, from the third on) do unequal work by rights."},
    {"blow-up", "Memory held over memory asked for",
     "The most that a heap has held over the most that was live in it, if that is at least 64 KiB: 1× would be "
     "no overhead at all. Of a segment it is the high water; of mallocs (dashed) the growth of their "
     "processes' memory, looked at four times. Where blocks are handed on what is live is looked at every "
     "10 ms, and a peak may be missed. A line that rises with the workers "
     "pays for their independence; below 1×, workers that had to take turns were not at their most together."},
    {"false-sharing", "Whose cache line is it",
     "How fast one worker writes to its block, as a part of what it does alone. cache-thrash: blocks of 8 bytes "
     "of different workers must not share a line; cache-scratch: not even when a worker gave one back that was "
     "a neighbour's. The dashed line is as many processors as there are, without any sharing; what lies far "
     "below it shares lines."},
    {"names", "Objects by name",
     "Finding one of so many names, and constructing and destroying one beside them (make names): acre's indexes, "
     "Boost.Interprocess's, and std::unordered_map in private memory, which knows no types and nobody else."},
    {"safety", "What safety costs",
     "From the bare algorithm to one that survives any death: the undo journal, then the spin lock, then "
     "the robust lock in its place. All steps take turns in one process; means over several traces."},
    {"cold-warm", "First pass and later passes",
     "The filled mark is a warm pass, the ring the first one, when pages are fresh and caches are "
     "empty. A long line means that short-lived processes pay much more than the warm ranking "
     "says."},
    {"noise", "What this run cannot see",
     "The reference, run twice in each block, against itself: every point should be at 0. The band "
     "is the noise floor: a difference in the ranking smaller than it is called no difference. "
     "The dashed line is the mean."},
};
const size_t acre__report_n_pictures = sizeof acre__report_pictures / sizeof *acre__report_pictures;

static void plot_take_colour(void *model, const char *name, const char *colour)
{
    report_model *m = model;

    for (size_t i = 0; i < m->n_algorithms; i++)
        if (strcmp(m->algorithm[i].name, name) == 0)
            memcpy(m->algorithm[i].colour, colour, 8);
}

const report_picture *acre__report_picture_of(const char *name)
{
    for (size_t i = 0; i < acre__report_n_pictures; i++)
        if (strcmp(acre__report_pictures[i].name, name) == 0)
            return &acre__report_pictures[i];
    return NULL;
}

int acre__report_plot_list(report_model *m, const char *names, const report_picture *list, size_t n)
{
    char path[4096];
    int error;

    acre__report_forget_pictures(m->dir, list, n);
    if (!acre__report_has_scripts())
        return 0;
    error = acre__report_run_gnuplot(m->dir, "colours", names, "colours.dat");
    if (error) {
        acre__report_say(0, "no pictures: gnuplot cannot be started: %s (Debian: gnuplot-nox)",
                         strerror(error));
        return 0;
    }
    m->pictures = true;
    snprintf(path, sizeof path, "%s/data/colours.dat", m->dir);
    acre__report_read_colours(path, &m->colours, plot_take_colour, m);
    acre__report_draw(m->dir, list, n, "svg");
    return 0;
}

int acre__report_plot(report_model *m)
{
    return acre__report_plot_list(m, "algorithms", acre__report_pictures, acre__report_n_pictures);
}

int acre_report_draw_png(const char *dir)
{
    int error;

    acre__report_say(0, "%s", "");
    if (!acre__report_has_scripts())
        return ENOENT;
    error = acre__report_draw(dir, acre__report_pictures, acre__report_n_pictures, "png");
    return error ? acre__report_say(error, "gnuplot cannot be started: %s", strerror(error)) : 0;
}
