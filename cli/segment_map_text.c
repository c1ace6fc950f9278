/* SPDX-License-Identifier: MIT */
/* segment_map_text.c: a heap as characters: on a terminal two rows of coloured cells a line, elsewhere plain
 * letters. */
#include "cli/cli.h"
#include "cli/segment_map.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { TEXT_LABEL = 9, TEXT_ROWS = 24, TEXT_LEAST = 16, TEXT_MOST = 256 };

typedef struct text_picture {
    const segment_map *m;
    segment_grid g;
    bool color, deep; /* 24 bits of colour, not 256 colours */
} text_picture;

/* ---- what the terminal can ---- */

static bool text_is_colored(const segment_args *a)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
    if (a->color)
        return a->color > 0;
    return isatty(STDOUT_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

static bool text_is_deep(void)
{
    const char *depth = getenv("COLORTERM");
    return depth && (strstr(depth, "truecolor") || strstr(depth, "24bit"));
}

/* A multiple of 16, so that the labels are round. */
static size_t text_columns(const segment_args *a)
{
    struct winsize w = {0};
    const char *columns = getenv("COLUMNS");
    int n = a->width ? a->width : columns ? atoi(columns) : 0;
    if (n <= 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0)
        n = w.ws_col;
    n = (n > 0 ? n : 80) - TEXT_LABEL - 1;
    n = n < TEXT_LEAST ? TEXT_LEAST : n > TEXT_MOST ? TEXT_MOST : n;
    return (size_t)n / 16 * 16;
}

/* ---- colours ---- */

typedef struct text_rgb {
    int part[3];
} text_rgb;

static const text_rgb text_free = {{58, 66, 78}}, text_used = {{77, 182, 214}},
                      text_records = {{201, 139, 60}};

static text_rgb text_rgb_of(const segment_cell *c)
{
    double live = segment_cell_live(c);
    text_rgb mixed = text_records;
    for (int i = 0; live >= 0 && i < 3; i++)
        mixed.part[i] = (int)(text_free.part[i] + live * (text_used.part[i] - text_free.part[i]));
    return mixed;
}

static void text_color(const text_picture *p, int ground, text_rgb c)
{
    if (p->deep)
        printf("\033[%d;2;%d;%d;%dm", ground, c.part[0], c.part[1], c.part[2]);
    else
        printf("\033[%d;5;%dm", ground,
               16 + 36 * (c.part[0] * 5 / 255) + 6 * (c.part[1] * 5 / 255) + c.part[2] * 5 / 255);
}

/* Two cells, one above the other; behind the segment's end there is none. */
static void text_pair(const text_picture *p, size_t top, size_t bottom)
{
    bool low = segment_cell_bytes(p->m, &p->g, bottom) > 0;
    if (!segment_cell_bytes(p->m, &p->g, top)) {
        putchar(' ');
        return;
    }
    text_color(p, 38, text_rgb_of(&p->g.cell[top]));
    if (low)
        text_color(p, 48, text_rgb_of(&p->g.cell[bottom]));
    fputs(low ? "▀" : "\033[49m▀", stdout);
}

static void text_swatch(const text_picture *p, text_rgb c, const char *what)
{
    text_color(p, 38, c);
    printf("██\033[0m %s   ", what);
}

/* ---- the picture ---- */

static char text_letter(const segment_cell *c)
{
    double live = segment_cell_live(c);
    if (live < 0)
        return 'm';
    return live <= 0 ? '.' : live >= 1 ? '#' : "-=+*"[(int)(live * 4)];
}

static void text_label(const text_picture *p, size_t row)
{
    printf("%*s ", TEXT_LABEL, segment_human(row * p->g.columns * p->g.bytes).text);
}

static void text_rows_colored(const text_picture *p)
{
    for (size_t row = 0; row < p->g.rows; row += 2) {
        text_label(p, row);
        for (size_t i = 0; i < p->g.columns; i++)
            text_pair(p, row * p->g.columns + i, (row + 1) * p->g.columns + i);
        puts("\033[0m");
    }
}

static void text_rows_plain(const text_picture *p)
{
    for (size_t row = 0; row < p->g.rows; row++) {
        text_label(p, row);
        for (size_t i = row * p->g.columns; i < (row + 1) * p->g.columns; i++)
            if (segment_cell_bytes(p->m, &p->g, i))
                putchar(text_letter(&p->g.cell[i]));
        putchar('\n');
    }
}

static void text_legend(const text_picture *p)
{
    printf("%*s ", TEXT_LABEL, "");
    if (p->color) {
        text_swatch(p, text_used, "live");
        text_swatch(p, text_free, "free");
        text_swatch(p, text_records, "records");
    } else {
        printf("# live   - = + * partly   . free   m records   ");
    }
    printf("a cell: %s\n\n", segment_human(p->g.bytes).text);
}

/* ---- around it ---- */

static double text_percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static void text_head(const segment_map *m)
{
    const segment_view *v = &m->view;
    printf("%s: %s, %s", v->name, v->info.algorithm, segment_human(v->info.size).text);
    if (v->info.capacity > v->info.size)
        printf(" of %s", segment_human(v->info.capacity).text);
    printf("; %" PRIu64 " blocks live, %" PRIu64 " free\n", v->s.used_blocks, v->s.free_blocks);
    printf("live %.1f %%, free %.1f %%, headers and records %.1f %%; fragmentation %.1f %%\n\n",
           text_percent(m->used, v->info.size), text_percent(m->free, v->info.size),
           text_percent(v->info.size - m->used - m->free, v->info.size),
           100 * v->s.external_fragmentation);
}

static void text_bar(const text_picture *p, uint64_t n, uint64_t most)
{
    size_t room = p->g.columns - 8, length = (size_t)((double)n / (double)most * (double)room);
    if (p->color)
        text_color(p, 38, text_used);
    for (size_t i = 0; i < length || (i == 0 && n); i++)
        fputs(p->color ? "▇" : "#", stdout);
    printf("%s %" PRIu64 "\n", p->color ? "\033[0m" : "", n);
}

/* How many free blocks there are, by size. */
static void text_histogram(const text_picture *p)
{
    const acre_stats *s = &p->m->view.s;
    uint64_t most = 1;
    int first, end;
    segment_bins(s, &first, &end);
    for (int i = first; i < end; i++)
        most = s->histogram[i] > most ? s->histogram[i] : most;
    puts(first < end ? "free blocks, by size from … on" : "nothing is free");
    for (int i = first; i < end; i++) {
        printf("%*s ", TEXT_LABEL, segment_human((uint64_t)1 << i).text);
        text_bar(p, s->histogram[i], most);
    }
}

int segment_map_print(const segment_map *m, const segment_args *a)
{
    text_picture p = {.m = m, .color = text_is_colored(a), .deep = text_is_deep()};
    p.g = segment_grid_of(m, text_columns(a), p.color ? 2 * TEXT_ROWS : TEXT_ROWS);
    if (!p.g.cell)
        return cli_fail("%s", strerror(ENOMEM));
    text_head(m);
    (p.color ? text_rows_colored : text_rows_plain)(&p);
    text_legend(&p);
    text_histogram(&p);
    free(p.g.cell);
    return 0;
}
