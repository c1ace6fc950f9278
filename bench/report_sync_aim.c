/* SPDX-License-Identifier: MIT */
/* What was aimed at, and whether it has been reached: by the medians of repetitions.  What their
 * spread would allow to be the other way round is called close. */
#include "bench/report_sync_model.h"

#include <math.h>
#include <string.h>

/* By name, because that is what one can read. */
static const struct {
    const char *primitive, *kase, *peer;
    double factor; /* of the peer's rate; without a peer, ns */
} aim_list[] = {
    {"mutex", "uncontended", "pthread", 1},
    {"mutex", "contended2", "pthread", 1},
    {"sharable_exclusive", "uncontended", "boost", 2},
    {"sharable_shared", "uncontended", "boost", 2},
    {"upgradable_exclusive", "uncontended", "boost", 2},
    {"upgradable_shared", "uncontended", "boost", 2},
    {"upgradable_upgradable", "uncontended", "boost", 2},
    {"sharable_shared", "contended2", "boost", 2},
    {"upgradable_shared", "contended2", "boost", 2},
    {"queue", "throughput_cap10", "boost", 10},
    {"queue", "throughput_cap1024", "boost", 2},
    {"queue", "throughput_batch", "boost", 6},
    {"queue", "roundtrip_2cpu", NULL, 1000},
    {"queue", "roundtrip_1cpu", "pipe", 1},
    {"spsc", "throughput_cap1024", "posix", 10},
    {"spsc", "roundtrip_2cpu", NULL, 400},
};
enum { AIMS = sizeof aim_list / sizeof *aim_list };

bool acre__sync_aim(size_t i, sync_aim *a)
{
    if (i >= AIMS)
        return false;
    a->primitive = acre__sync_place(acre__sync_primitives, SYNC_PRIMITIVES, aim_list[i].primitive);
    a->kase = acre__sync_place(acre__sync_cases, SYNC_CASES, aim_list[i].kase);
    a->factor = aim_list[i].factor;
    a->peer = -1;
    if (aim_list[i].peer)
        a->peer =
            acre__sync_place(acre__sync_implementations, SYNC_IMPLEMENTATIONS, aim_list[i].peer);
    return true;
}

/* ---- comparing ---- */

static const sync_cell *aim_cell(const sync_model *m, int primitive, int kase, int implementation)
{
    return &m->cell[primitive][kase][implementation];
}

int acre__sync_best_peer(const sync_model *m, int primitive, int kase)
{
    int best = -1;
    for (int i = 1; i < SYNC_IMPLEMENTATIONS; i++) {
        double rate = aim_cell(m, primitive, kase, i)->median;
        if (isfinite(rate) && (best < 0 || rate > aim_cell(m, primitive, kase, best)->median))
            best = i;
    }
    return best;
}

sync_judgement acre__sync_ratio(const sync_model *m, int primitive, int kase, int peer)
{
    const sync_cell *a = aim_cell(m, primitive, kase, 0), *p = aim_cell(m, primitive, kase, peer);
    return (sync_judgement){
        .value = a->median / p->median, .least = a->least / p->most, .most = a->most / p->least};
}

static sync_judgement aim_time(const sync_model *m, const sync_aim *a)
{
    const sync_cell *c = aim_cell(m, a->primitive, a->kase, 0);
    return (sync_judgement){
        .value = 1e9 / c->median, .least = 1e9 / c->most, .most = 1e9 / c->least};
}

static bool aim_met(const sync_aim *a, double value)
{
    return a->peer < 0 ? value < a->factor : value >= a->factor;
}

sync_judgement acre__sync_judge(const sync_model *m, const sync_aim *a)
{
    sync_judgement j =
        a->peer < 0 ? aim_time(m, a) : acre__sync_ratio(m, a->primitive, a->kase, a->peer);
    if (!isfinite(j.value))
        return j;
    j.verdict = aim_met(a, j.value) ? SYNC_REACHED : SYNC_MISSED;
    j.close = aim_met(a, j.least) != aim_met(a, j.most);
    return j;
}

/* ---- words ---- */

void acre__sync_aim_text(const sync_aim *a, char *text, size_t room)
{
    if (a->peer < 0)
        snprintf(text, room, "under %g µs", a->factor / 1000);
    else if (a->factor == 1)
        snprintf(text, room, "not slower than %s", acre__sync_implementations[a->peer]);
    else
        snprintf(text, room, "at least %g× %s", a->factor, acre__sync_implementations[a->peer]);
}

void acre__sync_value_text(const sync_aim *a, double value, char *text, size_t room)
{
    if (!isfinite(value))
        snprintf(text, room, "–");
    else if (a && a->peer < 0)
        snprintf(text, room, "%.2f µs", value / 1000);
    else
        snprintf(text, room, value < 9.995 ? "%.2f×" : value < 99.95 ? "%.1f×" : "%.0f×", value);
}

const char *acre__sync_verdict_text(const sync_judgement *j)
{
    return j->verdict == SYNC_UNKNOWN   ? "not measured"
           : j->verdict == SYNC_REACHED ? (j->close ? "reached, within the spread" : "reached")
                                        : (j->close ? "missed, within the spread" : "missed");
}

static void aim_write_line(const sync_model *m, const sync_aim *a, FILE *out)
{
    char name[64], text[64], value[32];
    sync_judgement j = acre__sync_judge(m, a);
    snprintf(name, sizeof name, "%s/%s", acre__sync_primitives[a->primitive],
             acre__sync_cases[a->kase]);
    acre__sync_aim_text(a, text, sizeof text);
    acre__sync_value_text(a, j.value, value, sizeof value);
    fprintf(out, "%-34s %-26s %9s  %s\n", name, text, value, acre__sync_verdict_text(&j));
}

void acre__sync_write_text(const sync_model *m, FILE *out)
{
    sync_aim a;
    for (size_t i = 0; acre__sync_aim(i, &a); i++)
        aim_write_line(m, &a, out);
    fprintf(out, "page: %s/sync.html\n", m->dir);
}
