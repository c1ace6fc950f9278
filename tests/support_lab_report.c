/* SPDX-License-Identifier: MIT */
/* support_lab_report.c: $ACRE_BUILD_DIR/sync-kills.json, one line a result.  Tests run in processes
 * of their own, in any order: each replaces its line, under a lock of the folder, and the file as a
 * whole is replaced by rename(2), so that it is always complete. */
#include "tests/support_lab.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { REPORT_ROWS = 512, REPORT_WIDTH = 320 };

typedef struct report_file {
    char dir[PATH_MAX - 64];
    int lock;
    size_t n;
    char row[REPORT_ROWS][REPORT_WIDTH]; /* without comma and newline */
} report_file;

static void report_path(const report_file *f, const char *name, char *path)
{
    snprintf(path, PATH_MAX, "%s/%s", f->dir, name);
}

static report_file *report_open(void)
{
    report_file *f = calloc(1, sizeof *f);
    const char *dir = getenv("ACRE_BUILD_DIR");
    ACRE_CHECK(f);
    snprintf(f->dir, sizeof f->dir, "%s", dir ? dir : ".");
    f->lock = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    ACRE_CHECK(f->lock >= 0 && flock(f->lock, LOCK_EX) == 0, "%s: %s", f->dir, strerror(errno));
    return f;
}

/* All rows but the one that is told anew. */
static void report_read(report_file *f, const char *without)
{
    char path[PATH_MAX], line[REPORT_WIDTH];
    report_path(f, "sync-kills.json", path);
    FILE *in = fopen(path, "re");
    while (in && f->n < REPORT_ROWS - 1 && fgets(line, sizeof line, in)) {
        char *end = strrchr(line, '}');
        if (strncmp(line, "{\"primitive\"", 12) != 0 || !end ||
            strncmp(line, without, strlen(without)) == 0)
            continue;
        end[1] = 0;
        snprintf(f->row[f->n++], REPORT_WIDTH, "%s", line);
    }
    if (in)
        fclose(in);
}

static bool report_is(const char *row, const char *key)
{
    return strstr(row, key) != NULL;
}

static void report_list(const report_file *f, FILE *out, const char *name, const char *key)
{
    const char *comma = "";
    fprintf(out, "\"%s\": [", name);
    for (size_t i = 0; i < f->n; i++)
        if (report_is(f->row[i], key)) {
            fprintf(out, "%s\n%s", comma, f->row[i]);
            comma = ",";
        }
    fprintf(out, "\n],\n");
}

/* Sum of a field over the rows of one implementation. */
static unsigned long long report_sum(const report_file *f, const char *implementation,
                                     const char *field)
{
    char wanted[64], key[64];
    unsigned long long sum = 0;
    snprintf(wanted, sizeof wanted, "\"implementation\": \"%s\"", implementation);
    snprintf(key, sizeof key, "\"%s\": ", field);
    for (size_t i = 0; i < f->n; i++) {
        const char *at = report_is(f->row[i], wanted) ? strstr(f->row[i], key) : NULL;
        sum += at ? strtoull(at + strlen(key), NULL, 10) : 0;
    }
    return sum;
}

static void report_totals(const report_file *f, FILE *out)
{
    static const char *const implementation[] = {"acre", "boost"};
    static const char *const field[] = {"kills",      "injected", "recovered", "hangs",
                                        "violations", "lost",     "doubled"};
    enum { FIELDS = sizeof field / sizeof *field };
    fprintf(out, "\"totals\": {");
    for (int i = 0; i < 2; i++) {
        fprintf(out, "%s\n\"%s\": {", i ? "," : "", implementation[i]);
        for (int k = 0; k < FIELDS; k++)
            fprintf(out, "%s\"%s\": %llu", k ? ", " : "", field[k],
                    report_sum(f, implementation[i], field[k]));
        fprintf(out, "}");
    }
    fprintf(out, "\n}}\n");
}

static void report_close(report_file *f)
{
    char path[PATH_MAX], fresh[PATH_MAX];
    report_path(f, "sync-kills.json", path);
    report_path(f, "sync-kills.json.new", fresh);
    FILE *out = fopen(fresh, "we");
    ACRE_CHECK(out, "%s: %s", fresh, strerror(errno));
    fprintf(out, "{");
    report_list(f, out, "results", "\"kills\"");
    report_list(f, out, "steps", "\"injected\"");
    report_totals(f, out);
    ACRE_CHECK(fclose(out) == 0 && rename(fresh, path) == 0, "%s: %s", path, strerror(errno));
    close(f->lock);
    free(f);
}

static const char *report_name(const char *implementation)
{
    return implementation ? implementation : "acre";
}

static void report_row(const char *key, const char *row)
{
    report_file *f = report_open();
    report_read(f, key);
    snprintf(f->row[f->n++], REPORT_WIDTH, "%s", row);
    report_close(f);
    fprintf(stderr, "%s\n", row);
}

void lab_report_steps(const lab_scenario *s, const lab_count *n)
{
    char key[160], row[REPORT_WIDTH];
    snprintf(key, sizeof key,
             "{\"primitive\": \"%s\", \"operation\": \"%s\", \"implementation\": \"%s\",",
             s->primitive, s->operation, report_name(s->implementation));
    snprintf(row, sizeof row,
             "%s \"injected\": %zu, \"recovered\": %zu, \"hangs\": %zu, \"violations\": %zu, "
             "\"lost\": %zu, \"doubled\": %zu}",
             key, n->injected, n->recovered, n->hangs, n->violations, n->lost, n->doubled);
    report_row(key, row);
}

void lab_report_kills(const lab_contest *c, const lab_count *n)
{
    char key[160], row[REPORT_WIDTH];
    snprintf(key, sizeof key, "{\"primitive\": \"%s\", \"implementation\": \"%s\",", c->primitive,
             report_name(c->implementation));
    snprintf(row, sizeof row,
             "%s \"kills\": %zu, \"hangs\": %zu, \"violations\": %zu, \"lost\": %zu, "
             "\"doubled\": %zu}",
             key, n->injected, n->hangs, n->violations, n->lost, n->doubled);
    report_row(key, row);
}
