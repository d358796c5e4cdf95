# objects of tests, in reading order
