"""Many inputs in one run: which files are read and written, and each of them finished on its own."""

from blurscene_stream.bulk.plan import Plan, Task, plan, single_task
from blurscene_stream.bulk.run import Done, Result, run_all, worst_exit_code

__all__ = ["Done", "Plan", "Result", "Task", "plan", "run_all", "single_task", "worst_exit_code"]
