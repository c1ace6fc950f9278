/* SPDX-License-Identifier: MIT */
/* dead_owner.c: a process is killed between two changes that belong together, holding the lock; the
 * next one is told, repairs what the lock protects, and goes on. */
#include <acre.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct account {
    acre_mutex lock;  /* all zero is a free mutex */
    long spent, left; /* together always 100 */
} account;

static void pay(account *a, long amount)
{
    acre_mutex_lock(&a->lock);
    a->left -= amount;
    kill(getpid(), SIGKILL);
    a->spent += amount;
    acre_mutex_unlock(&a->lock);
}

static int look(account *a)
{
    int e = acre_mutex_lock(&a->lock);
    if (e == ACRE_OWNER_DEAD) { /* it is ours all the same */
        a->spent = 100 - a->left;
        e = acre_mutex_consistent(&a->lock);
    }
    if (e)
        return fprintf(stderr, "lock: %s\n", acre_strerror(e)), 1;
    printf("spent %ld, left %ld\n", a->spent, a->left);
    return acre_mutex_unlock(&a->lock);
}

int main(void)
{
    account *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (a == MAP_FAILED)
        return perror("mmap"), 1;
    a->left = 100;
    pid_t child = fork();
    if (child == 0)
        pay(a, 30);
    waitpid(child, NULL, 0);
    return look(a);
}
