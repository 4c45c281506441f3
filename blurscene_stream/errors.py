"""Errors raised on purpose, as a tree with their exit codes.

BlurSceneError             1  could not run
├── UsageError             2  the command line asks for something that makes no sense
│   └── ConfigError        2  a setting is unknown or has a value that is not allowed
├── SourceError            1  the input cannot be opened, or holds no video
│   ├── CorruptInputError  3  the input is cut short or cannot be decoded
│   │   └── ReadingError   3  reading it failed in a way that nobody foresaw
│   ├── TooLargeError      1  a picture has more pixels than may be taken
│   └── SourceLostError    8  a live source went away
│       └── EndedEarlyError  8  the same, and the output is complete up to there; defined by `pipeline`
├── DetectionError         6  the detector failed or gave no usable answer
├── RedactionError         7  a frame could not be redacted
├── SinkError              9  the output cannot be encoded or written
│   ├── SinkLostError     10  a live target went away
│   └── DiskFullError      9  the disk of a recording is full, and it is complete up to there; defined by `pipeline`
├── DeviceError           11  the device asked for is not there
└── StoppedError         130  stopped by Ctrl-C (143: by SIGTERM, 129: by SIGHUP)

4 and 5 are the verdicts FAIL and REVIEW of `verify`. 70 is an error that nobody raised on purpose, in no stage: a bug.
Messages are one line: where, what, the way out. They never hold a credential or picture content.
"""

from blurscene_stream.credentials import redacted


class BlurSceneError(Exception):
    """Base of all errors raised on purpose: the run could not be done. Credentials in its message are redacted."""

    exit_code = 1

    def __init__(self, message: str) -> None:
        super().__init__(redacted(message))


class UsageError(BlurSceneError):
    """The command line asks for something that makes no sense."""

    exit_code = 2


class ConfigError(UsageError):
    """A setting is unknown or has a value that is not allowed."""


class SourceError(BlurSceneError):
    """The input cannot be opened, or holds no video."""


class CorruptInputError(SourceError):
    """The input is cut short or cannot be decoded."""

    exit_code = 3


class ReadingError(CorruptInputError):
    """Reading the input failed in a way that nobody foresaw: it may be damaged, or the program wrong."""


class TooLargeError(SourceError):
    """A picture has more pixels than may be taken."""


class SourceLostError(SourceError):
    """A live source went away."""

    exit_code = 8


class DetectionError(BlurSceneError):
    """The detector failed or gave no usable answer."""

    exit_code = 6


class RedactionError(BlurSceneError):
    """A frame could not be redacted."""

    exit_code = 7


class SinkError(BlurSceneError):
    """The output cannot be encoded or written."""

    exit_code = 9


class SinkLostError(SinkError):
    """A live target went away."""

    exit_code = 10


class DeviceError(BlurSceneError):
    """The device asked for is not there."""

    exit_code = 11


class StoppedError(BlurSceneError):
    """A signal stopped the run; nothing was left that looks finished."""

    def __init__(self, message: str, signal_number: int) -> None:
        super().__init__(message)
        self.exit_code = 128 + signal_number


VERIFY_FAIL_EXIT_CODE, VERIFY_REVIEW_EXIT_CODE = 4, 5
INTERNAL_ERROR_EXIT_CODE = 70  # EX_SOFTWARE of sysexits.h
MAX_REASON_LENGTH = 200


def reason(error: BaseException) -> str:
    """Return the reason of an error of the system or FFmpeg, without file name and log: they may hold a password."""
    return str(getattr(error, "strerror", None) or type(error).__name__).lower()


def first_line(error: BaseException) -> str:
    """Return the first line of a library's error message, cut at MAX_REASON_LENGTH."""
    line = next(filter(str.strip, str(error).splitlines()), "no reason given")
    return redacted(line)[:MAX_REASON_LENGTH]  # first: what is cut is no address any more
