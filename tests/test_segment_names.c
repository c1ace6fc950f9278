/* SPDX-License-Identifier: MIT */
/* `acre segment names`: the objects of a segment, as their makers made them. */
#include "tests/support_heap.h"
#include "tests/support_tool.h"

#include <acre/object.h>
#include <stdio.h>
#include <string.h>

static acre_segment *names_make(const char *name, uint32_t index)
{
    acre_segment_options o = {.size = 1 << 20, .index = index};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &o), 0);
    return s;
}

static void names_end(acre_segment *s, const char *name)
{
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
}

ACRE_TEST(segment_names, objects_are_shown)
{
    char line[400];
    const char *name = test_name();
    acre_segment *s = names_make(name, ACRE_INDEX_HASH);
    void *p;
    ACRE_CHECK_EQUAL(acre_construct(s, ACRE_TYPE(uint64_t), "numbers", 7, NULL, &p), 0);
    ACRE_CHECK_EQUAL(acre_construct_n(s, ACRE_TYPE(int), "a\001\xff", 3, 1, NULL, NULL), 0);
    ACRE_CHECK_EQUAL(acre_construct_unique(s, ACRE_TYPE(double), 2, NULL, NULL), 0);
    snprintf(line, sizeof line, "segment names --json %s | grep numbers", name);
    json_t *o = tool_json(line);
    ACRE_CHECK(!strcmp(json_string_value(json_object_get(o, "object")), "numbers"), "%s", tool_text);
    ACRE_CHECK(!strcmp(json_string_value(json_object_get(o, "type")), "uint64_t"), "%s", tool_text);
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(o, "count")), 7);
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(o, "size")), 8);
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(o, "offset")), acre_segment_offset(s, p));
    json_decref(o);
    tool_expect("segment names", name, 0, "a\\x01\\xff");
    tool_expect("segment names", name, 0, "unique");
    tool_expect("segment names --json", name, 0, "\"object_hex\":\"6101ff\"");
    names_end(s, name);
}

ACRE_TEST(segment_names, where_there_are_none)
{
    const char *name = test_name();
    acre_segment *s = names_make(name, ACRE_INDEX_ORDERED);
    tool_expect("segment names", name, 0, "KIND");
    names_end(s, name);
    s = names_make(name, ACRE_INDEX_NONE);
    tool_expect("segment names", name, 1, "has no names");
    names_end(s, name);
    tool_expect("segment names", name, 2, "No such file");
    tool_expect("segment names", "", 2, "which NAME");
}
