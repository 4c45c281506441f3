"""Sources: files, pipes and cameras as frames, and between them the packets that are copied.

source:     open_source, and the Source that it returns
file, pipe, live: reading, decoding and completeness of each kind of input
container/: opening, completeness, stream types and selection, MP4 atoms, EBML, MPEG-TS packets
frames/:    packets -> AVFrame -> Frame: decoding, corruption, timestamps, properties beside samples, mid-stream changes
scrub/:     tags, audio headers and hidden audio that must not pass
inspection/: inventory of a file, metadata of an output, audio without PyAV objects
"""

from blurscene_stream.source.source import Source, open_source

__all__ = ["Source", "open_source"]
