/* SPDX-License-Identifier: MIT */
/* algorithms.c: `acre algorithms`: who can be measured. */
#include "cli/cli.h"

#include "bench/contender.h"

#include <acre/algorithm.h>

#include <argp.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

static const char algorithms_doc[] = "List the memory algorithms, with their parameters, and the "
                                     "baselines that they are compared with.";

static const struct argp_option algorithms_options[] = {
    {"json", 'j', NULL, 0, "One JSON object a line", 0}, {0}};

static error_t algorithms_option(int key, char *arg, struct argp_state *state)
{
    (void)arg;
    if (key != 'j')
        return ARGP_ERR_UNKNOWN;
    *(int *)state->input = 1;
    return 0;
}

static const struct {
    uint32_t flag;
    const char *name;
} algorithms_flags[] = {{ACRE_CONCURRENT, "concurrent"},
                        {ACRE_ROBUST, "robust"},
                        {ACRE_NO_FREE, "no_free"},
                        {ACRE_ROUNDS, "rounds"}};

static json_t *algorithms_flag_names(const acre_contender *c)
{
    json_t *names = json_array();
    for (size_t i = 0; i < sizeof algorithms_flags / sizeof *algorithms_flags; i++)
        if (c->flags & algorithms_flags[i].flag)
            json_array_append_new(names, json_string(algorithms_flags[i].name));
    return names;
}

/* NULL: past the last parameter, or no algorithm of acre's. */
static const acre_param *algorithms_param(const acre_contender *c, size_t i)
{
    const acre_algorithm *a = c->family == ACRE_FAMILY_ACRE ? acre_algorithm_find(c->name) : NULL;
    return a && a->params && i < ACRE_PARAMS && a->params[i].name ? &a->params[i] : NULL;
}

static bool algorithms_has_classes(const acre_contender *c)
{
    return c->family == ACRE_FAMILY_ACRE && acre_algorithm_find(c->name)->classes;
}

static json_t *algorithms_params(const acre_contender *c)
{
    json_t *all = json_array();
    const acre_param *p;
    for (size_t i = 0; (p = algorithms_param(c, i)); i++)
        json_array_append_new(all,
                              json_pack("{s:s, s:s, s:I, s:I, s:I}", "name", p->name, "summary",
                                        p->summary, "least", (json_int_t)p->least, "most",
                                        (json_int_t)p->most, "standard", (json_int_t)p->standard));
    return all;
}

static void algorithms_print_json(const acre_contender *c, const char *reason)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:o, s:s?, s:o, s:b, s:b}", "name", c->name, "family",
                          acre_family_name(c->family), "summary", c->summary, "flags",
                          algorithms_flag_names(c), "growth", acre_growth_name(c->growth), "params",
                          algorithms_params(c), "classes", algorithms_has_classes(c), "available",
                          !*reason);
    if (*reason)
        json_object_set_new(o, "reason", json_string(reason));
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

static void algorithms_print_params(const acre_contender *c)
{
    const acre_param *p;
    for (size_t i = 0; (p = algorithms_param(c, i)); i++)
        printf("  %s=%u  %u to %u: %s\n", p->name, p->standard, p->least, p->most, p->summary);
    if (algorithms_has_classes(c))
        puts("  classes=…  the size classes, ascending bytes parted by colons");
}

static void algorithms_print(const acre_contender *c, const char *reason)
{
    char flags[64] = "";
    const char *growth = acre_growth_name(c->growth);
    int n = 0;
    for (size_t i = 0; i < sizeof algorithms_flags / sizeof *algorithms_flags; i++)
        if (c->flags & algorithms_flags[i].flag)
            n += snprintf(flags + n, sizeof flags - (size_t)n, "%s%s", n ? "," : "",
                          algorithms_flags[i].name);
    printf("%-22s %-10s %-9s %-14s %s\n", c->name, acre_family_name(c->family),
           growth ? growth : "-", flags, *reason ? reason : c->summary);
    algorithms_print_params(c);
}

int cmd_algorithms(int argc, char **argv)
{
    static const struct argp argp = {
        algorithms_options, algorithms_option, "", algorithms_doc, NULL, NULL, NULL};
    int json = 0;
    acre_contender c;
    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &json);
    if (!json)
        printf("%-22s %-10s %-9s %-14s %s\n", "NAME", "FAMILY", "GROWTH", "FLAGS", "SUMMARY");
    for (size_t i = 0; acre_contender_at(&c, i); i++) {
        char reason[256] = "";
        acre_contender_missing(&c, reason, sizeof reason);
        (json ? algorithms_print_json : algorithms_print)(&c, reason);
    }
    if (!json)
        puts("\nacre's algorithms take options: "
             "NAME:lock=robust|spin|none,journal=on|off,checks=0…3 "
             "and the parameters below their names, shown with default and range; Boost's take "
             "NAME:lock=none.  GROWTH is the theory: an allocation and a free among n blocks.");
    return 0;
}
