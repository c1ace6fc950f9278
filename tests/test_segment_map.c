/* SPDX-License-Identifier: MIT */
/* `acre segment map` and `dump`: that a picture shows what is there, and each field says what the segment holds. */
#include "tests/support_heap.h"
#include "tests/support_tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static acre_segment *map_make(const char *name, size_t size, char *block[3])
{
    acre_segment_options o = {.size = size};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &o), 0);
    for (int i = 0; i < 3; i++)
        ACRE_CHECK((block[i] = acre_alloc(acre_segment_heap(s), size / 4)));
    ACRE_CHECK_EQUAL(acre_free(acre_segment_heap(s), block[1]), 0);
    return s;
}

static void map_end(acre_segment *s, const char *name)
{
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
}

static size_t map_count(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

/* 64 KiB in cells of 64 bytes: a quarter is 256 of them, whatever stands between. */
ACRE_TEST(segment_map, letters_are_where_blocks_are)
{
    char *block[3];
    const char *name = test_name();
    acre_segment *s = map_make(name, 64 << 10, block);
    tool_expect("segment map --width 80", name, 0, "a cell: 64");
    char *picture = strstr(tool_text, "       0 "), *end = strstr(tool_text, "# live");
    ACRE_CHECK(picture && end, "%s", tool_text);
    *end = '\0';
    size_t live = map_count(picture, "#"), unused = map_count(picture, ".");
    ACRE_CHECK(live >= 508 && live <= 512, "%zu live cells\n%s", live, picture);
    ACRE_CHECK(unused >= 450 && unused <= 490, "%zu free cells\n%s", unused, picture);
    ACRE_CHECK(map_count(picture, "m") >= 12, "%s", picture);
    map_end(s, name);
}

ACRE_TEST(segment_map, colours_only_where_they_are_asked_for)
{
    char *block[3];
    const char *name = test_name();
    acre_segment *s = map_make(name, 64 << 10, block);
    tool_expect("segment map", name, 0, "free blocks, by size");
    ACRE_CHECK(!strchr(tool_text, '\033'));
    tool_expect("segment map --color always", name, 0, "\033[");
    ACRE_CHECK(map_count(tool_text, "▀") >= 512);
    tool_expect("segment map -w 20", name, 0, "a cell: 256");
    map_end(s, name);
}

static char *map_file(const char *path)
{
    static char text[4 << 20];
    FILE *f = fopen(path, "r");
    ACRE_CHECK(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

/* A few blocks are drawn one by one, each with its place. */
ACRE_TEST(segment_map, a_picture_names_each_block)
{
    char *block[3], path[300], arguments[700], title[100];
    const char *name = test_name();
    acre_segment *s = map_make(name, 1 << 20, block);
    snprintf(path, sizeof path, "/tmp/%s.svg", name);
    snprintf(arguments, sizeof arguments, "segment map -o %s", path);
    tool_expect(arguments, name, 0, "");
    const char *text = map_file(path);
    for (int i = 0; i < 3; i++) {
        snprintf(title, sizeof title, "<title>%s block at %zu: ", i == 1 ? "free" : "live",
                 (size_t)(block[i] - (char *)acre_segment_base(s)));
        ACRE_CHECK(strstr(text, title), "%s", title);
    }
    ACRE_CHECK(strstr(text, "prefers-color-scheme:dark") && strstr(text, "</svg>"));
    ACRE_CHECK_EQUAL(map_count(text, "<g"), map_count(text, "</g>"));
    ACRE_CHECK(!strstr(text, "href"));
    ACRE_CHECK_EQUAL(unlink(path), 0);
    map_end(s, name);
}

/* Many blocks become cells: the picture stays small. */
ACRE_TEST(segment_map, many_blocks_are_drawn_as_cells)
{
    char path[300], arguments[700];
    const char *name = test_name();
    acre_segment_options o = {.size = 4 << 20};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &o), 0);
    for (int i = 0; i < 20000; i++)
        ACRE_CHECK(acre_alloc(acre_segment_heap(s), 100));
    snprintf(path, sizeof path, "/tmp/%s.svg", name);
    snprintf(arguments, sizeof arguments, "segment map -o %s", path);
    tool_expect(arguments, name, 0, "");
    const char *text = map_file(path);
    ACRE_CHECK(strlen(text) < 500000 && strstr(text, "% live</title>") && strstr(text, "a cell: "));
    ACRE_CHECK_EQUAL(unlink(path), 0);
    tool_expect("segment map -o /nonexistent/x.svg", name, 2, "No such file");
    tool_expect("segment map -o /tmp/x.svg", "a b", 2, "one NAME");
    map_end(s, name);
}

ACRE_TEST(segment_map, what_cannot_be_read_is_not_drawn)
{
    char *block[3];
    const char *name = test_name();
    acre_segment *s = map_make(name, 64 << 10, block);
    memset(block[0] - 8, 0xff, 8);
    tool_expect("segment map", name, 1, "damaged");
    map_end(s, name);
    tool_expect("segment map", name, 2, "No such file");
}

/* ---- dump ---- */

static json_int_t dump_number(const json_t *o, const char *part, const char *field)
{
    json_t *value = json_object_get(json_object_get(o, part), field);
    ACRE_CHECK(json_is_integer(value), "%s.%s", part, field);
    return json_integer_value(value);
}

ACRE_TEST(segment_dump, fields_say_what_the_segment_holds)
{
    char *block[3], line[300];
    const char *name = test_name();
    acre_segment *s = map_make(name, 64 << 10, block);
    acre_segment_info info;
    acre_segment_info_get(s, &info);
    *acre_segment_root(s) = 4711;
    snprintf(line, sizeof line, "segment dump --json %s", name);
    json_t *o = tool_json(line);
    ACRE_CHECK_EQUAL(dump_number(o, "header", "size"), 64 << 10);
    ACRE_CHECK_EQUAL(dump_number(o, "header", "format"), info.format_version);
    ACRE_CHECK_EQUAL(dump_number(o, "header", "root"), 4711);
    json_int_t heap = dump_number(o, "header", "heap");
    ACRE_CHECK_EQUAL((uint64_t)(heap + dump_number(o, "control", "region_start")), info.region);
    ACRE_CHECK_EQUAL(dump_number(o, "control", "region_size"),
                     (64 << 10) - (json_int_t)info.region);
    ACRE_CHECK_EQUAL(dump_number(o, "control", "journal.count"), 0);
    ACRE_CHECK(dump_number(o, "control", "journal.capacity") > 0);
    json_t *blocks = json_object_get(o, "blocks"), *first = json_array_get(blocks, 0);
    ACRE_CHECK_EQUAL(json_array_size(blocks), 4);
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(first, "offset")),
                     block[0] - (char *)acre_segment_base(s));
    ACRE_CHECK(json_is_true(json_object_get(first, "used")));
    json_decref(o);
    tool_expect("segment dump", name, 0, "lock_kind");
    map_end(s, name);
}

