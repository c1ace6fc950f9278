/* SPDX-License-Identifier: MIT */
/* process_state.h: what the kernel says a process does. */
#ifndef ACRE_TESTS_PROCESS_STATE_H
#define ACRE_TESTS_PROCESS_STATE_H

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

/* 'R' running, 'S' asleep, 'T' stopped, …: the letter behind the name in brackets.  '?': there is none. */
static inline char process_state(pid_t p)
{
    char path[32], text[256];
    snprintf(path, sizeof path, "/proc/%d/stat", p);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    if (fd >= 0)
        close(fd);
    text[n > 0 ? n : 0] = 0;
    const char *end = strrchr(text, ')');
    return end && end[1] ? end[2] : '?';
}

#endif
