"""Commands that any number of handlers may follow."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from opwright.commands.command import Command
from opwright.commands.events import as_event
from opwright.operations import operation
from opwright.operations.trigger import Trigger


class BroadcastCommand:
    """A base for types of which it is known that they may have no handler at all; one handler makes any type a broadcast."""

    __slots__ = ()


class Broadcast:
    """The handlers of a type, and the trigger by which a command of it reaches each of them as an event of its own."""

    def __init__(self, kind: type) -> None:
        self.kind = kind
        self.handlers: list[Command[Any, Any]] = []
        self.trigger: Trigger[Any, Any] | None = None

    def triggered(self) -> Callable[..., Awaitable[None]]:
        """The function of that trigger, under the name of the type. ``retries``: of each of the events."""

        async def function(command: Any, retries: int | None = None) -> None:
            async with operation.transaction():  # all of them and the end of this one, or nothing
                for handler in self.handlers:
                    await as_event(handler.as_trigger(), retries).submit(command)

        function.__module__, function.__qualname__ = self.kind.__module__, self.kind.__qualname__
        function.__name__ = self.kind.__name__
        function.__doc__ = f"Hands a {self.kind.__name__} to everybody who handles it."
        function.__annotations__ = {"command": self.kind, "retries": int | None, "return": None}
        return function
