/* SPDX-License-Identifier: MIT */
/* segment_show.c: a segment's facts as a page of text, and as JSON. */
#include "cli/segment_tools.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

enum { SHOW_HISTOGRAM = sizeof((acre_stats *)0)->histogram / sizeof(uint64_t) };

const char *segment_lock_name(uint32_t lock)
{
    static const char *const name[] = {"robust", "none", "spin"};
    return lock < sizeof name / sizeof *name ? name[lock] : "?";
}

const char *segment_journal_name(uint32_t journal)
{
    static const char *const name[] = {"on", "off"};
    return journal < sizeof name / sizeof *name ? name[journal] : "?";
}

/* NULL: past the last parameter. */
static const acre_param *show_param(const segment_view *v, uint32_t i)
{
    const acre_param *p = v->algorithm->params;
    return p && i < ACRE_PARAMS && p[i].name ? &p[i] : NULL;
}

/* ---- numbers for people ---- */

segment_text segment_human(uint64_t bytes)
{
    segment_text t;
    double n = (double)bytes;
    const char *unit = "KMGTP";
    if (bytes < 1024) {
        snprintf(t.text, sizeof t.text, "%" PRIu64, bytes);
        return t;
    }
    for (n /= 1024; n >= 1023.5 && unit[1]; n /= 1024)
        unit++;
    bool round = n >= 9.95 || n - (double)(uint64_t)n < 0.05; /* "8K", not "8.0K" */
    snprintf(t.text, sizeof t.text, round ? "%.0f%c" : "%.1f%c", n, *unit);
    return t;
}

segment_text segment_age(int64_t created)
{
    static const struct {
        int64_t seconds;
        const char *unit;
    } step[] = {{172800, "d"}, {7200, "h"}, {120, "min"}, {0, "s"}};
    segment_text t = {"?"};
    int64_t age = time(NULL) - created;
    int i = 0;
    if (!created)
        return t;
    while (age < step[i].seconds && step[i].seconds)
        i++;
    int64_t one = i == 3 ? 1 : step[i].seconds / 2;
    snprintf(t.text, sizeof t.text, "%" PRId64 " %s", age > 0 ? age / one : 0, step[i].unit);
    return t;
}

uint64_t segment_used(const segment_view *v)
{
    uint64_t rest = v->s.overhead + v->s.free_bytes;
    return v->error || v->stats_error || rest > v->s.size ? 0 : v->s.size - rest;
}

/* Where a file system does not tell when a file was made, when it was last written to. */
void segment_look_around(const segment_mappings *m, int fd, segment_view *v)
{
    struct statx x;
    struct stat st;
    if (fstat(fd, &st) != 0 || statx(fd, "", AT_EMPTY_PATH, STATX_BTIME | STATX_MTIME, &x) != 0)
        return;
    v->created = x.stx_mask & STATX_BTIME ? x.stx_btime.tv_sec : x.stx_mtime.tv_sec;
    segment_attached_to(m, &st, &v->attached);
}

/* ---- text ---- */

static void show_attached(const segment_view *v)
{
    char pids[400];
    if (!v->created)
        return;
    segment_pids(&v->attached, pids, sizeof pids);
    printf("%-14s %s, %s old\n", "attached", v->attached.n ? pids : segment_life(&v->attached),
           segment_age(v->created).text);
}

static void show_params(const segment_view *v)
{
    const acre_param *p;
    for (uint32_t i = 0; (p = show_param(v, i)); i++) {
        uint32_t value = v->info.heap.param[i];
        printf("%-14s %s=%u (%u to %u, ", i ? "" : "parameters", p->name, value, p->least, p->most);
        if (value == p->standard)
            printf("the default): %s\n", p->summary);
        else
            printf("default %u): %s\n", p->standard, p->summary);
    }
}

static void show_classes(const segment_view *v)
{
    const uint32_t *size = v->info.heap.class_size;
    if (!*size)
        return;
    printf("%-14s", "classes");
    for (uint32_t i = 0; i < ACRE_CLASSES && size[i]; i++)
        printf(" %u", size[i]);
    putchar('\n');
}

