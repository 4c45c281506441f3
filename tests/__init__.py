"""The tests; in their processes torch has one thread, as two workers with two threads each wait for one another."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
