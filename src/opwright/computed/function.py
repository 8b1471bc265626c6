"""A function whose values are cached."""

from __future__ import annotations

import functools
import inspect
from asyncio import get_running_loop
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

from opwright.computed.cache import NEVER, Keeping
from opwright.computed.caches import Caches
from opwright.computed.computed import Computed
from opwright.computed.invalidation import Invalidation
from opwright.computed.key import Keys
from opwright.computed.memo import Memo
from opwright.computed.node import Key, Node, current
from opwright.errors import ConfigurationError

P = ParamSpec("P")
Q = ParamSpec("Q")
R = TypeVar("R")
S = TypeVar("S")


class ComputedFunction(Generic[P, R]):
    """An async function that runs its body only when it has no value for these arguments that still holds.

    Arguments must be hashable, and equal ones (1, 1.0 and True) are the same. A value holds until it, or one that its body
    used, is invalidated; it is forgotten earlier when more than ``max_entries`` others were used since. Everybody gets the same
    object, so it is not to be changed. The body runs in a task of its own, with no context variables of its callers.
    """

    def __init__(self, memo: Memo, instance: object = None) -> None:
        self._memo = memo
        self._instance = instance

    def __repr__(self) -> str:
        return f"<computed function {self._memo.keys.name}>"

    async def __call__(self, /, *args: P.args, **kwargs: P.kwargs) -> R:
        # A hit is what this is for, so it is looked for here, in as few steps as there can be.
        memo = self._memo
        key: Key = (memo, args if not kwargs and len(args) == memo.arity else memo.keys.of(args, kwargs))
        cache = memo.by_loop.get(get_running_loop())
        if cache is not None:
            try:
                pointer = cache.pointers.get(key)
            except TypeError:
                memo.keys.check(key[1])
                raise
            node = None if pointer is None else pointer()
            if node is not None and node.computing is None and (node.timing is None or cache.touch(node)):
                user = current.get()
                if user is not None:
                    user.use(node)
                if node.timing is not None:  # it may be an error
                    return cast("R", node.result())
                try:
                    cache.recent.move_to_end(node)
                except KeyError:  # only those who used it held it
                    cache.touch(node)
                return cast("R", node.value)
        return cast("R", (await self._node(key, args, kwargs)).result())

    async def computed(self, /, *args: P.args, **kwargs: P.kwargs) -> Computed[R]:
        """The value as an object that tells whether it still holds. What the body raises, its ``value`` raises."""
        key = (self._memo, self._memo.keys.of(args, kwargs))
        return Computed(await self._node(key, args, kwargs))

    def invalidate(self, /, *args: P.args, **kwargs: P.kwargs) -> Invalidation:
        """Let the next call with these arguments run the body, and so with all that was made from its value.

        In the running event loop that is done when this returns; the loops of other threads are told. Harmless where there is no
        value. A body that runs meanwhile goes on, and what it returns is given to those who wait for it and to nobody else.
        """
        memo = self._memo
        key = (memo, memo.keys.of(args, kwargs))
        memo.keys.check(key[1])
        return memo.caches.everywhere(lambda cache: cache.invalidate_key(key))

    def invalidate_all(self) -> Invalidation:
        """The same for all arguments; asked of a method of a class, for all instances."""
        memos = {self._memo, *self._memo.methods.values()}
        return self._memo.caches.everywhere(lambda cache: cache.invalidate_where(lambda key: key[0] in memos))

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(
        self: ComputedFunction[Concatenate[S, Q], R], instance: S, owner: type | None = None
    ) -> ComputedFunction[Q, R]: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """The method of an instance, which its values do not keep alive if its class allows weak references."""
        return self if instance is None else ComputedFunction(self._memo.of(instance), instance)

    async def _node(self, key: Key, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Node:
        memo = self._memo
        memo.keys.check(key[1])
        whole = args if memo.instance is None else (self._instance, *args)
        return await memo.caches.here().node(key, memo.keeping, functools.partial(memo.body, *whole, **kwargs))


def computed_function(
    function: Callable[P, Coroutine[Any, Any, R]],
    caches: Caches,
    *,
    min_keep: float = 0.0,
    auto_invalidate: float | None = None,
    keep_errors: float = 1.0,
) -> ComputedFunction[P, R]:
    """Wrap a function. Raises ConfigurationError when it is not async, or when a number of seconds makes no sense."""
    if not inspect.iscoroutinefunction(function):
        raise ConfigurationError(f"computed: {function!r} is not an async function")
    given = {"min_keep": min_keep, "auto_invalidate": auto_invalidate, "keep_errors": keep_errors}
    for name, seconds in given.items():
        if seconds is not None and not 0 <= seconds < float("inf"):
            raise ConfigurationError(f"computed: {name}: {seconds!r} is no number of seconds")
    keeping = Keeping(min_keep, NEVER if auto_invalidate is None else auto_invalidate, keep_errors)
    memo = Memo(function, caches, keeping, Keys(function, bound=False), instance=None)
    caches.used = True
    wrapped = ComputedFunction[P, R](memo)
    functools.update_wrapper(wrapped, function)
    return wrapped
