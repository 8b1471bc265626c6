"""Completion and invalidation, of this process and of others."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from typing import Any

import pytest

from opwright import ConfigurationError, Items, LogEntry, NestedEntry, OperationScope, Opwright, telemetry
from opwright.clock import TurnedClock
from opwright.commands.recently_seen import RecentlySeen
from tests.commands.kit import Note, PlaceOrder, Sum

FOREIGN = 99


def foreign(entry_id: int = 1, command: str = "place", nested: tuple[NestedEntry, ...] = ()) -> LogEntry:
    """An entry that another process wrote."""
    return LogEntry(entry_id, FOREIGN, 0, command, '{"customer":5}', Items({"Note": b'{"text":"from afar"}'}), nested)


def placing(ops: Opwright, *, fail: list[Exception] | None = None) -> list[Any]:
    """A command whose invalidation is kept; it raises what it finds in ``fail``."""
    invalidated: list[Any] = []

    @ops.command
    async def place(order: PlaceOrder, scope: OperationScope) -> str:
        scope.items.keyless_set(Note("local"))
        return "placed"

    @place.invalidates
    def _(order: PlaceOrder, entry: LogEntry) -> None:
        if fail:
            raise fail.pop(0)
        invalidated.append((order, entry.items.keyless_get(Note).text))

    return invalidated


def summing(ops: Opwright, invalidated: list[Any]) -> None:
    """A command to be nested."""

    @ops.command(name="sum")
    async def add(command: Sum) -> None: ...

    @add.invalidates
    async def _(command: Sum) -> None:
        await asyncio.sleep(0)
        invalidated.append(command)


async def test_a_command_has_invalidated_before_its_caller_has_the_result(ops: Opwright) -> None:
    invalidated = placing(ops)
    assert await ops.call(PlaceOrder(1)) == "placed"
    assert invalidated == [(PlaceOrder(1), "local")]


async def test_what_invalidates_sees_the_command_as_other_hosts_do(ops: Opwright) -> None:
    seen: list[PlaceOrder] = []

    @ops.command
    async def place(order: PlaceOrder) -> None: ...

    place.invalidates(seen.append)
    order = PlaceOrder(1)
    await ops.call(order)
    assert seen == [order]
    assert seen[0] is not order


async def test_a_local_invalidation_that_fails_is_counted_and_logged_and_the_command_succeeds(
    ops: Opwright, caplog: pytest.LogCaptureFixture
) -> None:
    invalidated = placing(ops, fail=[ValueError("not today")])
    summing(ops, invalidated)

    @ops.command_filter(priority=50)
    async def nesting(order: PlaceOrder, context: Any, call_next: Any) -> Any:
        await ops.call(Sum([1]))
        return await call_next()

    with telemetry.recorded() as events:
        assert await ops.call(PlaceOrder(1)) == "placed"
    assert invalidated == [Sum([1])]  # one failure does not keep the others from running
    assert ops.commander.invalidation.failures == 1
    assert [fields["command"] for name, fields in events if name == "invalidation.failed"] == ["place"]
    assert "not today" in caplog.text
    assert not await ops.commander.notifier.notify(_last_local(events, ops))


def _last_local(events: list[tuple[str, dict[str, Any]]], ops: Opwright) -> LogEntry:
    operation = next(fields["operation"] for name, fields in events if name == "completion.failed")
    return LogEntry(operation, ops.commander.origin, 0, "place", "{}")


async def test_an_entry_of_another_process_invalidates_with_its_own_items_in_order(ops: Opwright) -> None:
    invalidated = placing(ops)
    summing(ops, invalidated)
    nested = (NestedEntry("sum", '{"numbers":[1]}', Items()), NestedEntry("sum", '{"numbers":[2]}', Items()))
    assert await ops.commander.notifier.notify(foreign(nested=nested))
    assert invalidated == [Sum([1]), Sum([2]), (PlaceOrder(5), "from afar")]


async def test_a_failure_for_an_entry_of_another_process_is_raised_and_its_next_delivery_counts(ops: Opwright) -> None:
    invalidated = placing(ops, fail=[ValueError("not today")])
    with pytest.raises(ExceptionGroup, match="what place invalidates") as caught:
        await ops.commander.notifier.notify(foreign())
    assert caught.group_contains(ValueError, match="not today")
    assert await ops.commander.notifier.notify(foreign())
    assert invalidated == [(PlaceOrder(5), "from afar")]


async def test_an_entry_that_was_delivered_twice_invalidates_once(ops: Opwright) -> None:
    invalidated = placing(ops)
    assert await ops.commander.notifier.notify(foreign())
    assert not await ops.commander.notifier.notify(foreign())
    assert len(invalidated) == 1


async def test_an_entry_that_does_not_fit_its_command_any_more_fails(ops: Opwright) -> None:
    placing(ops)
    entry = LogEntry(1, FOREIGN, 0, "place", '{"customer":"Anna"}')
    with pytest.raises(ExceptionGroup) as caught:
        await ops.commander.notifier.notify(entry)
    assert caught.group_contains(ValueError, match="Expected `int`")


async def test_an_entry_of_an_unknown_command_is_passed_over_with_one_warning(
    ops: Opwright, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        assert await ops.commander.notifier.notify(foreign(number, "os.system"))
    assert caplog.text.count("names the command 'os.system', which is not registered here") == 1


async def test_every_listener_hears_of_a_completion_though_another_fails(ops: Opwright) -> None:
    heard: list[int] = []

    async def broken(completion: Any) -> None:
        raise ValueError("broken")

    async def hearing(completion: Any) -> None:
        heard.append(completion.entry.id)

    ops.commander.notifier.listen(broken)
    ops.commander.notifier.listen(hearing)
    placing(ops)
    with pytest.raises(ValueError, match="broken"):
        await ops.commander.notifier.notify(foreign())
    await ops.call(PlaceOrder(1))  # here it is logged
    assert len(heard) == 2


async def test_a_cancelled_delivery_may_come_again(ops: Opwright) -> None:
    begun = asyncio.Event()

    async def slow(completion: Any) -> None:
        begun.set()
        await asyncio.Event().wait()

    ops.commander.notifier.listen(slow)
    delivery = asyncio.create_task(ops.commander.notifier.notify(foreign()))
    await begun.wait()
    delivery.cancel()
    with pytest.raises(asyncio.CancelledError):
        await delivery
    begun.clear()
    again = asyncio.create_task(ops.commander.notifier.notify(foreign()))
    await begun.wait()
    again.cancel()
    with pytest.raises(asyncio.CancelledError):
        await again


def test_a_command_has_one_function_that_invalidates(ops: Opwright) -> None:
    @ops.command
    async def place(order: PlaceOrder) -> None: ...

    place.invalidates(lambda order: None)
    with pytest.raises(ConfigurationError, match="has what it invalidates already"):
        place.invalidates(lambda order: None)


def test_a_function_that_invalidates_takes_the_command_and_maybe_the_entry(ops: Opwright) -> None:
    @ops.command
    async def place(order: PlaceOrder) -> None: ...

    with pytest.raises(ConfigurationError, match="takes the command, and the log entry"):
        place.invalidates(lambda: None)


# -------------------------------------------------------------------------------------------- recently seen


def test_ids_are_remembered_for_a_time_and_up_to_a_number() -> None:
    clock = TurnedClock()
    seen = RecentlySeen(clock.monotonic, most=2, longest=10)
    assert [seen.add(1), seen.add(1), seen.add(2)] == [True, False, True]
    assert seen.add(3)  # the third drives the first out
    assert [seen.add(3), seen.add(2), seen.add(1)] == [False, False, True]
    clock.turn(10)
    assert seen.add(1)  # in an idle process, too, the old is forgotten before it is looked for


def test_what_is_forgotten_is_new() -> None:
    seen = RecentlySeen(TurnedClock().monotonic)
    seen.add(1)
    seen.forget(1)
    seen.forget(2)
    assert seen.add(1)


def test_a_fork_is_another_origin() -> None:
    program = """if True:
        import os
        from opwright.commands.origin import Origin

        origin = Origin()
        before = origin()
        child = os.fork()
        if child:
            os.waitpid(child, 0)
        print("child" if child == 0 else "parent", origin() == before, flush=True)
    """
    said = subprocess.check_output([sys.executable, "-c", program], text=True)
    assert said.splitlines() == ["child False", "parent True"]
