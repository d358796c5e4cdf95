# objects of hypervisor, in reading order
