"""A function whose values are cached."""

from __future__ import annotations

import functools
import inspect
import reprlib
import weakref
from asyncio import get_running_loop
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar, cast, overload

from opwright.computed.cache import Keeping
from opwright.computed.caches import Caches
from opwright.computed.computed import Computed
from opwright.computed.invalidation import Invalidation
from opwright.computed.key import Keys
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

    def __init__(
        self,
        function: Callable[P, Coroutine[Any, Any, R]],
        caches: Caches,
        keeping: Keeping,
        keys: Keys | None = None,
        instance: Callable[[], object] | None = None,
    ) -> None:
        functools.update_wrapper(self, function)
        self._function: Callable[..., Coroutine[Any, Any, R]] = function
        self._caches = caches
        self._by_loop = caches.by_loop
        self._keeping = keeping
        self._keys = keys or Keys(function, bound=False)
        self._arity = self._keys.arity
        self._instance = instance
        self._methods: weakref.WeakValueDictionary[int, ComputedFunction[..., R]] = weakref.WeakValueDictionary()

    def __repr__(self) -> str:
        return f"<computed function {self._keys.name}>"

    async def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        # A hit is what this is for, so it is looked for here, in as few steps as there can be.
        key: Key = (self, args if not kwargs and len(args) == self._arity else self._keys.of(args, kwargs))
        cache = self._by_loop.get(get_running_loop())
        if cache is not None:
            try:
                node = cache.nodes.get(key)
            except TypeError:
                self._keys.check(key[1])
                raise
            if node is not None and node.computing is None and node.timing is None:
                user = current.get()
                if user is not None:
                    user.use(node)
                try:
                    cache.recent.move_to_end(node)
                except KeyError:  # only a dependant held it
                    cache.touch(node)
                return cast("R", node.value)
        return cast("R", (await self._node(key, args, kwargs)).result())

    async def computed(self, *args: P.args, **kwargs: P.kwargs) -> Computed[R]:
        """The value as an object that tells whether it still holds. What the body raises, its ``value`` raises."""
        return Computed(await self._node((self, self._keys.of(args, kwargs)), args, kwargs))

    def invalidate(self, *args: P.args, **kwargs: P.kwargs) -> Invalidation:
        """Let the next call with these arguments run the body, and so with all that was made from its value.

        In the running event loop that is done when this returns; the loops of other threads are told. Harmless where there is no
        value. A body that runs meanwhile goes on, and what it returns is given to those who wait for it and to nobody else.
        """
        key = self._key(self._keys.of(args, kwargs))
        return self._caches.everywhere(lambda cache: cache.invalidate_key(key))

    def invalidate_all(self) -> Invalidation:
        """The same for all arguments; asked of a method of a class, for all instances."""
        functions = {self, *self._methods.values()}
        return self._caches.everywhere(lambda cache: cache.invalidate_where(lambda key: key[0] in functions))

    def describe(self, args: tuple[Any, ...]) -> str:
        """A call as one would write it, shortened."""
        return f"{self._keys.name}({', '.join(reprlib.repr(one) for one in args)})"

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(
        self: ComputedFunction[Concatenate[S, Q], R], instance: S, owner: type | None = None
    ) -> ComputedFunction[Q, R]: ...
    def __get__(self, instance: Any, owner: type | None = None) -> Any:
        """The method of an instance: the same object as long as there are values of it. It holds the instance weakly, if it can."""
        if instance is None:
            return self
        method = self._methods.get(id(instance))
        if method is None or method._instance is None or method._instance() is not instance:  # noqa: SLF001 - one of us
            method = ComputedFunction(self._function, self._caches, self._keeping, self._method_keys, _pointer(instance))
            self._methods[id(instance)] = method
        return method

    @functools.cached_property
    def _method_keys(self) -> Keys:
        return Keys(self._function, bound=True)

    def _key(self, args: tuple[Any, ...]) -> Key:
        """Raises TypeError, with the argument's name, for what cannot be looked up."""
        self._keys.check(args)
        return self, args

    async def _node(self, key: Key, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Node:
        self._keys.check(key[1])
        return await self._caches.here().node(key, self._keeping, functools.partial(self._body, args, kwargs))

    def _body(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Coroutine[Any, Any, R]:
        if self._instance is None:
            return self._function(*args, **kwargs)
        return self._function(self._instance(), *args, **kwargs)


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
    if auto_invalidate is None:
        return ComputedFunction(function, caches, Keeping(min_keep, keep_errors=keep_errors))
    return ComputedFunction(function, caches, Keeping(min_keep, auto_invalidate, keep_errors))


def _pointer(instance: object) -> Callable[[], object]:
    """A weak reference, or where the class allows none a strong one."""
    try:
        return weakref.ref(instance)
    except TypeError:
        return lambda: instance
