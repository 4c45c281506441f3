"""Settings of the HTTP service: what it takes, how much of it at once, and what a request may choose."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from blurscene_stream.config.validation import NOT_EMPTY, Constraint, between, validate, within
from blurscene_stream.errors import ConfigError

_HOSTS = Constraint(
    'a list of host names, such as "localhost"',
    lambda host: re.fullmatch(r"[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]", host) is not None,
    per_item=True,
)


@dataclass(frozen=True)
class ServerConfig:
    """The HTTP service."""

    max_body_bytes: Annotated[int, "maximum size of a picture, as a file", between(1, 1 << 31)] = 100_000_000
    max_pixels: Annotated[int, "maximum width times height of a picture", between(1, 200_000_000)] = 100_000_000
    max_pixels_at_once: Annotated[
        int, "maximum width times height of all pictures that are worked on; others wait", between(1, 1 << 40)
    ] = 200_000_000
    max_detections_bytes: Annotated[int, "maximum size of a detections file", between(1, 1 << 30)] = 16_000_000
    max_video_bytes: Annotated[int, "maximum size of a video, as a file", between(1, 1 << 40)] = 2_000_000_000
    max_video_s: Annotated[float, "maximum duration of a video, in seconds", within("(0, 86400]")] = 600.0
    max_video_pixels: Annotated[int, "maximum width times height of a video's pictures", between(1, 200_000_000)] = (
        16_000_000
    )
    max_jobs: Annotated[int, "maximum number of videos that are here, in all workers", between(1, 10_000)] = 16
    max_spool_bytes: Annotated[int, "maximum size of all files of jobs together", between(1, 1 << 50)] = 10_000_000_000
    queue_size: Annotated[
        int, "maximum number of pictures that are worked on or wait; one more is answered with 503", between(1, 4096)
    ] = 64
    min_transfer_bytes_per_s: Annotated[
        int, "bytes a second that a client must send or take, else it is cut off; 0: none is", between(0, 1 << 30)
    ] = 1000
    transfer_window_s: Annotated[
        float, "seconds of waiting for a client over which that rate is measured", within("(0, 3600]")
    ] = 30.0
    batch_wait_ms: Annotated[
        float, "milliseconds that a picture waits for others to be detected in with it", within("[0, 1000]")
    ] = 2.0
    min_threshold: Annotated[
        float, "lowest ?thresh= of a request, if the classes have no lower threshold", within("[0, 1)")
    ] = 0.1
    max_threshold: Annotated[float, "highest ?thresh= of a request", within("[0, 1)")] = 0.9
    min_mask_scale: Annotated[float, "lowest ?mask_scale= of a request", within("[1, 11]")] = 1.0
    max_mask_scale: Annotated[float, "highest ?mask_scale= of a request", within("[1, 11]")] = 4.0
    job_lifetime_s: Annotated[
        float,
        "seconds that a video may take, and after which it is deleted if nobody fetches it",
        within("(0, 604800]"),
    ] = 3600.0
    spool_folder: Annotated[
        str | None, "folder for the videos of jobs; null: a new one in the system's folder for such files", NOT_EMPTY
    ] = None
    allowed_hosts: Annotated[
        Sequence[str], "host names that a request may be sent to, without port; []: any", _HOSTS
    ] = ()

    def __post_init__(self) -> None:
        validate(self, "server.")
        for name in ("threshold", "mask_scale"):
            low, high = getattr(self, f"min_{name}"), getattr(self, f"max_{name}")
            if low > high:
                raise ConfigError(f"server.min_{name} must not be above server.max_{name}, {high:g}, got {low:g}")
        if self.max_pixels > self.max_pixels_at_once:
            limit = f"server.max_pixels_at_once, {self.max_pixels_at_once}"
            raise ConfigError(f"server.max_pixels must not be above {limit}, got {self.max_pixels}")
