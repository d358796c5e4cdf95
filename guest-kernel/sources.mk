# objects of guest-kernel, in reading order
