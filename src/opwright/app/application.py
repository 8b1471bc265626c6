"""Opwright: the application object that holds triggers, submits, and builds hosts."""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from typing import Any, ParamSpec, Protocol, Self, TypedDict, TypeVar, Unpack, cast, overload

from opwright.app.host import Host
from opwright.app.target import Target, locate
from opwright.clock import Clock, SystemClock
from opwright.errors import ConfigurationError, InvalidOperation
from opwright.model.options import Backoff, Options
from opwright.operations.call import Call
from opwright.operations.client import Client
from opwright.operations.handle import Handle
from opwright.operations.registry import Registry
from opwright.operations.request import Request
from opwright.operations.trigger import Trigger, budgets
from opwright.settings import Overrides, resolve

P = ParamSpec("P")
R = TypeVar("R")


class _Decorator(Protocol):
    """``@ops.operation(…)``: the result of an async function is what it returns once awaited."""

    @overload
    def __call__(self, function: Callable[P, Awaitable[R]]) -> Trigger[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R]) -> Trigger[P, R]: ...


class TriggerOptions(TypedDict, total=False):
    """What ``@ops.operation`` takes.

    ``name``: what rows call it, by default the function's own. ``queue`` and ``priority``: where its operations go unless a
    submit says otherwise. ``retries``: how many errors may be followed by another attempt (0). ``recoveries``: how many deaths
    of its worker or host may (3). ``timeout``: seconds an attempt may take (no limit). ``backoff``: the pause before a retry, a
    Backoff or a constant number of seconds (15 s, doubling to an hour).
    """

    name: str
    queue: str
    priority: int
    retries: int
    recoveries: int
    timeout: float | None
    backoff: Backoff | float


class Opwright:
    """An application and the database in which its operations live.

    ``url``: ``sqlite:///file.db`` or ``postgresql://user@host/database``; without one, the variable ``OPWRIGHT_URL``. ``schema``:
    of the tables (a prefix on SQLite). Make it at the top level of a module, so that worker processes can import it.
    Raises ConfigurationError for an address that cannot work.
    """

    def __init__(self, url: str | None = None, *, schema: str = "opwright", clock: Clock | None = None) -> None:
        url = url or os.environ.get("OPWRIGHT_URL")
        if not url:
            raise ConfigurationError("no database: write Opwright('sqlite:///file.db') or set OPWRIGHT_URL")
        self.clock = clock or SystemClock()
        self.client = Client(url, self.clock, schema)
        self.registry = Registry()
        self._home: str = sys._getframe(1).f_globals.get("__name__", "__main__")  # noqa: SLF001 - who made us is whom workers import
        self._target: Target | None = None

    def __repr__(self) -> str:
        return f"<Opwright {len(self.registry.names())} triggers>"

    async def __aenter__(self) -> Self:
        await self.client.retain()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.client.release()

    @overload
    def operation(self, function: Callable[P, Awaitable[R]], /) -> Trigger[P, R]: ...
    @overload
    def operation(self, function: Callable[P, R], /) -> Trigger[P, R]: ...
    @overload
    def operation(
        self,
        *,
        name: str = ...,
        queue: str = ...,
        priority: int = ...,
        retries: int = ...,
        recoveries: int = ...,
        timeout: float | None = ...,
        backoff: Backoff | float = ...,
    ) -> _Decorator: ...
    def operation(self, function: Any = None, /, **options: Any) -> Any:  # type: ignore[misc] # mypy wants each keyword spelt twice
        """Register a function, synchronous or not, as a trigger; the options are those of TriggerOptions.

        Raises ConfigurationError when the name is taken, InvalidOperation when an option does not fit.
        """
        unknown = options.keys() - TriggerOptions.__annotations__.keys()
        if unknown:
            raise TypeError(f"operation() takes no option {', '.join(sorted(unknown))}")
        given = cast("TriggerOptions", options)
        return self._register(function, given) if function is not None else lambda found: self._register(found, given)

    def _register(self, function: Callable[..., Any], options: TriggerOptions) -> Trigger[..., Any]:
        budget = budgets(
            Options(),
            retries=options.get("retries"),
            recoveries=options.get("recoveries"),
            timeout=options.get("timeout"),
            backoff=options.get("backoff"),
        )
        request = Request(queue=options.get("queue", "default"), priority=options.get("priority", 0))
        name = options.get("name") or function.__name__
        trigger: Trigger[..., Any] = Trigger(function, self.client, name, budget, request)
        self.registry.add(trigger)
        return trigger

    def submit(self, trigger: str, /, **inputs: Any) -> Call[Handle[Any]]:
        """Submit by the name of a trigger. Raises UnknownTrigger, InvalidOperation."""
        return self.registry.get(trigger).submit(**inputs)

    def handle(self, operation: int | str) -> Handle[Any]:
        """The handle of an operation by its id, a number or its text. Raises InvalidOperation for what is no id."""
        text = str(operation)
        if not text.isdecimal() or int(text) >= 1 << 63:
            raise InvalidOperation(f"operation: {operation!r} is no id", field="operation")
        return Handle(self.client, int(text))

    def host(self, **settings: Unpack[Overrides]) -> Host:
        """A host of this application, to be entered (``async with``) or run. Raises ConfigurationError."""
        return Host(self.client, self.registry, resolve(settings), self.clock, self.target)

    def target(self) -> Target:
        """Where worker processes import this application from. Raises ConfigurationError when they cannot."""
        return self._target or locate(self, self._home)

    def found_at(self, target: Target) -> None:
        """Remember from where this application was imported, for ``opwright run``."""
        self._target = target
