"""A node of the graph: one value of one call, whom it used and who used it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextvars import ContextVar
from enum import Enum
from types import TracebackType
from typing import TYPE_CHECKING, Any, TypeAlias
from weakref import ref

if TYPE_CHECKING:
    from opwright.computed.cache import Cache

Key: TypeAlias = tuple[Any, tuple[Any, ...]]
"""The function and its arguments."""

LEAST_ROOM = 8  # dependants, before any are looked through


class State(Enum):
    """A node moves down this list and never back."""

    COMPUTING = "computing"
    CONSISTENT = "consistent"
    INVALIDATED = "invalidated"


class Failed:
    """An error in the place of a value. Each raise begins at the traceback that the body left, or else it would grow."""

    __slots__ = ("error", "traceback")

    def __init__(self, error: BaseException) -> None:
        self.error = error
        self.traceback: TracebackType | None = error.__traceback__

    def again(self) -> BaseException:
        return self.error.with_traceback(self.traceback)


class Computing:
    """What a node has only while its body runs. ``superseded``: it was invalidated meanwhile, so nobody new shares it."""

    __slots__ = ("superseded", "task", "uses", "waiters")

    def __init__(self) -> None:
        self.task: asyncio.Task[Any] | None = None
        self.uses: set[Node] = set()
        self.waiters: set[asyncio.Future[None]] = set()
        self.superseded = False


class Timing:
    """What a node has only if time concerns it: when it expires, when it was last used, in seconds of the monotonic clock."""

    __slots__ = ("expires", "min_keep", "used")

    def __init__(self, expires: float, min_keep: float, used: float) -> None:
        self.expires = expires
        self.min_keep = min_keep
        self.used = used

    def released(self) -> float:
        """When it need no longer be held."""
        return self.used + self.min_keep


class Dependants:
    """Weak references to those who used a node.

    A list, because each user adds itself once. Those that are gone are dropped whenever the list has doubled.
    """

    __slots__ = ("refs", "room")

    def __init__(self) -> None:
        self.refs: list[ref[Node]] = []
        self.room = LEAST_ROOM

    def add(self, user: Node) -> None:
        if len(self.refs) >= self.room:
            self.refs = [ref(node) for node in self.alive() if node.state is not State.INVALIDATED]
            self.room = max(LEAST_ROOM, 2 * len(self.refs))
        self.refs.append(ref(user))

    def alive(self) -> Iterable[Node]:
        return [node for node in (one() for one in self.refs) if node is not None]


class Node:
    """One value of one call, of one event loop.

    It holds what it used; those who used it are only pointed to. So whoever holds a value holds all that it was made from, and
    what nobody needs goes away by itself.
    """

    __slots__ = (
        "__weakref__", "cache", "computing", "dependants", "key", "state", "timing", "uses", "value", "watchers",
    )  # fmt: skip

    def __init__(self, cache: Cache, key: Key, computing: Computing) -> None:
        self.cache = cache
        self.key = key
        self.state = State.COMPUTING
        self.value: Any = None
        self.uses: tuple[Node, ...] = ()
        self.dependants: Dependants | None = None
        self.watchers: set[asyncio.Future[None]] | None = None
        self.computing: Computing | None = computing
        self.timing: Timing | None = None

    def use(self, other: Node) -> None:
        """Note that this body asked for another node: at once, so that an invalidation of that one reaches this one too.

        After the body has ended, and between event loops, nothing is noted.
        """
        computing = self.computing
        if computing is None or other.cache is not self.cache or other in computing.uses:
            return
        computing.uses.add(other)
        if other.dependants is None:
            other.dependants = Dependants()
        other.dependants.add(self)

    @property
    def fell(self) -> bool:
        """Whether it is invalid, or will be from birth."""
        return self.state is State.INVALIDATED or (self.computing is not None and self.computing.superseded)

    def needs(self, other: Node) -> bool:
        """Whether this body, which runs, waits for the end of the other, directly or not."""
        seen, pending = {self}, [self]
        while pending:
            node = pending.pop()
            if node is other:
                return True
            if node.computing is not None:
                fresh = node.computing.uses - seen
                seen |= fresh
                pending += fresh
        return False

    def fall(self) -> bool:
        """Become invalid, or if the body still runs be so from birth. False for one that is so already."""
        if self.fell:
            return False
        if self.computing is not None:
            self.computing.superseded = True
            return True
        self.state = State.INVALIDATED
        self.uses = ()
        wake(self.watchers or ())
        self.watchers = None
        return True

    def end(self, computing: Computing, value: Any) -> None:
        """Take what the body left."""
        self.computing = None
        self.value = value
        self.state = State.INVALIDATED if computing.superseded else State.CONSISTENT
        self.uses = () if computing.superseded else tuple(computing.uses)

    def result(self) -> Any:
        """What the body returned; what it raised is raised."""
        if isinstance(self.value, Failed):
            raise self.value.again()
        return self.value

    async def fallen(self) -> None:
        """Wait until it is invalid."""
        if self.state is State.INVALIDATED:
            return
        if self.watchers is None:
            self.watchers = set()
        await wait_among(self.watchers)


current: ContextVar[Node | None] = ContextVar("opwright.computed", default=None)
"""The node whose body this is."""


async def wait_among(waiters: set[asyncio.Future[None]]) -> None:
    """Wait for ``wake``; who leaves earlier leaves nothing behind."""
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    waiters.add(future)
    try:
        await future
    finally:
        waiters.discard(future)


def wake(waiters: Iterable[asyncio.Future[None]]) -> None:
    """End every wait."""
    for future in waiters:
        if not future.done():
            future.set_result(None)
