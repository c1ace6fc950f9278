/* SPDX-License-Identifier: MIT */
/* The report on synchronisation, step by step; and what its names and groups are. */
#include "bench/report_sync.h"

#include "bench/report_sync_model.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const acre__sync_primitives[SYNC_PRIMITIVES] = {
    "mutex",
    "recursive",
    "sharable_exclusive",
    "sharable_shared",
    "upgradable_exclusive",
    "upgradable_shared",
    "upgradable_upgradable",
    "semaphore",
    "condition",
    "file_lock",
    "queue",
    "spsc",
    "mpmc",
    "broadcast",
};

const char *const acre__sync_cases[SYNC_CASES] = {
    "uncontended",      "contended2",     "readers1",         "readers2",
    "readers4",         "readers8",       "throughput_cap10", "throughput_cap1024",
    "throughput_batch", "roundtrip_2cpu", "roundtrip_1cpu",
};

const char *const acre__sync_implementations[SYNC_IMPLEMENTATIONS] = {
    "acre", "pthread", "pthread_robust", "posix", "boost", "pipe",
};

const sync_group acre__sync_groups[SYNC_GROUPS] = {
    {"Alone",
     "One process, nobody else: lock and unlock, take and give, notify when nobody waits, "
     "or a message sent and received.",
     0,
     0,
     "ns",
     1e-9,
     true,
     {"sync-uncontended", "Cost alone",
      "One row a primitive: the mark is the median time of one operation and its reversal, the "
      "line reaches from the fastest to the slowest repetition. Left is better; the scale is "
      "logarithmic."}},
    {"Two processes at once",
     "Two processes on two CPUs take the same lock, add 1 to a shared "
     "number (readers read it) and give it back; or both send and "
     "receive through the same queue. Operations of both together.",
     1,
     1,
     "million/s",
     1e6,
     false,
     {"sync-contended", "Two processes at once",
      "Million operations a second of both processes together. Right is better; the scale is "
      "logarithmic."}},
    {"Readers",
     "So many processes that only read hold the lock sharable; all operations "
     "together. More processes than CPUs take turns.",
     2,
     5,
     "million/s",
     1e6,
     false,
     {"sync-readers", "Readers side by side",
      "Readers that do not write each other's cache lines add up, until there are more of them "
      "than CPUs; a line that falls shows a lock that makes readers wait for each other."}},
    {"Messages",
     "64 bytes from one producer to one consumer, on two CPUs; capacity 10 and 1024, "
     "and in batches of 32 at 1024 (one by one where there is no batch form). Rings "
     "round 10 up to 16, a pipe to 64.",
     6,
     8,
     "million/s",
     1e6,
     false,
     {"sync-throughput", "Messages through queues and rings",
      "Million messages of 64 bytes a second. Right is better; the scale is logarithmic."}},
    {"Round trips",
     "Two processes wake each other in turn: there and back is one. On two CPUs a "
     "side may spin; on one, each has to sleep for the other to run.",
     9,
     10,
     "µs",
     1e-6,
     true,
     {"sync-roundtrip", "There and back",
      "Time of a round trip between two processes. Left is better; the scale is logarithmic."}},
};

int acre__sync_place(const char *const *list, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (strcmp(list[i], name) == 0)
            return i;
    return -1;
}

/* ---- pictures ---- */

static void sync_pictures(report_picture *list)
{
    for (int i = 0; i < SYNC_GROUPS; i++)
        list[i] = acre__sync_groups[i].picture;
}

static void sync_take_colour(void *arg, const char *name, const char *colour)
{
    (void)arg, (void)name, (void)colour;
}

static int sync_plot(sync_model *m)
{
    report_picture list[SYNC_GROUPS];
    char path[4096];
    sync_pictures(list);
    acre__report_forget_pictures(m->dir, list, SYNC_GROUPS);
    if (!acre__report_has_scripts())
        return 0;
    int error = acre__report_run_gnuplot(m->dir, "colours", "sync-names", "sync-colours.dat");
    if (error) {
        acre__report_say(0, "no pictures: gnuplot cannot be started: %s (Debian: gnuplot-nox)",
                         strerror(error));
        return 0;
    }
    m->pictures = true;
    snprintf(path, sizeof path, "%s/data/sync-colours.dat", m->dir);
    acre__report_read_colours(path, &m->colours, sync_take_colour, NULL);
    acre__report_draw(m->dir, list, SYNC_GROUPS, "svg");
    return 0;
}

int acre_report_sync_draw_png(const char *dir)
{
    report_picture list[SYNC_GROUPS];
    sync_pictures(list);
    acre__report_say(0, "%s", "");
    if (!acre__report_has_scripts())
        return ENOENT;
    int error = acre__report_draw(dir, list, SYNC_GROUPS, "png");
    return error ? acre__report_say(error, "gnuplot cannot be started: %s", strerror(error)) : 0;
}

/* ---- all ---- */

static int sync_steps(sync_model *m, const char *json, const char *kills)
{
    int error = acre__sync_load(m, json);
    if (!error)
        error = acre__sync_load_kills(m, kills);
    if (!error)
        error = acre__report_make_folder(m->dir);
    if (!error)
        error = acre__sync_write_data(m);
    if (!error)
        error = sync_plot(m);
    if (!error)
        error = acre__sync_write_page(m);
    return error;
}

int acre_report_sync_write(const char *json, const char *kills, const char *dir, FILE *summary)
{
    sync_model *m = calloc(1, sizeof *m);
    acre__report_say(0, "%s", "");
    if (!m)
        return acre__report_say(ENOMEM, "%s: %s", json, strerror(ENOMEM));
    m->dir = dir;
    m->file = json;
    int error = sync_steps(m, json, kills);
    if (!error && summary)
        acre__sync_write_text(m, summary);
    acre__sync_release(m);
    free(m);
    return error;
}
