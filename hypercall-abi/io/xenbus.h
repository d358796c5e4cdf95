/* SPDX-License-Identifier: MIT */
/* xenbus.h: the states that the two ends of a split device go through, as decimal text in their `state` node. SPEC 11. */
#ifndef ENSO_ABI_IO_XENBUS_H
#define ENSO_ABI_IO_XENBUS_H

enum xenbus_state {
    XenbusStateUnknown       = 0,      /* no node, or no sense in it                 */
    XenbusStateInitialising  = 1,      /* the toolstack made it                      */
    XenbusStateInitWait      = 2,      /* backend: told what it can; waits for rings */
    XenbusStateInitialised   = 3,      /* frontend: rings and port are in the store  */
    XenbusStateConnected     = 4,
    XenbusStateClosing       = 5,
    XenbusStateClosed        = 6,
    XenbusStateReconfiguring = 7,
    XenbusStateReconfigured  = 8,
};

#endif
