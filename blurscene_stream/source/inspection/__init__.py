"""Inspection of files: their streams, tags and atoms, and what an output holds that a run did not write."""
