/* SPDX-License-Identifier: MIT */
/* symbol.c: the name of a place in this program, by addr2line if that is there.  Cases are forked from
 * the laboratory, so their addresses are its own. */
#include "tests/crash/crash.h"

#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool symbol_ask(const char *file, uint64_t offset, char *text, size_t size)
{
    char command[4400];
    snprintf(command, sizeof command, "addr2line -pfs -e '%s' 0x%llx 2>/dev/null", file,
             (unsigned long long)offset);
    FILE *in = popen(command, "re");
    bool got = in && fgets(text, (int)size, in) && text[0] != '?';
    if (in)
        pclose(in);
    text[got ? strcspn(text, "\n") : 0] = 0;
    return got;
}

void crash_symbol(uint64_t address, char *text, size_t size)
{
    Dl_info where;
    if (!dladdr((void *)(uintptr_t)address, &where) || !where.dli_fname) {
        snprintf(text, size, "0x%llx", (unsigned long long)address);
        return;
    }
    uint64_t offset = address - (uint64_t)(uintptr_t)where.dli_fbase;
    char file[4096];
    ssize_t n = readlink("/proc/self/exe", file, sizeof file - 1);
    file[n > 0 ? n : 0] = 0;
    bool ours = n > 0 && strstr(where.dli_fname, strrchr(file, '/')) != NULL;
    if (!symbol_ask(ours ? file : where.dli_fname, offset, text, size))
        snprintf(text, size, "%s+0x%llx", where.dli_fname, (unsigned long long)offset);
}
