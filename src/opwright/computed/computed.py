"""A computed value as its users hold it."""

from __future__ import annotations

from typing import Generic, TypeVar, cast

from opwright.computed.node import Node, State

R = TypeVar("R")


class Computed(Generic[R]):
    """One value that a function returned, which knows whether it still holds. Holding it keeps it in the cache."""

    __slots__ = ("_node",)

    def __init__(self, node: Node) -> None:
        self._node = node

    def __repr__(self) -> str:
        function, args = self._node.key
        return f"<computed {function.describe(args)} {self._node.state.value}>"

    @property
    def value(self) -> R:
        """The value, also when it no longer holds. What the function raised is raised."""
        return cast("R", self._node.result())

    @property
    def is_consistent(self) -> bool:
        """Whether nothing has invalidated it yet. Once it is not, it never is again."""
        return self._node.state is State.CONSISTENT

    def invalidate(self) -> None:
        """Invalidate it and all that was made from it; to be called in its own event loop."""
        self._node.cache.invalidate(self._node)

    async def when_invalidated(self) -> None:
        """Wait until it no longer holds; in its own event loop, like everything that waits."""
        await self._node.fallen()
