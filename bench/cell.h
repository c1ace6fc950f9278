/* SPDX-License-Identifier: MIT */
/* cell.h: one planned measurement: one line of JSON in, one line of JSON out.
 *
 * A cell is self-contained: `acre cell` runs it anywhere (this machine's worker processes, GNU
 * parallel, a Slurm array), in a fresh process, and its result appears whole or not at all.
 *
 *     engine     "replay", "fit", "verify", "timeline", "safety", "latency", "live_cost", "procs",
 *                "procs_replay" or "together"
 *     algorithm  a contender
 *     trace      name for results;  file: of the trace;  max_ops: cut after so many (0 = not)
 *     image      of the trace, if made already, else it is made for this cell
 *     block, position                       of the plan, copied into the result
 *     touch "none|line|page|full", warm N   replay
 *     enough_ms  replay: no further warm pass after this time in them
 *     live N                                live_cost
 *     pattern NAME, processes N, threads N, duration_ms N, segment BYTES    procs;
 *                                           without pattern and segment also procs_replay
 *     processes N, threads N, split "auto|threads|objects", cross PERCENT, lead N, verify BOOL,
 *     touch, warm                           together (no lead: no limit)
 *     budget_ms  0 = no limit
 *     cpu        to be pinned to, if allowed;  pad: bytes to lengthen the environment by
 *     out        file of the result; else standard output */
#ifndef ACRE_BENCH_CELL_H
#define ACRE_BENCH_CELL_H

#include <stddef.h>

/* In the environment once a cell runs in the process made for it. */
#define ACRE_CELL_VARIABLE "ACRE_CELL"

/* Replaces this process by one that is right for the cell (malloc preloaded, environment
 * lengthened, CPU pinned), which runs "/proc/self/exe cell LINE".  Returns only if it fails, or if
 * this process is that one already: then 0. */
int acre_cell_prepare(const char *line, char *error, size_t size);

/* Runs the cell here and writes its result.  0; EINVAL: the line or what it names is wrong;
 * another code if the result could not be written.  error: one line. */
int acre_cell_run(const char *line, char *error, size_t size);

#endif
