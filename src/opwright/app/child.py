"""What a worker process runs: it imports the application, then serves its host."""

from __future__ import annotations

import sys

import msgspec

from opwright.app.target import Target
from opwright.errors import ConfigurationError
from opwright.workers.process import serve
from opwright.workers.runner import Runner


def command(target: Target, slots: int) -> list[str]:
    """The command line of a worker, to which its file descriptor is added."""
    ignore = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"  # Ctrl-C is the host's, also during the imports
    program = f"{ignore}; import sys; from opwright.app.child import main; main(sys.argv[1:])"
    return [sys.executable, "-c", program, msgspec.json.encode(target).decode(), str(slots)]


def main(arguments: list[str]) -> None:
    """Import the application, then serve."""
    target = msgspec.json.decode(arguments[0], type=Target)
    serve(int(arguments[2]), lambda: _prepare(target), slots=int(arguments[1]))


def _prepare(target: Target) -> Runner:
    sys.path[:] = list(dict.fromkeys((*target.path, *sys.path)))
    application = target.load()
    registry = getattr(application, "registry", None)
    if registry is None:
        raise ConfigurationError(f"{target.variable!r} in {target.module} is {application!r}, not an Opwright application")
    registry.preparations.add(application.reading.entered, first=True)  # what the others compute already is read for
    registry.prepare()
    return registry  # type: ignore[no-any-return]
