"""Find every face and licence plate in a video and make them unrecoverable.

source -> detect -> track -> redact -> sink: an address becomes frames, frames get detections, what was detected is
covered, and only covered frames are written. `blurscene_stream.pipeline` puts the rooms together.
"""
