/* SPDX-License-Identifier: MIT */
/* library.c: where our own shared objects may lie. */
#include "bench/library.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static bool library_folder(char *folder, size_t size)
{
    ssize_t n = readlink("/proc/self/exe", folder, size - 1);
    folder[n > 0 ? n : 0] = '\0';
    char *slash = strrchr(folder, '/');
    if (slash)
        *slash = '\0';
    return slash;
}

void *acre_library_load(const char *file)
{
    static const char *const where[] = {"", "../", "../../", "../lib/acre/"};
    char folder[PATH_MAX], path[2 * PATH_MAX];
    void *library = NULL;
    if (library_folder(folder, sizeof folder))
        for (size_t i = 0; i < sizeof where / sizeof *where && !library; i++) {
            snprintf(path, sizeof path, "%s/%s%s", folder, where[i], file);
            library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
        }
    return library ? library : dlopen(file, RTLD_NOW | RTLD_LOCAL);
}

const boost_sync *acre_library_boost_sync(void)
{
    static const boost_sync *table;
    void *library = table ? NULL : acre_library_load("libacre_boost_sync.so");
    acre_boost_sync_function *get;
    *(void **)&get = library ? dlsym(library, "acre_boost_sync") : NULL;
    if (get)
        table = get();
    return table;
}
