"""The audit log: what was done to which file, by which program, as lines of JSON that are chained by checksums.

`entry` is what a run tells of itself, `chain` is the file of entries, `files` looks at what they tell of.
"""

from blurscene_stream.audit.chain import check_log, verify
from blurscene_stream.audit.entry import Ran, record, withdrawn_on_error
from blurscene_stream.audit.files import Changed, changed_files

__all__ = ["Changed", "Ran", "changed_files", "check_log", "record", "verify", "withdrawn_on_error"]
