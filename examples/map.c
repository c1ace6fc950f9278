/* SPDX-License-Identifier: MIT */
/* map.c: an ordered map from int to float, a binary tree of offset pointers kept by name; another process walks it in
 * order. */
#include <acre.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct pair {
    acre_ptr(struct pair) less, more;
    int key;
    float value;
};

struct map {
    acre_ptr(struct pair) root;
};

static struct pair *map_new(acre_segment *s, int key, float value)
{
    struct pair *p =
        acre_calloc(acre_segment_heap(s), 1, sizeof *p); /* zeroed: both pointers are null */
    if (p) {
        p->key = key;
        p->value = value;
    }
    return p;
}

static bool map_put(acre_segment *s, struct map *m, int key, float value)
{
    struct pair *p = acre_get(m->root), *parent = NULL;
    while (p && p->key != key) {
        parent = p;
        p = key < p->key ? acre_get(p->less) : acre_get(p->more);
    }
    if (p) {
        p->value = value;
        return true;
    }
    p = map_new(s, key, value);
    if (p && !parent)
        acre_set(m->root, p);
    else if (p && key < parent->key)
        acre_set(parent->less, p);
    else if (p)
        acre_set(parent->more, p);
    return p;
}

static int map_print(const struct pair *p)
{
    if (!p)
        return 0;
    int before = map_print(acre_get(p->less));
    printf("%d: %g\n", p->key, (double)p->value);
    return before + 1 + map_print(acre_get(p->more));
}

static void map_clear(acre_segment *s, struct pair *p)
{
    if (!p)
        return;
    map_clear(s, acre_get(p->less));
    map_clear(s, acre_get(p->more));
    acre_free(acre_segment_heap(s), p);
}

static void map_fini(acre_segment *s, void *element)
{
    map_clear(s, acre_get(((struct map *)element)->root));
}

static const acre_type map_type = ACRE_TYPE_INIT(struct map, NULL, map_fini);

static int reader(const char *name)
{
    acre_segment *s;
    void *found;
    int e = acre_segment_open(&s, ACRE_SHM, name, NULL);
    if (!e)
        e = acre_find(s, &map_type, "halves", &found, NULL);
    if (e)
        return fprintf(stderr, "find: %s\n", acre_strerror(e)), 1;
    int pairs = map_print(acre_get(((struct map *)found)->root));
    fflush(stdout);
    acre_segment_close(s);
    return pairs != 7;
}

int main(void)
{
    char name[32];
    acre_segment *s;
    void *m;
    int status = 1;
    snprintf(name, sizeof name, "map-%d", (int)getpid());
    int e = acre_segment_create(&s, ACRE_SHM, name, &(acre_segment_options){.size = 1 << 20});
    if (!e)
        e = acre_construct(s, &map_type, "halves", 1, NULL, &m);
    for (int i = 0; !e && i < 7; i++)
        e = map_put(s, m, i * 3 % 7, (float)(i * 3 % 7) / 2) ? 0 : ENOMEM;
    if (e)
        return fprintf(stderr, "create: %s\n", acre_strerror(e)), 1;
    pid_t child = fork();
    if (child == 0)
        _exit(reader(name));
    waitpid(child, &status, 0);
    e = acre_destroy(s, &map_type, "halves");
    if (!e)
        e = acre_shrink_indexes(s);
    bool empty = acre_heap_all_free(acre_segment_heap(s));
    acre_segment_remove(ACRE_SHM, name);
    acre_segment_close(s);
    return status != 0 || e || !empty;
}
