"""Run a command and print what it took, as JSON: python -S launch.py COMMAND ...

A process of its own, and a small one: the kernel counts the memory of whoever starts a process as that process's.
"""

import json
import os
import subprocess
import sys
import time

if __name__ == "__main__":
    start_s = time.monotonic()
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    taken = {
        "exit_code": os.waitstatus_to_exitcode(status),
        "wall_s": time.monotonic() - start_s,
        "cpu_s": usage.ru_utime + usage.ru_stime,  # its children's too
        "peak_mib": usage.ru_maxrss / 1024,
    }
    print(json.dumps(taken))
