/* SPDX-License-Identifier: MIT */
/* segment_map_svg.c: a heap as a picture in a file: the address space in rows, few blocks one by one, many as
 * cells; beneath it how many free blocks there are of which size.  Self-contained, for light and dark pages. */
#include "cli/segment_map.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

enum {
    SVG_WIDTH = 960,   /* of the picture, */
    SVG_LEFT = 76,     /* of what stands in front of the rows, */
    SVG_SPAN = 856,    /* of a row */
    SVG_TOP = 132,     /* where the rows begin */
    SVG_ROW = 15,      /* from row to row, */
    SVG_BAR = 12,      /* of which a row has so much */
    SVG_ROWS = 40,     /* at most */
    SVG_COLUMNS = 128, /* of cells */
    SVG_BLOCKS = 4000, /* are drawn one by one */
    SVG_LEVELS = 10,   /* shades from free to live */
    SVG_CHART = 110    /* the histogram's height */
};

typedef struct svg {
    FILE *f;
    const segment_map *m;
    segment_grid g;
    bool cells; /* there are too many blocks */
} svg;

/* ---- colours ---- */

typedef struct svg_theme {
    const char *page, *ink, *soft, *records, *rule;
    int free[3], used[3];
} svg_theme;

static const svg_theme svg_light = {"#ffffff", "#1c2530",       "#66727f",     "#e3a24a",
                                    "#d5dce3", {227, 233, 239}, {29, 122, 158}};
static const svg_theme svg_dark = {"#12171d", "#e6ebf0",    "#93a0ad",     "#c98b3c",
                                   "#2b343e", {43, 52, 62}, {92, 192, 222}};

static int svg_mix(const svg_theme *t, int i, int level)
{
    return t->free[i] + (t->used[i] - t->free[i]) * level / SVG_LEVELS;
}

static void svg_rules(FILE *f, const svg_theme *t)
{
    fprintf(f, ".page{fill:%s}.ink{fill:%s}.soft{fill:%s}.m{fill:%s}.rule{stroke:%s}", t->page,
            t->ink, t->soft, t->records, t->rule);
    for (int level = 0; level <= SVG_LEVELS; level++)
        fprintf(f, ".l%d{fill:#%02x%02x%02x}", level, (unsigned)svg_mix(t, 0, level),
                (unsigned)svg_mix(t, 1, level), (unsigned)svg_mix(t, 2, level));
}

static void svg_style(FILE *f)
{
    fputs("<style>text{font-family:system-ui,'DejaVu Sans',sans-serif;font-size:12px}"
          ".title{font-size:20px;font-weight:600}.end{text-anchor:end}.mid{text-anchor:middle}"
          "g:hover>rect{opacity:.7}",
          f);
    svg_rules(f, &svg_light);
    fputs("@media(prefers-color-scheme:dark){", f);
    svg_rules(f, &svg_dark);
    fputs("}</style>\n", f);
}

/* ---- text ---- */

static void svg_escaped(FILE *f, const char *text)
{
    for (; *text; text++)
        switch (*text) {
        case '<':
            fputs("&lt;", f);
            break;
        case '>':
            fputs("&gt;", f);
            break;
        case '&':
            fputs("&amp;", f);
            break;
        default:
            fputc((unsigned char)*text < 32 ? '?' : *text, f);
        }
}

