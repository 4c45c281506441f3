"""torch as a back end: on CUDA devices, and on the CPU where it is asked for or nothing else is installed."""
