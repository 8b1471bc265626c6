"""Telemetry of another process: it appends its events to a file, one JSON text per line."""

import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from opwright.telemetry import listen

FILE = "OPWRIGHT_TEST_EVENTS"


class Event(NamedTuple):
    """One event and its fields."""

    name: str
    fields: dict[str, Any]


def write_events() -> None:
    """Write every event of this process into the file that the environment names, if it names one."""
    file = os.environ.get(FILE)
    if file is None:
        return

    def write(name: str, fields: dict[str, Any]) -> None:
        with Path(file).open("a") as lines:
            lines.write(json.dumps([name, fields], default=str) + "\n")

    listen(write)


def read_events(file: Path) -> list[Event]:
    """What was written so far; a line that is being written is left for the next look."""
    if not file.exists():
        return []
    text, _, _ = file.read_text().rpartition("\n")
    return [Event(*json.loads(line)) for line in text.splitlines()]
