"""The command line: it formats what ``admin`` and ``app`` do."""

from opwright.cli.commands import main

__all__ = ["main"]
