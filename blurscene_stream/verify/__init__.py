"""An independent proof that one video is another one, redacted."""

from blurscene_stream.verify.report import EXIT_CODES, VERDICTS, Check, Grade, worst
from blurscene_stream.verify.sheet import is_sheet, sheet_png
from blurscene_stream.verify.verification import Findings, Proof, verify_video

__all__ = [
    "EXIT_CODES",
    "VERDICTS",
    "Check",
    "Findings",
    "Grade",
    "Proof",
    "is_sheet",
    "sheet_png",
    "verify_video",
    "worst",
]
