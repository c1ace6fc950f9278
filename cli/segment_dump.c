/* SPDX-License-Identifier: MIT */
/* segment_dump.c: `acre segment dump`: the format, field by field, the blocks, and bytes; also of what cannot be
 * opened, as far as the file goes.  Reads the file, maps nothing for writing, takes no lock. */
#include "cli/cli.h"
#include "cli/segment_tools.h"

#include "segment/layout.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { DUMP_BLOCKS = 40, DUMP_BYTES = 512, DUMP_LINE = 16, DUMP_ENTRIES = 16 };

typedef struct dump {
    const segment_args *args;
    const char *name;
    int fd;
    uint64_t length, heap; /* of the file; offset of the heap's control */
    int error;             /* why it cannot be opened; 0: blocks can be listed */
    acre_segment *segment;
    uint64_t region;
    json_t *json;
} dump;

/* ---- fields: where they are is told in segment/README.md ---- */

typedef struct dump_field {
    uint16_t offset, bytes; /* 4 or 8: a number; more: text or bytes */
    const char *name;
    char kind; /* 'd' a number, 'x' one in hexadecimal, 's' text, 'b' bytes */
} dump_field;

static const dump_field dump_header[] = {
    {0, 8, "magic", 'x'},         {8, 4, "format", 'd'},
    {12, 4, "header_size", 'd'},  {16, 8, "layout_hash", 'x'},
    {24, 4, "compatible", 'x'},   {28, 4, "read_compatible", 'x'},
    {32, 4, "incompatible", 'x'}, {36, 4, "algorithm_version", 'd'},
    {40, 32, "algorithm", 's'},   {72, 8, "capacity", 'd'},
    {80, 8, "heap", 'd'},         {88, 16, "uuid", 'b'},
    {104, 8, "checksum", 'x'},    {128, 8, "size", 'd'},
    {136, 4, "state", 'd'},       {144, 8, "boot", 'x'},
    {152, 8, "root", 'd'},        {0, 0, NULL, 0}};

static const dump_field dump_control[] = {{0, 4, "lock", 'x'},
                                          {64, 8, "region_size", 'd'},
                                          {72, 8, "recoveries", 'd'},
                                          {80, 4, "lock_kind", 'd'},
                                          {84, 4, "journal_mode", 'd'},
                                          {88, 4, "region_start", 'd'},
                                          {92, 4, "zeroed", 'd'},
                                          {96, 4, "checks", 'd'},
                                          {100, 4, "param0", 'd'},
                                          {104, 4, "param1", 'd'},
                                          {108, 4, "param2", 'd'},
                                          {112, 4, "param3", 'd'},
                                          {116, 4, "param4", 'd'},
                                          {120, 4, "param5", 'd'},
                                          {124, 4, "param6", 'd'},
                                          {128, 4, "param7", 'd'},
                                          {136, 8, "key", 'x'},
                                          {192, 8, "version", 'd'},
                                          {200, 8, "journal.count", 'd'},
                                          {208, 8, "journal.capacity", 'd'},
                                          {0, 0, NULL, 0}};

enum { DUMP_CONTROL = 216, DUMP_REGION_START = 88, DUMP_JOURNAL_COUNT = 200 };

static bool dump_read(const dump *d, uint64_t at, void *to, size_t n)
{
    return pread(d->fd, to, n, (off_t)at) == (ssize_t)n;
}

static uint64_t dump_number(const unsigned char *at, size_t bytes)
{
    uint64_t word = 0;
    memcpy(&word, at, bytes);
    return word;
}

