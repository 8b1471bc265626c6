"""A trigger: the registered function that does the work. A row names it; no row ever holds a dotted path."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, Self, TypeVar, cast

import msgspec

from opwright.errors import InvalidOperation
from opwright.model.limit import Limit
from opwright.model.options import Backoff, Options
from opwright.operations.payload import Inputs, Result
from opwright.operations.request import Request, checked_name

if TYPE_CHECKING:
    from opwright.operations.call import Call
    from opwright.operations.client import Client
    from opwright.operations.handle import Batch, Handle

P = ParamSpec("P")
R = TypeVar("R")


class Trigger(Generic[P, R]):
    """A function that operations run. Calling it runs the plain function here and now; ``submit`` makes it an operation."""

    def __init__(
        self,
        function: Callable[P, R | Awaitable[R]],
        client: Client,
        name: str,
        options: Options,
        request: Request,
        *,
        capture: bool = False,
        limit: Limit | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self.function = function
        self.name = checked_name("name", name)
        self.budget = options
        self.capture = capture
        self.limit = _checked_limit(limit, function)
        self.is_async = inspect.iscoroutinefunction(function)
        self.client = client
        self.request = request

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R | Awaitable[R]:
        return self.function(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<trigger {self.name}>"

    @functools.cached_property
    def inputs(self) -> Inputs:
        """How inputs travel. Worked out at the first use, so that annotations may name what is defined further down."""
        return Inputs(self.name, self.function)

    @functools.cached_property
    def result(self) -> Result:
        """How the result travels."""
        return Result(self.name, self.function)

    @functools.cached_property
    def options_text(self) -> str | None:
        """The budgets as the row keeps them; None when all are at their defaults."""
        return None if self.budget == Options() else msgspec.json.encode(self.budget).decode()

    def submit(self, *args: P.args, **kwargs: P.kwargs) -> Call[Handle[R]]:
        """Make an operation of a call: ``await`` it, or ``.now()`` from synchronous code.

        Raises InvalidOperation at once when the inputs do not fit, ConfigurationError when no host could store its result;
        nothing is written then.
        """
        _ = self.result  # what would stop every host is refused here
        return self.client.submit(self, self.inputs.encode(args, kwargs), self.request)

    def submit_many(
        self,
        inputs: Iterable[Mapping[str, Any] | tuple[Any, ...]],
        *,
        then: Trigger[..., Any] | None = None,
        then_inputs: Mapping[str, Any] | None = None,
    ) -> Call[Batch[R]]:
        """Make many operations in one transaction: each input a mapping by parameter name, or a tuple by position.

        ``then``: a trigger of which one operation, with ``then_inputs``, follows them all, as with ``options(after=…)``.
        """
        _ = self.result  # as in `submit`
        texts = self.inputs.encode_many(list(inputs))
        if then is not None and not isinstance(then, Trigger):
            raise InvalidOperation(f"then: {then!r} is no trigger", field="then")
        follower = None if then is None else (then, then.inputs.encode((), dict(then_inputs or {})))
        return self.client.submit_many(self, texts, self.request, follower)

    def options(
        self,
        *,
        on: object | None = None,
        start_at: datetime | None = None,
        delay: float | None = None,
        priority: int | None = None,
        queue: str | None = None,
        key: str | None = None,
        on_conflict: str | None = None,
        notify: bool | None = None,
        submitter: Trigger[..., Any] | str | None = None,
        after: Iterable[Handle[Any]] | None = None,
        even_if_failed: bool | None = None,
        retries: int | None = None,
        recoveries: int | None = None,
        timeout: float | None = None,
        backoff: Backoff | float | None = None,
    ) -> Self:
        """The same trigger with other options for what is submitted through it.

        ``on``: a connection or session of the application; the submit joins its transaction. ``start_at``: an aware datetime
        before which it is not begun; ``delay``: seconds. ``priority``: -100 to 100, higher first. ``key``: while an operation of
        this trigger with the key has not ended, another submit is refused (``on_conflict="fail"``),
        handed the holder (``"skip"``), or takes the place of one that no host has (``"replace"``).
        ``notify=False``: no wake-up inside the caller's transaction. ``submitter``: what ``ops.submitter`` made; it gets the
        operation back. ``after``: operations that must have SUCCEEDED before this one is begun; if one of them does not, this one
        is CANCELLED, or begun all the same with ``even_if_failed=True``. The budgets are those of ``@ops.operation``.
        """
        request = self.request.changed(
            on=on, start_at=start_at, delay=delay, priority=priority, queue=queue, key=key, on_conflict=on_conflict,
            notify=notify, submitter=submitter, after=after, despite=even_if_failed,
        )  # fmt: skip
        budget = budgets(self.budget, retries=retries, recoveries=recoveries, timeout=timeout, backoff=backoff)
        return type(self)(self.function, self.client, self.name, budget, request, capture=self.capture, limit=self.limit)

    @functools.cached_property
    def decode(self) -> Callable[[str], dict[str, Any]]:
        """Stored inputs as arguments. Raises ValueError when they no longer fit."""
        return self.inputs.decode  # itself, and no method around it: every attempt calls it

    @functools.cached_property
    def encode(self) -> Callable[[Any], str | None]:
        """A returned value as JSON text. Raises InvalidOperation."""
        return self.result.encode


class PlainTrigger(Trigger[P, R]):
    """A trigger that returns what its function does."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return cast("R", self.function(*args, **kwargs))


class AsyncTrigger(Trigger[P, R]):
    """A trigger of an async function: what it returns is to be awaited."""

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        return cast("Awaitable[R]", self.function(*args, **kwargs))


def _checked_limit(limit: Limit | None, function: Callable[..., Any]) -> Limit | None:
    """The limit, if what it goes by is an input. Raises InvalidOperation."""
    inputs = inspect.signature(function).parameters
    if limit is not None and limit.by is not None and limit.by not in inputs:
        raise InvalidOperation(f"limit: by: {limit.by!r} is no input; there are {', '.join(inputs) or 'none'}", field="limit")
    return limit


def budgets(
    base: Options, *, retries: int | None, recoveries: int | None, timeout: float | None, backoff: Backoff | float | None
) -> Options:
    """The base with what was given in its place. A number as backoff is a constant pause in seconds."""
    if isinstance(backoff, int | float) and not isinstance(backoff, bool):
        backoff = Backoff(first=backoff, factor=1.0, longest=max(backoff, 0.0))
    given = {"retries": retries, "recoveries": recoveries, "timeout": timeout, "backoff": backoff}
    return msgspec.structs.replace(base, **{name: value for name, value in given.items() if value is not None})
