/* SPDX-License-Identifier: MIT */
/* segment_check.c: `acre segment info, check, recover`: what is in a segment, and is it whole. */
#include "cli/cli.h"
#include "cli/segment_tools.h"

#include <errno.h>
#include <inttypes.h>

/* ---- info ---- */

void segment_look(acre_segment *s, segment_view *v)
{
    acre_heap *h = acre_segment_heap(s);
    acre_segment_info_get(s, &v->info);
    v->algorithm = acre_heap_algorithm(h);
    v->stats_error = acre_heap_stats(h, &v->s);
}

static int check_keep_part(void *arg, const acre_part *part)
{
    segment_view *v = arg;
    v->part[v->parts++] = *part;
    return 0;
}

static int check_keep_class(void *arg, const acre_class *class)
{
    segment_view *v = arg;
    v->class[v->classes++] = *class;
    return 0;
}

static void check_look_closer(acre_segment *s, segment_view *v)
{
    acre_heap *h = acre_segment_heap(s);
    segment_mappings m;
    segment_look(s, v);
    v->parts_error = acre_heap_parts(h, check_keep_part, v);
    v->classes_error = acre_heap_classes(h, check_keep_class, v);
    if (segment_mappings_read(&m) == 0)
        segment_look_around(&m, acre_segment_fd(s), v);
    segment_mappings_free(&m);
}

int segment_info(const segment_args *a, const char *name)
{
    segment_view v = {.name = name};
    acre_segment *s;
    int e = segment_open_to_look(&s, name);
    if (e)
        return segment_refuse(name, e);
    v.source = segment_source(name) == ACRE_FILE ? "file" : "shm";
    check_look_closer(s, &v);
    acre_segment_close(s);
    (a->json ? segment_print_json : segment_print)(&v);
    return v.stats_error ? CLI_FAILED : 0;
}

/* ---- check, recover ---- */

static void check_say_json(const char *name, int error, const acre_damage *d)
{
    json_t *o = json_pack("{s:o, s:b}", "name", segment_json_text(name), "ok", !error);
    if (error == ACRE_ECORRUPT) {
        segment_put(o, "offset", d->offset);
        json_object_set_new(o, "rule", json_string(d->rule));
    }
    if (error)
        json_object_set_new(o, "error", json_string(acre_strerror(error)));
    segment_print_object(o);
}

static void check_say(const char *name, int error, const acre_damage *d)
{
    if (!error)
        printf("%s: sound\n", name);
    else if (error == ACRE_ECORRUPT)
        printf("%s: damaged: %s, %" PRIu64 " bytes from the region's start\n", name, d->rule,
               d->offset);
    else if (error == EAGAIN)
        printf("%s: cannot be told: somebody is at work in it, or has died at it\n", name);
    else
        printf("%s: %s\n", name, acre_strerror(error));
}

/* Opened for writing, the heap's lock is taken first: that undoes what a dead owner left. */
static int check_verify(const segment_args *a, const char *name, acre_segment *s)
{
    acre_damage d = {0, "?"};
    int e = acre_heap_check(acre_segment_heap(s), &d);
    (a->json ? check_say_json : check_say)(name, e, &d);
    acre_segment_close(s);
    return e ? CLI_FAILED : 0;
}

int segment_check(const segment_args *a, const char *name)
{
    acre_segment *s;
    int e = segment_open_to_look(&s, name);
    return e ? segment_refuse(name, e) : check_verify(a, name, s);
}

int segment_recover(const segment_args *a, const char *name)
{
    acre_segment *s;
    int e = acre_segment_open(&s, segment_source(name), name, NULL);
    return e ? segment_refuse(name, e) : check_verify(a, name, s);
}
