/* SPDX-License-Identifier: MIT */
/* registry.c: the list of algorithms: those of algorithms.def, then what the program registered.
 * A table by name, not constructors: an object that nobody references is not linked from a static
 * library, and the algorithm would be missing without a word. */
#include <acre/algorithm.h>
#include <errno.h>
#include <pthread.h>
#include <string.h>

#define ACRE_ALGORITHM(x) extern const acre_algorithm acre__##x;
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM

static const acre_algorithm *const registry_builtin[] = {
#define ACRE_ALGORITHM(x) &acre__##x,
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
};

enum {
    REGISTRY_BUILTIN = sizeof registry_builtin / sizeof *registry_builtin,
    REGISTRY_MORE = 32
};

static const acre_algorithm *registry_more[REGISTRY_MORE];
static size_t registry_count; /* of registry_more; grows only, so readers need no lock */
static pthread_mutex_t registry_lock = PTHREAD_MUTEX_INITIALIZER;

const acre_algorithm *acre_algorithm_at(size_t i)
{
    if (i < REGISTRY_BUILTIN)
        return registry_builtin[i];
    i -= REGISTRY_BUILTIN;
    return i < __atomic_load_n(&registry_count, __ATOMIC_ACQUIRE) ? registry_more[i] : NULL;
}

const acre_algorithm *acre_algorithm_find(const char *name)
{
    const acre_algorithm *a;
    for (size_t i = 0; (a = acre_algorithm_at(i)); i++)
        if (strcmp(a->name, name) == 0)
            return a;
    return NULL;
}

static int registry_add(const acre_algorithm *a)
{
    if (acre_algorithm_find(a->name))
        return EEXIST;
    if (registry_count == REGISTRY_MORE)
        return ENOSPC;
    registry_more[registry_count] = a;
    __atomic_store_n(&registry_count, registry_count + 1, __ATOMIC_RELEASE);
    return 0;
}

int acre_algorithm_register(const acre_algorithm *a)
{
    if (!a->name || strlen(a->name) > 31)
        return EINVAL;
    pthread_mutex_lock(&registry_lock);
    int e = registry_add(a);
    pthread_mutex_unlock(&registry_lock);
    return e;
}
