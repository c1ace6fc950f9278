/* SPDX-License-Identifier: MIT */
/* objects.c: objects that another process finds by name: one, an array, and one with a constructor. */
#include <acre.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

struct point {
    double x, y;
};

/* Element i of an array, from an array that the caller has. */
static int point_init(acre_segment *s, void *element, size_t i, void *from)
{
    (void)s;
    *(struct point *)element = ((const struct point *)from)[i];
    return 0;
}

static int reader(const char *name)
{
    acre_segment *s;
    size_t n;
    void *first;
    int e = acre_segment_open(&s, ACRE_SHM, name, NULL);
    if (e)
        return fprintf(stderr, "open: %s\n", acre_strerror(e)), 1;
    struct point *origin = ACRE_FIND(s, struct point, "origin");
    e = acre_find(s, ACRE_TYPE(struct point), "corners", &first, &n);
    if (!origin || e || n != 3)
        return 1;
    const struct point *corner = first;
    printf("origin (%g, %g), %zu corners, the last one (%g, %g)\n", origin->x, origin->y, n,
           corner[n - 1].x, corner[n - 1].y);
    /* What is asked for as something else is not found. */
    bool typed = acre_find(s, ACRE_TYPE(double), "origin", NULL, NULL) == ACRE_EOTHERTYPE;
    e = ACRE_DESTROY(s, struct point, "origin");
    if (!e)
        e = ACRE_DESTROY(s, struct point, "corners");
    bool gone = !ACRE_FIND(s, struct point, "origin");
    fflush(stdout);
    acre_segment_close(s);
    return e || !typed || !gone;
}

static int make(acre_segment *s)
{
    static struct point corner[] = {{1, 0}, {0, 1}, {3, 4}};
    static const acre_type type = ACRE_TYPE_INIT(struct point, point_init, NULL);
    struct point *origin;
    int e = ACRE_CONSTRUCT(s, struct point, "origin", &origin); /* zeroed */
    return e ? e : acre_construct(s, &type, "corners", 3, corner, NULL);
}

int main(void)
{
    char name[32];
    acre_segment *s;
    int status = 1;
    snprintf(name, sizeof name, "objects-%d", (int)getpid());
    int e = acre_segment_create(&s, ACRE_SHM, name, &(acre_segment_options){.size = 1 << 20});
    if (!e)
        e = make(s);
    if (e)
        return fprintf(stderr, "create: %s\n", acre_strerror(e)), 1;
    pid_t child = fork();
    if (child == 0)
        _exit(reader(name));
    waitpid(child, &status, 0);
    bool empty = acre_named_count(s) == 0;
    acre_segment_remove(ACRE_SHM, name);
    acre_segment_close(s);
    return status != 0 || !empty;
}
