"""Font files written anew from their outlines, by fontTools: no other table, and no byte outside of tables, is kept."""

from __future__ import annotations

import logging
from io import BytesIO

from blurscene_stream.errors import UsageError

PICTURE_TABLES = (
    "sbix",
    "CBDT",
    "CBLC",
    "EBDT",
    "EBLC",
    "EBSC",
    "bdat",
    "bloc",
    "SVG ",
    "COLR",
    "CPAL",
    "meta",
    "DSIG",
)
logging.getLogger("fontTools").addHandler(logging.NullHandler())  # its warnings quote the font, in no form of ours
NAMES = (1, 2, 4, 6)  # family, style, full and PostScript name: by these subtitles find a font (OpenType, name table)


def rebuilt_font(data: bytes) -> bytes:
    """Return a font with its outlines, names and layout.

    Raises ValueError when it is none, UsageError when fontTools is not installed.
    """
    try:
        from fontTools import subset  # noqa: PLC0415 (slow, and not always installed)
        from fontTools.ttLib import TTFont  # noqa: PLC0415
    except ImportError as error:
        raise UsageError(
            "--keep attachments (keep.streams) needs fontTools: pip install 'blurscene-stream[fonts]', or leave it out"
        ) from error
    try:
        font = TTFont(BytesIO(data), lazy=False)
        options = subset.Options(hinting=False, notdef_outline=True, layout_features=["*"], name_IDs=list(NAMES))
        options.drop_tables = [*options.drop_tables, *PICTURE_TABLES]
        kept = subset.Subsetter(options)
        kept.populate(glyphs=font.getGlyphOrder())
        kept.subset(font)
        if not {"glyf", "CFF ", "CFF2"} & set(font.keys()):
            raise ValueError
        written = BytesIO()
        font.flavor = None
        font.save(written)
    except Exception as error:  # fontTools raises whatever it runs into
        raise ValueError("no font") from error
    return written.getvalue()
