"""Whose values they are: those of one function, or of a method and one instance."""

from __future__ import annotations

import functools
import reprlib
from collections.abc import Callable, Coroutine
from typing import Any
from weakref import WeakValueDictionary, ref

from opwright.computed.cache import Keeping
from opwright.computed.caches import Caches
from opwright.computed.key import Keys

Body = Callable[..., Coroutine[Any, Any, Any]]


class Memo:
    """The first half of a key; the arguments are the other. ``instance``: for a method, a pointer to its instance.

    An instance's memo lives as long as there are values of it.
    """

    def __init__(self, body: Body, caches: Caches, keeping: Keeping, keys: Keys, instance: Callable[[], object] | None) -> None:
        self.body = body
        self.caches = caches
        self.by_loop = caches.by_loop
        self.keeping = keeping
        self.keys = keys
        self.arity = keys.arity
        self.instance = instance
        self.methods: WeakValueDictionary[int, Memo] = WeakValueDictionary()  # by the addresses of instances
        self._pointers: dict[int, ref[Memo]] = self.methods.data  # type: ignore[attr-defined] # as in Cache

    def of(self, instance: object) -> Memo:
        """The memo of an instance. Whose address is in use again gets a new one."""
        pointer = self._pointers.get(id(instance))
        memo = None if pointer is None else pointer()
        if memo is None or memo.instance is None or memo.instance() is not instance:
            memo = Memo(self.body, self.caches, self.keeping, self._method_keys, _pointer(instance))
            self.methods[id(instance)] = memo
        return memo

    def describe(self, args: tuple[Any, ...]) -> str:
        """A call as one would write it, shortened."""
        return f"{self.keys.name}({', '.join(reprlib.repr(one) for one in args)})"

    @functools.cached_property
    def _method_keys(self) -> Keys:
        return Keys(self.body, bound=True)


def _pointer(instance: object) -> Callable[[], object]:
    """A weak reference, or where the class allows none a strong one."""
    try:
        return ref(instance)
    except TypeError:
        return lambda: instance
