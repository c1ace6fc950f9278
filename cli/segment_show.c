/* SPDX-License-Identifier: MIT */
/* segment_show.c: a segment's facts as a line, as a page of text, and as JSON. */
#include "cli/segment_tools.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

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

/* ---- text ---- */

void segment_print_heading(void)
{
    printf("%-24s %-18s %12s %12s %12s  %s\n", "NAME", "ALGORITHM", "SIZE", "CAPACITY", "FREE",
           "STATE");
}

static const char *show_state(const segment_view *v)
{
    if (v->stats_error)
        return acre_strerror(v->stats_error);
    return v->s.exact ? "ok" : "busy";
}

void segment_print_line(const segment_view *v)
{
    if (v->error)
        printf("%-24s %-18s %12s %12s %12s  damaged: %s\n", v->name, "?", "?", "?", "?",
               acre_strerror(v->error));
    else
        printf("%-24s %-18s %12" PRIu64 " %12" PRIu64 " %12" PRIu64 "  %s\n", v->name,
               v->info.algorithm, v->info.size, v->info.capacity, v->s.free_bytes, show_state(v));
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
    show_stats(v);
    segment_print_parts(v);
}

/* ---- JSON ---- */

static json_t *show_json_text(const char *text)
{
    json_t *j = json_string(text);
    return j ? j : json_string("(not UTF-8)");
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

void segment_print_json(const segment_view *v)
{
    json_t *o = json_pack("{s:o, s:s}", "name", show_json_text(v->name), "source", v->source);
    if (v->error) {
        json_object_set_new(o, "error", json_string(acre_strerror(v->error)));
    } else {
        show_json_facts(o, v);
        show_json_stats(o, v);
        segment_put_parts(o, v);
    }
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}
