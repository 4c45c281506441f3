"""File names: links, odd names, special files, and inputs that name other files to be opened."""

from __future__ import annotations

import os
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from blurscene_stream.errors import BlurSceneError, SourceError
from tests.mp4_atoms import atom
from tests.pipeline.runs import anonymize, fails
from tests.processes import PATIENCE_S
from tests.videos import VideoSpec, make_video, read_video

FRAMES = 25
HOLE_BYTES = 1 << 32


def _link(walker: Path) -> Path:
    made = walker.parent.parent / "link.mp4"
    made.symlink_to(walker)
    return made


def _link_to_a_link(walker: Path) -> Path:
    made = walker.parent.parent / "again.mp4"
    made.symlink_to(_link(walker))
    return made


def _relative_link(walker: Path) -> Path:
    made = walker.parent / "relative.mp4"
    made.symlink_to(walker.name)
    return made


def _folder_link(walker: Path) -> Path:
    made = walker.parent.parent / "other"
    made.symlink_to(walker.parent, target_is_directory=True)
    return made / walker.name


@pytest.mark.parametrize("make", [_link, _link_to_a_link, _relative_link, _folder_link])
def test_an_input_behind_a_link(make: Callable[[Path], Path], walker: Path, tmp_path: Path) -> None:
    assert anonymize(make(walker), tmp_path / "out.mp4").frames == FRAMES


BAD_LINKS: dict[str, tuple[Callable[[Path], object], str]] = {
    # where the link leads -> how it is made, what is said of it as an input
    "into a loop": (lambda link: link.symlink_to(link), "no such file"),
    "to a folder": (lambda link: link.symlink_to(link.parent), "is a folder"),
    "to a folder that is not there": (lambda link: link.symlink_to(link.parent / "no" / "x.mp4"), "no such file"),
}


@pytest.mark.parametrize("where", BAD_LINKS)
def test_links_that_lead_nowhere(where: str, walker: Path, tmp_path: Path) -> None:
    make, part = BAD_LINKS[where]
    (tmp_path / "out").mkdir()
    link = tmp_path / "out" / "link.mp4"
    make(link)
    with pytest.raises(BlurSceneError) as caught:
        anonymize(walker, link, overwrite=True)
    assert len(str(caught.value).splitlines()) == 1 and str(link) in str(caught.value)
    assert part in fails(SourceError, link, tmp_path / "out.mp4")
    assert link.is_symlink() and list(link.parent.iterdir()) == [link]


def test_special_files_are_no_video(tmp_path: Path) -> None:
    target = tmp_path / "out.mp4"
    for name in ("/dev/zero", "/dev/null", "/dev/urandom"):
        with pytest.raises(SourceError, match="is a terminal or a device"):
            anonymize(name, target)
    for name in ("/proc/self/status", "/proc/self/mem"):
        with pytest.raises(SourceError):
            anonymize(name, target)
    assert not list(tmp_path.iterdir())


def test_a_sparse_file(walker: Path, tmp_path: Path) -> None:
    """4 GB of holes behind the video are read as a player reads them: not at all, or as damage."""
    with walker.open("ab") as file:
        file.truncate(walker.stat().st_size + HOLE_BYTES)
    try:
        assert anonymize(walker, tmp_path / "out.mp4").frames == FRAMES
    except SourceError as error:
        assert len(str(error).splitlines()) == 1
        assert not (tmp_path / "out.mp4").exists()


