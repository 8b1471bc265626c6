"""The cache of one event loop: which nodes there are, which are kept, and what an invalidation does to them."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from dataclasses import dataclass
from functools import partial
from typing import Any
from weakref import WeakValueDictionary, ref

from opwright.clock import Clock
from opwright.computed.deadlines import Deadlines
from opwright.computed.node import Computing, Failed, Key, Node, State, Timing, current, wait_among, wake
from opwright.errors import ComputedCycle

NEVER = float("inf")
Gate = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Keeping:
    """How long the values of a function are kept, in seconds: at least after their last use, at most, and their errors."""

    min_keep: float = 0.0
    auto_invalidate: float = NEVER
    keep_errors: float = 1.0

    def timing(self, value: Any, now: float) -> Timing | None:
        """What time means to such a value."""
        if isinstance(value, Failed):
            return Timing(now + min(self.keep_errors, self.auto_invalidate), 0.0, now)
        if self.min_keep or self.auto_invalidate < NEVER:
            return Timing(now + self.auto_invalidate, self.min_keep, now)
        return None


class Cache:
    """All nodes of one event loop. Only that loop's thread touches them.

    ``nodes`` points to every node that a call may find; ``recent`` holds those used last, and ``held`` those that ``min_keep``
    speaks for. ``superseded``: nodes that were invalidated while their bodies ran, as long as they run. ``gate``: what a new node
    waits for before there is any, if anything.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, clock: Callable[[], Clock], max_entries: int, gate: Callable[[], Gate | None]
    ) -> None:
        self.loop = loop
        self.clock = clock
        self.max_entries = max_entries
        self.gate = gate
        self.nodes: WeakValueDictionary[Key, Node] = WeakValueDictionary()
        self.pointers: dict[Key, ref[Node]] = self.nodes.data  # type: ignore[attr-defined] # what it is made of: a hit saves a call
        self.recent: OrderedDict[Node, None] = OrderedDict()
        self.held: set[Node] = set()
        self.superseded: dict[Key, list[Node]] = {}
        self.running: set[Node] = set()  # asyncio itself holds tasks weakly
        self.deadlines = Deadlines(loop, clock, self._look)

    # ---------------------------------------------------------------------------------------------- computing

    async def node(self, key: Key, keeping: Keeping, body: Callable[[], Coroutine[Any, Any, Any]]) -> Node:
        """The node of a call, its body ended: a cached one, one that is being computed, or a new one."""
        user = self._user()
        node = self._find(key, user)
        if node is None and (gate := self.gate()) is not None:
            await gate()
            node = self._find(key, user)
        if node is None:
            node = self._begin(key, keeping, body)
        if user is not None:
            user.use(node)
        if node.computing is not None:
            await self._wait(node, node.computing)
        return node

    def _user(self) -> Node | None:
        """The node whose body calls."""
        user = current.get()
        return user if user is not None and user.cache is self else None

    def _find(self, key: Key, user: Node | None) -> Node | None:
        """A node to share. Raises ComputedCycle when the caller would wait for itself, also by way of a superseded node."""
        node = self.nodes.get(key)
        if user is not None:
            running = [node] if node is not None and node.computing is not None else []
            if any(one.needs(user) for one in (*running, *self.superseded.get(key, ()))):
                raise ComputedCycle(key[0].describe(key[1]))
        if node is None or node.computing is not None:
            return node
        return node if self.touch(node) else None

    def _begin(self, key: Key, keeping: Keeping, body: Callable[[], Coroutine[Any, Any, Any]]) -> Node:
        """Run a body in a task of its own, which inherits nothing from whoever calls but our own tracking.

        It is no task of the loop's factory: an eager one would run bodies within bodies, before it is known who waits for whom.
        """
        computing = Computing()
        node = Node(self, key, computing)
        self.nodes[key] = node
        self.running.add(node)
        context = Context()
        context.run(current.set, node)
        task = computing.task = asyncio.Task(body(), loop=self.loop, context=context)
        task.add_done_callback(partial(self._ended, node, computing, keeping))
        return node

    async def _wait(self, node: Node, computing: Computing) -> None:
        """Wait for the end of a body; the last who gives up cancels it."""
        try:
            await wait_among(computing.waiters)
        finally:
            task = computing.task
            if not computing.waiters and task is not None and not task.done():
                self.invalidate(node)
                task.cancel()

    def _ended(self, node: Node, computing: Computing, keeping: Keeping, task: asyncio.Task[Any]) -> None:
        """Take what a body left; a cancellation is told to those who wait and kept for nobody."""
        value, lasts = _outcome(task)
        if computing.superseded:
            self._end_superseded(node)
        self.running.discard(node)
        node.end(computing, value)
        if node.state is State.CONSISTENT:
            self._settle(node, keeping, lasts=lasts)
        wake(computing.waiters)

    def _settle(self, node: Node, keeping: Keeping, *, lasts: bool) -> None:
        """Keep a new value for as long as it is good for."""
        now = self.clock().monotonic()
        node.timing = keeping.timing(node.value, now)
        if not lasts or (node.timing is not None and node.timing.expires <= now):
            self.invalidate(node)
            return
        if node.timing is not None and node.timing.expires < NEVER:
            self.deadlines.add(node.timing.expires, node)
        self.touch(node)

    def _end_superseded(self, node: Node) -> None:
        others = self.superseded[node.key]
        others.remove(node)
        if not others:
            del self.superseded[node.key]

    # ---------------------------------------------------------------------------------------------- keeping

    def touch(self, node: Node) -> bool:
        """Note that a value is used. False, and it is invalidated, when its time is over."""
        timing = node.timing
        if timing is not None:
            timing.used = self.clock().monotonic()
            if timing.expires <= timing.used:
                self.invalidate(node)
                return False
            if timing.min_keep and node not in self.held:
                self.held.add(node)
                self.deadlines.add(timing.released(), node)
        self.recent[node] = None
        self.recent.move_to_end(node)
        if len(self.recent) > self.max_entries:
            self.recent.popitem(last=False)
        return True

    def _look(self, node: Node, now: float) -> None:
        """At a moment that concerned a node: its time is over, or nobody has used it for long enough, or it has more time."""
        timing = node.timing
        if timing is None or node.state is State.INVALIDATED:
            return
        if timing.expires <= now:
            self.invalidate(node)
        elif node in self.held:
            if timing.released() <= now:
                self.held.discard(node)
            else:
                self.deadlines.add(timing.released(), node)

    # ------------------------------------------------------------------------------------------ invalidating

    def invalidate(self, first: Node) -> None:
        """Invalidate a node and all that was made from it, each once. It calls nobody, so it is not entered twice."""
        pending = [first]
        while pending:
            node = pending.pop()
            if node.fall():
                self._forget(node)
                if node.dependants is not None:
                    pending += node.dependants.alive()
                    node.dependants = None

    def invalidate_key(self, key: Key) -> None:
        node = self.nodes.get(key)
        if node is not None:
            self.invalidate(node)

    def invalidate_where(self, chosen: Callable[[Key], bool]) -> None:
        """Invalidate every node whose key is chosen."""
        for node in list(self.nodes.values()):
            if chosen(node.key):
                self.invalidate(node)

    def _forget(self, node: Node) -> None:
        """Let no call find it any more."""
        self.nodes.pop(node.key, None)
        if node.computing is not None:
            self.superseded.setdefault(node.key, []).append(node)
        self.recent.pop(node, None)
        self.held.discard(node)


def _outcome(task: asyncio.Task[Any]) -> tuple[Any, bool]:
    """What a body returned or raised, and whether that may be kept."""
    if task.cancelled():
        return Failed(asyncio.CancelledError()), False
    error = task.exception()
    if error is None:
        return task.result(), True
    return Failed(error), isinstance(error, Exception)
