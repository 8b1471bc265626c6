"""Limits as an application writes them: which operations share a lane, and what is refused at the door."""

from typing import Any

import pytest

from opwright import InvalidOperation, Limit, Opwright
from tests.contract.kit import query

NAN, INF = float("nan"), float("inf")


async def lanes(ops: Opwright) -> int:
    """How many lanes the submitted operations are in."""
    ((count,),) = await query(await ops.client.store(), "select count(distinct lane) from opwright.operations")
    return int(count)


async def test_a_number_is_one_lane_however_it_is_written(ops: Opwright) -> None:
    """1 and 1.0 are the same value of a float, and so is the default that was left out."""

    @ops.operation(limit=Limit(1, by="rate"))
    def draw(rate: float = 1.0) -> None: ...

    for call in (draw.submit(1), draw.submit(1.0), draw.submit(rate=1), draw.submit()):
        await call
    await draw.submit_many([(1,), {"rate": 1.0}, ()])
    assert await lanes(ops) == 1
    await draw.submit(2)
    assert await lanes(ops) == 2


async def test_an_object_is_one_lane_in_whatever_order_its_keys_come(ops: Opwright) -> None:
    """Also deep inside. The order of a list is part of its value."""

    @ops.operation(limit=Limit(1, by="tags"))
    def draw(tags: dict[str, Any]) -> None: ...

    await draw.submit({"a": 1, "b": {"c": 2, "d": [1, 2]}})
    await draw.submit({"b": {"d": [1, 2], "c": 2}, "a": 1})
    assert await lanes(ops) == 1
    await draw.submit({"b": {"d": [2, 1], "c": 2}, "a": 1})
    assert await lanes(ops) == 2


async def test_without_by_all_operations_of_the_trigger_share_a_lane(ops: Opwright) -> None:
    """And none with those of another trigger."""
    for name in ("draw", "print"):
        trigger = ops.operation(name=name, limit=Limit(1))(lambda page: None)
        await trigger.submit_many([(1,), (2,)])
    assert await lanes(ops) == 2


@pytest.mark.parametrize("many", [False, True])
async def test_a_limit_of_the_trigger_and_one_of_the_queue_are_one_too_many(ops: Opwright, *, many: bool) -> None:
    """Refused at the submit, with both names; also where only this submit goes to that queue."""
    ops.queue("narrow", limit=Limit(1))

    @ops.operation(limit=Limit(2))
    def draw() -> None: ...

    await draw.submit()
    elsewhere = draw.options(queue="narrow")
    with pytest.raises(InvalidOperation, match="both the trigger 'draw' and the queue 'narrow' have one") as refusal:
        elsewhere.submit_many([()]) if many else elsewhere.submit()
    assert refusal.value.field == "limit"
    assert await query(await ops.client.store(), "select count(*) from opwright.operations") == [(1,)]


def test_a_limit_goes_by_an_input_that_is_there(ops: Opwright) -> None:
    """The error names those that there are."""
    with pytest.raises(InvalidOperation, match=r"^limit: by: 'colour' is no input; there are page, width$") as refusal:

        @ops.operation(limit=Limit(1, by="colour"))
        def draw(page: int, width: int) -> None: ...

    assert refusal.value.field == "limit"


@pytest.mark.parametrize("n", [0, -1, 10_001, 1.0, True, "1", None])
def test_a_limit_is_a_whole_number(n: Any) -> None:
    with pytest.raises(InvalidOperation, match=r"^limit: n: .* is not a whole number from 1 to 10000$") as refusal:
        Limit(n)
    assert refusal.value.field == "limit"


@pytest.mark.parametrize("per", [0, -1.0, NAN, INF, True, "60"])
def test_a_period_is_a_positive_number_of_seconds(per: Any) -> None:
    with pytest.raises(InvalidOperation, match=r"^limit: per: .* is not a positive number of seconds$") as refusal:
        Limit(1, per=per)
    assert refusal.value.field == "limit"


@pytest.mark.parametrize("by", ["", "two words", "a.b", 5])
def test_what_a_limit_goes_by_is_a_name(by: Any) -> None:
    with pytest.raises(InvalidOperation, match=r"^limit: by: .* is not the name of an input$"):
        Limit(1, by=by)
