"""Runs schemathesis against the service: what the OpenAPI document says, and what it does not.

python -m scripts.check_api [--examples 30]

The service runs in this process, on a free port of the loopback, with a detector that finds what is bright.
Needs schemathesis (pip install schemathesis), which ends with 1 when it finds something.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import threading

from werkzeug.serving import make_server

from blurscene_stream.config.schema import Settings
from blurscene_stream.server import create_app
from tests.detectors import SquareDetector

CHECKED = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance,"
CHECKED += "negative_data_rejection,unsupported_method,ignored_auth"


def main() -> int:
    """Start the service, and run schemathesis."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=30, help="for each operation")
    arguments = parser.parse_args()
    server = make_server("127.0.0.1", 0, create_app(Settings(), load_detector=SquareDetector().load), threaded=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    document = f"http://127.0.0.1:{server.server_port}/openapi.json"
    command = [sys.executable, "-m", "schemathesis.cli", "run", document, "--checks", CHECKED, "--seed", "1"]
    ended = subprocess.run([*command, "--max-examples", str(arguments.examples)], check=False)
    server.shutdown()
    return ended.returncode


if __name__ == "__main__":
    sys.exit(main())
