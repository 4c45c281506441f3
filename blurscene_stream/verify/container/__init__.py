"""Byte accounting: whatever in a finished file is no picture, no audio and no structure of our muxers.

accounting:  one check over a whole file, whatever its container
mp4, matroska, mpegts: what libav's muxers write, byte by byte; everything else is stray
nal_units, coded_video: the same inside the packets of the video
stray:       bytes that nothing accounts for, and who takes the packets of the video
"""

from blurscene_stream.verify.container.accounting import ByteAccount, account_bytes

__all__ = ["ByteAccount", "account_bytes"]
