"""Processor cores and memory that this process may use: of the machine, or of the container that it runs in.

A container's limits are in its control group, and none of the usual calls tells of them. Of version 2 they are in
cpu.max and memory.max (https://docs.kernel.org/admin-guide/cgroup-v2.html), of version 1 in the others.
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")  # a container is shown its own here


def core_count(cgroup: Path = CGROUP) -> int:
    """Return how many processor cores this process may use at the same time; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _numbers(cgroup / "cpu.max")
    if not quota:
        quota = _numbers(cgroup / "cpu/cpu.cfs_quota_us") + _numbers(cgroup / "cpu/cpu.cfs_period_us")
    if len(quota) == 2 and quota[0] > 0 and quota[1] > 0:  # in microseconds, and per how many
        cores = min(cores, quota[0] // quota[1])
    return max(1, cores)


def memory_bytes(cgroup: Path = CGROUP) -> int:
    """Return how much memory there is for this process and those beside it, whether it is free or not."""
    limits = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        limits += _numbers(cgroup / name)
    return min(limits)


def _numbers(file: Path) -> list[int]:
    """Return the whole numbers in a file; none where one of its words is "max", or there is no such file."""
    with suppress(OSError, ValueError):
        return [int(word) for word in file.read_text(encoding="ascii").split()]
    return []
