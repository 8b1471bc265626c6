"""``manage.py opwright …``: the command line, for this project's application."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from django.core.management.base import BaseCommand

from opwright.cli import main
from opwright.integrations.django.application import HOME


class Command(BaseCommand):
    """Hands everything on to the command line, as it stands."""

    help = (
        "The command line of Opwright for this project: run, submit, operations, check and the rest. "
        "`manage.py opwright COMMAND --help` tells more; TARGET is this project, and is not to be given."
    )
    requires_system_checks: tuple[str, ...] = ()

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("words", nargs=argparse.REMAINDER, metavar="COMMAND …", help="a command with its own arguments")

    def handle(self, *, words: list[str], **_: Any) -> None:
        """Run it; a code other than 0 ends the process with it."""
        if code := main(_own(words), program="manage.py opwright", target=HOME):
            sys.exit(code)


def _own(words: list[str]) -> list[str]:
    """The words without the options that every command of Django takes, which have had their effect already."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--settings")
    parser.add_argument("--pythonpath")
    return parser.parse_known_args(words)[1]
