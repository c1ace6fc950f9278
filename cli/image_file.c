/* SPDX-License-Identifier: MIT */
/* image_file.c: a place for the images that cells map. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Where it lies, for the signal handler. */
static char image_file[64];

static void image_on_signal(int number)
{
    unlink(image_file);
    signal(number, SIG_DFL);
    raise(number);
}

int cli_image_file(char path[64])
{
    strcpy(path, "/tmp/acre-image-XXXXXX");
    int fd = mkstemp(path);
    if (fd < 0)
        return cli_fail("%s: %s", path, strerror(errno));
    close(fd);
    strcpy(image_file, path);
    signal(SIGINT, image_on_signal);
    signal(SIGTERM, image_on_signal);
    return 0;
}
