#include "guest-kernel/user/box/box.h"
int breakit_main(int argc, char **argv) { return 0; }
