/* SPDX-License-Identifier: MIT */
/* memfd_socket.c: a segment without a name, for a process that was there before it: over a socket. */
#include <acre.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 64 << 10 };

static const char question[] = "what is it?", answer[] = "a heap in a memfd";

/* Knows the socket and nothing else. */
static int child_answers(int socket)
{
    acre_segment *s;
    int e = acre_segment_receive(&s, socket, NULL);
    if (e)
        return fprintf(stderr, "receive: %s\n", acre_strerror(e)), 1;
    char *text = acre_segment_address(s, *acre_segment_root(s));
    if (!text || strcmp(text, question) != 0)
        return 1;
    acre_free_from(acre_segment_heap(s), acre_segment_root(s));
    if (acre_alloc_into(acre_segment_heap(s), acre_segment_root(s), sizeof answer) == 0)
        memcpy(acre_segment_address(s, *acre_segment_root(s)), answer, sizeof answer);
    return acre_segment_close(s);
}

/* The child closes its end, whatever happens there. */
static int parent_asks(int socket)
{
    acre_segment_options o = {.size = SIZE};
    acre_segment *s;
    int e = acre_segment_create(&s, ACRE_MEMFD, NULL, &o);
    if (!e)
        e = acre_alloc_into(acre_segment_heap(s), acre_segment_root(s), sizeof question);
    if (!e) {
        memcpy(acre_segment_address(s, *acre_segment_root(s)), question, sizeof question);
        e = acre_segment_send(s, socket);
    }
    if (e)
        return fprintf(stderr, "send: %s\n", acre_strerror(e)), 1;
    char byte;
    if (read(socket, &byte, 1) != 0)
        return 1;
    const char *text = acre_segment_address(s, *acre_segment_root(s));
    printf("%s %s\n", question, text ? text : "no answer");
    bool good = text && !strcmp(text, answer);
    acre_segment_close(s);
    return !good;
}

int main(void)
{
    int pair[2], status = 1;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return perror("socketpair"), 1;
    pid_t child = fork();
    if (child == 0) {
        close(pair[0]);
        _exit(child_answers(pair[1]));
    }
    close(pair[1]);
    int e = parent_asks(pair[0]);
    waitpid(child, &status, 0);
    return e || status;
}
