"""Where a video comes from or goes to: a file, a pipe, or an RTSP address whose secrets are never printed."""

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from blurscene_stream.errors import UsageError

RTSP_PORTS = {"rtsp": 554, "rtsps": 322}  # RFC 2326, RFC 7826


@dataclass(frozen=True, slots=True, repr=False)
class Address:
    """A file, a pipe or an RTSP server.

    text: as given; may hold a password, so it is for the library that connects and for nobody else
    """

    text: str

    @property
    def live(self) -> bool:
        """True for a camera or a server, False for a file."""
        return self.text.lower().startswith(("rtsp://", "rtsps://"))

    @property
    def piped(self) -> bool:
        """True for `-`: standard input, or standard output. A named pipe is a file; so is ./-."""
        return self.text == "-"

    @property
    def path(self) -> Path:
        """The file. Only for addresses that are neither live nor piped."""
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
        """The address as it may be printed: user, password, query and fragment are left out."""
        if not self.live:
            return self.text
        scheme, _, rest = self.text.partition("://")
        # the last @ before the path ends the user part: a password may hold an @ or a # of its own
        place = re.split(r"[?#]", rest.rpartition("@")[2])[0]
        return f"{scheme.lower()}://{place}"

    def __repr__(self) -> str:
        return f"Address({str(self)!r})"


def parse_address(text: str) -> Address:
    """Read a command-line argument.

    Raises UsageError for an empty text and for schemes other than rtsp and rtsps.
    """
    scheme = re.match(r"([A-Za-z][A-Za-z0-9+.-]+)://", text)
    if not text or "\0" in text:
        raise UsageError("an input and an output are needed: a file, or an rtsp:// address")
    if scheme and scheme[1].lower() not in RTSP_PORTS:
        raise UsageError(f"{scheme[1]}:// addresses are not supported: give a file, or an rtsp:// address")
    address = Address(text)
    if address.live:
        _ = address.endpoint
    return address
