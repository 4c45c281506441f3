"""AAC extradata (AudioSpecificConfig) without the comment that may be in it, and without what may follow it."""

from __future__ import annotations

from blurscene_stream.source.bit_reader import BitReader

# ISO/IEC 14496-3: AudioSpecificConfig is 1.6.2.1, GASpecificConfig 4.4.1, program_config_element 4.4.1.1
LC = 2
GA_OBJECT_TYPES = (1, LC, 3, 4)  # Main, LC, SSR, LTP
SBR, PS = 5, 29
ESCAPE = 31
EXPLICIT_RATE = 15
SYNC_SBR, SYNC_PS = 0x2B7, 0x548
COUNT_BITS = (4, 4, 4, 2, 3, 4)  # of front, side, back, LFE, associated data and coupling channel elements
ELEMENT_BITS = (5, 5, 5, 4, 4, 5)  # of each such element


def without_comment(header: bytes) -> bytes:
    """Return the AudioSpecificConfig with an empty comment, cut where it ends.

    Headers of error-resilient and later object types have no place for a comment, and pass as they are.
    Raises IndexError when it is too short.
    """
    bits = BitReader(header)
    object_type = _object_type(bits)
    _skip_rate(bits)
    channels = bits.take(4)
    if object_type in (SBR, PS):
        _skip_rate(bits)
        object_type = _object_type(bits)
    if object_type not in GA_OBJECT_TYPES:
        return header
    bits.take(1)
    if bits.take(1):  # it depends on a core coder, with a delay
        bits.take(14)
    bits.take(1)
    if channels == 0:
        skip_channel_layout(bits)
        at = bits.position // 8
        header = header[:at] + b"\0" + header[at + 1 + header[at] :]
        bits = BitReader(header)
        bits.take(8 * (at + 1))
    _skip_extension(bits)
    return header[: (bits.position + 7) // 8]


def core_rate_index(header: bytes) -> int | None:
    """Return the index of the core's sampling rate; None for all but AAC LC, be it the core of HE-AAC, of 1024 samples.

    Raises IndexError when the header is too short.
    """
    bits = BitReader(header)
    object_type = _object_type(bits)
    rate = bits.take(4)
    if rate == EXPLICIT_RATE:
        return None
    bits.take(4)
    if object_type in (SBR, PS):
        _skip_rate(bits)
        object_type = _object_type(bits)
    is_short_frame = bits.take(1)
    return None if object_type != LC or is_short_frame else rate


def _object_type(bits: BitReader) -> int:
    object_type = bits.take(5)
    return 32 + bits.take(6) if object_type == ESCAPE else object_type


def _skip_rate(bits: BitReader) -> None:
    if bits.take(4) == EXPLICIT_RATE:
        bits.take(24)


def skip_channel_layout(bits: BitReader) -> None:
    """Skip a program_config_element up to the number of bytes of its comment."""
    bits.take(10)
    counts = [bits.take(width) for width in COUNT_BITS]
    for width in (4, 4, 3):  # mixdowns
        if bits.take(1):
            bits.take(width)
    for count, width in zip(counts, ELEMENT_BITS, strict=True):
        bits.take(count * width)
    bits.align()


def _skip_extension(bits: BitReader) -> None:
    """Skip the backward compatible signalling of SBR and PS (1.6.5)."""
    if bits.take_if(SYNC_SBR, 11) and _object_type(bits) == SBR and bits.take(1):
        _skip_rate(bits)
        if bits.take_if(SYNC_PS, 11):
            bits.take(1)
