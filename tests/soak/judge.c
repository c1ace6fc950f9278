/* SPDX-License-Identifier: MIT */
/* judge.c: does memory stay flat?  A straight line through the second half of the samples; and the result as JSON. */
#include "tests/soak/soak.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>

/* Growth over the second half, in parts of the mean.  A heap settles first: the largest demand that its users
 * ever happened to have at once comes late, and later records come ever more seldom. */
#define JUDGE_MOST 0.01
#define JUDGE_MOST_UNSETTLED 0.15
#define JUDGE_SETTLED 5e8   /* operations */
#define JUDGE_LEAST 1e6     /* … below which nothing is judged */
enum { JUDGE_SAMPLES = 8 }; /* with fewer nothing is judged */

typedef struct judge_line {
    double mean, growth, error; /* growth over all of it, and its standard error */
} judge_line;

static double judge_value(const soak_sample *s, int what)
{
    return what == 0 ? s->high_water : what == 1 ? s->used : s->unaccounted;
}

/* Least squares. */
static judge_line judge_fit(const soak_sample *s, size_t n, int what)
{
    double x = 0, y = 0, xx = 0, xy = 0, rest = 0, span = s[n - 1].ops - s[0].ops;
    for (size_t i = 0; i < n; i++) {
        x += s[i].ops / (double)n;
        y += judge_value(&s[i], what) / (double)n;
    }
    for (size_t i = 0; i < n; i++) {
        xx += (s[i].ops - x) * (s[i].ops - x);
        xy += (s[i].ops - x) * (judge_value(&s[i], what) - y);
    }
    double slope = xx > 0 ? xy / xx : 0;
    for (size_t i = 0; i < n; i++) {
        double d = judge_value(&s[i], what) - y - slope * (s[i].ops - x);
        rest += d * d;
    }
    double error = xx > 0 ? sqrt(rest / (double)(n - 2) / xx) : 0;
    return (judge_line){y, slope * span, error * span};
}

/* What is live is what workers hold just then and goes up and down: only a growth of which three standard
 * errors are sure counts.  What is used and nobody's is compared with what is used. */
void soak_judge(soak_result *r)
{
    static const char *const name[] = {"high water", "used bytes", "bytes that are nobody's"};
    double most = (double)soak_chosen.ops < JUDGE_SETTLED ? JUDGE_MOST_UNSETTLED : JUDGE_MOST;
    size_t half = r->samples / 2, n = r->samples - half;
    for (int i = 0; i < 3 && n >= JUDGE_SAMPLES && (double)soak_chosen.ops >= JUDGE_LEAST; i++) {
        judge_line l = judge_fit(&r->sample[half], n, i);
        double whole = i == 2 ? judge_fit(&r->sample[half], n, 1).mean : l.mean;
        r->growth[i] = l.growth / whole;
        if ((l.growth - 3 * l.error) / whole > most)
            soak_wrong("%s: %.2f %% more in the second half", name[i], 100 * r->growth[i]);
    }
}

/* ---- JSON ---- */

static void judge_put(json_t *o, const char *key, uint64_t value)
{
    json_object_set_new(o, key, json_integer((json_int_t)value));
}

static json_t *judge_counts(const soak_result *r)
{
    const soak_board *b = soak_shared;
    json_t *o = json_pack("{s:s}", "algorithm", soak_chosen.spec);
    judge_put(o, "seed", soak_chosen.seed);
    judge_put(o, "workers", r->born);
    judge_put(o, "at_once", soak_chosen.workers);
    judge_put(o, "ended", r->left);
    judge_put(o, "ended_attached", r->abrupt);
    judge_put(o, "killed", r->killed);
    judge_put(o, "killed_threads", r->killed_threads);
    judge_put(o, "threads", b->threads);
    judge_put(o, "cancelled", b->cancelled);
    judge_put(o, "forked", b->forked);
    judge_put(o, "in_hand", r->in_hand);
    judge_put(o, "refused", b->refused);
    judge_put(o, "censuses", r->censuses);
    judge_put(o, "parts", (uint64_t)r->parts);
    judge_put(o, "parts_limit", (uint64_t)r->parts_limit);
    judge_put(o, "fds", (uint64_t)r->fds_last);
    judge_put(o, "live_at_end", r->live_at_end);
    judge_put(o, "wrong", r->wrong);
    return o;
}

static json_t *judge_sample(const soak_sample *s)
{
    json_t *o = json_object();
    judge_put(o, "ops", (uint64_t)s->ops);
    judge_put(o, "high_water", (uint64_t)s->high_water);
    judge_put(o, "used", (uint64_t)s->used);
    json_object_set_new(o, "unaccounted", json_integer((json_int_t)s->unaccounted));
    judge_put(o, "slabs", (uint64_t)s->slabs);
    judge_put(o, "cached", (uint64_t)s->cached);
    judge_put(o, "shelved", (uint64_t)s->shelved);
    return o;
}

static json_t *judge_samples(const soak_result *r)
{
    json_t *all = json_array();
    for (size_t i = 0; i < r->samples; i++)
        json_array_append_new(all, judge_sample(&r->sample[i]));
    return all;
}

int soak_write_json(const char *file, const soak_result *r)
{
    json_t *o = judge_counts(r);
    judge_put(o, "ops", r->ops);
    json_object_set_new(o, "seconds", json_real(r->seconds));
    json_object_set_new(o, "high_water_growth", json_real(r->growth[0]));
    json_object_set_new(o, "used_growth", json_real(r->growth[1]));
    json_object_set_new(o, "unaccounted_growth", json_real(r->growth[2]));
    json_object_set_new(o, "samples", judge_samples(r));
    int e = json_dump_file(o, file, JSON_INDENT(1) | JSON_PRESERVE_ORDER) ? errno : 0;
    json_decref(o);
    return e;
}
