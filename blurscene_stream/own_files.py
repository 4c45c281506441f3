"""Files that this program writes besides its videos and pictures, told from those of others by what is in them."""

from __future__ import annotations

import mmap
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

HEAD_BYTES = 1024


@dataclass(frozen=True, slots=True)
class OwnFile:
    """One kind of these files.

    name:  in words
    label: value of the key "format" in its first line, or of the text "Software" in a PNG
    png:   it is a PNG, and JSON otherwise
    """

    name: str
    label: str
    png: bool = False

    @property
    def png_text(self) -> bytes:
        """Content of the tEXt chunk of a PNG (PNG specification, 11.3.3.2)."""
        return f"Software\0{self.label}".encode()

    def matches(self, path: Path) -> bool:
        """Tell whether this program has written a file; one that cannot be read counts as somebody else's."""
        start, mark = (b"\x89PNG", self.png_text) if self.png else (b"{", f'"{self.label}"'.encode())
        with suppress(OSError), path.open("rb") as file:
            head = file.read(HEAD_BYTES)
            return head.startswith(start) and mark in head
        return False


class ExportedNetwork(OwnFile):
    """A network for other programs, as ONNX or OpenVINO's IR; `label` is a key in its metadata, behind its layers."""

    def matches(self, path: Path) -> bool:
        """Tell whether this program has written a file; a .bin holds bare numbers, and is of the .xml beside it."""
        described = path.with_suffix(".xml") if path.suffix == ".bin" else path
        with (
            suppress(OSError, ValueError),  # the latter: an empty file
            described.open("rb") as file,
            mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
        ):
            return content.find(self.label.encode()) >= 0
        return False


DETECTIONS = OwnFile("file of detections", "blurscene-stream detections")
SHEET = OwnFile("sheet", "blurscene-stream verify", png=True)
VERIFICATION = OwnFile("report", "blurscene-stream verification")
EVALUATION = OwnFile("report", "blurscene-stream evaluation")
EVALUATION_PLOT = OwnFile("plot", "blurscene-stream evaluate", png=True)
NETWORK = ExportedNetwork("network", "weights_sha256")
