#include "guest-kernel/user/box/box.h"
int usertests_main(int argc, char **argv) { return 0; }
