"""When a statement fails: all of its transaction goes, nothing of its neighbours."""

import asyncio

import pytest

from opwright.errors import DuplicateRow, RowRefused, StoreError, StoreUnavailable
from opwright.store.engine import Plan, call
from opwright.store.store import Store
from opwright.store.submits import submit as submit_plan
from tests.contract.kit import SUCCESS, Member, operation, places, promptly, query, submit


class Refused(Exception):
    """The rule of some plan was broken."""


def refusing(count: int = 1) -> Plan[None]:
    """A plan that writes and then finds that it must not."""
    for _ in range(count):
        yield from submit_plan([operation()])
    raise Refused


def submitting(*identifiers: int) -> Plan[int]:
    """A plan of several statements."""
    for identifier in identifiers:
        yield from submit_plan([operation(identifier=identifier)])
    return len(identifiers)


async def test_a_plan_commits_whole(store: Store, other: Store) -> None:
    """What a plan returns is true for every process when it returns."""
    assert await store.engine.play(submitting(1, 2, 3)) == 3
    assert sorted((await places(other))["ready"]) == [1, 2, 3]


async def test_a_plan_that_raises_leaves_nothing(store: Store) -> None:
    """The exception reaches the caller as it is, and nothing the plan wrote stays."""
    with pytest.raises(Refused):
        await store.engine.play(refusing(3))
    assert await query(store, "select count(*) from opwright.operations") == [(0,)]
    await submit(store)


async def test_a_plan_that_raises_before_its_first_call_does_nothing(store: Store) -> None:
    """A rule that is broken from the start needs no statement to say so."""
    with pytest.raises(Refused):
        await store.engine.play(refusing(0))


async def test_a_statement_that_fails_takes_its_whole_plan_with_it(store: Store) -> None:
    """A second statement that is refused undoes the first."""
    with pytest.raises(DuplicateRow):
        await store.engine.play(submitting(1, 2, 1))
    assert await query(store, "select count(*) from opwright.operations") == [(0,)]


async def test_a_row_that_is_there_is_a_duplicate(store: Store) -> None:
    """A unique violation has a name of its own, on every engine."""
    (one,) = await submit(store)
    with pytest.raises(DuplicateRow):
        await store.operations.submit([operation(identifier=one)])


async def test_what_the_engine_refuses_is_a_store_error(store: Store) -> None:
    """The error of a driver never reaches the caller bare."""
    with pytest.raises(StoreError) as caught:
        await store.engine.run("submit", rows="no JSON")
    assert type(caught.value) in (StoreError, RowRefused)


async def test_a_refused_statement_disturbs_no_neighbour(store: Store) -> None:
    """Of many at once, also in one group commit, exactly the bad ones fail."""
    (one,) = await submit(store)
    good = [operation() for _ in range(60)]
    bad = [operation(identifier=one) for _ in range(20)]
    mixed = [each for pair in zip(good[:20], bad, strict=True) for each in pair] + good[20:]
    work = (store.operations.submit([each]) for each in mixed)
    answers = await promptly(asyncio.gather(*work, return_exceptions=True))
    failed = [each.id for each, answer in zip(mixed, answers, strict=True) if answer is not None]
    assert failed == [one] * 20
    assert {type(answer) for answer in answers} == {type(None), DuplicateRow}
    assert sorted((await places(store))["ready"]) == [one, *(each.id for each in good)]


async def test_a_refused_plan_disturbs_no_neighbour(store: Store) -> None:
    """A plan that raises among others takes only its own writes back."""
    work = [submitting(2 * n, 2 * n + 1) if n % 3 else refusing(2) for n in range(1, 31)]
    answers = await promptly(asyncio.gather(*(store.engine.play(plan) for plan in work), return_exceptions=True))
    assert [isinstance(answer, Refused) for answer in answers] == [n % 3 == 0 for n in range(1, 31)]
    assert await query(store, "select count(*) from opwright.operations") == [(40,)]


async def test_a_batch_with_one_bad_verdict_lands_nothing(store: Store, host: Member) -> None:
    """A statement is whole: the scheduler may split a refused batch without asking what had landed."""
    await submit(store, 3)
    claims = await host.claim()
    await query(store, f"insert into opwright.outcomes values ({claims[1].operation}, 1, 1, 1, 1, 1, null, null)")
    with pytest.raises(DuplicateRow):
        await host.settle(*((claim, SUCCESS) for claim in claims))
    assert sorted((await places(store))["claimed"]) == sorted(claim.operation for claim in claims)


async def test_a_closed_store_says_so(store: Store) -> None:
    """After closing, calls fail at once and plainly; closing twice is harmless."""
    await store.close()
    await store.close()
    with pytest.raises(StoreUnavailable, match="not open"):
        await store.operations.get(1)
    with pytest.raises(StoreUnavailable, match="not open"):
        await store.engine.play(submitting(1))


async def test_a_plan_sees_its_own_writes(store: Store) -> None:
    """A later statement of a plan reads what an earlier one wrote."""

    def plan() -> Plan[int]:
        yield from submit_plan([operation(identifier=7)])
        return len((yield call("operation", operation=7)))

    assert await store.engine.play(plan()) == 1
