"""Inspection of a finished file: its streams, tags and atoms."""
