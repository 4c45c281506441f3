"""Raw data blocks of AAC LC, parsed to their end: what no decoder needs becomes zeros, and what lies behind is cut.

Data stream elements, fill and comments may hold anything, so that only a parse of the whole frame tells what is audio.
Syntax: ISO/IEC 14496-3, 4.4.2.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from blurscene_stream.source.bit_reader import BitReader
from blurscene_stream.source.scrub.aac_tables import (
    ESCAPE,
    LONG_BANDS,
    SHORT_BANDS,
    WINDOW_BITS,
    band_offsets,
    codeword_bits,
)
from blurscene_stream.source.scrub.audio_headers import skip_channel_layout

SINGLE, PAIR, LFE, DATA, LAYOUT, FILL, END = 0, 1, 3, 4, 5, 6, 7  # the elements; 2 is coupling
SHORT_WINDOWS = 2
ZERO, NOISE = 0, 13  # codebooks without spectral lines, with those of INTENSITY, 14 and 15
RESERVED = 12
QUADS, LAST_SPECTRAL = 4, 11  # codebooks up to the first code four lines at a time, the others two
SCALE_FACTORS = 0  # their codebook, in the tables
MAX_ESCAPE_PREFIX = 8
SBR_FILL, FILL_BYTE = (13, 14), b"\xa5"  # fill of spectral band replication; the byte of fill that holds nothing
ENCODER_NAME = re.compile(rb"Lavc[0-9.]{1,12}")  # FFmpeg's, in one frame of 256
PADDING_BITS = 64


class _Window(NamedTuple):
    """Windows of a channel: line where each band begins, bands that are coded, windows of each group."""

    offsets: tuple[int, ...]
    bands: int
    groups: list[int]
    short: bool


class _Section(NamedTuple):
    """Bands with one codebook."""

    book: int
    bands: int
    lines: int


class RawDataBlock(BitReader):
    """Parser of a raw_data_block of AAC LC (4.4.2.1)."""

    def __init__(self, data: bytes, rate_index: int) -> None:
        super().__init__(data)
        self._data = data
        self._padded = self.number << PADDING_BITS
        self._rate_index = rate_index
        self._foreign = 0  # bits that are no audio, at their places

    def scrubbed(self) -> bytes:
        """Return the block up to its end; what is no audio in it is zero."""
        last, is_audio = FILL, False
        while (element := self.take(3)) != END:
            if element in (SINGLE, PAIR, LFE):
                self._channels(element)
                is_audio = True
            elif element == DATA:
                self._data_stream()
            elif element == LAYOUT:
                skip_channel_layout(self)
                self._drop(8 * self.take(8))
            elif element == FILL:
                self._fill(may_be_sbr=last in (SINGLE, PAIR))
            else:
                raise ValueError
            last = element
        if not is_audio:
            raise ValueError
        self.align()
        size = self.position // 8
        if not self._foreign:
            return self._data[:size]
        return (self.number ^ self._foreign).to_bytes(len(self._data), "big")[:size]

    def _drop(self, count: int) -> None:
        """Take `count` bits for what is no audio."""
        found = self.take(count)
        self._foreign |= found << self.count - self.position

    def _data_stream(self) -> None:
        self.take(4)
        is_aligned = self.take(1)
        size = self.take(8)
        size += self.take(8) if size == 255 else 0
        if is_aligned:
            self.align()
        self._drop(8 * size)

    def _fill(self, may_be_sbr: bool) -> None:
        size = self.take(4)
        size += self.take(8) - 1 if size == 15 else 0
        start = self.position
        found = self.take(8 * size)
        extension_type = found >> 8 * size - 4 if size else 0
        is_clean = (
            not found
            or (may_be_sbr and extension_type in SBR_FILL)
            or found.to_bytes(size, "big") == (b"\x10" + FILL_BYTE * (size - 1))
        )
        if not is_clean and not self._is_encoder_name(start, found):
            self.position = start
            self._drop(8 * size)

    def _is_encoder_name(self, start: int, found: int) -> bool:
        """Return whether fill holds the name of FFmpeg's encoder, at whole bytes, and zeros around it."""
        name = ENCODER_NAME.match(self._data, (start + 4 + 7) // 8, self.position // 8)
        if name is None:
            return False
        return found == int.from_bytes(name[0], "big") << self.position - 8 * name.end()

    def _channels(self, element: int) -> None:
        """Parse the channel or the two channels of an element (4.4.2.7)."""
        self.take(4)
        window = None
        if element == PAIR and self.take(1):
            window = self._window()
            mask = self.take(2)
            if mask == 3:
                raise ValueError
            if mask == 1:
                self.take(window.bands * len(window.groups))
        for _ in range(2 if element == PAIR else 1):
            self.take(8)
            self._channel(window or self._window())

    def _window(self) -> _Window:
        """Parse ics_info."""
        self.take(1)
        short = self.take(2) == SHORT_WINDOWS
        self.take(1)
        bands = self.take(4 if short else 6)
        groups = [1]
        if short:
            for _ in range(7):
                if self.take(1):
                    groups[-1] += 1
                else:
                    groups.append(1)
        elif self.take(1):  # prediction, which LC has not
            raise ValueError
        offsets = band_offsets((SHORT_BANDS if short else LONG_BANDS)[self._rate_index])
        if bands >= len(offsets):
            raise ValueError
        return _Window(offsets, bands, groups, short)

    def _channel(self, window: _Window) -> None:
        sections = self._sections(window)
        self._scale_factors(sections)
        if self.take(1):  # pulses, which only one long window has
            if window.short:
                raise ValueError
            count = self.take(2) + 1
            self.take(6 + 9 * count)
        if self.take(1):
            self._noise_shaping(window.short)
        if self.take(1):  # gain control, which LC has not
            raise ValueError
        for section in sections:
            if ZERO < section.book <= LAST_SPECTRAL:
                self._skip_codewords(section.book, section.lines // (4 if section.book <= QUADS else 2))

    def _sections(self, window: _Window) -> list[_Section]:
        sections = []
        width = 3 if window.short else 5
        escape = (1 << width) - 1
        for length in window.groups:
            band = 0
            while band < window.bands:
                book, count = self.take(4), 0
                while (more := self.take(width)) == escape:
                    count += more
                count += more
                if book == RESERVED or band + count > window.bands:
                    raise ValueError
                lines = (window.offsets[band + count] - window.offsets[band]) * length
                sections.append(_Section(book, count, lines))
                band += count
        return sections

    def _scale_factors(self, sections: list[_Section]) -> None:
        is_first_noise = True
        for section in sections:
            count = section.bands if section.book != ZERO else 0
            if section.book == NOISE and count and is_first_noise:
                self.take(9)
                count, is_first_noise = count - 1, False
            self._skip_codewords(SCALE_FACTORS, count)

    def _noise_shaping(self, short: bool) -> None:
        """Skip tns_data (4.4.2.7)."""
        for _ in range(8 if short else 1):
            filters = self.take(1 if short else 2)
            bits = 3 + self.take(1) if filters else 0
            for _ in range(filters):
                self.take(4 if short else 6)
                if order := self.take(3 if short else 5):
                    self.take(1)
                    self.take(order * (bits - self.take(1)))

    def _skip_codewords(self, book: int, count: int) -> None:
        """Skip `count` codewords of a codebook, with the signs and escape sequences behind them."""
        table, width = codeword_bits(book), WINDOW_BITS[book]
        mask = len(table) - 1
        number, start, position = self._padded, self.count + PADDING_BITS - width, self.position
        for _ in range(count):
            length = table[number >> start - position & mask]
            position += length
            if length > ESCAPE:
                position = self._after_escapes(position - length, length)
        self.position = position
        self.take(0)

    def _after_escapes(self, position: int, length: int) -> int:
        count, length = divmod(length, ESCAPE)
        self.position = position + length
        for _ in range(count):
            prefix = 0
            while self.take(1):
                prefix += 1
            if prefix > MAX_ESCAPE_PREFIX:
                raise ValueError
            self.take(prefix + 4)
        return self.position
