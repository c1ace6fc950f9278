/* SPDX-License-Identifier: MIT */
/* segment_list_names.c: `acre segment names`: the objects that processes find by name, or by type alone. */
#include "cli/cli.h"
#include "cli/segment_tools.h"

#include <acre/object.h>

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

/* Names are any bytes; what is no text is shown as in C. */
static void names_print_text(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (isprint((unsigned char)text[i]) && text[i] != '\\')
            putchar(text[i]);
        else
            printf("\\x%02x", (unsigned char)text[i]);
}

static void names_print(acre_segment *s, const acre_object *o)
{
    printf("%-7s %12" PRIu64 " %8zu %8zu  %-24s ",
           o->kind == ACRE_OBJECT_UNIQUE ? "unique" : "named", acre_segment_offset(s, o->address),
           o->count, o->size, o->type);
    if (o->kind == ACRE_OBJECT_NAMED)
        names_print_text(o->name, o->name_length);
    putchar('\n');
}

/* A name that is not UTF-8 is in hexadecimal, as name_hex. */
static void names_put_name(json_t *j, const acre_object *o)
{
    json_t *text = json_stringn(o->name, o->name_length);
    char hex[2 * 200 + 1] = "";
    for (size_t i = 0; !text && i < o->name_length && i < 200; i++)
        snprintf(hex + 2 * i, 3, "%02x", (unsigned char)o->name[i]);
    json_object_set_new(j, text ? "object" : "object_hex", text ? text : json_string(hex));
}

static void names_print_json(acre_segment *s, const char *segment, const acre_object *o)
{
    json_t *j = json_pack("{s:o, s:s, s:o}", "name", segment_json_text(segment), "kind",
                          o->kind == ACRE_OBJECT_UNIQUE ? "unique" : "named", "type",
                          segment_json_text(o->type));
    if (o->kind == ACRE_OBJECT_NAMED)
        names_put_name(j, o);
    segment_put(j, "offset", acre_segment_offset(s, o->address));
    segment_put(j, "count", o->count);
    segment_put(j, "size", o->size);
    segment_put(j, "align", o->align);
    segment_print_object(j);
}

static int names_show(const segment_args *a, const char *name, acre_segment *s)
{
    acre_cursor c = {0};
    acre_object o;
    int e;
    if (!a->json)
        printf("%-7s %12s %8s %8s  %-24s %s\n", "KIND", "OFFSET", "COUNT", "SIZE", "TYPE", "NAME");
    while ((e = acre_object_next(s, &c, &o)) == 0)
        if (a->json)
            names_print_json(s, name, &o);
        else
            names_print(s, &o);
    if (e == ENOENT)
        return 0;
    cli_fail("%s: %s", name,
             e == ENOTSUP  ? "has no names"
             : e == EAGAIN ? "somebody is at work in it, or has died at it"
                           : acre_strerror(e));
    return CLI_FAILED;
}

int segment_list_names(const segment_args *a, const char *name)
{
    acre_segment *s;
    int e = segment_open_to_look(&s, name);
    if (e)
        return segment_refuse(name, e);
    int status = names_show(a, name, s);
    acre_segment_close(s);
    return status;
}
