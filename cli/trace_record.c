/* SPDX-License-Identifier: MIT */
/* acre trace record: run a program with the recorder preloaded, then turn what each of its
 * processes left into an archive. */
#include <argp.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/trace_tools.h"

typedef struct record_options {
    const char *dir;
    char **command;
    trace_writing how;
    uint64_t min_ops;
    bool keep_raw;
} record_options;

typedef struct record_run {
    const record_options *options;
    char library[PATH_MAX], dir[PATH_MAX], raw_dir[PATH_MAX + 32];
    size_t n_archives;
    bool lost;
} record_run;

/* ---- What to run, and with what ------------------------------------------------------------- */

static bool record_try_library(record_run *run, const char *dir, const char *below)
{
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s%slibacre_record.so", dir, below) >= (int)sizeof path)
        return false;
    return realpath(path, run->library) != NULL;
}

static int record_find_library(record_run *run)
{
    const char *given = getenv("ACRE_RECORDER");
    char exe[PATH_MAX];
    if (given)
        return realpath(given, run->library) ? 0
                   : cli_fail("%s: %s (from ACRE_RECORDER)", given, strerror(errno));
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(exe, '/');
    if (slash)
        *slash = '\0';
    if (record_try_library(run, exe, "/") || record_try_library(run, exe, "/../") ||
        record_try_library(run, exe, "/../lib/acre/"))
        return 0;
    return cli_fail("libacre_record.so is neither beside %s/acre nor in ../lib/acre; "
                    "set ACRE_RECORDER to its path", exe);
}

static bool record_executable(const char *path)
{
    struct stat st;
    return access(path, X_OK) == 0 && stat(path, &st) == 0 && S_ISREG(st.st_mode);
}

/* Where the shell would find it. */
static bool record_which(const char *name, char out[PATH_MAX])
{
    if (strchr(name, '/'))
        return snprintf(out, PATH_MAX, "%s", name) < PATH_MAX && record_executable(out);
    const char *path = getenv("PATH");
    for (const char *p = path ? path : "/usr/bin:/bin"; *p;) {
        size_t n = strcspn(p, ":");
        if (snprintf(out, PATH_MAX, "%.*s/%s", (int)n, p, name) < PATH_MAX &&
            record_executable(out))
            return true;
        p += n + (p[n] == ':');
    }
    return false;
}

/* True for a 64-bit ELF program without dynamic linker: nothing can be preloaded into it. */
static bool record_is_static(const char *path)
{
    Elf64_Ehdr head;
    Elf64_Phdr segment;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool elf = fd >= 0 && pread(fd, &head, sizeof head, 0) == sizeof head &&
               memcmp(head.e_ident, ELFMAG, SELFMAG) == 0 && head.e_ident[EI_CLASS] == ELFCLASS64;
    bool has_linker = false;
    for (unsigned i = 0; elf && i < head.e_phnum; i++)
        if (pread(fd, &segment, sizeof segment, (off_t)(head.e_phoff + i * sizeof segment)) ==
            sizeof segment)
            has_linker |= segment.p_type == PT_INTERP;
    if (fd >= 0)
        close(fd);
    return elf && !has_linker;
}

static int record_check_command(const record_run *run)
{
    char path[PATH_MAX];
    const char *name = run->options->command[0];
    if (!record_which(name, path))
        return cli_fail("%s: no such program", name);
    if (record_is_static(path))
        return cli_fail("%s: statically linked, so no recorder can be preloaded", path);
    return 0;
}

/* ---- Running -------------------------------------------------------------------------------- */

static int record_make_dirs(record_run *run)
{
    if (mkdir(run->options->dir, 0777) != 0 && errno != EEXIST)
        return cli_fail("%s: %s", run->options->dir, strerror(errno));
    if (!realpath(run->options->dir, run->dir))
        return cli_fail("%s: %s", run->options->dir, strerror(errno));
    snprintf(run->raw_dir, sizeof run->raw_dir, "%s/recording-XXXXXX", run->dir);
    if (!mkdtemp(run->raw_dir))
        return cli_fail("%s: %s", run->raw_dir, strerror(errno));
    return strlen(run->raw_dir) < 1000 ? 0 : cli_fail("%s: path too long", run->raw_dir);
}

static void record_child(const record_run *run)
{
    char preload[2 * PATH_MAX];
    const char *others = getenv("LD_PRELOAD");
    snprintf(preload, sizeof preload, "%s%s%s", run->library, others ? ":" : "",
             others ? others : "");
    setenv("LD_PRELOAD", preload, 1);
    setenv("ACRE_RECORD_DIR", run->raw_dir, 1);
    execvp(run->options->command[0], run->options->command);
    cli_fail("%s: %s", run->options->command[0], strerror(errno));
    _exit(127);
}

/* Interrupting the program must not keep us from converting. */
static int record_wait(pid_t child)
{
    int status = 0;
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    signal(SIGINT, SIG_DFL);
    signal(SIGQUIT, SIG_DFL);
    return status;
}

static int record_execute(const record_run *run)
{
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        return cli_fail("fork: %s", strerror(errno));
    if (child == 0)
        record_child(run);
    int status = record_wait(child);
    if (WIFSIGNALED(status))
        fprintf(stderr, "acre: %s: killed by signal %d (%s)\n", run->options->command[0],
                WTERMSIG(status), strsignal(WTERMSIG(status)));
    else if (WEXITSTATUS(status))
        fprintf(stderr, "acre: %s: exit status %d\n", run->options->command[0],
                WEXITSTATUS(status));
    return 0;
}

