"""Frames: corruption, side data, colour and field order, mid-stream changes, planes that may be written."""
