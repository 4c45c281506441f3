"""Verification of an output against its input: is one video another one, redacted?"""

from blurscene_stream.verify.contact_sheet import sheet_png
from blurscene_stream.verify.report import EXIT_CODES, VERDICTS, Check, Grade, worst
from blurscene_stream.verify.verification import Findings, VerifyJob, verify_video

__all__ = [
    "EXIT_CODES",
    "VERDICTS",
    "Check",
    "Findings",
    "Grade",
    "VerifyJob",
    "sheet_png",
    "verify_video",
    "worst",
]