/* ---- Converting ----------------------------------------------------------------------------- */

static uint64_t record_meta_number(const acre_trace_info *info, const char *key)
{
    const char *text = acre_trace_meta_get(info, key);
    return text ? strtoull(text, NULL, 10) : 0;
}

/* DIR/PROGRAM.PID.acr, or PROGRAM.PID-2.acr … when one pid was several programs of that name. */
static void record_name(const record_run *run, const acre_trace_info *info, char *out, size_t room)
{
    const char *program = acre_trace_meta_get(info, "program");
    const char *pid = acre_trace_meta_get(info, "pid");
    struct stat st;
    snprintf(out, room, "%s/%s.%s.acr", run->dir, program && *program ? program : "unknown",
             pid ? pid : "0");
    for (int n = 2; stat(out, &st) == 0; n++)
        snprintf(out, room, "%s/%s.%s-%d.acr", run->dir, program && *program ? program : "unknown",
                 pid ? pid : "0", n);
}

static void record_tell_lost(record_run *run, const char *out, const acre_trace_info *info)
{
    uint64_t lost = record_meta_number(info, "import.lost_events");
    if (!lost)
        return;
    run->lost = true;
    cli_fail("%s: %llu events could not be stored (disk full?)", out, (unsigned long long)lost);
}

static int record_convert(record_run *run, const char *raw)
{
    acre_trace *t = NULL;
    acre_trace_error e;
    acre_trace_info info = {0};
    char out[2 * PATH_MAX];
    if (acre_trace_open(&t, raw, &e) != 0)
        return cli_fail("%s", e.text);
    record_name(run, acre_trace_info_of(t), out, sizeof out);
    record_tell_lost(run, out, acre_trace_info_of(t));
    bool enough = acre_trace_info_of(t)->n_ops >= run->options->min_ops;
    acre_trace_close(t);
    if (!enough)
        return 0;
    if (trace_convert(raw, out, &run->options->how, &info, &e) != 0)
        return cli_fail("%s", e.text);
    run->n_archives++;
    trace_print_line(out, &info);
    return 0;
}

static int record_is_raw(const struct dirent *entry)
{
    size_t n = strlen(entry->d_name);
    return n > 4 && strcmp(entry->d_name + n - 4, ".raw") == 0;
}

static int record_convert_all(record_run *run)
{
    struct dirent **entries = NULL;
    int n = scandir(run->raw_dir, &entries, record_is_raw, versionsort), err = 0;
    if (n == 0)
        err = cli_fail("nothing was recorded: %s allocates nothing, or runs where LD_PRELOAD does "
                       "not reach (set-user-ID, another architecture)", run->options->command[0]);
    for (int i = 0; i < n; i++) {
        char raw[2 * PATH_MAX];
        snprintf(raw, sizeof raw, "%s/%s", run->raw_dir, entries[i]->d_name);
        int bad = record_convert(run, raw);
        err = err ? err : bad;
        if (!bad && !run->options->keep_raw)
            unlink(raw);
        free(entries[i]);
    }
    free(entries);
    if (!run->options->keep_raw)
        rmdir(run->raw_dir);
    return err ? err : run->lost ? CLI_FAILED : 0;
}

/* ---- Command -------------------------------------------------------------------------------- */

static error_t record_parse(int key, char *arg, struct argp_state *state)
{
    record_options *o = state->input;
    const char *wrong;
    switch (key) {
    case 'o':
        o->dir = arg;
        return 0;
    case 'k':
        o->keep_raw = true;
        return 0;
    case 'm':
        if (!trace_parse_number(arg, &o->min_ops))
            argp_error(state, "--min-ops: not a number: %s", arg);
        return 0;
    case 't':
    case 'l':
        if ((wrong = trace_parse_writing(key, arg, &o->how)))
            argp_error(state, "%s: %s", wrong, arg);
        return 0;
    case ARGP_KEY_ARGS:
        o->command = state->argv + state->next;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which command?");
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int cmd_trace_record(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"output", 'o', "DIR", 0, "Where archives go (default .); made if it is not there", 0},
        {"tick", 't', "NS", 0, "Resolution of stored times; 0 = none (default 1000)", 0},
    {"level", 'l', "N", 0, "zstd level, 1 to 19 (default 12)", 0},
        {"min-ops", 'm', "N", 0, "Forget processes with fewer operations (default 0)", 0},
        {"keep-raw", 'k', NULL, 0, "Keep the raw recordings, too", 0},
        {0},
    };
    static const struct argp argp = {
        options, record_parse, "[--] COMMAND [ARG...]",
        "Run COMMAND and record each allocation of it and of all programs it starts, one archive "
        "DIR/PROGRAM.PID.acr for each.  Nothing is lost when a program is killed.  Processes that "
        "outlive COMMAND are converted as far as they are.\v"
        "The recorder is libacre_record.so beside this program, in ../lib/acre, or the path in "
        "ACRE_RECORDER.", NULL, NULL, NULL};
    record_options o = {.dir = ".", .how = {.tick_ns = 1000}};
    static record_run run;
    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, ARGP_IN_ORDER, NULL, &o);
    run = (record_run){.options = &o};
    int err = record_find_library(&run);
    if (!err)
        err = record_check_command(&run);
    if (!err)
        err = record_make_dirs(&run);
    if (!err)
        err = record_execute(&run);
    return err ? err : record_convert_all(&run);
}
