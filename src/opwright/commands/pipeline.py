"""The way of a command: through its filters in the order of their priorities, to its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from opwright.commands.completion import Completion
from opwright.commands.priorities import HANDLER
from opwright.commands.signature import filtered_type, place
from opwright.errors import ConfigurationError

if TYPE_CHECKING:
    from opwright.commands.command import Command
    from opwright.commands.context import CommandContext

CallNext = Callable[[], Awaitable[Any]]
"""Runs the rest of the chain and gives its result. A filter may call it again: the rest is run again from there."""
FilterFunction = Callable[[Any, "CommandContext", CallNext], Awaitable[Any]]


class Step(NamedTuple):
    """What stands in a pipeline, for people to read."""

    priority: float
    name: str


@dataclass(frozen=True)
class Filter:
    """A function around the rest of the chain, for all commands of a type. What it returns is the result.

    Completions pass by all that do not name their type. ``everywhere``: it is shown in their pipeline all the same. ``is_ours``:
    none of an application.
    """

    name: str
    priority: float
    kind: Any
    function: FilterFunction
    everywhere: bool = False
    is_ours: bool = False

    def applies_to(self, command: type) -> bool:
        """Whether it stands in the pipeline of commands of this type."""
        return issubclass(command, self.kind) and (self.everywhere or self.acts_on(command))

    def acts_on(self, command: type) -> bool:
        """Whether such a command passes through it."""
        return command is not Completion or Completion in _members(self.kind)


def own_filter(function: FilterFunction, priority: Any) -> Filter:
    """A filter of an application. Raises ConfigurationError when its signature or its priority does not fit."""
    if not isinstance(priority, int | float) or isinstance(priority, bool) or not priority > HANDLER:
        raise ConfigurationError(f"{place(function)}: priority: {priority!r} is not a number above {HANDLER}, the handler's")
    return Filter(place(function), priority, filtered_type(function), function)


def in_order(filters: Iterable[Filter]) -> tuple[Filter, ...]:
    """Higher priorities first; of equal ones the more general first, so that it is around the other; then as registered."""
    found = list(filters)
    return tuple(sorted(found, key=lambda one: (-one.priority, _wider(one, found))))


def _wider(one: Filter, others: Sequence[Filter]) -> int:
    """How many types among the filters are more general than that of this one."""
    return len({other.kind for other in others if other.kind != one.kind and _covers(other.kind, one.kind)})


def _covers(general: Any, special: Any) -> bool:
    return all(issubclass(member, general) for member in _members(special))


def _members(kind: Any) -> tuple[type, ...]:
    """The classes of a union, or the one class itself."""
    members: tuple[type, ...] = getattr(kind, "__args__", (kind,))
    return members


class Pipeline:
    """The chain for one handler. The position in it is held by each ``call_next``, so the rest can be run again."""

    def __init__(self, filters: Iterable[Filter], handler: Command[Any, Any]) -> None:
        self.filters = in_order(filters)
        self.handler = handler
        self.is_ours = all(one.is_ours for one in self.filters)
        self._called = tuple(one for one in self.filters if one.acts_on(handler.kind))

    def steps(self) -> list[Step]:
        """Every filter and the handler, in their order."""
        return [*(Step(one.priority, one.name) for one in self.filters), Step(HANDLER, self.handler.name)]

    async def run(self, context: CommandContext) -> Any:
        """Carry the command of this context out. Raises what comes of it."""
        return await self._from(context, 0)

    async def _from(self, context: CommandContext, position: int) -> Any:
        context.result, context.error = None, None  # an earlier run of the rest may have left its own
        try:
            if position == len(self._called):
                context.result = await self.handler.handle(context)
            else:
                call_next = partial(self._from, context, position + 1)
                context.result = await self._called[position].function(context.command, context, call_next)
        except Exception as error:
            context.error = error
            raise
        context.error = None
        return context.result