static void show_histogram(const acre_stats *s)
{
    static const char unit[] = " KMGT";
    printf("%-14s", "free sizes");
    for (int i = 0; i < SHOW_HISTOGRAM; i++)
        if (s->histogram[i])
            printf("  %d%.*s: %" PRIu64, 1 << i % 10, i >= 10, unit + i / 10, s->histogram[i]);
    puts(s->free_blocks ? "  (blocks from each size on)" : "  none");
}

static void show_blocks(const acre_stats *s)
{
    printf("%-14s %" PRIu64 " bytes in %" PRIu64 " blocks\n", "used", s->used_bytes,
           s->used_blocks);
    printf("%-14s %" PRIu64 " bytes in %" PRIu64 " blocks, the largest %" PRIu64 "\n", "free",
           s->free_bytes, s->free_blocks, s->largest_free);
    show_histogram(s);
    printf("%-14s external %.1f %%, internal %.1f %%\n", "fragmentation",
           100 * s->external_fragmentation, 100 * s->internal_fragmentation);
}

static void show_stats(const segment_view *v)
{
    const acre_stats *s = &v->s;
    if (v->stats_error) {
        printf("%-14s %s\n", "heap", acre_strerror(v->stats_error));
        return;
    }
    if (s->exact)
        show_blocks(s);
    else
        printf("%-14s %" PRIu64 " bytes; busy, or its writer died: blocks cannot be counted now\n",
               "free", s->free_bytes);
    printf("%-14s %" PRIu64 " bytes\n", "high water", s->high_water);
    printf("%-14s %" PRIu64 "\n", "recoveries", s->recoveries);
}

static void show_uuid(const uint8_t *uuid, char text[37])
{
    int n = 0;
    for (int i = 0; i < 16; i++)
        n += sprintf(text + n, "%s%02x", i == 4 || i == 6 || i == 8 || i == 10 ? "-" : "", uuid[i]);
}

/* As a specification says it: the default is level 1, and stored as 0. */
static unsigned show_checks(const acre_heap_options *o)
{
    return o->checks <= ACRE_CHECKS_NONE ? o->checks == ACRE_CHECKS_STANDARD : o->checks;
}

void segment_print(const segment_view *v)
{
    const acre_segment_info *info = &v->info;
    char uuid[37];
    show_uuid(info->uuid, uuid);
    printf("%-14s %s (%s)\n", "segment", v->name, v->source);
    printf("%-14s %s\n", "uuid", uuid);
    printf("%-14s %s, layout %u; format %u\n", "algorithm", info->algorithm,
           info->algorithm_version, info->format_version);
    printf("%-14s lock=%s,journal=%s,checks=%u\n", "options", segment_lock_name(info->heap.lock),
           segment_journal_name(info->heap.journal), show_checks(&info->heap));
    show_params(v);
    show_classes(v);
    printf("%-14s %" PRIu64 " bytes, may grow to %" PRIu64 "\n", "size", info->size,
           info->capacity);
    show_attached(v);
    show_stats(v);
    segment_print_parts(v);
}

/* ---- JSON ---- */

json_t *segment_json_text(const char *text)
{
    json_t *j = json_string(text);
    return j ? j : json_string("(not UTF-8)");
}

void segment_put(json_t *o, const char *key, uint64_t value)
{
    json_object_set_new(o, key, json_integer((json_int_t)value));
}

