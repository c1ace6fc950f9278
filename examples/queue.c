/* SPDX-License-Identifier: MIT */
/* queue.c: two processes talk through a message queue; the urgent message goes first. */
#include <acre.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int sender(const char *name)
{
    acre_queue *q;
    acre_message m;
    int e = acre_queue_open(&q, name, NULL);
    if (!e)
        e = acre_queue_send(q, "when you have time", 19, 1);
    if (!e)
        e = acre_queue_reserve(q, 64, &m); /* write in place */
    if (e)
        return fprintf(stderr, "send: %s\n", acre_strerror(e)), 1;
    m.size = (size_t)snprintf(m.data, 64, "at once, says %s", "the child") + 1;
    m.priority = 9;
    e = acre_queue_commit(q, &m);
    acre_queue_close(q);
    return e != 0;
}

int main(void)
{
    char name[32], text[64];
    acre_queue *q;
    int status = 1;
    uint32_t priority = 0;
    snprintf(name, sizeof name, "example-queue-%d", (int)getpid());
    acre_queue_options o = {.capacity = 16, .max_size = sizeof text};
    int e = acre_queue_create(&q, name, &o);
    if (e)
        return fprintf(stderr, "create: %s\n", acre_strerror(e)), 1;
    pid_t child = fork();
    if (child == 0)
        _exit(sender(name));
    waitpid(child, &status, 0); /* both messages are there, whatever became of the child */
    for (int i = 0; i < 2 && !e; i++) {
        e = acre_queue_receive_for(q, text, sizeof text, NULL, &priority, 1000000000);
        if (!e)
            printf("%u: %s\n", priority, text);
    }
    acre_queue_remove(name);
    acre_queue_close(q);
    return e || status || priority != 1;
}
