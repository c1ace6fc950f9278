/* SPDX-License-Identifier: MIT */
/* procs_show.c: the table of what processes got done together. */
#include "cli/procs_tools.h"

#include "bench/procs.h"

#include <stdio.h>
#include <string.h>

void procs_show_header(const char *what)
{
    printf("%-18s %-38s %5s %5s %12s %8s %6s %6s %s\n", what, "ALGORITHM", "PROCS", "THR", "OPS/S",
           "NS/OP", "FAIR", "USED", "CHECK");
}

static double show_real(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static void show_line(const json_t *o, const char *what, const char *check)
{
    double used = show_real(o, "peak_used"), live = show_real(o, "peak_live");
    char memory[32] = "-";
    if (used > 0 && live >= ACRE_PROCS_TELLING)
        snprintf(memory, sizeof memory, "%.2f", used / live);
    printf("%-18s %-38s %5.0f %5.0f %12.4g %8.1f %6.3f %6s %s\n", what,
           json_string_value(json_object_get(o, "algorithm")), show_real(o, "processes"),
           show_real(o, "threads"), show_real(o, "ops_per_s"), show_real(o, "ns_per_op"),
           show_real(o, "fairness"), memory, check ? check : "-");
    if (show_real(o, "failed") > 0)
        printf("%-18s %.0f times there was no room\n", "", show_real(o, "failed"));
}

bool procs_show(json_t *result, const char *what, bool json)
{
    const char *check = json_string_value(json_object_get(result, "check"));
    if (json) {
        json_dumpf(result, stdout, JSON_COMPACT);
        putchar('\n');
    } else
        show_line(result, what, check);
    fflush(stdout);
    return !check || !strcmp(check, "ok");
}
