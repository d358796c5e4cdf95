/* SPDX-License-Identifier: MIT */
/* stdio.h: Newlib's, and the POSIX lines that it hides. */
#ifndef _NOVICE_STDIO_H
#define _NOVICE_STDIO_H

#include_next <stdio.h>

#undef getline
#undef getdelim
#define getline  __getline
#define getdelim __getdelim
ssize_t __getline(char **line, size_t *room, FILE *stream);
ssize_t __getdelim(char **line, size_t *room, int delimiter, FILE *stream);
FILE *popen(const char *command, const char *mode);
int pclose(FILE *stream);

#endif
