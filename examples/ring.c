/* SPDX-License-Identifier: MIT */
/* ring.c: quotes from one process to another, through an acre_spsc; the sender is killed in the
 * middle, and another goes on. */
#include <acre/ring.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct quote {
    uint32_t number;
    uint32_t cents;
} quote;

static int check(int error, const char *what)
{
    if (error && error != ACRE_EPEER) {
        fprintf(stderr, "%s: %s\n", what, acre_strerror(error));
        exit(1);
    }
    return error;
}

static void send_from(acre_spsc *ring, size_t size, uint32_t first, uint32_t last)
{
    acre_spsc_producer p;
    check(acre_spsc_producer_attach(&p, ring, size, sizeof(quote)), "producer");
    for (uint32_t i = first; i <= last; i++)
        check(acre_spsc_push(&p, &(quote){i, 100 + i}), "push");
}

static pid_t start_sender(acre_spsc *ring, size_t size, uint32_t first, uint32_t last)
{
    pid_t child = fork();
    if (child)
        return child;
    send_from(ring, size, first, last);
    raise(SIGKILL); /* no time to say goodbye */
    _exit(1);
}

/* All quotes until the sender is dead; the number of the last one. */
static uint32_t receive(acre_spsc_consumer *c)
{
    quote q = {0};
    while (check(acre_spsc_pop(c, &q), "pop") == 0)
        ;
    return q.number;
}

int main(void)
{
    size_t size = acre_spsc_size(64, sizeof(quote));
    acre_spsc *ring = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    acre_spsc_consumer c;
    if (ring == MAP_FAILED)
        return 1;
    check(acre_spsc_init(ring, size, 64, sizeof(quote)), "init");
    check(acre_spsc_consumer_attach(&c, ring, size, sizeof(quote)), "consumer");

    pid_t sender = start_sender(ring, size, 1, 1000);
    uint32_t last = receive(&c);
    waitpid(sender, NULL, 0);
    printf("the sender died after quote %u\n", last);

    send_from(ring, size, last + 1, last + 10); /* in its place */
    quote q = {0};
    for (int i = 0; i < 10; i++)
        check(acre_spsc_pop(&c, &q), "pop");
    printf("its successor went on to quote %u\n", q.number);
    return q.number == 1010 ? 0 : 1;
}
