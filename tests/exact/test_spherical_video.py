"""What pictures say of themselves and no encoder can be told is named among what is left out."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.exact.clips import Clip, make_clip
from tests.mp4_atoms import add_to_sample_entry, atom
from tests.pipeline.runs import anonymize

EQUIRECTANGULAR = atom(  # github.com/google/spatial-media, Spherical Video V2
    b"sv3d",
    atom(b"svhd", bytes(5)),
    atom(b"proj", atom(b"prhd", bytes(16)), atom(b"equi", struct.pack(">5I", 0, 0, 0, 0, 0))),
)


def test_the_projection_of_a_360_degree_video(tmp_path: Path) -> None:
    """Without it players show the picture flat."""
    source = add_to_sample_entry(make_clip(tmp_path / "in.mp4", Clip(audio=())), EQUIRECTANGULAR)
    assert anonymize(source, tmp_path / "out.mp4").left_out == ("projection of a 360 degree video",)
    assert anonymize(tmp_path / "out.mp4", tmp_path / "again.mp4").left_out == ()
