# objects of guest-kernel/user, in reading order
