"""Exit codes are part of what users script against."""

from __future__ import annotations

from blurscene_stream import errors


def _tree(kind: type[errors.BlurSceneError]) -> list[type[errors.BlurSceneError]]:
    return [kind, *(leaf for child in kind.__subclasses__() for leaf in _tree(child))]


def test_every_error_says_its_exit_code_in_the_tree_at_the_top() -> None:
    lines = (errors.__doc__ or "").splitlines()
    for kind in _tree(errors.BlurSceneError):
        line = next(line for line in lines if kind.__name__ in line.split())
        code = 130 if kind is errors.StoppedError else kind.exit_code
        assert str(code) in line.split()


def test_codes_kept_for_verify_are_not_used() -> None:
    assert not {kind.exit_code for kind in _tree(errors.BlurSceneError)} & {0, 4, 5, errors.INTERNAL_ERROR_EXIT_CODE}


def test_a_stop_has_the_exit_code_that_shells_expect() -> None:
    assert [errors.StoppedError("", number).exit_code for number in (2, 15)] == [130, 143]


def test_a_reason_holds_no_file_name() -> None:
    assert errors.reason(PermissionError(13, "Permission denied", "rtsp://user:secret@host")) == "permission denied"
    assert errors.reason(ValueError("rtsp://user:secret@host")) == "valueerror"


def test_what_a_library_says_becomes_one_line() -> None:
    assert errors.first_line(RuntimeError("\n  \nout of memory\nat 0x1")) == "out of memory"
    assert errors.first_line(RuntimeError("x" * 1000)) == "x" * 200
    assert errors.first_line(RuntimeError()) == "no reason given"
