"""Opwright: the application object that holds triggers, submits, and builds hosts."""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import replace
from typing import Any, Concatenate, ParamSpec, Protocol, Self, TypedDict, TypeVar, Unpack, cast, get_type_hints, overload

from opwright.app.database import client_for, watcher_for
from opwright.app.host import Host
from opwright.app.log_reading import LogReading
from opwright.app.target import Target, locate
from opwright.clock import Clock, SystemClock
from opwright.commands.command import RETRIES, Command
from opwright.commands.commander import Commander
from opwright.commands.completion_notifier import Listener
from opwright.commands.context import CommandContext
from opwright.commands.pipeline import FilterFunction, Step, own_filter
from opwright.computed.caches import MAX_ENTRIES, Caches
from opwright.computed.function import ComputedFunction, computed_function
from opwright.computed.invalidation import Invalidation
from opwright.errors import ConfigurationError, InvalidOperation
from opwright.log.reader import LogStatus
from opwright.model.limit import Limit
from opwright.model.log_entry import LogEntry
from opwright.model.options import Backoff, Options
from opwright.model.submitter import hand_back_trigger
from opwright.operations.call import Call
from opwright.operations.handle import Handle
from opwright.operations.queue import Queue
from opwright.operations.registry import Registry
from opwright.operations.request import Request
from opwright.operations.submitter import Submitter, hand_back
from opwright.operations.trigger import AsyncTrigger, PlainTrigger, Trigger, budgets
from opwright.settings import Overrides, look_up, resolve
from opwright.watch.log_watchers import Making
from opwright.workers.runner import Around

P = ParamSpec("P")
R = TypeVar("R")
C = TypeVar("C")
Completing = TypeVar("Completing", bound=Listener)
Filtering = TypeVar("Filtering", bound=FilterFunction)
Preparing = TypeVar("Preparing", bound=Callable[[], Any])
Surrounding = TypeVar("Surrounding", bound=Around)


class _Decorator(Protocol):
    """``@ops.operation(…)``: the result of an async function is what it returns once awaited."""

    @overload
    def __call__(  # type: ignore[overload-overlap] # an async function is also one that returns something: the first holds
        self, function: Callable[P, Awaitable[R]]
    ) -> AsyncTrigger[P, R]: ...
    @overload
    def __call__(self, function: Callable[P, R]) -> PlainTrigger[P, R]: ...


