/* SPDX-License-Identifier: MIT */
/* fingerprint.c: on what a result was measured. */
#include "bench/fingerprint.h"

#include <gnu/libc-version.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#ifndef ACRE_COMMIT
#define ACRE_COMMIT "unknown"
#endif
#ifndef ACRE_BUILD
#define ACRE_BUILD "unknown"
#endif

#define FINGERPRINT_CPU "/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"
#define FINGERPRINT_THP "/sys/kernel/mm/transparent_hugepage/enabled"
#define FINGERPRINT_CLOCK "/sys/devices/system/clocksource/clocksource0/current_clocksource"

const char *acre_fingerprint_commit(void)
{
    return ACRE_COMMIT;
}

/* First line of a file. */
static void fingerprint_file(json_t *o, const char *key, const char *path)
{
    char line[256] = "";
    FILE *f = fopen(path, "r");
    if (f && !fgets(line, sizeof line, f))
        line[0] = '\0';
    if (f)
        fclose(f);
    line[strcspn(line, "\n")] = '\0';
    json_object_set_new(o, key, json_string(*line ? line : "unknown"));
}

static void fingerprint_cpu(json_t *o)
{
    char line[512], model[256] = "unknown";
    FILE *f = fopen("/proc/cpuinfo", "r");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "model name : %255[^\n]", model) == 1)
            break;
    if (f)
        fclose(f);
    json_object_set_new(o, "cpu", json_string(model));
    json_object_set_new(o, "cores", json_integer(sysconf(_SC_NPROCESSORS_ONLN)));
}

static void fingerprint_kernel(json_t *o)
{
    struct utsname u;
    char text[300] = "unknown";
    if (uname(&u) == 0)
        snprintf(text, sizeof text, "%.60s %.120s %.60s", u.sysname, u.release, u.machine);
    json_object_set_new(o, "kernel", json_string(text));
}

/* Whether the hardware counts instructions for us. */
static void fingerprint_pmu(json_t *o)
{
    struct perf_event_attr a = {.type = PERF_TYPE_HARDWARE,
                                .size = sizeof a,
                                .config = PERF_COUNT_HW_INSTRUCTIONS,
                                .exclude_kernel = 1,
                                .exclude_hv = 1};
    long fd = syscall(SYS_perf_event_open, &a, 0, -1, -1, 0);
    if (fd >= 0)
        close((int)fd);
    json_object_set_new(o, "pmu", json_string(fd >= 0 ? "yes" : "no hardware counters"));
}

static void fingerprint_build(json_t *o)
{
#ifdef __clang__
    json_object_set_new(o, "compiler", json_string("clang " __clang_version__));
#else
    json_object_set_new(o, "compiler", json_string("gcc " __VERSION__));
#endif
    json_object_set_new(o, "flags", json_string(ACRE_BUILD));
    json_object_set_new(o, "libc", json_sprintf("glibc %s", gnu_get_libc_version()));
}

json_t *acre_fingerprint(void)
{
    json_t *o = json_object();
    fingerprint_cpu(o);
    fingerprint_kernel(o);
    fingerprint_file(o, "governor", FINGERPRINT_CPU);
    fingerprint_file(o, "thp", FINGERPRINT_THP);
    fingerprint_build(o);
    fingerprint_file(o, "aslr", "/proc/sys/kernel/randomize_va_space");
    fingerprint_pmu(o);
    fingerprint_file(o, "clocksource", FINGERPRINT_CLOCK);
    return o;
}
