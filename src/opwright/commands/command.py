"""A command as it is registered: a name, the type of its values, the function that handles them, and what they invalidate."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Generic, NoReturn, TypeVar, cast

from opwright.commands.context import CommandContext
from opwright.commands.scope import OperationScope, scope_of
from opwright.commands.signature import command_type, place, takes_entry, wanted
from opwright.errors import ConfigurationError, InvalidOperation
from opwright.model.log_entry import LogEntry
from opwright.operations.payload import Typed, hints_of
from opwright.operations.request import checked_name
from opwright.operations.trigger import Trigger

if TYPE_CHECKING:
    from opwright.operations.call import Call
    from opwright.operations.handle import Handle

C = TypeVar("C")
R = TypeVar("R")
Invalidation = Callable[[C], Any] | Callable[[C, LogEntry], Any]
Invalidating = TypeVar("Invalidating", bound=Callable[..., Any])

RETRIES = 3
MOST_RETRIES = 1_000
_OFFERED = {OperationScope: "scope", CommandContext: "context"}


class Command(Generic[C, R]):
    """What ``@ops.command`` makes of a handler.

    It is no function: a call of the handler alone would leave out its pipeline. ``function`` is the handler itself, for a test
    of nothing else. ``durable=False``: its effects need no database, so a transient scope will do. ``retries``: how often it may
    be run again because its transaction failed for a reason that passes.
    """

    def __init__(
        self, function: Callable[..., Awaitable[R]], name: str | None = None, *, durable: bool = True, retries: int = RETRIES
    ) -> None:
        self.function = function
        self.name = checked_name("name", name or function.__name__)
        self.kind = cast("type[C]", command_type(function))
        self.durable = durable
        self.retries = _checked(retries)
        self.trigger: Trigger[[C], R] | None = None
        self._wanted = wanted(function, _OFFERED)
        self._invalidation: Callable[..., Any] | None = None
        self._takes_entry = False

    def __repr__(self) -> str:
        return f"<command {self.name} ({self.kind.__qualname__}) of {place(self.function)}>"

    if not TYPE_CHECKING:  # type checkers find it out

        def __call__(self, *_: object, **__: object) -> NoReturn:
            """Raises InvalidOperation."""
            raise InvalidOperation(
                f"{self.name} is a command: `await ops.call({self.kind.__qualname__}(…))` calls it with its pipeline, "
                f"`{self.name}.function(…)` the handler alone"
            )

    # -------------------------------------------------------------------------------------- its invalidation

    def invalidates(self, function: Invalidating) -> Invalidating:
        """Register what a success of this command invalidates: ``(order)`` or ``(order, entry)``, synchronous or not.

        It is called on every host that caches, after the commit, with the command and the items as they travel, and may be called
        more than once. It must change nothing but caches. Raises ConfigurationError when there is one already.
        """
        if self._invalidation is not None:
            known = place(self._invalidation)
            raise ConfigurationError(f"{self.name} has what it invalidates already: {known}; {place(function)} is one too many")
        self._takes_entry = takes_entry(function)
        self._invalidation = function
        return function

    @property
    def has_invalidation(self) -> bool:
        """Whether its success invalidates anything."""
        return self._invalidation is not None

    async def invalidate_for(self, entry: LogEntry) -> None:
        """Invalidate what this entry of it says. Raises whatever the function does, ValueError when the entry does not fit."""
        if self._invalidation is None:
            return
        command = self.decode(entry.inputs)
        answer = self._invalidation(command, entry) if self._takes_entry else self._invalidation(command)
        if inspect.isawaitable(answer):
            await answer

    # ------------------------------------------------------------------------------------------- its handler

    @property
    def asks_for_scope(self) -> bool:
        """Whether it runs in an operation scope: its handler takes one, or there is something to invalidate afterwards."""
        return "scope" in self._wanted.values() or self.has_invalidation

    async def handle(self, context: CommandContext) -> R:
        """Run the handler, with what it asks for."""
        scope = scope_of(context) if self.asks_for_scope else None
        given = {"scope": scope, "context": context}
        ending = context.operation.ending
        ending.has_begun = False  # from here the application may cancel what it calls
        result = await self.function(context.command, **{name: given[word] for name, word in self._wanted.items()})
        ending.has_begun = context.is_outermost
        return result

    # ---------------------------------------------------------------------------------------- how it travels

    @functools.cached_property
    def _typed(self) -> Typed:
        return Typed(self.name, self.kind)

    def encode(self, command: object) -> str:
        """A value of its type as JSON text. Raises InvalidOperation."""
        return self._typed.encode(command)

    def decode(self, inputs: str) -> C:
        """The stored text as a value of its type. Raises ValueError when it no longer fits."""
        return cast("C", self._typed.decode(inputs))

    # ----------------------------------------------------------------------------------------- as an operation

    def submit(self, command: C) -> Call[Handle[R]]:
        """Make an operation of it, which a worker calls later: ``await`` it, or ``.now()`` from synchronous code.

        Raises what the submit of a trigger does.
        """
        return self.as_trigger().submit(command)

    def options(self, **options: Any) -> Trigger[[C], R]:
        """Its trigger with other options for what is submitted through it; they are those of ``Trigger.options``."""
        return self.as_trigger().options(**options)

    def as_trigger(self) -> Trigger[[C], R]:
        """Its trigger. Raises ConfigurationError for the end of an operation, which has none."""
        if self.trigger is None:
            raise ConfigurationError(f"{self.name} is no trigger: nobody submits it")
        return self.trigger

    def triggered(self, call: Callable[[C], Awaitable[R]]) -> Callable[[C], Awaitable[R]]:
        """The function of its trigger: it calls the command, and its input bears the name that the handler gives it."""

        async def function(*args: C, **named: C) -> R:
            return await call(*args, *named.values())

        hints = hints_of(place(self.function), self.function)
        first, *_ = inspect.signature(self.function).parameters.values()
        functools.update_wrapper(function, self.function)
        function.__signature__ = inspect.Signature([first])  # type: ignore[attr-defined]
        function.__annotations__ = {name: hints[name] for name in (first.name, "return") if name in hints}
        del function.__wrapped__  # type: ignore[attr-defined] # the handler's other parameters are no inputs
        return function


def _checked(retries: object) -> int:
    if type(retries) is not int or not 0 <= retries <= MOST_RETRIES:
        raise InvalidOperation(f"retries: {retries!r} is not a whole number from 0 to {MOST_RETRIES:,}", field="retries")
    return retries
