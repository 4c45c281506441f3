"""Addresses of inputs and outputs: a file, a pipe, or an RTSP URL whose credentials are never printed."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from blurscene_stream.credentials import redacted_live
from blurscene_stream.errors import UsageError

RTSP_PORTS = {"rtsp": 554, "rtsps": 322}  # RFC 2326, RFC 7826


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """A file, a pipe or an RTSP server.

    text: as given; may hold a password, so only the library that connects may see it
    """

    text: str

    @property
    def live(self) -> bool:
        """True for an RTSP camera or server, False for a file or a pipe."""
        return self.text.lower().startswith(("rtsp://", "rtsps://"))

    @property
    def piped(self) -> bool:
        """True for `-`: standard input or output. A named pipe counts as a file; so does ./-."""
        return self.text == "-"

    @property
    def local(self) -> bool:
        """True for what has a path: a file, a folder or a named pipe."""
        return not self.live and not self.piped

    @property
    def path(self) -> Path:
        """Path of the file; only for addresses that are `local`."""
        return Path(self.text)

    @property
    def endpoint(self) -> tuple[str, int]:
        """Host name and TCP port of a live address.

        Raises UsageError when there is no host, or the port is not a number in 1..65535.
        """
        try:
            parts = urlsplit(self.text)
            host, port = parts.hostname, parts.port
        except ValueError:  # its text may hold the password
            host, port = None, 0
        if not host or port == 0:
            raise UsageError(f"{self}: not an RTSP address, rtsp://HOST[:PORT]/PATH is expected") from None
        return host, port or RTSP_PORTS[parts.scheme.lower()]

    def __str__(self) -> str:
        """Return the address as it may be printed: without user, password, query and fragment."""
        return redacted_live(self.text) if self.live else self.text

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"


def parse_address(text: str) -> Address:
    """Parse a command-line argument. Of an RTSP address, blanks around it go, and the scheme becomes lower case.

    Raises UsageError for an empty text and for schemes other than rtsp and rtsps.
    """
    if live := re.match(r"\s*(rtsps?://)(.*?)\s*$", text, re.IGNORECASE | re.DOTALL):
        text = live[1].lower() + live[2]  # FFmpeg knows no RTSP://
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", text)
    if not text or "\0" in text:
        raise UsageError("an input and an output are needed: a file, or an rtsp:// address")
    if scheme and scheme[1].lower() not in RTSP_PORTS:
        raise UsageError(f"{scheme[1]}:// addresses are not supported: give a file, or an rtsp:// address")
    address = Address(text)
    if address.live:
        _ = address.endpoint
    return address


def optional_address(text: str | None) -> Address | None:
    """Parse the argument of an option; None where it is not given. Raises UsageError."""
    return None if text is None else parse_address(text)