class Listener:
    """Counts who connects to a port of this machine."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(PATIENCE_S)
        self.port = self._socket.getsockname()[1]
        self.calls = 0
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            connection, _ = self._socket.accept()
            connection.settimeout(PATIENCE_S)
            with connection:
                if connection.recv(64) == b"end":
                    return
                self.calls += 1

    def close(self) -> int:
        with socket.create_connection(("127.0.0.1", self.port)) as last:
            last.sendall(b"end")
        self._thread.join(PATIENCE_S)
        self._socket.close()
        return self.calls


LISTS: dict[str, str] = {  # what a file may be -> its text; {0} is a port where somebody listens
    "hls.mkv": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:{0}/a.ts\n#EXT-X-ENDLIST\n",
    "hls.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:{0}/a.ts\n#EXT-X-ENDLIST\n",
    "key.m3u8": '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="http://127.0.0.1:{0}/k"\n'
    "#EXTINF:1,\nwalker.mp4\n#EXT-X-ENDLIST\n",
    "concat.mp4": "ffconcat version 1.0\nfile http://127.0.0.1:{0}/a.mp4\n",
    "dash.mpd": '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet mimeType="video/mp4">'
    '<Representation id="1" bandwidth="1"><BaseURL>http://127.0.0.1:{0}/a.mp4</BaseURL><SegmentBase/>'
    "</Representation></AdaptationSet></Period></MPD>",
    "camera.sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video {0} RTP/AVP 96\n"
    "a=rtpmap:96 H264/90000\n",
    "link.rtsp": "rtsp://127.0.0.1:{0}/live\n",
}


@pytest.mark.parametrize("name", LISTS)
def test_a_file_that_names_others_has_nothing_fetched(name: str, walker: Path, tmp_path: Path) -> None:
    listener = Listener()
    source = walker.parent / name
    source.write_text(LISTS[name].format(listener.port))
    try:
        with pytest.raises(SourceError) as caught:
            anonymize(source, tmp_path / "out.mp4")
    finally:
        calls = listener.close()
    assert calls == 0
    assert len(str(caught.value).splitlines()) == 1
    assert not (tmp_path / "out.mp4").exists()


LOCAL_LISTS = {  # what a file may be -> its text; {0} is the name of another file
    "list.mp4": "ffconcat version 1.0\nfile {0}\n",
    "list.m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{0}\n#EXT-X-ENDLIST\n",
    "subtitles.idx": "# VobSub index file, v7\nsize: 720x480\nid: en, index: 0\ntimestamp: 00:00:00:000, filepos: 0\n",
}


@pytest.mark.parametrize("name", LOCAL_LISTS)
def test_a_file_that_names_others_does_not_tell_whether_they_are_there(name: str, tmp_path: Path) -> None:
    """Nor does it read them: who may send files to a server may not look at its own."""
    other, source = tmp_path / "subtitles.sub", tmp_path / name
    source.write_text(LOCAL_LISTS[name].format(other.name))
    messages = [fails(SourceError, source, tmp_path / "out.mp4")]
    make_video(tmp_path / "film.ts", VideoSpec(3)).rename(other)
    messages.append(fails(SourceError, source, tmp_path / "out.mp4"))
    assert len(set(messages)) == 1


def _refer(data: bytes, reference: bytes) -> bytes:
    """An MP4, its index at the end, whose first track says that its samples are in another file (dref)."""
    old = atom(b"url ", b"\0\0\0\1")
    place = data.index(old)
    made = bytearray(data[:place] + reference + data[place + len(old) :])
    more = len(reference) - len(old)
    start = 0
    for kind in (b"moov", b"trak", b"mdia", b"minf", b"dinf", b"dref"):  # each lies in the one before
        start = made.index(kind, start)
        size = int.from_bytes(made[start - 4 : start], "big")
        made[start - 4 : start] = (size + more).to_bytes(4, "big")
    return bytes(made)


def _alias(path: str) -> bytes:
    """QuickTime's way of naming another file: an alias record with an absolute path."""
    text = os.fsencode(path)
    fixed = bytes(4) + struct.pack(">HH", 0, 2) + bytes(142)
    tail = struct.pack(">hH", 2, len(text)) + text + bytes(len(text) % 2) + struct.pack(">hH", -1, 0)
    return atom(b"alis", b"\0\0\0\0" + fixed + tail)


@pytest.mark.parametrize("kind", ["url", "alias"])
def test_samples_that_lie_in_another_file_are_not_fetched(kind: str, tmp_path: Path) -> None:
    """No picture of the other file comes through: those of this one, or an error."""
    (tmp_path / "in").mkdir()
    secret = make_video(tmp_path / "secret.mp4", VideoSpec(audio=(), colour=True))
    source = make_video(tmp_path / "in" / "film.mov", VideoSpec(audio=()))
    anonymize(source, tmp_path / "own.mp4")
    url = atom(b"url ", b"\0\0\0\0" + f"file://{secret}".encode() + b"\0")
    source.write_bytes(_refer(source.read_bytes(), url if kind == "url" else _alias(str(secret))))
    try:
        anonymize(source, tmp_path / "out.mp4")
    except BlurSceneError as error:
        assert len(str(error).splitlines()) == 1
        assert not (tmp_path / "out.mp4").exists()
    else:
        own, out = read_video(tmp_path / "own.mp4").luma, read_video(tmp_path / "out.mp4").luma
        assert all(np.abs(one.astype(int) - other).max() < 60 for one, other in zip(own, out, strict=True))
