"""Metadata and hidden audio that must not pass with copied packets."""
