/* SPDX-License-Identifier: MIT */
/* vector.c: a growing array, kept by name; another process sorts it and destroys it. */
#include <acre.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct vector {
    acre_off data; /* a block of ints: an offset, which acre_alloc_into() stores as one step */
    size_t count, room;
};

static int *vector_data(acre_segment *s, const struct vector *v)
{
    return acre_segment_address(s, v->data);
}

/* The block goes with the vector, whoever destroys it. */
static void vector_fini(acre_segment *s, void *element)
{
    acre_free_from(acre_segment_heap(s), &((struct vector *)element)->data);
}

static const acre_type vector_type = ACRE_TYPE_INIT(struct vector, NULL, vector_fini);

static int vector_grow(acre_segment *s, struct vector *v)
{
    size_t room = v->room ? 2 * v->room : 4;
    int *data = acre_realloc(acre_segment_heap(s), vector_data(s, v), room * sizeof *data);
    if (!data)
        return ENOMEM;
    v->data = acre_segment_offset(s, data);
    v->room = room;
    return 0;
}

static int vector_push(acre_segment *s, struct vector *v, int value)
{
    int e = v->count == v->room ? vector_grow(s, v) : 0;
    if (!e)
        vector_data(s, v)[v->count++] = value;
    return e;
}

static int by_value(const void *a, const void *b)
{
    return *(const int *)a - *(const int *)b;
}

static int sorter(const char *name)
{
    acre_segment *s;
    void *found;
    int e = acre_segment_open(&s, ACRE_SHM, name, NULL);
    if (!e)
        e = acre_find(s, &vector_type, "numbers", &found, NULL);
    if (e)
        return fprintf(stderr, "find: %s\n", acre_strerror(e)), 1;
    struct vector *v = found;
    int *data = vector_data(s, v);
    qsort(data, v->count, sizeof *data, by_value);
    for (size_t i = 0; i < v->count; i++)
        printf("%d%s", data[i], i + 1 < v->count ? " " : "\n");
    bool sorted = v->count == 100 && data[0] == 0 && data[99] == 99;
    e = acre_destroy(s, &vector_type, "numbers");
    fflush(stdout);
    acre_segment_close(s);
    return e || !sorted;
}

int main(void)
{
    char name[32];
    acre_segment *s;
    void *v;
    int status = 1;
    snprintf(name, sizeof name, "vector-%d", (int)getpid());
    int e = acre_segment_create(&s, ACRE_SHM, name, &(acre_segment_options){.size = 1 << 20});
    if (!e)
        e = acre_construct(s, &vector_type, "numbers", 1, NULL, &v);
    for (int i = 0; !e && i < 100; i++)
        e = vector_push(s, v, i * 37 % 100);
    if (e)
        return fprintf(stderr, "create: %s\n", acre_strerror(e)), 1;
    pid_t child = fork();
    if (child == 0)
        _exit(sorter(name));
    waitpid(child, &status, 0);
    acre_shrink_indexes(s);
    bool empty = acre_heap_all_free(acre_segment_heap(s));
    acre_segment_remove(ACRE_SHM, name);
    acre_segment_close(s);
    return status != 0 || !empty;
}