void segment_print_object(json_t *o)
{
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

static json_t *show_json_params(const segment_view *v)
{
    json_t *all = json_object();
    const acre_param *p;
    for (uint32_t i = 0; (p = show_param(v, i)); i++)
        json_object_set_new(
            all, p->name,
            json_pack("{s:I, s:I, s:I, s:I, s:b}", "value", (json_int_t)v->info.heap.param[i],
                      "standard", (json_int_t)p->standard, "least", (json_int_t)p->least, "most",
                      (json_int_t)p->most, "is_standard", v->info.heap.param[i] == p->standard));
    return all;
}

static json_t *show_json_classes(const segment_view *v)
{
    json_t *all = json_array();
    for (uint32_t i = 0; i < ACRE_CLASSES && v->info.heap.class_size[i]; i++)
        json_array_append_new(all, json_integer(v->info.heap.class_size[i]));
    return all;
}

/* Keys are the least sizes of the bins. */
static json_t *show_json_histogram(const acre_stats *s)
{
    json_t *all = json_object();
    char key[24];
    for (int i = 0; i < SHOW_HISTOGRAM; i++)
        if (s->histogram[i]) {
            snprintf(key, sizeof key, "%" PRIu64, (uint64_t)1 << i);
            json_object_set_new(all, key, json_integer((json_int_t)s->histogram[i]));
        }
    return all;
}

static void show_json_facts(json_t *o, const segment_view *v)
{
    const acre_segment_info *info = &v->info;
    char uuid[37];
    show_uuid(info->uuid, uuid);
    json_t *more = json_pack(
        "{s:s, s:s, s:I, s:I, s:s, s:s, s:I, s:o, s:o, s:I, s:I, s:I}", "uuid", uuid, "algorithm",
        info->algorithm, "algorithm_version", (json_int_t)info->algorithm_version, "format_version",
        (json_int_t)info->format_version, "lock", segment_lock_name(info->heap.lock), "journal",
        segment_journal_name(info->heap.journal), "checks", (json_int_t)show_checks(&info->heap), "params",
        show_json_params(v), "classes", show_json_classes(v), "size", (json_int_t)info->size,
        "capacity", (json_int_t)info->capacity, "region", (json_int_t)info->region);
    json_object_update(o, more);
    json_decref(more);
}

static void show_json_number(json_t *o, const char *key, bool known, uint64_t value)
{
    json_object_set_new(o, key, known ? json_integer((json_int_t)value) : json_null());
}

static void show_json_stats(json_t *o, const segment_view *v)
{
    const acre_stats *s = &v->s;
    bool known = !v->stats_error, walked = known && s->exact;
    if (!known)
        json_object_set_new(o, "error", json_string(acre_strerror(v->stats_error)));
    json_object_set_new(o, "exact", json_boolean(walked));
    show_json_number(o, "overhead", known, s->overhead);
    show_json_number(o, "free_bytes", known, s->free_bytes);
    show_json_number(o, "high_water", known, s->high_water);
    show_json_number(o, "recoveries", known, s->recoveries);
    show_json_number(o, "used_blocks", walked, s->used_blocks);
    show_json_number(o, "used_bytes", walked, s->used_bytes);
    show_json_number(o, "free_blocks", walked, s->free_blocks);
    show_json_number(o, "largest_free", walked, s->largest_free);
    json_object_set_new(o, "histogram", walked ? show_json_histogram(s) : json_null());
    json_object_set_new(o, "external_fragmentation",
                        walked ? json_real(s->external_fragmentation) : json_null());
    json_object_set_new(o, "internal_fragmentation",
                        walked ? json_real(s->internal_fragmentation) : json_null());
}

static void show_json_attached(json_t *o, const segment_view *v)
{
    json_t *pids = json_array();
    for (size_t i = 0; i < v->attached.n && i < SEGMENT_PIDS; i++)
        json_array_append_new(pids, json_integer(v->attached.pid[i]));
    json_object_set_new(o, "state", json_string(segment_life(&v->attached)));
    json_object_set_new(o, "attached", pids);
    segment_put(o, "not_asked", (uint64_t)v->attached.unread);
    segment_put(o, "created", (uint64_t)v->created);
}

json_t *segment_json(const segment_view *v)
{
    json_t *o = json_pack("{s:o, s:s}", "name", segment_json_text(v->name), "source", v->source);
    if (v->created)
        show_json_attached(o, v);
    if (v->error) {
        json_object_set_new(o, "error", json_string(acre_strerror(v->error)));
        return o;
    }
    show_json_facts(o, v);
    show_json_stats(o, v);
    segment_put(o, "used", segment_used(v));
    segment_put_parts(o, v);
    return o;
}

void segment_print_json(const segment_view *v)
{
    segment_print_object(segment_json(v));
}
