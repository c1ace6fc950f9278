/* SPDX-License-Identifier: MIT */
/* worker.c: running cells in fresh processes. */
#include "bench/worker.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void worker_become(const char *line, int out, int messages)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (out >= 0)
        dup2(out, STDOUT_FILENO);
    if (messages >= 0)
        dup2(messages, STDERR_FILENO);
    execl("/proc/self/exe", "acre", "cell", line, (char *)NULL);
    _exit(127);
}

pid_t acre_worker_start(const json_t *plan, int out, int messages)
{
    char *line = json_dumps(plan, JSON_COMPACT);
    fflush(NULL);
    pid_t child = line ? fork() : -1;
    if (child == 0)
        worker_become(line, out, messages);
    free(line);
    return child;
}

void acre_worker_describe(int status, char *text, size_t size)
{
    if (WIFSIGNALED(status))
        snprintf(text, size, "killed by signal %d (%s)", WTERMSIG(status),
                 strsignal(WTERMSIG(status)));
    else
        snprintf(text, size, "exit status %d", WEXITSTATUS(status));
}

static json_t *worker_read(int fd)
{
    json_error_t e;
    FILE *f = fdopen(fd, "r");
    json_t *result = f ? json_loadf(f, JSON_DISABLE_EOF_CHECK, &e) : NULL;
    if (f)
        fclose(f);
    else
        close(fd);
    return result;
}

int acre_worker_run(const json_t *plan, json_t **result, char *error, size_t size)
{
    int ends[2], status = 0;
    if (pipe(ends))
        return snprintf(error, size, "%s", strerror(errno)), EIO;
    pid_t child = acre_worker_start(plan, ends[1], -1);
    close(ends[1]);
    json_t *read = worker_read(ends[0]);
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0 && read) {
        *result = read;
        return 0;
    }
    json_decref(read);
    acre_worker_describe(child > 0 ? status : 127 << 8, error, size);
    return child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 2 ? EINVAL : EIO;
}

void acre_trace_name(const char *file, char *name, size_t size)
{
    const char *slash = strrchr(file, '/');
    snprintf(name, size, "%s", slash ? slash + 1 : file);
    char *dot = strrchr(name, '.');
    if (dot && dot != name)
        *dot = '\0';
}
