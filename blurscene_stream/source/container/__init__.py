"""Containers: stream types and selection, completeness, MP4 atoms, EBML, MPEG-TS packets."""
