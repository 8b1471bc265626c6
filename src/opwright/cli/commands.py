"""The commands together, and how each ends."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import click

from opwright.cli.check import check
from opwright.cli.completion import completion
from opwright.cli.exits import EPILOG, explain
from opwright.cli.hosts import hosts, workers
from opwright.cli.migrate import migrate
from opwright.cli.operations import operations
from opwright.cli.queues import ListedGroup, queues
from opwright.cli.run import run
from opwright.cli.settings import settings
from opwright.cli.submit import submit
from opwright.version import VERSION


@click.group(epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(VERSION, prog_name="opwright", message="%(prog)s %(version)s")
def commands() -> None:
    """Durable operations kept in the application's own database.

    TARGET is the application: module:variable or path/file.py:variable; the variable is "ops" when left out. Where a
    command takes --url instead, it needs the database alone; without either it takes OPWRIGHT_URL,
    or url in opwright.toml.
    """


for command in (run, submit, operations, queues, hosts, workers, check, migrate, settings, completion):
    commands.add_command(command)


def main(arguments: Sequence[str] | None = None, *, program: str = "opwright", target: str | None = None) -> int:
    """Run one command; the exit code. Errors are told on stderr in a line or two.

    ``target``: the TARGET of every command, for a program that has one application only.
    """
    try:
        words = sys.argv[1:] if arguments is None else list(arguments)
        code = commands.main(_aimed(words, target) if target else words, prog_name=program, standalone_mode=False)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - a defect is raised again
        return explain(error)
    return int(code or 0)


def _aimed(words: list[str], target: str) -> list[str]:
    """The words of a command with its TARGET put in, which is always the first argument."""
    command: click.Command | None = commands
    for place in range(len(words) + 1):
        if isinstance(command, ListedGroup):
            words[place:] = command.completed(words[place:])
        command = command.commands.get(words[place]) if isinstance(command, click.Group) and words[place:] else None
        if command is not None and any(parameter.name == "target" for parameter in command.params):
            return [*words[: place + 1], target, *words[place + 1 :]]
    return words
