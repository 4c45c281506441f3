"""Boxes over time."""
