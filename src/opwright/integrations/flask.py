"""Flask: the command line of Opwright as ``flask opwright …``, pointed at the application's own operations."""

from __future__ import annotations

import copy
import sys
from typing import Any

import click
from flask import Flask

from opwright.app.application import Opwright
from opwright.cli.commands import commands
from opwright.cli.exits import explain

NAME = "opwright"


class OpwrightFlask:
    """``OpwrightFlask(ops, app)``, or ``OpwrightFlask(ops)`` and ``init_app(app)`` where a factory makes the application.

    A request needs nothing of it: submitting is ``.now()``, or with ``on=`` your session. It opens and closes nothing.
    """

    def __init__(self, ops: Opwright, app: Flask | None = None) -> None:
        self.ops = ops
        if app is not None:
            self.init_app(app)

    def init_app(self, app: Flask) -> None:
        """Add ``flask opwright …``, and this object as ``app.extensions["opwright"]``."""
        app.extensions[NAME] = self
        app.cli.add_command(_Commands(self.ops))


class _Commands(click.Group):
    """Opwright's commands without the arguments that say where the application is. Where it is, is asked when one is run."""

    def __init__(self, ops: Opwright) -> None:
        super().__init__(NAME, help="Durable operations kept in the application's own database.")
        self._ops = ops

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(commands.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        found = commands.commands.get(cmd_name)
        return None if found is None else _pointed(found, self._ops)


def _pointed(command: click.Command, ops: Opwright) -> click.Command:
    """A copy of a command that already knows its application."""
    pointed, function = copy.copy(command), command.callback
    if isinstance(pointed, click.Group):
        pointed.commands = {name: _pointed(one, ops) for name, one in pointed.commands.items()}
    if function is None or isinstance(pointed, click.Group):
        return pointed
    places = [parameter for parameter in command.params if parameter.name in {"target", "url"}]
    pointed.params = [parameter for parameter in command.params if parameter not in places]
    pointed.epilog = None  # its samples name an application

    def call(**given: Any) -> None:
        try:
            code = function(**given, **{str(place.name): _place(place, ops) for place in places})
        except Exception as error:  # noqa: BLE001 - told as our own command line tells it; a defect is raised again
            code = explain(error)
        sys.exit(code or 0)

    pointed.callback = call
    return pointed


def _place(parameter: click.Parameter, ops: Opwright) -> object:
    """What would have been given for it: TARGET, which a command may take among other words, and no --url."""
    if parameter.name == "url":
        return None
    target = ops.target()
    text = f"{target.file or target.module}:{target.variable}"
    return text if parameter.nargs == 1 else (text,)
