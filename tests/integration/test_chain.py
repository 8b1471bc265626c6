"""Submitters: an object does the work of its own operations, gets each one back, and decides what comes next."""

import random
from pathlib import Path

import msgspec
import pytest

from tests.kit.crew import Crew
from tests.kit.tables import Tables
from tests.kit.trade import Trade
from tests.kit.waiting import eventually

LAST = 500

CHAIN = """
    select o.id, o.inputs, o.parent, e.status, h.id, h.parent, f.status
    from opwright.operations o join opwright.outcomes e on e.operation = o.id
    join opwright.operations h on h.trigger = 'relay.hand_back' and h.parent = o.id
    join opwright.outcomes f on f.operation = h.id
    where o.trigger = 'relay' order by o.id
"""


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_a_chain_runs_on_through_kills_of_workers_and_hosts(
    trade: Trade, tables: Tables, tmp_path: Path, seed: int
) -> None:
    """Each hand-back submits the next operation: none is lost, none doubled, and each is handed back once, in order."""
    async with Crew(tables.url, tmp_path) as crew, crew.rage(random.Random(seed), pause=0.4, hosts=4):
        await trade.step.submit(1, LAST, seed)

        async def over() -> bool:
            return await tables.count("outcomes") >= 2 * LAST

        await eventually(lambda: crew.kills > 10, 60, "enough is killed")
        crew.diary.release("end")
        await eventually(over, 200, "the chain is at its end")
    rows = await tables.rows(CHAIN)
    assert await tables.count("operations") == await tables.count("outcomes") == 2 * LAST
    assert [number_of(row[1]) for row in rows] == list(range(1, LAST + 1))
    assert {(row[3], row[6]) for row in rows} == {(1, 1)}
    given_back = [row[4] for row in rows]
    assert [row[2] for row in rows] == [None, *given_back[:-1]], "an operation did not come from the hand-back before it"
    assert given_back == sorted(given_back)


def number_of(inputs: str) -> int:
    """Of the inputs of a step."""
    number: int = msgspec.json.decode(inputs)["number"]
    return number
