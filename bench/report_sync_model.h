/* SPDX-License-Identifier: MIT */
/* What the files of the synchronisation report share.  Names are places in fixed lists, in the
 * order of columns and rows.  Numbers that are not known are NAN. */
#ifndef ACRE_BENCH_REPORT_SYNC_MODEL_H
#define ACRE_BENCH_REPORT_SYNC_MODEL_H

#include "bench/report_page.h"

enum { SYNC_PRIMITIVES = 14, SYNC_CASES = 11, SYNC_IMPLEMENTATIONS = 6, SYNC_GROUPS = 5 };

extern const char *const acre__sync_primitives[SYNC_PRIMITIVES];
extern const char *const acre__sync_cases[SYNC_CASES];
extern const char *const acre__sync_implementations[SYNC_IMPLEMENTATIONS];

/* The place of a name in a list of n, or -1. */
int acre__sync_place(const char *const *list, int n, const char *name);

/* One benchmark: the items per second of each repetition. */
typedef struct sync_cell {
    double *rate;
    size_t n;
    double median, least, most;
    char *skipped; /* why there is no number, or NULL */
} sync_cell;

/* Cases that stand in one table and one picture, in one unit. */
typedef struct sync_group {
    const char *title, *text;
    int first, last; /* cases */
    const char *unit;
    double scale;  /* the unit's worth in seconds, or in items per second */
    bool duration; /* what is shown is a time: the less the better */
    report_picture picture;
} sync_group;

extern const sync_group acre__sync_groups[SYNC_GROUPS];

/* What a measurement was meant to reach. */
typedef struct sync_aim {
    int primitive, kase;
    int peer;      /* -1: an absolute time */
    double factor; /* at least so many times the peer's rate, or less than so many ns */
} sync_aim;

enum sync_verdict { SYNC_UNKNOWN, SYNC_REACHED, SYNC_MISSED };

typedef struct sync_judgement {
    double value, least, most; /* the ratio, or ns; least and most of what repetitions allow */
    enum sync_verdict verdict;
    bool close; /* within the spread it could be the other */
} sync_judgement;

typedef struct sync_model {
    const char *dir, *file;
    json_t *context, *kills; /* kills: NULL if there are none */
    sync_cell cell[SYNC_PRIMITIVES][SYNC_CASES][SYNC_IMPLEMENTATIONS];
    size_t n_benches, n_repetitions;
    report_colours colours;
    bool pictures;
} sync_model;

/* report_sync_load.c */
int acre__sync_load(sync_model *m, const char *file);
int acre__sync_load_kills(sync_model *m, const char *file);
void acre__sync_release(sync_model *m);

/* report_sync_aim.c */
bool acre__sync_aim(size_t i, sync_aim *a); /* false: i is behind the last one */
sync_judgement acre__sync_judge(const sync_model *m, const sync_aim *a);
/* "at least 10× boost", "under 1 µs" */
void acre__sync_aim_text(const sync_aim *a, char *text, size_t room);
void acre__sync_value_text(const sync_aim *a, double value, char *text, size_t room);
const char *acre__sync_verdict_text(const sync_judgement *j);
/* The fastest of the others, or -1. */
int acre__sync_best_peer(const sync_model *m, int primitive, int kase);
/* acre's rate over another's; least and most: by the extremes of both. */
sync_judgement acre__sync_ratio(const sync_model *m, int primitive, int kase, int peer);
void acre__sync_write_text(const sync_model *m, FILE *out);

/* report_sync_data.c */
double acre__sync_shown(const sync_group *g, double rate); /* in the group's unit */
int acre__sync_write_data(const sync_model *m);

/* report_sync_table.c, report_sync_page.c */
void acre__sync_table_aims(FILE *out, const sync_model *m);
void acre__sync_table_group(FILE *out, const sync_model *m, const sync_group *g);
void acre__sync_table_kills(FILE *out, const sync_model *m);
int acre__sync_write_page(const sync_model *m);

#endif
