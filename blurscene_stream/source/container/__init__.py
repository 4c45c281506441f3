"""Containers: stream types and selection, completeness, MP4 atoms, MPEG-TS packets."""
