/* SPDX-License-Identifier: MIT */
/* algorithms.c: `acre algorithms`: who can be measured. */
#include "cli/cli.h"

#include "bench/contender.h"

#include <acre/algorithm.h>

#include <argp.h>
#include <jansson.h>
#include <stdio.h>

static const char algorithms_doc[] =
    "List the memory algorithms and the baselines that they are compared with.";

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
} algorithms_flags[] = {
    {ACRE_CONCURRENT, "concurrent"}, {ACRE_ROBUST, "robust"}, {ACRE_NO_FREE, "no_free"},
    {ACRE_ROUNDS, "rounds"}};

static json_t *algorithms_flag_names(const acre_contender *c)
{
    json_t *names = json_array();
    for (size_t i = 0; i < sizeof algorithms_flags / sizeof *algorithms_flags; i++)
        if (c->flags & algorithms_flags[i].flag)
            json_array_append_new(names, json_string(algorithms_flags[i].name));
    return names;
}

static void algorithms_print_json(const acre_contender *c, const char *reason)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:o, s:b}", "name", c->name, "family",
                          acre_family_name(c->family), "summary", c->summary, "flags",
                          algorithms_flag_names(c), "available", !*reason);
    if (*reason)
        json_object_set_new(o, "reason", json_string(reason));
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

static void algorithms_print(const acre_contender *c, const char *reason)
{
    char flags[64] = "";
    int n = 0;
    for (size_t i = 0; i < sizeof algorithms_flags / sizeof *algorithms_flags; i++)
        if (c->flags & algorithms_flags[i].flag)
            n += snprintf(flags + n, sizeof flags - (size_t)n, "%s%s", n ? "," : "",
                          algorithms_flags[i].name);
    printf("%-22s %-10s %-18s %s\n", c->name, acre_family_name(c->family), flags,
           *reason ? reason : c->summary);
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
        printf("%-22s %-10s %-18s %s\n", "NAME", "FAMILY", "FLAGS", "SUMMARY");
    for (size_t i = 0; acre_contender_at(&c, i); i++) {
        char reason[256] = "";
        acre_contender_missing(&c, reason, sizeof reason);
        (json ? algorithms_print_json : algorithms_print)(&c, reason);
    }
    if (!json)
        puts("\nacre's algorithms take options: NAME:lock=robust|spin|none,journal=on|off,checks=0…3 "
             "and parameters of their own; Boost's take NAME:lock=none.");
    return 0;
}
