/* SPDX-License-Identifier: MIT */
/* half_made.c: one process makes an object, others find it by its name.  The maker is killed while it makes
 * a second one: of that one there is nothing. */
#include <acre.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct account {
    acre_mutex lock; /* all zero is a free mutex */
    long balance;
} account;

/* Whoever makes element i says what is in it. */
static int account_init(acre_segment *s, void *element, size_t i, void *arg)
{
    (void)s;
    if (arg)
        kill(getpid(), SIGKILL);
    ((account *)element)->balance = 100 * (long)(i + 1);
    return 0;
}

static const acre_type account_type = ACRE_TYPE_INIT(account, account_init, NULL);

static int child(acre_segment *s)
{
    int e = acre_construct(s, &account_type, "savings", 3, NULL, NULL);
    return e ? e : acre_construct(s, &account_type, "half made", 1, s, NULL);
}

int main(void)
{
    acre_segment *s;
    acre_segment_options o = {.size = 1 << 20};
    account *a;
    size_t n;
    if (acre_segment_create(&s, ACRE_ANON, NULL, &o) != 0)
        return 1;
    pid_t pid = fork();
    if (pid == 0)
        _exit(child(s));
    waitpid(pid, NULL, 0);

    if (acre_find(s, &account_type, "savings", (void **)&a, &n) != 0 || n != 3 || a[2].balance != 300)
        return 1;
    printf("savings: %zu accounts, the last one has %ld\n", n, a[2].balance);
    int e = acre_find(s, &account_type, "half made", NULL, NULL);
    printf("half made: %s\n", acre_strerror(e));
    printf("savings as an int: %s\n", acre_strerror(acre_find(s, ACRE_TYPE(int), "savings", NULL, NULL)));
    if (!e || acre_destroy(s, &account_type, "savings") || acre_shrink_indexes(s))
        return 1;
    bool empty = acre_heap_all_free(acre_segment_heap(s));
    printf("all is given back: %s\n", empty ? "yes" : "no");
    return acre_segment_close(s) || !empty;
}
