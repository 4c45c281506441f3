"""Sources: files, pipes and cameras as frames, and between them the packets that are copied.

source:     open_source, and the Source that it returns
file, pipe, live: reading, decoding and completeness of each kind of input
container/: opening, completeness, stream types and selection, MP4 atoms, MPEG-TS packets
frames/:    AVFrame -> Frame: corruption, timestamps, side data, colour, field order, mid-stream changes
scrub/:     tags, audio headers and hidden audio that must not pass, and a search for what has passed
inspection/: the inventory of a file, and its audio without PyAV objects
"""

from blurscene_stream.source.source import Source, open_source

__all__ = ["Source", "open_source"]