class _Computing(Protocol):
    """``@ops.computed(…)``."""

    def __call__(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> ComputedFunction[P, R]: ...


class SubmitterOptions(TypedDict, total=False):
    """What ``ops.submitter`` takes.

    ``queue`` and ``priority``: where its operations go unless a
    submit says otherwise. ``retries``: how many errors may be followed by another attempt (0). ``recoveries``: how many deaths
    of its worker or host may (3). ``timeout``: seconds an attempt may take (no limit). ``backoff``: the pause before a retry, a
    Backoff or a constant number of seconds (15 s, doubling to an hour). ``capture``: what it prints and logs goes into the log of
    its operation too (no). ``limit``: how many of its operations may run at once, or begin in a period, over all hosts (none).
    """

    queue: str
    priority: int
    retries: int
    recoveries: int
    timeout: float | None
    backoff: Backoff | float
    capture: bool
    limit: Limit | None


class TriggerOptions(SubmitterOptions, total=False):
    """What ``@ops.operation`` takes: also ``name``, what rows call it, by default the function's own name."""

    name: str


class Opwright:
    """An application and the database in which its operations live.

    ``url``: ``sqlite:///file.db`` or ``postgresql://user@host/database``. ``schema``: of the tables (a prefix on SQLite). What is
    left out comes from the environment (``OPWRIGHT_URL``), then from ``opwright.toml``; ``sources`` remembers from where.
    Make it at the top level of a module, so that worker processes can import it. ``max_entries``: how many values of its computed
    functions each event loop keeps. ``event_retries``: how often an event is tried again, unless it says otherwise (5).
    ``log_watcher``: as the setting has it, or what makes one of a function that gives the id of this process, such as
    ``functools.partial(RedisDbLogWatcher, url=…)`` or a subclass of DbLogWatcher.
    Raises ConfigurationError for an address that cannot work.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        schema: str | None = None,
        event_retries: int | None = None,
        clock: Clock | None = None,
        max_entries: int = MAX_ENTRIES,
        log_watcher: str | Making | None = None,
    ) -> None:
        named = log_watcher if isinstance(log_watcher, str) else None
        made = None if isinstance(log_watcher, str) else log_watcher
        arguments = {"url": url or None, "schema": schema, "log_watcher": named, "event_retries": event_retries}
        found = look_up({name: value for name, value in arguments.items() if value is not None})
        self.client = client_for(found, clock or SystemClock())
        self.sources = {name: found.sources[name] for name in arguments}
        self.registry = Registry()
        self._computed = Caches(lambda: self.client.clock, max_entries)
        self.client.find = self.registry.find
        self.commander = Commander(self.client, watcher_for(found, made))
        self.reading = LogReading(self.client, self.commander, self._computed)
        self._home: str = sys._getframe(1).f_globals.get("__name__", "__main__")  # noqa: SLF001 - who made us is whom workers import
        self._target: Target | None = None

    def __repr__(self) -> str:
        return f"<Opwright {len(self.registry.names())} triggers>"

    async def __aenter__(self) -> Self:
        await self.client.retain()
        await self.reading.enter()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.reading.leave()
        await self.client.release()

    @overload
    def operation(  # type: ignore[overload-overlap] # the same
        self, function: Callable[P, Awaitable[R]], /
    ) -> AsyncTrigger[P, R]: ...
    @overload
    def operation(self, function: Callable[P, R], /) -> PlainTrigger[P, R]: ...
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
        capture: bool = ...,
        limit: Limit | None = ...,
    ) -> _Decorator: ...
    def operation(self, function: Any = None, /, **options: Any) -> Any:  # type: ignore[misc] # mypy wants each keyword spelt twice
        """Register a function, synchronous or not, as a trigger; the options are those of TriggerOptions.

        Raises ConfigurationError when the name is taken, InvalidOperation when an option does not fit.
        """
        unknown = options.keys() - get_type_hints(TriggerOptions).keys()
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
        capture = options.get("capture", False)
        kind: type[Trigger[..., Any]] = AsyncTrigger if inspect.iscoroutinefunction(function) else PlainTrigger
        trigger = kind(function, self.client, name, budget, request, capture=capture, limit=options.get("limit"))
        self.registry.add(trigger)
        return trigger

    def worker(self, function: Preparing) -> Preparing:
        """Register what each worker process does before it is ready, in the loop that the triggers will run in.

        A function without parameters, synchronous or not; or a generator function that yields once, which goes on from there
        when the worker leaves. They run in the order of their registration, and go on in the reverse. Raises ConfigurationError.
        """
        self.registry.preparations.add(function)
        return function

    def around(self, function: Surrounding) -> Surrounding:
        """Wrap a generator function around every attempt of every trigger, the first registered outermost.

        It takes the Current of the attempt and yields once: what stands before that runs in the attempt's own context, and the
        trigger's exception is raised at the ``yield``, where it can be seen and not be stopped. Raises ConfigurationError.
        """
        self.registry.wrap(function)
        return function

    @overload
    def submitter(
        self, name: str, submitter: Submitter[P, Awaitable[R]], **options: Unpack[SubmitterOptions]
    ) -> Trigger[P, R]: ...
    @overload
    def submitter(self, name: str, submitter: Submitter[P, R], **options: Unpack[SubmitterOptions]) -> Trigger[P, R]: ...
    def submitter(self, name: str, submitter: Any, **options: Any) -> Any:
        """Register an object that does the work of its own operations, and gets each one back when it has ended.

        Returns the trigger of its ``handle``, by which its operations are submitted; the options are those of ``operation``. With
        ``options(submitter=…)`` it also gets back operations of other triggers. Its ``done``, ``failed`` and ``cancelled`` are
        called by operations of their own, each with a HandedBack, and are tried again when they fail.
        Raises ConfigurationError when the name is taken or the object has no ``handle``.
        """
        handle = getattr(submitter, "handle", None)
        if not callable(handle):
            raise ConfigurationError(f"submitter {name!r}: {submitter!r} has no method `handle` to do the work with")
        function = hand_back(self.client, self.registry, name, submitter)
        work = self._register(handle, cast("TriggerOptions", {**options, "name": name}))
        self._register(function, {"name": hand_back_trigger(name)})
        work.request = replace(work.request, submitter=name)
        return work

    @overload
    def command(self, function: Callable[Concatenate[C, ...], Awaitable[R]], /) -> Command[C, R]: ...
    @overload
    def command(
        self, *, name: str = ..., durable: bool = ..., retries: int = ...
    ) -> Callable[[Callable[Concatenate[C, ...], Awaitable[R]]], Command[C, R]]: ...
    def command(  # type: ignore[misc] # mypy wants each keyword spelt twice
        self, function: Any = None, /, *, name: str | None = None, durable: bool = True, retries: int = RETRIES
    ) -> Any:
        """Register an async function as the one handler of the type that its first parameter is annotated with.

        It may also ask for ``scope: OperationScope`` and ``context: CommandContext``. It is a trigger too, under the same
        ``name`` (the function's own), so that the command can be submitted; its result travels as JSON then. ``durable=False``: a
        transient scope will do. ``retries``: how often the whole command may be run again, with the same id, because of a
        serialization failure, a deadlock, a lost connection or a busy SQLite file. What it writes in its scope happens once;
        other effects may be repeated.
        Raises ConfigurationError when the signature does not fit, or the type or the name has a handler already.
        """

        def register(handler: Callable[..., Awaitable[Any]]) -> Command[Any, Any]:
            command: Command[Any, Any] = Command(handler, name, durable=durable, retries=retries)
            self.commander.registry.add(command)
            return self._triggered(command)

        return register if function is None else register(function)

    def _triggered(self, command: Command[Any, Any]) -> Command[Any, Any]:
        call = functools.partial(self.commander.call_submitted, command)
        command.trigger = self._register(command.triggered(call), {"name": command.name})
        return command

    @overload
    def broadcast_handler(self, function: Callable[Concatenate[C, ...], Awaitable[R]], /) -> Command[C, R]: ...
    @overload
    def broadcast_handler(
        self, *, name: str = ..., durable: bool = ..., retries: int = ...
    ) -> Callable[[Callable[Concatenate[C, ...], Awaitable[R]]], Command[C, R]]: ...
    def broadcast_handler(  # type: ignore[misc] # the same
        self, function: Any = None, /, *, name: str | None = None, durable: bool = True, retries: int = RETRIES
    ) -> Any:
        """Register an async function as one of any number of handlers of a type; otherwise as ``command``.

        A call of such a command runs all of them at the same time, each with a pipeline and a scope of its own, or all in the
        scope of the command around the call. When all have ended the first failure is raised. They give no result. Each is a
        trigger too, which runs this one alone.
        """

        def register(handler: Callable[..., Awaitable[Any]]) -> Command[Any, Any]:
            command: Command[Any, Any] = Command(handler, name, durable=durable, retries=retries)
            self.commander.registry.add_broadcast(command)
            return self._triggered(command)

        return register if function is None else register(function)

    def command_filter(self, *, priority: float) -> Callable[[Filtering], Filtering]:
        """Register a filter: ``async def f(command, context, call_next)``, which returns ``await call_next()`` or something else.

        It is around all commands of the type that ``command`` is annotated with, subclasses included; ``object`` means every one.
        Filters of higher ``priority`` are further out; ``opwright.commands.priorities`` has those of Opwright. A filter may call
        ``call_next`` again (``context.save`` and ``restore`` undo what an attempt has left). Raises ConfigurationError.
        """

        def register(function: Filtering) -> Filtering:
            self.commander.registry.add_filter(own_filter(function, priority))
            return function

        return register

    def on_completion(self, function: Completing) -> Completing:
        """Call an async function with the Completion of each committed command, this process's own and those of others.

        By then what the command invalidates is invalidated here. What the function raises for a command of this process is
        logged; for one of another process it is called again after a while, a few times, and then given up with an error. Those
        of others come one after the other, in the order of the log, but for what failed or takes longer than a second.
        Where one is registered the log is read, whether anything is cached or not. Raises ConfigurationError.
        """
        is_async = inspect.iscoroutinefunction(function)
        if not is_async:
            raise ConfigurationError(f"on_completion: {function!r} is not an async function")
        self.commander.notifier.listen(function)
        return function

    def pipeline(self, command: type) -> list[Step]:
        """What commands of a type pass through, from the outside in: priority and name. Raises UnknownCommand."""
        return self.commander.steps(command)

    async def call(self, command: object, *, isolated: bool = False) -> Any:
        """The result of a command, or of a broadcast None. Raises what its pipeline does, UnknownCommand without a handler.

        From within another command it is nested in that one's operation; with ``isolated`` it has one of its own.
        """
        return await self.commander.call(command, isolated=isolated)

    async def run(self, command: object, *, isolated: bool = False) -> CommandContext:
        """As ``call``, but the whole finished run, with ``result`` or ``error``. Raises nothing but a cancellation."""
        return await self.commander.run(command, isolated=isolated)

    @overload
    def computed(self, function: Callable[P, Coroutine[Any, Any, R]], /) -> ComputedFunction[P, R]: ...
    @overload
    def computed(self, *, min_keep: float = ..., auto_invalidate: float | None = ..., keep_errors: float = ...) -> _Computing: ...
    def computed(self, function: Any = None, /, **options: Any) -> Any:  # type: ignore[misc] # mypy wants each keyword spelt twice
        """Cache an async function by its arguments, until what it used is invalidated; see ComputedFunction.

        All in seconds: ``min_keep``, for how long a value is kept after its last use even if there are too many (0);
        ``auto_invalidate``, after which a value no longer holds (never); ``keep_errors``, the same for an error (1).
        Raises ConfigurationError for a function that is not async, and for a number that makes no sense.
        """
        if function is not None:
            return computed_function(function, self._computed, **options)
        return lambda found: computed_function(found, self._computed, **options)

    def invalidate_all(self) -> Invalidation:
        """Invalidate every value of every computed function."""
        return self._computed.invalidate_all()

    async def caught_up(self, entry: LogEntry | int, timeout: float = 10.0) -> None:
        """Wait until this process has read the log up to a committed command (its entry, or the id of its operation).

        Then what it invalidates is invalidated here too, unless that failed and was given up. Raises TimeoutError after so many
        seconds, InvalidOperation where the application is not open.
        """
        await self.reading.caught_up(entry, timeout)

    def log_status(self) -> LogStatus:
        """How far this process has read the log of commands."""
        return self.reading.status()

    def queue(self, name: str, *, limit: Limit | None = None) -> Queue:
        """A queue by name, to be paused and resumed; ``limit`` holds for all operations that this program submits to it."""
        return Queue(self.client, name, limit)

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
        return Host(self.client, self.registry, resolve(settings), self.client.clock, self.target, reading=self.reading)

    def target(self) -> Target:
        """Where worker processes import this application from. Raises ConfigurationError when they cannot."""
        return self._target or locate(self, self._home)

    def found_at(self, target: Target) -> None:
        """Remember from where this application was imported, for ``opwright run``."""
        self._target = target
