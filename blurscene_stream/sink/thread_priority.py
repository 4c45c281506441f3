"""Keep an encoder from making this process real-time.

As root, SVT-AV1 gives the thread that opens it SCHED_FIFO with priority 99, and every thread and process that this one
starts afterwards has it too (`svt_av1_enc_init_handle`, seen with 4.1 and 4.2). Two of them that compute leave nothing
of two cores to anybody else, and the machine stands still.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

if sys.platform == "linux":

    @contextmanager
    def kept_thread_priority() -> Generator[None]:
        """Give this thread, and all threads that are started inside, the scheduling that this thread has now."""
        policy, parameters, known = os.sched_getscheduler(0), os.sched_getparam(0), _threads()
        try:
            yield
        finally:
            if os.sched_getscheduler(0) != policy:
                os.sched_setscheduler(0, policy, parameters)
                for thread in _threads() - known:
                    with suppress(ProcessLookupError):  # it has ended
                        os.sched_setscheduler(thread, policy, parameters)

    def _threads() -> set[int]:
        return {int(each.name) for each in Path("/proc/self/task").iterdir()}

else:

    @contextmanager
    def kept_thread_priority() -> Generator[None]:
        """Do nothing: only Linux has these priorities."""
        yield
