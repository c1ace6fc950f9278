/* SPDX-License-Identifier: MIT */
/* Sentences made of the numbers: what the page and the terminal say first. */
#include "bench/report_model.h"

#include <math.h>
#include <string.h>

static const report_algorithm *words_reference(const report_model *m)
{
    return &m->algorithm[m->reference];
}

static bool words_in_family(const report_algorithm *a, const char *family)
{
    return a->family && strcmp(a->family, family) == 0;
}

/* Sentences speak of what one gets by default: name:option=value stays in the tables. */
static bool words_contender(const report_algorithm *a)
{
    return !acre__report_is_point(a) && !strchr(a->name, ':');
}

/* On as many traces as the reference: means over fewer cannot be compared. */
static bool words_whole(const report_model *m, const report_algorithm *a)
{
    return a->traces >= words_reference(m)->traces && isfinite(a->warm.value) &&
           words_contender(a);
}

/* The fastest of a family, of all allocators if it is NULL. */
static const report_algorithm *words_fastest(const report_model *m, const char *family)
{
    for (size_t i = 0; i < m->n_ranked; i++) {
        const report_algorithm *a = &m->algorithm[m->rank[i]];

        if (words_whole(m, a) && (!family || words_in_family(a, family)))
            return a;
    }
    return NULL;
}

static const report_algorithm *words_smallest(const report_model *m)
{
    const report_algorithm *best = NULL;

    for (size_t i = 0; i < m->n_ranked; i++) {
        const report_algorithm *a = &m->algorithm[m->rank[i]];

        if (words_whole(m, a) && isfinite(a->memory) &&
            a->memory_traces >= words_reference(m)->traces && (!best || a->memory < best->memory))
            best = a;
    }
    return best;
}

static size_t words_count(const report_model *m)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n_ranked; i++)
        n += words_contender(&m->algorithm[m->rank[i]]);
    return n;
}

static void words_doubt(FILE *out, const report_algorithm *a)
{
    if (a->verdict == REPORT_SAME)
        fputs(", which this run cannot tell from noise", out);
    if (a->verdict == REPORT_FEW)
        fputs(" (too few runs to prove a difference)", out);
}

static void words_first(FILE *out, const report_model *m, const report_algorithm *best)
{
    fprintf(out, "*%s* is the fastest of %zu allocators on %zu trace%s", best->name,
            words_count(m), words_reference(m)->traces,
            words_reference(m)->traces == 1 ? "" : "s");
    if (best != words_reference(m)) {
        fprintf(out, ": %.2f× the time of %s", best->warm.value, words_reference(m)->name);
        words_doubt(out, best);
    }
    if (isfinite(best->memory))
        fprintf(out, ", with %.2f× the peak of live memory", best->memory);
    fputs(".", out);
}

static void words_family(FILE *out, const report_model *m, const report_algorithm *best,
                         const char *family, const char *called)
{
    const report_algorithm *a = words_fastest(m, family);

    if (!a || a == best)
        return;
    fprintf(out, " The fastest %s is *%s* at %.2f×", called, a->name, a->warm.value);
    words_doubt(out, a);
    fputs(".", out);
}

/* Each original that stands beside acre's version of it. */
static void words_originals(FILE *out, const report_model *m)
{
    for (size_t i = 0; i < m->n_algorithms; i++) {
        const report_algorithm *theirs = &m->algorithm[i];

        if (strncmp(theirs->name, "boost_", 6) != 0 || !words_whole(m, theirs))
            continue;
        for (size_t k = 0; k < m->n_algorithms; k++) {
            const report_algorithm *ours = &m->algorithm[k];

            if (strcmp(ours->name, theirs->name + 6) != 0 || !words_whole(m, ours))
                continue;
            fprintf(out, " *%s* takes %.2f× the time of Boost's", ours->name,
                    ours->warm.value / theirs->warm.value);
            if (isfinite(ours->memory / theirs->memory) &&
                ours->memory_traces == theirs->memory_traces)
                fprintf(out, " and %.2f× its memory", ours->memory / theirs->memory);
            fputs(".", out);
        }
    }
}

void acre__report_headline(FILE *out, const report_model *m)
{
    const report_algorithm *best = words_fastest(m, NULL);

    if (best)
        words_first(out, m, best);
    else
        fprintf(out, "No allocator finished as many traces as *%s*.", words_reference(m)->name);
}

void acre__report_details(FILE *out, const report_model *m)
{
    const report_algorithm *best = words_fastest(m, NULL), *small = words_smallest(m);

    if (!best)
        return;
    if (isfinite(best->warm.lo) && best != words_reference(m))
        fprintf(out, "The 95 %% interval of its ratio is %.3f to %.3f.", best->warm.lo,
                best->warm.hi);
    words_family(out, m, best, "acre", "of acre's algorithms");
    words_family(out, m, best, "malloc", "private malloc");
    if (small && small != best)
        fprintf(out, " The least memory takes *%s*: %.2f× the peak of live bytes.", small->name,
                small->memory);
    words_originals(out, m);
}

void acre__report_noise_sentence(FILE *out, const report_model *m)
{
    if (isfinite(m->noise_floor))
        fprintf(out, "The smallest difference that this run can see is ±%.1f %%: so far did %s "
                "seem to be from itself.", 100 * (m->noise_floor - 1), words_reference(m)->name);
    else
        fprintf(out, "The noise of this run is not known: %s was not run against itself, or only "
                "once.", words_reference(m)->name);
    if (m->n_noisy)
        fprintf(out, " %zu series are noisy (middle half of the runs wider than 10 %%).",
                m->n_noisy);
}