static double svg_percent(uint64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

static uint64_t svg_records(const segment_map *m)
{
    return m->view.info.size - m->used - m->free;
}

static void svg_facts(const svg *s)
{
    const segment_view *v = &s->m->view;
    fprintf(s->f, "<text x='24' y='40' class='ink title'>");
    svg_escaped(s->f, v->name);
    fprintf(s->f, "</text>\n<text x='24' y='62' class='soft'>%s · %s", v->info.algorithm,
            segment_human(v->info.size).text);
    if (v->info.capacity > v->info.size)
        fprintf(s->f, " of %s", segment_human(v->info.capacity).text);
    fprintf(s->f,
            " · %" PRIu64 " blocks live, %" PRIu64
            " free, the largest %s · fragmentation %.1f %%</text>\n",
            v->s.used_blocks, v->s.free_blocks, segment_human(v->s.largest_free).text,
            100 * v->s.external_fragmentation);
}

/* ---- live, free, records: a bar, and the legend ---- */

static double svg_share(const svg *s, double x, uint64_t bytes, const char *class, const char *what)
{
    double share = svg_percent(bytes, s->m->view.info.size), width = SVG_SPAN * share / 100;
    fprintf(s->f,
            "<g><title>%s: %" PRIu64
            " bytes</title><rect x='%.2f' y='78' width='%.2f' height='10' class='%s'/></g>\n",
            what, bytes, x, width, class);
    return x + width;
}

static double svg_key(const svg *s, double x, uint64_t bytes, const char *class, const char *what)
{
    fprintf(s->f,
            "<rect x='%.0f' y='100' width='11' height='11' rx='2' class='%s'/><text x='%.0f' "
            "y='110' class='ink'>"
            "%s <tspan class='soft'>%s, %.1f %%</tspan></text>\n",
            x, class, x + 17, what, segment_human(bytes).text,
            svg_percent(bytes, s->m->view.info.size));
    return x + 150;
}

/* What a cell's shade says. */
static void svg_shades(const svg *s, double x)
{
    for (int level = 0; level <= SVG_LEVELS; level++)
        fprintf(s->f, "<rect x='%.0f' y='100' width='9' height='11' class='l%d'/>", x + 9 * level, level);
    fprintf(s->f, "<text x='%.0f' y='110' class='soft'>a cell: %s, by its live part</text>\n", x + 9 * SVG_LEVELS + 18,
            segment_human(s->g.bytes).text);
}

static void svg_shares(const svg *s)
{
    const segment_map *m = s->m;
    double x = svg_share(s, SVG_LEFT, m->used, "l10", "live");
    x = svg_share(s, x, m->free, "l0", "free");
    svg_share(s, x, svg_records(m), "m", "headers and records");
    x = svg_key(s, SVG_LEFT, m->used, "l10", "live");
    x = svg_key(s, x, m->free, "l0", "free");
    x = svg_key(s, x, svg_records(m), "m", "headers and records");
    if (s->cells)
        svg_shades(s, x + 100);
}

/* ---- the rows ---- */

static double svg_y(size_t row)
{
    return SVG_TOP + (double)row * SVG_ROW;
}

static void svg_rect(const svg *s, double x, size_t row, double width, const char *class)
{
    fprintf(s->f, "<rect x='%.2f' y='%.0f' width='%.2f' height='%d' class='%s'/>", x, svg_y(row),
            width, SVG_BAR, class);
}

static uint64_t svg_row_bytes(const svg *s)
{
    return s->g.bytes * s->g.columns;
}

/* What lies under the blocks: records, as far as the segment goes. */
static void svg_grounds(const svg *s)
{
    uint64_t row_bytes = svg_row_bytes(s), size = s->m->view.info.size;
    fprintf(s->f, "<g><title>headers and records</title>");
    for (size_t row = 0; row < s->g.rows; row++) {
        uint64_t rest = size - row * row_bytes;
        svg_rect(s, SVG_LEFT, row,
                 SVG_SPAN * (double)(rest < row_bytes ? rest : row_bytes) / (double)row_bytes, "m");
    }
    fputs("</g>\n", s->f);
    for (size_t row = 0; row<s->g.rows; row += s->g.rows> 20 ? 4 : 1)
        fprintf(s->f, "<text x='%d' y='%.0f' class='soft end'>%s</text>\n", SVG_LEFT - 8,
                svg_y(row) + 10.5, segment_human(row * row_bytes).text);
}

/* A block may go on in the next row.  Neighbours are told apart where there is room for it. */
static void svg_block(const svg *s, const acre_block *b)
{
    uint64_t row_bytes = svg_row_bytes(s), at = b->offset, end = b->offset + b->size;
    fprintf(s->f, "<g><title>%s block at %" PRIu64 ": %" PRIu64 " bytes</title>",
            b->used ? "live" : "free", b->offset, b->size);
    while (at < end) {
        size_t row = (size_t)(at / row_bytes);
        uint64_t stop = (row + 1) * row_bytes < end ? (row + 1) * row_bytes : end;
        double x = SVG_SPAN * (double)(at % row_bytes) / (double)row_bytes;
        svg_rect(s, SVG_LEFT + x, row, SVG_SPAN * (double)(stop - at) / (double)row_bytes,
                 b->used ? "l10" : "l0");
        at = stop;
    }
    fputs("</g>\n", s->f);
}

/* The shade of a cell; -1: records only. */
static int svg_level(const svg *s, size_t cell)
{
    double live = segment_cell_live(&s->g.cell[cell]);
    return live < 0 ? -1 : (int)lround(live * SVG_LEVELS);
}

static void svg_run(const svg *s, size_t first, size_t end, int level)
{
    size_t column = first % s->g.columns;
    uint64_t live = 0, from = first * s->g.bytes,
             to = (end - 1) * s->g.bytes + segment_cell_bytes(s->m, &s->g, end - 1);
    double scale = SVG_SPAN / (double)svg_row_bytes(s);
    char class[16] = "m";
    for (size_t i = first; i < end; i++)
        live += s->g.cell[i].used;
    if (level >= 0)
        snprintf(class, sizeof class, "l%d", level);
    fprintf(s->f, "<g><title>%" PRIu64 " to %" PRIu64 ": %.0f %% live</title>", from, to,
            svg_percent(live, to - from));
    svg_rect(s, SVG_LEFT + (double)(column * s->g.bytes) * scale, first / s->g.columns,
             (double)(to - from) * scale, class);
    fputs("</g>\n", s->f);
}

/* Neighbours in a row that are alike are one. */
static void svg_cells(const svg *s)
{
    for (size_t row = 0; row < s->g.rows; row++) {
        size_t at = row * s->g.columns, end = at + s->g.columns;
        while (end > at && !segment_cell_bytes(s->m, &s->g, end - 1))
            end--;
        while (at < end) {
            size_t stop = at + 1;
            int level = svg_level(s, at);
            while (stop < end && svg_level(s, stop) == level)
                stop++;
            if (level >= 0)
                svg_run(s, at, stop, level);
            at = stop;
        }
    }
}

static void svg_rows(const svg *s)
{
    svg_grounds(s);
    for (size_t i = 0; !s->cells && i < s->m->n; i++)
        svg_block(s, &s->m->block[i]);
    if (s->cells)
        svg_cells(s);
}

/* ---- free blocks by size ---- */

static void svg_column(const svg *s, double x, double width, double bottom, int bin, uint64_t most)
{
    uint64_t n = s->m->view.s.histogram[bin];
    double height = n ? 2 + (SVG_CHART - 26) * (double)n / (double)most : 0;
    fprintf(s->f,
            "<g><title>%" PRIu64 " free blocks of %s to %s</title><rect x='%.1f' y='%.1f' "
                                 "width='%.1f' height='%.1f' rx='1.5' class='l7'/></g>",
            n, segment_human((uint64_t)1 << bin).text, segment_human((uint64_t)2 << bin).text,
            x + 3, bottom - height, width - 6, height);
    fprintf(s->f, "<text x='%.1f' y='%.1f' class='soft mid'>%s</text>", x + width / 2, bottom + 16,
            segment_human((uint64_t)1 << bin).text);
    if (n)
        fprintf(s->f, "<text x='%.1f' y='%.1f' class='ink mid'>%" PRIu64 "</text>", x + width / 2,
                bottom - height - 5, n);
    fputc('\n', s->f);
}

static void svg_histogram(const svg *s, double top)
{
    uint64_t most = 1;
    int first, end;
    segment_bins(&s->m->view.s, &first, &end);
    fprintf(s->f, "<text x='%d' y='%.0f' class='ink'>%s</text>\n", SVG_LEFT, top,
            first < end
                ? "Free blocks, by size <tspan class='soft'>(from … bytes to twice that)</tspan>"
                : "Nothing is free");
    for (int i = first; i < end; i++)
        most = s->m->view.s.histogram[i] > most ? s->m->view.s.histogram[i] : most;
    double width = first < end ? (double)SVG_SPAN / (end - first) : 0,
           bottom = top + SVG_CHART + 12;
    width = width < 60 ? width : 60;
    for (int i = first; i < end; i++)
        svg_column(s, SVG_LEFT + (i - first) * width, width, bottom, i, most);
    fprintf(s->f, "<line x1='%d' x2='%.1f' y1='%.1f' y2='%.1f' class='rule'/>\n", SVG_LEFT,
            SVG_LEFT + (end - first) * width, bottom + .5, bottom + .5);
}

int segment_map_svg(const segment_map *m, FILE *f)
{
    svg s = {
        .f = f, .m = m, .g = segment_grid_of(m, SVG_COLUMNS, SVG_ROWS), .cells = m->n > SVG_BLOCKS};
    if (!s.g.cell)
        return ENOMEM;
    double under = svg_y(s.g.rows) + 30, height = under + SVG_CHART + 48;
    fprintf(f,
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %d %.0f' width='%d' "
            "height='%.0f' role='img'>\n",
            SVG_WIDTH, height, SVG_WIDTH, height);
    svg_style(f);
    fprintf(f, "<rect width='%d' height='%.0f' class='page'/>\n", SVG_WIDTH, height);
    svg_facts(&s);
    svg_shares(&s);
    svg_rows(&s);
    svg_histogram(&s, under);
    fputs("</svg>\n", f);
    free(s.g.cell);
    return ferror(f) ? EIO : 0;
}
