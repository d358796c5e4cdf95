# objects of dom0-tools, in reading order
