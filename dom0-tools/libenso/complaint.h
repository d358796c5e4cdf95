/* SPDX-License-Identifier: MIT */
/* complaint.h: what went wrong, as one sentence for the person at the prompt.
 *
 * A function that can fail for a reason a user can mend takes a complaint and
 * returns -1 after writing the sentence; the command prints it once, at the
 * top, in front of nothing else. So a message is worded where the facts are. */
#ifndef ENSO_COMPLAINT_H
#define ENSO_COMPLAINT_H

struct complaint {
    char text[400];
};

/* Writes the sentence (cut, never overrun) and returns -1. */
int complain(struct complaint *why, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The same, with "FRONT: " put before what stands there already. */
int complain_about(struct complaint *why, const char *front);

#endif
