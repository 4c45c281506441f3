"""The settings table of docs/settings.md, made from the schema.

settings_table.py                   print it
settings_table.py --write docs/settings.md put it between the markers
settings_table.py --check docs/settings.md exit 1 when what is between the markers is out of date
"""

from __future__ import annotations

import argparse
import json
import sys
from enum import Enum
from pathlib import Path

from blurscene_stream.config.keys import LEAVES
from blurscene_stream.config.serialization import scalar

BEGIN, END = "<!-- settings -->", "<!-- /settings -->"


def table() -> str:
    """The settings in Markdown: a line for each, in the schema's order."""
    lines = ["| Setting | Default | Allowed | Description |", "|---|---|---|---|"]
    for key, leaf in LEAVES.items():
        cells = (f"`{key}`", f"`{_written(leaf.default)}`", leaf.setting.allowed, leaf.setting.description)
        lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines)


def updated(text: str) -> str:
    """The page's text with the table between its markers.

    Raises ValueError when it has no markers.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN} ... {END} in it")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _written(value: object) -> str:
    if isinstance(value, dict):
        return scalar(value)
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    if isinstance(value, Enum):
        return value.name
    return json.dumps(value) if value is None or isinstance(value, bool) else str(value)


def main() -> int:
    """Print, write or check the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    mode = parser.add_mutually_exclusive_group()
    mode.add_argument("--write", type=Path, metavar="PAGE")
    mode.add_argument("--check", type=Path, metavar="PAGE")
    arguments = parser.parse_args()
    if (readme := arguments.write or arguments.check) is None:
        print(table())
        return 0
    old = readme.read_text(encoding="utf-8")
    new = updated(old)
    if arguments.write:
        readme.write_text(new, encoding="utf-8")
    elif new != old:
        print(f"{readme}: the settings table is out of date; run scripts/settings_table.py --write {readme}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
