/* SPDX-License-Identifier: MIT */
/* httpd.h: between httpd's connections (httpd.c) and its answers (httpd_answer.c). */
#ifndef USER_HTTPD_H
#define USER_HTTPD_H

#include <stdbool.h>
#include <stddef.h>

#define HTTPD_PAGE 16384

struct answer {
    int         code;
    const char *type, *location;         /* location: where to look instead, or NULL */
    char       *page;                    /* HTTPD_PAGE bytes for what is made here; size of it is used */
    size_t      size;
    int         file;                    /* -1, or what is sent: length bytes from its position on */
    long        length, start, whole;
    bool        keep, head_only;
};

/* Answers one request, whose header lines are all in `request` (which is changed), with what lies under root. */
void httpd_answer(struct answer *a, char *request, const char *root);
const char *httpd_reason(int code);

#endif
