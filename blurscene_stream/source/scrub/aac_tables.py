"""Tables of AAC: lengths of Huffman codewords and widths of scale factor bands (ISO/IEC 14496-3, 4.A.1 and 4.5.4)."""

from __future__ import annotations

from functools import cache
from itertools import accumulate

WINDOW_BITS = (19, *[16] * 11)  # the longest codeword of each book, at least
ESCAPE = 64  # added to the bits of a codeword of book 11, for each value that an escape sequence follows

# For each codebook, 0 being that of scale factors: its codewords in the order of their bits, "length x count" where no
# sign follows them, else the length and for each codeword a digit: how many signs follow. In book 11, "a" stands for
# one sign and one escape sequence, "b" for two signs and one, "c" for two of both.
CODEBOOKS = (
    "1x1 3x1 4x3 5x2 6x4 7x3 8x5 9x4 10x6 11x6 12x6 13x5 14x8 15x4 16x7 17x3 18x7 19x46",
    "1x1 5x8 7x24 9x24 10x8 11x16",
    "3x1 4x1 5x7 6x24 7x15 8x19 9x14",
    (
        "1:0 4:1111 5:22 6:222323 7:433 8:11223 9:232331221224334 10:323244332333223 11:24334423 12:333334444 "
        "13:223 14:343 15:44432 16:33"
    ),
    ("4:4333312022 5:221211 7:444433333 8:333333322222222222211 9:11444444 10:33333333343334 11:44222222433 12:33"),
    "1x1 4x4 5x4 7x4 8x12 9x12 10x12 11x18 12x10 13x4",
    "4x9 6x16 7x13 8x8 9x23 10x8 11x4",
    "1:0 3:11 4:2 6:2211 7:22211 8:2222222211 9:22212122222222 10:211222222222222 11:11222222 12:2222",
    "3:2 4:21212 5:0112222 6:2222211222 7:22222221212222 8:222121222222222 9:22121222 10:2112",
    (
        "1:0 3:11 4:2 6:2211 7:222 8:11222222 9:22112222222 10:12122222222122222222 "
        "11:1222122221222211222222222222212 12:22122222222222222222222122122222221222 "
        "13:22222222222212212222122222222222 14:22222222222222 15:2222"
    ),
    (
        "4:222 5:21122222 6:11222202211222 7:22222222212122222 8:2222222121222222222222222 "
        "9:2221222221222222222222222221212 10:22222212222221222222222222222221212122222 "
        "11:2222222222121222122212 12:22222122"
    ),
    (
        "4:02 5:c11222 6:2221212 7:2222221122222222 "
        "8:2222222bbbbb2b121b2bbbb22222bb22bbb22b2bbb2b22bb2221bb22221 "
        "9:2bb22b2b2222222b221222222122222222222222122222222222a22 "
        "10:2222a212222222222222222222222222222221222222222222222222122222222222222222222222222211222222222 "
        "11:2222222222222222212212122212222211222212212 12:112112"
    ),
)
SIGNS_AND_ESCAPES = {**{str(count): count for count in range(5)}, "a": 1 + ESCAPE, "b": 2 + ESCAPE, "c": 2 + 2 * ESCAPE}

# "count x width" of the bands, by the index of the sampling rate (96, 88.2, 64, 48, 44.1, 32, 24, 22.05, 16, 12,
# 11.025, 8 and 7.35 kHz)
LONG_96 = "14x4 5x8 5x12 2x16 1x24 1x28 1x36 1x44 11x64"
LONG_64 = "14x4 4x8 3x12 3x16 1x20 2x24 1x28 1x36 18x40"
LONG_48 = "10x4 7x8 4x12 2x16 2x20 2x24 2x28 19x32 1x96"
LONG_32 = "10x4 7x8 4x12 2x16 2x20 2x24 2x28 22x32"
LONG_24 = "11x4 10x8 4x12 3x16 2x20 2x24 2x28 1x32 2x36 1x40 1x44 1x48 2x52 5x64"
LONG_16 = "11x8 9x12 4x16 3x20 2x24 2x28 1x32 1x36 2x40 1x44 1x48 1x52 1x56 1x60 3x64"
LONG_8 = "13x12 7x16 4x20 3x24 2x28 1x32 2x36 1x40 1x44 1x48 1x52 1x56 1x60 1x64 1x80"
SHORT_96 = "6x4 3x8 1x16 1x28 1x36"
SHORT_48 = "5x4 3x8 3x12 3x16"
SHORT_24 = "7x4 3x8 2x12 2x16 1x20"
SHORT_16 = "8x4 2x8 2x12 1x16 2x20"
SHORT_8 = "7x4 4x8 1x12 1x16 2x20"
LONG_BANDS = (LONG_96, LONG_96, LONG_64, LONG_48, LONG_48, LONG_32, LONG_24, LONG_24, *[LONG_16] * 3, LONG_8, LONG_8)
SHORT_BANDS = (*[SHORT_96] * 3, *[SHORT_48] * 3, SHORT_24, SHORT_24, *[SHORT_16] * 3, SHORT_8, SHORT_8)


@cache
def band_offsets(bands: str) -> tuple[int, ...]:
    """Return the first line of each band, and the end of the last one."""
    pairs = [run.split("x") for run in bands.split()]
    return tuple(accumulate((int(width) for count, width in pairs for _ in range(int(count))), initial=0))


@cache
def codeword_bits(book: int) -> list[int]:
    """Return the bits to skip for each value of the next WINDOW_BITS: a codeword with its signs, and ESCAPE for each.

    Codewords are in the order of their bits, so that each stands for a run of values.
    """
    table: list[int] = []
    for group in CODEBOOKS[book].split():
        length, is_list, suffixes = group.partition(":")
        if not is_list:
            length, _, count = group.partition("x")
            suffixes = "0" * int(count)
        for suffix in suffixes:
            table += [int(length) + SIGNS_AND_ESCAPES[suffix]] * (1 << WINDOW_BITS[book] - int(length))
    return table
