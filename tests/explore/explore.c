/* SPDX-License-Identifier: MIT */
/* explore.c: runs the scenarios and says what was seen.
 *     explore [--short] [group …] */
#include "tests/explore/machine.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EXPLORE_SHORT = 20 }; /* a short run makes that fraction of the random schedules */

typedef struct explore_count {
    unsigned long long schedules, died, napped;
} explore_count;

static explore_group *explore_groups;
static explore_count explore_total;
static unsigned explore_passed, explore_failed;
static bool explore_short;

void explore_add(explore_group *group)
{
    explore_group **at = &explore_groups;
    while (*at && strcmp((*at)->name, group->name) < 0)
        at = &(*at)->next;
    group->next = *at;
    *at = group;
}

static uint64_t explore_seed(void)
{
    const char *text = getenv("ACRE_SEED");
    return text ? strtoull(text, NULL, 0) : 1;
}

static void explore_note(explore_count *count, const explore_result *r)
{
    count->schedules++;
    count->died += r->died;
    count->napped += r->napped;
}

/* Run schedules until one fails or there are no more; what the last one did. */
static explore_result explore_all(const explore_scenario *s, explore_count *count)
{
    explore_result r;
    unsigned long long limit = s->random;
    if (limit && explore_short)
        limit = limit / EXPLORE_SHORT + 1;
    explore_choice_first(s->random, explore_seed());
    do {
        explore_run(s, false, &r);
        explore_note(count, &r);
    } while (!r.error && count->schedules != limit && explore_choice_next());
    return r;
}

/* The failing schedule once more, access by access. */
static void explore_show(const explore_scenario *s, const explore_result *r)
{
    explore_result again;
    printf("    FAILED: %s (%s:%d); thread and access:\n", r->error, r->file, r->line);
    explore_choice_again();
    explore_run(s, true, &again);
}

static bool explore_as_expected(const explore_scenario *s, const explore_result *r)
{
    return s->bug ? r->error && strstr(r->error, s->bug) : !r->error;
}

static void explore_line(const explore_scenario *s, const explore_result *r, const explore_count *c)
{
    const char *how = r->error ? (s->bug ? "bug found" : "failed") : s->random ? "random" : "all";
    printf("  %-52s %9llu schedules, %s", s->name, c->schedules, how);
    if (!s->random)
        printf(" with %u preemptions", s->preemptions);
    if (c->died)
        printf(", %llu with a death", c->died);
    if (c->napped)
        printf(", %llu repaired by a nap", c->napped);
    putchar('\n');
}

static void explore_scenario_run(const explore_scenario *s)
{
    explore_count count = {0};
    explore_result r = explore_all(s, &count);
    bool fine = explore_as_expected(s, &r);
    explore_line(s, &r, &count);
    if (!fine && r.error)
        explore_show(s, &r);
    else if (!fine)
        printf("    FAILED: the bug was not found\n");
    explore_total.schedules += count.schedules;
    explore_total.died += count.died;
    explore_total.napped += count.napped;
    fine ? explore_passed++ : explore_failed++;
}

static void explore_group_run(const explore_group *g)
{
    printf("%s\n", g->name);
    for (unsigned i = 0; i < g->count; i++)
        if (!explore_short || !(g->list[i].flags & EXPLORE_SLOW))
            explore_scenario_run(&g->list[i]);
}

static bool explore_wanted(const explore_group *g, int argc, char **argv)
{
    bool all = true;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], g->name) == 0)
            return true;
        all &= argv[i][0] == '-';
    }
    return all;
}

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 1; i < argc; i++)
        explore_short |= strcmp(argv[i], "--short") == 0;
    for (const explore_group *g = explore_groups; g; g = g->next)
        if (explore_wanted(g, argc, argv))
            explore_group_run(g);
    printf("%llu schedules, %llu with a death, %llu repaired by a nap\n", explore_total.schedules,
           explore_total.died, explore_total.napped);
    printf("%u passed, %u failed\n", explore_passed, explore_failed);
    return explore_failed || !explore_passed;
}
