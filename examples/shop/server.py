"""Serve the shop on a socket that is open already: `python -m examples.shop.server DESCRIPTOR`."""

from __future__ import annotations

import sys
from contextlib import suppress
from types import FrameType

import uvicorn

from examples.shop.web import app, leaving


class Server(uvicorn.Server):
    """Uvicorn, which waits for every answer before it ends: pages that listen must be let go of first."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        leaving.set()
        super().handle_exit(sig, frame)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):  # which it raises again when it has ended
        Server(uvicorn.Config(app, fd=int(sys.argv[1]), log_level="warning", timeout_graceful_shutdown=10)).run()
