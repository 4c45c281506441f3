"""The audit log: which program did what to which file, as JSON lines in a hash chain."""

from blurscene_stream.audit.hash_chain import check_log, verify_log
from blurscene_stream.audit.read_file import ReadFile
from blurscene_stream.audit.run_record import FileCheck, RunRecord, append_run, check_files, withdraw_on_error

__all__ = [
    "FileCheck",
    "ReadFile",
    "RunRecord",
    "append_run",
    "check_files",
    "check_log",
    "verify_log",
    "withdraw_on_error",
]
