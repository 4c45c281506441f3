"""No password leaves the program, wherever it was typed and whatever becomes of it."""

from __future__ import annotations

import json
import logging
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from blurscene_stream.cli import COMMANDS, PROGRAM, load_command, run
from blurscene_stream.cli.output import redacting_streams
from blurscene_stream.config.schema import LoggingConfig
from blurscene_stream.crash_report import write_traceback
from blurscene_stream.credentials import redacted, redacted_data
from blurscene_stream.errors import SourceError, first_line
from blurscene_stream.log_lines import set_up_logs
from tests.profiles import examples
from tests.videos import VideoSpec, make_video

LETTERS = "QXZß影"  # in no message: what is found is found in the secret
words = st.text(st.sampled_from(LETTERS), min_size=3, max_size=6)
marks = st.text(st.sampled_from("@#?/:&=%!$+*'()[]{}\\ \t\",;.-_"), min_size=1, max_size=3)


def joined(parts: list[str], between: list[str]) -> str:
    return "".join(word + mark for word, mark in zip(parts, [*between, ""], strict=False))


secrets = st.builds(joined, st.lists(words, min_size=1, max_size=3), st.lists(marks, min_size=3, max_size=3))
values = st.builds(joined, st.lists(words, min_size=1, max_size=3), st.lists(st.sampled_from("!$*.-_/@:"), min_size=3))
FORMS: dict[str, Callable[[str, str], str]] = {
    "plain": lambda user, password: f"rtsp://{user}:{password}@127.0.0.1:9/x",
    "rtsps": lambda user, password: f"rtsps://{user}:{password}@127.0.0.1:9",
    "capitals": lambda user, password: f"RTSP://{user}:{password}@127.0.0.1:9/x",
    "no user": lambda _, password: f"rtsp://:{password}@127.0.0.1:9/x",
    "one slash": lambda user, password: f"rtsp:/{user}:{password}@127.0.0.1/x",
    "no colon": lambda user, password: f"rtsp//{user}:{password}@127.0.0.1/x",
    "no slash": lambda user, password: f"rtsp:{user}:{password}@127.0.0.1/x",
    "other scheme": lambda user, password: f"http://{user}:{password}@127.0.0.1/x",
    "misspelt": lambda user, password: f"rstp://{user}:{password}@127.0.0.1/x.mp4",
    "blank": lambda user, password: f" rtsp://{user}:{password}@127.0.0.1:9/x",
    "no scheme": lambda user, password: f"{user}:{password}@camera.lan",
    "no scheme, a path": lambda user, password: f"{user}:{password}@camera.lan:554/live.mp4",
}
PARAMETERS = (
    "rtsp://127.0.0.1:9/user=admin&password={}&channel=1",
    "rtsp://127.0.0.1:9/user=admin_password={}_channel=1_stream=0.sdp",
    "rtsp://127.0.0.1:9/live?pwd={}",
    "rtsp:/127.0.0.1/user=admin&password={}&channel=1",
    "127.0.0.1/live?usr=admin&pwd={}",
    "http://127.0.0.1/x?auth_token={}",
)
COMMAND_LINES = (  # U: the address, V: a video, OUT: an output that is not there
    "U OUT",
    "V U",
    "V OUT U",
    "-i U -o OUT",
    "V OUT --detections U",
    "V OUT --audit U",
    "V OUT --config U",
    "V OUT --set U",
    "V OUT --set detect.size_px=U",
    "V OUT --set logging.level=U",
    "V OUT --keep U",
    "V OUT --roi U",
    "V OUT --device U",
    "V OUT --codec U",
    "V OUT --replacewith U",
    "V OUT --U",
    "U U -y",
    "--json-log U OUT",
    "--json-log V OUT --set U",
    "--show-config --set U",
    "--show-config --keep-tag U",
    "--help U",
    "inspect U",
    "inspect V --config U",
    "inspect --json U",
    "detect U",
    "picture U OUT.png",
    "picture V U",
    "evaluate U",
    "evaluate --video U",
    "evaluate V --map U --output U",
    "audit verify U",
    "audit U",
    "verify U V",
    "verify V V --detections U",
    "verify V V --json U --no-redetect",
    "render U OUT --from V",
    "render V OUT --from U",
)


