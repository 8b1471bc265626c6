"""What a worker process runs: ``python -m opwright.app.child <target> <fd> <slots>``."""

from __future__ import annotations

import sys

import msgspec

from opwright.app.target import Target
from opwright.errors import ConfigurationError
from opwright.workers.process import serve
from opwright.workers.runner import Runner


def command(target: Target, slots: int) -> list[str]:
    """The command line of a worker, but for its file descriptor, which goes in before the slots."""
    return [sys.executable, "-m", "opwright.app.child", msgspec.json.encode(target).decode(), str(slots)]


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
    registry.prepare()
    return registry  # type: ignore[no-any-return]


if __name__ == "__main__":
    main(sys.argv[1:])
