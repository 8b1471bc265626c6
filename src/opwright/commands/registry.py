"""The commands, handlers and filters of an application."""

from __future__ import annotations

from typing import Any

from opwright.commands.broadcast import BroadcastCommand
from opwright.commands.command import Command
from opwright.commands.completion import Completion
from opwright.commands.pipeline import Filter, Pipeline
from opwright.commands.signature import place
from opwright.errors import ConfigurationError, UnknownCommand
from opwright.operations.trigger import Trigger

_NONE = {
    type: "a class is none, a value of it is",
    Command: "a handler is none: call a value of the type that it handles",
    Trigger: "a trigger is none: submit it",
}


class CommandRegistry:
    """Who handles what. A command travels under the name of its handler."""

    def __init__(self) -> None:
        self._by_name: dict[str, Command[Any, Any]] = {}
        self._final: dict[type, Command[Any, Any]] = {}
        self._broadcast: dict[type, list[Command[Any, Any]]] = {}
        self._filters: list[Filter] = []
        self._pipelines: dict[type, list[Pipeline]] = {}

    @property
    def invalidates(self) -> bool:
        """Whether the success of any command invalidates anything."""
        return any(command.has_invalidation for command in self._by_name.values())

    def find(self, name: str) -> Command[Any, Any] | None:
        """The command of that name, if there is one."""
        return self._by_name.get(name)

    def add(self, command: Command[Any, Any]) -> None:
        """Register the one final handler of a type. Raises ConfigurationError when there is one, or its name is taken."""
        kind, known = command.kind, self._final.get(command.kind)
        if known is not None:
            raise _clash(f"{kind.__qualname__} would have two handlers, and a command has one", known, command)
        if self.is_broadcast(kind):
            raise ConfigurationError(f"{kind.__qualname__} is broadcast: {place(command.function)} must be a broadcast_handler")
        self._name(command)
        self._final[kind] = command

    def add_broadcast(self, command: Command[Any, Any]) -> None:
        """Register one of the handlers of a type. Raises ConfigurationError when it has a final one, or the name is taken."""
        known = self._final.get(command.kind)
        if known is not None:
            raise _clash(f"{command.kind.__qualname__} is no broadcast: it has a final handler", known, command)
        self._name(command)
        self._broadcast.setdefault(command.kind, []).append(command)

    def add_filter(self, one: Filter) -> None:
        """Register a filter."""
        self._filters.append(one)
        self._pipelines.clear()

    def is_broadcast(self, kind: type) -> bool:
        """Whether commands of this type go to any number of handlers."""
        return kind in self._broadcast or issubclass(kind, BroadcastCommand)

    def chain(self, handler: Command[Any, Any]) -> Pipeline:
        """The chain of one handler."""
        return next(one for one in self.pipelines(handler.kind) if one.handler is handler)

    def pipeline(self, kind: type) -> Pipeline:
        """The chain of a type with a final handler. Raises UnknownCommand, which says what there is."""
        return self.pipelines(kind)[0] if kind in self._final else self._nobody(kind)

    def pipelines(self, kind: type) -> list[Pipeline]:
        """A chain for each handler of this type."""
        found = self._pipelines.get(kind)
        if found is None:
            filters = [one for one in self._filters if one.applies_to(kind)]
            handlers = [self._final[kind]] if kind in self._final else self._broadcast.get(kind, [])
            found = self._pipelines[kind] = [Pipeline(filters, handler) for handler in handlers]
        return found

    def _name(self, command: Command[Any, Any]) -> None:
        known = self._by_name.get(command.name)
        if known is not None:
            raise _clash(f"two handlers want the name {command.name!r}; give one a name=", known, command)
        self._by_name[command.name] = command
        self._pipelines.clear()

    def _nobody(self, kind: type) -> Pipeline:
        names = ", ".join(sorted(one.__qualname__ for one in self._final if one is not Completion)) or "none"
        for no_command, hint in _NONE.items():
            if issubclass(kind, no_command):
                raise UnknownCommand(f"command: {hint}; types with a handler: {names}", field="command")
        base = next((one for one in kind.__mro__[1:] if one in self._final), None)
        hint = "" if base is None else f" (that of {base.__qualname__} handles exactly that type)"
        raise UnknownCommand(f"command: {kind.__qualname__} has no handler{hint}; types that have one: {names}", field="command")


def _clash(problem: str, first: Command[Any, Any], second: Command[Any, Any]) -> ConfigurationError:
    return ConfigurationError(f"{problem}: {place(first.function)} and {place(second.function)}")
