"""Run schemathesis against the service: what the OpenAPI document says, and what it does not.

python -m scripts.check_api [--examples 30]

The service runs in this process, on a free port of the loopback, with a detector that finds what is bright. Every
second request that is meant to be valid gets a real picture, its detections, a real video or a job that is done:
schemathesis makes up none of them. Ends with 1 when it finds something, or an operation never had an answer of 2xx.
Needs schemathesis (pip install schemathesis).
"""

from __future__ import annotations

import argparse
import itertools
import logging
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import schemathesis
from flask.testing import FlaskClient
from hypothesis import strategies as st
from schemathesis.cli import schemathesis as command
from schemathesis.generation import GenerationMode
from werkzeug.serving import make_server

from blurscene_stream.config.schema import Settings
from blurscene_stream.server import create_app
from tests.detectors import SquareDetector
from tests.pictures import file_of, samples_of
from tests.videos import VideoSpec, make_video

CHECKED = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
CHECKED += "negative_data_rejection,unsupported_method,ignored_auth"
FORM = "multipart/form-data"
PICTURES = {f"image/{form}": file_of(samples_of(3), form) for form in ("jpeg", "png", "webp", "bmp", "tiff")}
MAX_JOBS = 10_000  # each run leaves some
PATIENCE_S = 30


class RealThings:
    """What makes a request valid, made by the service itself where it has to be."""

    def __init__(self, client: FlaskClient) -> None:
        self._client = client
        with tempfile.TemporaryDirectory() as folder:
            self.video = make_video(Path(folder) / "clip.mp4", VideoSpec(2, 96, 64)).read_bytes()
        self._pictures: Iterator[str] = itertools.cycle(PICTURES)

    def body(self, path: str, media_type: str) -> Any:
        """A body for an operation."""
        if media_type != FORM:
            return self.video if media_type.startswith("video") else PICTURES[media_type]
        if path == "/jobs":
            return {"video": self.video}
        kind = next(self._pictures)
        parts = {"image": PICTURES[kind]}
        return parts | {"detections": self._detections(kind)} if path == "/render" else parts

    def job(self) -> str:
        """The id of a job that is done."""
        made = self._client.post("/jobs", data=self.video, content_type="video/mp4").get_json()
        end_s = time.monotonic() + PATIENCE_S
        while self._client.get(made["links"]["self"]).get_json()["state"] != "done":
            assert time.monotonic() < end_s, "a job does not end"
            time.sleep(0.01)
        return str(made["id"])

    def _detections(self, kind: str) -> bytes:
        accepted = {"Accept": "application/jsonl"}
        return bytes(self._client.post("/detect", data=PICTURES[kind], content_type=kind, headers=accepted).data)


class Answers:
    """The answers that each operation had, by status."""

    def __init__(self) -> None:
        self.counts: defaultdict[str, Counter[int]] = defaultdict(Counter)

    def add_to_hooks(self, real: RealThings) -> None:
        """Have schemathesis send what is real, and count what it gets."""
        for kind in (*PICTURES, "video/*"):
            schemathesis.openapi.media_type(kind, st.binary())
        asked: Counter[str] = Counter()

        def before_call(_context: Any, case: Any, sent: dict[str, Any]) -> None:
            if case.meta is None or case.meta.generation.mode is not GenerationMode.POSITIVE:
                return
            asked[case.operation.label] += 1
            if asked[case.operation.label] % 2:
                return
            if "job_id" in case.path_parameters:
                case.path_parameters["job_id"] = real.job()
            if case.media_type is not None:
                form = case.media_type == FORM  # not as the case's body: one of bytes counts as invalid
                sent["files" if form else "data"] = real.body(case.path, case.media_type)

        def after_call(_context: Any, case: Any, response: Any) -> None:
            if case.operation.label.startswith(case.method):  # methods that are not there are tried too
                self.counts[case.operation.label][response.status_code] += 1

        schemathesis.hook(before_call)
        schemathesis.hook(after_call)

    def report(self, operations: list[str]) -> bool:
        """Print them; return whether each operation had one of 2xx."""
        silent = []
        for operation in operations:
            counts = self.counts[operation]
            good = sum(count for status, count in counts.items() if 200 <= status < 300)
            silent += [] if good else [operation]
            statuses = ", ".join(f"{count} x {status}" for status, count in sorted(counts.items()))
            print(f"{operation}: {good} of {counts.total()} answers are 2xx ({statuses})")
        if silent:
            print(f"never had an answer of 2xx: {', '.join(silent)}")
        return not silent


def main() -> int:
    """Start the service, and run schemathesis."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=30, help="for each operation")
    arguments = parser.parse_args()
    settings = Settings()
    settings = replace(settings, server=replace(settings.server, max_jobs=MAX_JOBS))
    app = create_app(settings, load_detector=SquareDetector().load)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # a line for each request
    server = make_server("127.0.0.1", 0, app, threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    paths = app.test_client().get("/openapi.json").get_json()["paths"]
    operations = [
        f"{method.upper()} {path}" for path, item in paths.items() for method in item if method != "parameters"
    ]
    operations.remove("GET /openapi.json")  # schemathesis itself has read it
    answers = Answers()
    answers.add_to_hooks(RealThings(app.test_client()))
    document = f"http://127.0.0.1:{server.server_port}/openapi.json"
    words = ["run", document, "--checks", CHECKED, "--seed", "1", "--max-examples", str(arguments.examples)]
    try:
        command.main(words, standalone_mode=False)
        code = 0
    except SystemExit as ended:
        code = int(ended.code or 0)
    server.shutdown()
    return int(not answers.report(operations)) or code


if __name__ == "__main__":
    sys.exit(main())
