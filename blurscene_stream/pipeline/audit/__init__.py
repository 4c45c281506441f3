"""The audit log: what was done to which file, by which program, as lines of JSON that are chained by checksums.

`entry` is what a run tells of itself, `chain` is the file.
"""

from blurscene_stream.pipeline.audit.chain import check_log, verify
from blurscene_stream.pipeline.audit.entry import Ran, changed_files, record

__all__ = ["Ran", "changed_files", "check_log", "record", "verify"]