ACRE_TEST(segment_dump, bytes_of_a_block_and_of_a_place)
{
    char *block[3], line[300];
    const char *name = test_name();
    acre_segment *s = map_make(name, 64 << 10, block);
    size_t at = (size_t)(block[2] - (char *)acre_segment_base(s));
    memset(block[2], 0, 64 << 8);
    memcpy(block[2], "written here", 12);
    snprintf(line, sizeof line, "%s --block %zu", name, at + 1000);
    tool_expect("segment dump", line, 0, "written here");
    ACRE_CHECK(strstr(tool_text, "live block at ") && strstr(tool_text, "--all shows them"), "%s",
               tool_text);
    snprintf(line, sizeof line, "%s %zu 12", name, at);
    tool_expect("segment dump", line, 0, "77 72 69 74 74 65 6e 20  68 65 72 65");
    snprintf(line, sizeof line, "%s 0x%zx 12", name, at);
    tool_expect("segment dump", line, 0, "written here");
    snprintf(line, sizeof line, "%s --block 8", name);
    tool_expect("segment dump", line, 2, "no block at 8");
    snprintf(line, sizeof line, "%s 99999999", name);
    tool_expect("segment dump", line, 2, "bytes only");
    snprintf(line, sizeof line, "%s nonsense", name);
    tool_expect("segment dump", line, 2, "numbers");
    map_end(s, name);
}

/* By default 40 blocks, --all: each. */
ACRE_TEST(segment_dump, output_is_bounded)
{
    char *block[3];
    const char *name = test_name();
    acre_segment *s = map_make(name, 64 << 10, block);
    for (int i = 0; i < 100; i++)
        ACRE_CHECK(acre_alloc(acre_segment_heap(s), 40));
    tool_expect("segment dump", name, 0, "more; --all shows them");
    ACRE_CHECK_EQUAL(map_count(tool_text, "  live\n") + map_count(tool_text, "  free\n"), 40);
    tool_expect("segment dump --all", name, 0, "blocks");
    ACRE_CHECK_EQUAL(map_count(tool_text, "  live\n"), 102);
    map_end(s, name);
}

/* Also of what cannot be opened. */
ACRE_TEST(segment_dump, a_damaged_one_is_shown_as_far_as_it_goes)
{
    char *block[3];
    const char *name = test_name();
    acre_segment *s = map_make(name, 64 << 10, block);
    ((char *)acre_segment_base(s))[72] ^= 1; /* the capacity */
    tool_expect("segment dump", name, 2, "rbtree_best_fit");
    ACRE_CHECK(strstr(tool_text, "is damaged") && strstr(tool_text, "journal.count"), "%s",
               tool_text);
    map_end(s, name);
    tool_expect("segment dump", "/dev/null", 2, "not a regular file");
    tool_expect("segment dump", "/bin/cat", 2, "not an acre segment");
    tool_expect("segment dump", "", 2, "NAME|FILE");
}
