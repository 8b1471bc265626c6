"""A random graph against a model that is too simple to be wrong."""

import asyncio
from collections import Counter
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from opwright import Opwright
from opwright.clock import TurnedClock

SIZE = 8
NODES = st.integers(0, SIZE - 1)


class Model:
    """Values by recomputing everything; a set of those that are cached, from which an invalidation takes all above."""

    def __init__(self) -> None:
        self.source = [0] * SIZE
        self.below: list[tuple[int, ...]] = [()] * SIZE
        self.used: dict[int, tuple[int, ...]] = {}  # of what is cached, what its body used
        self.runs = Counter[int]()

    def value(self, node: int) -> int:
        return self.source[node] + sum(self.value(one) for one in self.below[node])

    def ask(self, node: int) -> None:
        if node not in self.used:
            self.runs[node] += 1
            for one in self.below[node]:
                self.ask(one)
            self.used[node] = self.below[node]

    def invalidate(self, node: int) -> None:
        if self.used.pop(node, None) is not None:
            for user in [one for one, used in self.used.items() if node in used]:
                self.invalidate(user)


class Graph(RuleBasedStateMachine):
    """Nodes use nodes of lower number; what is written is invalidated, as a program would."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.clock = TurnedClock()
        self.ops = Opwright("sqlite:///never.db", clock=self.clock)
        self.model = Model()
        self.runs = Counter[int]()
        self.node = self.ops.computed(self.body)
        self.held: dict[int, Any] = {}

    async def body(self, node: int) -> int:
        self.runs[node] += 1
        await asyncio.sleep(0)
        return self.model.source[node] + sum(await asyncio.gather(*map(self.node, self.model.below[node])))

    def teardown(self) -> None:
        self.runner.close()

    @rule(node=NODES, value=st.integers(0, 9))
    def write(self, node: int, value: int) -> None:
        self.model.source[node] = value
        self.invalidate(node)

    @rule(node=NODES, below=st.sets(NODES))
    def rewire(self, node: int, below: set[int]) -> None:
        self.model.below[node] = tuple(one for one in below if one < node)
        self.invalidate(node)

    @rule(node=NODES)
    def invalidate(self, node: int) -> None:
        async def act() -> None:
            await self.node.invalidate(node)

        self.runner.run(act())
        self.model.invalidate(node)

    @rule(asked=st.lists(NODES, min_size=1, max_size=5))
    def ask(self, asked: list[int]) -> None:
        """At once, so that computations are shared."""

        async def act() -> list[int]:
            return await asyncio.gather(*map(self.node, asked))

        assert self.runner.run(act()) == [self.model.value(one) for one in asked]
        for one in asked:
            self.model.ask(one)

    @rule(node=NODES)
    def hold(self, node: int) -> None:
        self.held[node] = self.runner.run(self.node.computed(node))
        self.model.ask(node)

    @rule(asked=NODES, written=NODES, value=st.integers(0, 9), rounds=st.integers(0, 6))
    def write_meanwhile(self, asked: int, written: int, value: int, rounds: int) -> None:
        """An invalidation at any step of a computation: whoever asks after it sees what was written."""

        async def act() -> int:
            asking = asyncio.create_task(self.node(asked))
            for _ in range(rounds):
                await asyncio.sleep(0)
            self.model.source[written] = value
            self.node.invalidate(written)
            after = await self.node(asked)
            await asking
            return after

        assert self.runner.run(act()) == self.model.value(asked)
        self.start_over()

    @rule()
    def start_over(self) -> None:
        """How often bodies ran meanwhile depends on the moment, so the counts begin anew."""

        async def act() -> None:
            await self.ops.invalidate_all()

        self.runner.run(act())
        self.model.used.clear()
        self.model.runs = Counter(self.runs)

    @invariant()
    def bodies_ran_as_often_as_in_the_model(self) -> None:
        assert self.runs == self.model.runs

    @invariant()
    def a_held_value_holds_as_long_as_it_is_right(self) -> None:
        for node, held in self.held.items():
            assert not held.is_consistent or held.value == self.model.value(node)

    @invariant()
    def nothing_is_left_behind(self) -> None:
        for cache in self.ops._computed.by_loop.values():
            assert not cache.running
            assert not cache.superseded


TestGraph = Graph.TestCase
TestGraph.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