def leaks(secret: str, text: str) -> set[str]:
    """Three letters in a row of the secret that are in a text, however it escapes them."""
    texts = (text, text.encode("ascii", "ignore").decode(), re.sub(r"\\u[0-9a-f]{4}|\\.", "", text))
    parts = {word[at : at + 3] for word in re.findall(f"[{LETTERS}]+", secret) for at in range(len(word) - 2)}
    return {part for part in parts if any(part in each for each in texts)}


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("clip") / "clip.mkv", VideoSpec(2, 32, 32, audio=()))


def output_of(line: str, address: str, clip: Path, folder: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """Everything that a command line leaves: on both streams, and in files that it has written."""
    named = {"V": str(clip), "OUT": str(folder / "out.mkv"), "OUT.png": str(folder / "out.png")}
    arguments = [named.get(word) or re.sub(r"\bU\b", lambda _: address, word) for word in line.split()]
    command = arguments.pop(0) if arguments[0] in COMMANDS else ""
    code = run(load_command(command or "video"), arguments, f"{PROGRAM} {command}".strip())
    written = capsys.readouterr()
    assert code != 70 and "internal error" not in written.err, written.err
    return written.out + written.err + "".join(path.read_text("latin-1") for path in folder.iterdir())


@examples(100, suppress=[HealthCheck.function_scoped_fixture])
@given(line=st.sampled_from(COMMAND_LINES), form=st.sampled_from(sorted(FORMS)), user=words, password=secrets)
def test_no_command_tells_a_password(
    line: str, form: str, user: str, password: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = FORMS[form](user, password)
    assert leaks(password, output_of(line, address, clip, tmp_path, capsys)) == set()


@pytest.mark.parametrize("line", COMMAND_LINES)
@pytest.mark.parametrize("form", ["plain", "no scheme"])
def test_every_command_by_itself(
    line: str, form: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = FORMS[form]("user", "QXZ-XXQ")
    assert leaks("QXZ-XXQ", output_of(line, address, clip, tmp_path, capsys)) == set()


@examples(100, suppress=[HealthCheck.function_scoped_fixture])
@given(line=st.sampled_from(COMMAND_LINES), form=st.sampled_from(PARAMETERS), password=values)
def test_no_command_tells_a_password_in_path_or_query(
    line: str, form: str, password: str, clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert leaks(password, output_of(line, form.format(password), clip, tmp_path, capsys)) == set()


plain_passwords = st.builds(
    joined, st.lists(words, min_size=1, max_size=3), st.lists(st.sampled_from("@#?/:&=%!$+*'(_;"), min_size=3)
)


@given(
    form=st.sampled_from(sorted(FORMS)),
    user=words,
    password=plain_passwords,
    around=st.sampled_from(["{}", "'{}':", "got {},", "({})", '{{"a": "{}", "b": 1}}']),
)
def test_any_text_is_redacted_and_stays_so(form: str, user: str, password: str, around: str) -> None:
    text = around.format(FORMS[form](user, password))
    shown = redacted(text)
    assert leaks(password, shown) == set()
    assert redacted(shown) == shown


HONEST = (
    "a@b:c.mp4: there is no such file",
    "clip.mp4: only 25 of 50 frames could be decoded, the file is cut short; nothing was written",
    "films/me@home.mp4: cannot be read",
    "12:30 film.mp4 -> me@home.mp4: loading the model",
    "rtsp://camera/live -> rtsp://[fe80::1]:8554/anon: anonymizing",
    "rtsp://camera:554/Streaming/Channels/101: cannot connect: no answer; is the camera up?",
    '{"time": "2026-11-27T10:30:00.000+00:00", "file": "me@home.mp4", "found": {"face": 3}}',
    "--set KEY='VALUE', user=anna/date=2026-11-27/clip.mp4, bypass/pass.mp4",
    "not an RTSP address, rtsp://HOST[:PORT]/PATH is expected",
    "pip install 'blurscene-stream[evaluate]'",
)


@pytest.mark.parametrize("text", HONEST)
def test_honest_text_stays_as_it_is(text: str) -> None:
    assert redacted(text) == text


REDACTED = {
    "rtsp:/user:hunter2@h/x: there is no such file": "rtsp:/h/x: there is no such file",
    "rtsp://h/x?pwd=hunter2: cannot connect": "rtsp://h/x: cannot connect",
    "got 'http://user:hunter2@h/x'": "got 'http://***@h/x'",
    "user:hunter2@h: no": "***@h: no",
    "user:hunter2@: no": "***@: no",
    "key 'rtsp://user:hunter": "key 'rtsp://***",
    "rtsp://user@h:hunter2/x: gone": "rtsp://***: gone",
    "rtsp://user：hunter2＠h/x: gone": "rtsp://***: gone",  # noqa: RUF001  # as a Chinese keyboard writes them
    "rtsp://h/user:hunter2/live: gone": "rtsp://h: gone",
    "rtmp:/a.live.com/live2/hunter2: gone": "rtmp:/***: gone",
    "/cam/password=hunter2&channel=1: gone": "/cam/password=***&channel=1: gone",
}


@pytest.mark.parametrize("text", REDACTED)
def test_what_is_left_of_a_text(text: str) -> None:
    assert redacted(text) == REDACTED[text]
    assert redacted_data({"a": [text, 1, None]}) == {"a": [REDACTED[text], 1, None]}


@pytest.mark.parametrize(
    "text",
    ["a", "pass", "a:", "rtsp://a:", "://", "password=", "sig=:", "=", ":@", "rtsp://h/?sid=:", "rtmp", "rtmp:/:"],
)
def test_a_long_word_is_redacted_in_no_time(text: str) -> None:
    """It took minutes: a search that begins anew at each character, in a word that somebody else has chosen."""
    start_s = time.process_time()
    redacted(text + text[-1] * 50_000 + "x")
    redacted(text * 10_000 + "x")
    assert time.process_time() - start_s < 5


def test_a_file_with_such_a_name_is_a_file(clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("12:30@home.mkv", "user:name@host"):
        (tmp_path / name).write_bytes(clip.read_bytes())
        assert run(load_command("inspect"), [str(tmp_path / name)], PROGRAM) == 0
        assert "matroska" in capsys.readouterr().out


def test_errors_hold_no_password_for_those_who_catch_them() -> None:
    assert str(SourceError("rtsp:/user:hunter2@h/x: gone")) == "rtsp:/h/x: gone"
    assert "hunter2" not in first_line(ValueError("x" * 180 + " rtsp://user:hunter2@host/x"))


@pytest.mark.parametrize("as_json", [True, False])
def test_the_log_is_redacted_with_its_fields(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs(LoggingConfig(json=as_json), quiet=False)
    fields = {"target": "rtsp://u:hunter 2@h", "all": ["rtsp://u:hunter2@h/x"]}
    logging.getLogger("blurscene_stream.test").info('to rtsp://u:hun"ter2@h/x', extra={"fields": fields})
    line = capsys.readouterr().err
    assert "ter2" not in line and "to rtsp://h/x" in line
    assert not as_json or json.loads(line)["all"] == ["rtsp://h/x"]


def test_whatever_is_printed_goes_through_the_same_door(capsys: pytest.CaptureFixture[str]) -> None:
    with redacting_streams():
        print("rtsp://u:hunter2@h/x")
        print("rtsp://u:hunter2@h/x", file=sys.stderr)
    assert capsys.readouterr() == ("rtsp://h/x\n", "rtsp://h/x\n")


def test_the_file_of_an_internal_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readable by its owner alone, without passwords, and without the numbers that a message shows."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    address, pixels = f"rtsp://u:hunter{2}@h/x", f"cannot take {np.arange(17, 21).reshape(2, 2)}"
    try:
        try:
            raise ValueError(address)
        except ValueError as error:
            raise TypeError(pixels) from error
    except TypeError as error:
        file = write_traceback(error)
    assert file is not None and file.parent == tmp_path
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    assert "hunter2" not in text and "17 18" not in text
    assert "ValueError: rtsp://h/x" in text and "TypeError: cannot take [...]" in text
    assert f'File "{__file__}"' in text
    assert list(tmp_path.iterdir()) == [file]
