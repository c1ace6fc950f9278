/* SPDX-License-Identifier: MIT */
/* contender_library.c: finding and loading what contenders need. */
#include "bench/contender.h"

#include "bench/library.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIBRARY_BOOST "libacre_boost.so"

/* Loading may also fail for what does not hinder preloading (jemalloc's static TLS). */
static bool library_opens(const char *name)
{
    return dlopen(name, RTLD_LAZY | RTLD_LOCAL) || !strstr(dlerror(), "cannot open shared object");
}

/* Whether the dynamic linker finds it.  Asked in a child: a second malloc must never be loaded
 * into a process that goes on. */
static bool library_found(const char *name)
{
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(library_opens(name) ? 0 : 1);
    int status;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

const acre_engine *acre_contender_engine(const acre_contender *c)
{
    static void *boost;
    if (c->family != ACRE_FAMILY_BOOST)
        return c->engine;
    if (!boost)
        boost = acre_library_load(LIBRARY_BOOST);
    acre_boost_engine_function *find;
    *(void **)&find = boost ? dlsym(boost, "acre_boost_engine") : NULL;
    return find ? find(c->name, c->options) : NULL;
}

bool acre_contender_missing(const acre_contender *c, char *reason, size_t size)
{
    if (c->family == ACRE_FAMILY_BOOST && !acre_contender_engine(c))
        snprintf(reason, size, LIBRARY_BOOST " is not built (Debian: %s)", c->package);
    else if (c->library && acre_contender_needs_preload(c) && !library_found(c->library))
        snprintf(reason, size, "%s is not installed (Debian: %s)", c->library, c->package);
    else
        return false;
    return true;
}

/* Compares file names up to ".so": the malloc in use comes from c's library. */
bool acre_contender_needs_preload(const acre_contender *c)
{
    Dl_info info;
    if (!c->library)
        return false;
    if (!dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) || !info.dli_fname)
        return true;
    const char *slash = strrchr(info.dli_fname, '/');
    const char *file = slash ? slash + 1 : info.dli_fname;
    size_t stem = (size_t)(strstr(c->library, ".so") - c->library);
    return strncmp(file, c->library, stem) != 0;
}
