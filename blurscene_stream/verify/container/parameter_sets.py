"""Sequence parameter sets of H.264 and HEVC, as far as they say how much of the coded picture is cropped."""

from __future__ import annotations

from blurscene_stream.source.bit_reader import BitReader

MACROBLOCK_PX = 16  # of H.264; twice as high in interlaced video
HIGH_PROFILES = (100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135)  # H.264, 7.3.2.1.1
MONOCHROME, YUV420, YUV422, YUV444 = range(4)  # chroma_format_idc


def hidden_by_cropping(codec: str, unit: bytes) -> str:
    """Return how many pixels are cropped beyond what fills the last coding block, such as "0x204 px"; "" for none.

    codec: "h264" or "hevc"
    unit:  the NAL unit of a sequence parameter set, not escaped
    """
    try:
        width, height = _h264(BitReader(unit[1:])) if codec == "h264" else _hevc(BitReader(unit[2:]))
    except IndexError:
        return "an unknown part"
    return f"{width}x{height} px" if width or height else ""


def _h264(bits: BitReader) -> tuple[int, int]:
    """Return the hidden columns and rows (7.3.2.1.1)."""
    profile = bits.take(8)
    bits.take(16)
    bits.golomb()
    chroma = _skip_high_profile(bits) if profile in HIGH_PROFILES else YUV420
    bits.golomb()
    _skip_order_count(bits)
    bits.golomb()
    bits.take(1)
    bits.golomb()
    bits.golomb()
    fields = 2 - bits.take(1)
    bits.take(2 if fields == 2 else 1)
    return _hidden(bits, chroma, fields, (MACROBLOCK_PX, MACROBLOCK_PX * fields))


def _skip_high_profile(bits: BitReader) -> int:
    """Return chroma_format_idc."""
    chroma = bits.golomb()
    bits.take(1 if chroma == YUV444 else 0)
    bits.golomb()
    bits.golomb()
    bits.take(1)
    if bits.take(1):
        for number in range(12 if chroma == YUV444 else 8):
            if bits.take(1):
                _skip_scaling_list(bits, 16 if number < 6 else 64)
    return chroma


def _skip_scaling_list(bits: BitReader, size: int) -> None:
    last = following = 8
    for _ in range(size):
        if following:
            code = bits.golomb()
            following = (last + (code + 1) // 2 * (1 if code % 2 else -1)) % 256
        last = following or last


def _skip_order_count(bits: BitReader) -> None:
    order_type = bits.golomb()
    if order_type == 0:
        bits.golomb()
    elif order_type == 1:
        bits.take(1)
        bits.golomb()
        bits.golomb()
        for _ in range(bits.golomb()):
            bits.golomb()


def _hevc(bits: BitReader) -> tuple[int, int]:
    """Return the hidden columns and rows (ITU-T H.265, 7.3.2.2.1)."""
    bits.take(4)
    sub_layers = bits.take(3)
    bits.take(1)
    bits.take(96)
    present = [(bits.take(1), bits.take(1)) for _ in range(sub_layers)]
    bits.take(2 * (8 - sub_layers) if sub_layers else 0)
    for profile, level in present:
        bits.take(88 * profile + 8 * level)
    bits.golomb()
    chroma = bits.golomb()
    bits.take(1 if chroma == YUV444 else 0)
    bits.golomb()
    bits.golomb()
    before = bits.position
    _hidden(bits, chroma, 1, (0, 0))  # the smallest block comes behind it
    for _ in range(3):
        bits.golomb()
    for _ in range(3 * (sub_layers + 1 if bits.take(1) else 1)):
        bits.golomb()
    block = max(MACROBLOCK_PX, 8 << bits.golomb())  # encoders in hardware fill whole macroblocks
    bits.position = before
    return _hidden(bits, chroma, 1, (block, block))


def _hidden(bits: BitReader, chroma: int, fields: int, block: tuple[int, int]) -> tuple[int, int]:
    """Return the columns and rows that are cropped at left and top, and from a whole block on at right and bottom."""
    if not bits.take(1):
        return 0, 0
    left, right, top, bottom = (bits.golomb() for _ in range(4))
    unit_x = 2 if chroma in (YUV420, YUV422) else 1
    unit_y = (2 if chroma == YUV420 else 1) * fields
    right, bottom = right * unit_x, bottom * unit_y
    width, height = left * unit_x, top * unit_y
    return width + (right if right >= block[0] else 0), height + (bottom if bottom >= block[1] else 0)
