"""Frames: decoding, timestamps, properties beside samples, mid-stream changes, planes that may be written."""