/* What a field says, as text. */
static void dump_say(const dump_field *f, const unsigned char *at, char text[80])
{
    if (f->kind == 's')
        snprintf(text, 80, "%.*s", f->bytes, (const char *)at);
    else if (f->kind == 'd')
        snprintf(text, 80, "%" PRIu64, dump_number(at, f->bytes));
    else if (f->kind == 'x')
        snprintf(text, 80, "0x%0*" PRIx64, f->bytes * 2, dump_number(at, f->bytes));
    for (int i = 0; f->kind == 'b' && i < f->bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", at[i]);
    for (char *c = text; *c; c++)
        *c = isprint((unsigned char)*c) ? *c : '?';
}

static void dump_fields(const dump *d, const char *what, uint64_t start, const unsigned char *at,
                        const dump_field *f)
{
    json_t *o = json_object();
    char text[80];
    if (!d->args->json)
        printf("%s, at %" PRIu64 "\n", what, start);
    for (; f->name; f++) {
        dump_say(f, at + f->offset, text);
        if (d->args->json && f->kind == 'd')
            segment_put(o, f->name, dump_number(at + f->offset, f->bytes));
        else if (d->args->json)
            json_object_set_new(o, f->name, json_string(text));
        else
            printf("  %6" PRIu64 "  %-18s %s\n", start + f->offset, f->name, text);
    }
    json_object_set_new(d->json, what, o);
}

/* ---- the parts ---- */

static bool dump_show_header(dump *d)
{
    segment_header h;
    if (!dump_read(d, 0, &h, sizeof h))
        return false;
    d->heap = h.heap;
    dump_fields(d, "header", 0, (const unsigned char *)&h, dump_header);
    return h.magic == SEGMENT_MAGIC;
}

/* Words that are not 0, each service's together. */
static void dump_words(const dump *d, const char *what, const uint64_t *word, size_t n,
                       uint64_t start)
{
    json_t *all = json_array();
    for (size_t i = 0; i < n; i++) {
        if (!d->args->json && word[i])
            printf("  %6" PRIu64 "  %s[%zu]%*s 0x%016" PRIx64 "\n", start + 8 * i, what, i,
                   (int)(i < 10) + 9, "", word[i]);
        json_array_append_new(all, json_integer((json_int_t)word[i]));
    }
    json_object_set_new(json_object_get(d->json, "directory"), what, all);
}

static void dump_show_directory(const dump *d)
{
    uint64_t word[SEGMENT_DIRECTORY / 8];
    if (d->heap != SEGMENT_HEADER + SEGMENT_DIRECTORY ||
        !dump_read(d, SEGMENT_HEADER, word, sizeof word))
        return;
    json_object_set_new(d->json, "directory", json_object());
    if (!d->args->json)
        printf("directory, at %d; words that are not 0\n", SEGMENT_HEADER);
    dump_words(d, "names", word, 48, SEGMENT_HEADER);
    dump_words(d, "transactions", word + 48, 4, SEGMENT_HEADER + 8 * 48);
    dump_words(d, "shared", word + 52, 4, SEGMENT_HEADER + 8 * 52);
    dump_words(d, "hold", word + 56, 8, SEGMENT_HEADER + 8 * 56);
}

static void dump_show_entry(const dump *d, uint64_t i, uint64_t where, uint64_t old)
{
    uint64_t at = d->region + (where & ~(uint64_t)3);
    if (d->args->json)
        json_array_append_new(json_object_get(d->json, "journal"),
                              json_pack("{s:I, s:I, s:I, s:b}", "offset", (json_int_t)at, "bytes",
                                        (json_int_t)(where & 1 ? 4 : 8), "old", (json_int_t)old,
                                        "batch", (int)(where & 2)));
    else
        printf("  entry %2" PRIu64 "  at %" PRIu64 ", %d bytes, held 0x%" PRIx64 "%s\n", i, at,
               where & 1 ? 4 : 8, old, where & 2 ? " (slots being filled)" : "");
}

static void dump_show_control(dump *d)
{
    unsigned char c[DUMP_CONTROL];
    uint64_t pair[2];
    if (d->heap > d->length || !dump_read(d, d->heap, c, sizeof c))
        return;
    d->region = d->heap + dump_number(c + DUMP_REGION_START, 4);
    dump_fields(d, "control", d->heap, c, dump_control);
    json_object_set_new(d->json, "journal", json_array());
    uint64_t count = dump_number(c + DUMP_JOURNAL_COUNT, 8);
    for (uint64_t i = 0; i < count && i < DUMP_ENTRIES; i++)
        if (dump_read(d, d->heap + DUMP_CONTROL + 16 * i, pair, sizeof pair))
            dump_show_entry(d, i, pair[0], pair[1]);
}

/* ---- blocks ---- */

typedef struct dump_list {
    const dump *d;
    json_t *array;
    uint64_t n, left_out;
} dump_list;

static int dump_block(void *arg, const acre_block *b)
{
    dump_list *l = arg;
    uint64_t at = l->d->region + b->offset;
    if (l->n++ >= DUMP_BLOCKS && !l->d->args->all) {
        l->left_out++;
        return 0;
    }
    if (l->d->args->json)
        json_array_append_new(l->array, json_pack("{s:I, s:I, s:I, s:b}", "offset", (json_int_t)at,
                                                  "size", (json_int_t)b->size, "total",
                                                  (json_int_t)b->total, "used", b->used));
    else
        printf("  %12" PRIu64 " %12" PRIu64 " %12" PRIu64 "  %s\n", at, b->size, b->total,
               b->used ? "live" : "free");
    return 0;
}

static int dump_show_blocks(const dump *d)
{
    dump_list l = {.d = d, .array = json_array()};
    if (!d->args->json)
        printf("blocks\n  %12s %12s %12s  %s\n", "OFFSET", "SIZE", "TAKES", "STATE");
    int e = acre_heap_walk(acre_segment_heap(d->segment), dump_block, &l);
    json_object_set_new(d->json, "blocks", l.array);
    segment_put(d->json, "blocks_left_out", l.left_out);
    if (!d->args->json && l.left_out)
        printf("  … %" PRIu64 " more; --all shows them\n", l.left_out);
    if (e)
        cli_fail("%s: blocks: %s", d->name,
                 e == EAGAIN ? "somebody is at work in it, or has died at it" : acre_strerror(e));
    return e ? CLI_FAILED : 0;
}

/* ---- bytes ---- */

static void dump_line(uint64_t at, const unsigned char *byte, size_t n)
{
    printf("%10" PRIx64 " ", at);
    for (size_t i = 0; i < DUMP_LINE; i++)
        if (i < n)
            printf("%s%02x", i % 8 ? " " : "  ", byte[i]);
        else
            fputs(i % 8 ? "   " : "    ", stdout);
    fputs("  ", stdout);
    for (size_t i = 0; i < n; i++)
        putchar(isprint(byte[i]) ? byte[i] : '.');
    putchar('\n');
}

static bool dump_same(const unsigned char *a, const unsigned char *b, size_t n)
{
    return n == DUMP_LINE && memcmp(a, b, DUMP_LINE) == 0;
}

/* Lines like the one before are a star, as in hexdump(1). */
static int dump_bytes(const dump *d, uint64_t at, uint64_t length)
{
    unsigned char line[DUMP_LINE], last[DUMP_LINE];
    bool starred = false, first = true;
    uint64_t end = at + (d->args->all || length < DUMP_BYTES ? length : DUMP_BYTES);
    for (uint64_t i = at; i < end; i += DUMP_LINE, first = false) {
        size_t n = end - i < DUMP_LINE ? (size_t)(end - i) : DUMP_LINE;
        if (!dump_read(d, i, line, n))
            return cli_fail("%s: ends before %" PRIu64, d->name, i + n);
        bool same = !first && dump_same(line, last, n);
        if (!same)
            dump_line(i, line, n);
        else if (!starred)
            puts("         *");
        starred = same;
        memcpy(last, line, sizeof last);
    }
    if (end < at + length)
        printf("… %" PRIu64 " bytes more; --all shows them\n", at + length - end);
    return 0;
}

typedef struct dump_search {
    uint64_t at; /* from the region */
    acre_block found;
} dump_search;

static int dump_find(void *arg, const acre_block *b)
{
    dump_search *s = arg;
    uint64_t head = b->total - b->size < b->offset ? b->total - b->size : 0;
    if (s->at < b->offset - head || s->at >= b->offset + b->size)
        return 0;
    s->found = *b;
    return 1;
}

static int dump_one_block(const dump *d, uint64_t at)
{
    dump_search s = {.at = at - d->region};
    int e = d->error ? d->error : acre_heap_walk(acre_segment_heap(d->segment), dump_find, &s);
    if (e <= 0)
        return e ? segment_refuse(d->name, e) : cli_fail("%s: no block at %" PRIu64, d->name, at);
    printf("%s block at %" PRIu64 ", %" PRIu64 " bytes\n", s.found.used ? "live" : "free",
           d->region + s.found.offset, s.found.size);
    return dump_bytes(d, d->region + s.found.offset, s.found.size);
}

/* ---- the command ---- */

static bool dump_parse(const char *text, uint64_t *number)
{
    char *end;
    errno = 0;
    *number = strtoull(text, &end, 0);
    return !errno && *text && *text != '-' && !*end;
}

static int dump_whole(dump *d)
{
    d->json = json_pack("{s:o}", "name", segment_json_text(d->name));
    bool segment = dump_show_header(d);
    if (segment) {
        dump_show_directory(d);
        dump_show_control(d);
    }
    int status = d->error || !segment ? segment_refuse(d->name, d->error ? d->error : ACRE_EFORMAT)
                                      : dump_show_blocks(d);
    if (d->error)
        json_object_set_new(d->json, "error", json_string(acre_strerror(d->error)));
    if (d->args->json)
        segment_print_object(d->json);
    else
        json_decref(d->json);
    return status;
}

static int dump_part(const dump *d)
{
    uint64_t at, length = DUMP_BYTES;
    if (d->args->block)
        return dump_parse(d->args->block, &at)
                   ? dump_one_block(d, at)
                   : cli_fail("segment dump: not an offset: %s", d->args->block);
    if (!dump_parse(d->args->names[1], &at) ||
        (d->args->n > 2 && !dump_parse(d->args->names[2], &length)))
        return cli_fail("segment dump: OFFSET and LENGTH are numbers, also 0x…");
    if (at > d->length)
        return cli_fail("%s: has %" PRIu64 " bytes only", d->name, d->length);
    uint64_t rest = d->length - at;
    return dump_bytes(d, at, length < rest ? length : rest);
}

static int dump_open(dump *d)
{
    char path[4096];
    struct stat st;
    segment_path(d->name, path);
    d->fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (d->fd < 0 || fstat(d->fd, &st) != 0)
        return errno;
    if (!S_ISREG(st.st_mode))
        return ACRE_ETYPE;
    d->length = (uint64_t)st.st_size;
    d->error = segment_open_to_look(&d->segment, d->name);
    if (d->error)
        return 0;
    acre_segment_info info;
    acre_segment_info_get(d->segment, &info);
    d->region = info.region;
    return 0;
}

int segment_dump(const segment_args *a)
{
    dump d = {.args = a, .name = a->n ? a->names[0] : NULL, .fd = -1};
    if (a->n < 1 || a->n > 3 || (a->block && a->n > 1))
        return cli_fail("segment dump: NAME|FILE [OFFSET [LENGTH]], or NAME|FILE --block OFFSET");
    bool part = a->block || a->n > 1;
    if (part && a->json)
        return cli_fail("segment dump: bytes are no JSON");
    int e = dump_open(&d);
    int status = e ? segment_refuse(d.name, e) : part ? dump_part(&d) : dump_whole(&d);
    acre_segment_close(d.segment);
    if (d.fd >= 0)
        close(d.fd);
    return status;
}
