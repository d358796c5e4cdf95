/* SPDX-License-Identifier: MIT */
/* popen.c: a stream to or from a shell command. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static struct { FILE *stream; pid_t pid; } open_pipes[8];

FILE *popen(const char *command, const char *mode)
{
    int fds[2], reading = mode[0] == 'r';

    for (int i = 0; i < 8; i++) {
        if (open_pipes[i].stream)
            continue;
        if (pipe2(fds, O_CLOEXEC) < 0)
            return NULL;
        pid_t pid = fork();

        if (pid == 0) {
            dup2(fds[reading], reading);
            execl("/bin/sh", "sh", "-c", command, (char *)NULL);
            _exit(127);
        }
        close(fds[reading]);
        FILE *stream = pid < 0 ? NULL : fdopen(fds[!reading], mode);

        if (!stream)
            close(fds[!reading]);
        open_pipes[i].stream = stream;
        open_pipes[i].pid = pid;
        return stream;
    }
    errno = EMFILE;
    return NULL;
}

int pclose(FILE *stream)
{
    int status = -1;

    for (int i = 0; i < 8; i++) {
        if (open_pipes[i].stream != stream)
            continue;
        fclose(stream);
        open_pipes[i].stream = NULL;
        while (waitpid(open_pipes[i].pid, &status, 0) < 0 && errno == EINTR)
            ;
        break;
    }
    return status;
}
