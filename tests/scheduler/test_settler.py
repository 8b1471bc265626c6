"""The settler: every verdict is written, once, whatever the database does meanwhile."""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from pathlib import Path

import pytest

from opwright.clock import SystemClock, TurnedClock
from opwright.errors import RowRefused, StoreBusy, StoreConflict, StoreError, StoreUnavailable, StoreUncertain
from opwright.model.claim import Claim, DelayReason, End, NoteKind, Postpone, Verdict
from opwright.model.status import OutcomeCode, Status
from opwright.model.worker import Remark
from opwright.scheduler import settler as settler_module
from opwright.scheduler.settler import Settler
from opwright.store.engine import Engine
from opwright.store.queue import Queue, Settlement
from opwright.store.sqlite import SqliteEngine
from opwright.store.store import Store, engine_for
from opwright.telemetry import recorded
from tests.contract.kit import SUCCESS, Member, join, stale, status, submit
from tests.scheduler.kit import eventually
from tests.servers import PostgresServer

# The queue cannot hold a due time this far away, so both engines refuse the row.
REFUSED = Postpone(1e17, DelayReason.RETRY, 1, 0, note="too far")


class FailingQueue(Queue):
    """The real gateway; its writes fail as long as there are errors to raise."""

    def __init__(self, engine: Engine, *errors: Exception) -> None:
        super().__init__(engine)
        self.errors = list(errors)
        self.batches: list[int] = []
        self.meanwhile: Callable[[], None] = lambda: None  # what happens, once, while remarks or doubts are on their way
        self.unnoted: list[Exception] = []  # the same for remarks

    async def note(self, remarks: Sequence[Remark]) -> None:
        self._happens()
        if self.unnoted:
            raise self.unnoted.pop(0)
        await super().note(remarks)

    async def uncommitted(self, claims: Sequence[Claim]) -> tuple[set[int], set[int]]:
        self._happens()
        return await super().uncommitted(claims)

    def _happens(self) -> None:
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()

    async def settle(self, host: int, settlements: Sequence[Settlement]) -> set[int]:
        self.batches.append(len(settlements))
        if self.errors:
            raise self.errors.pop(0)
        return await super().settle(host, settlements)


class Bench:
    """A host with claims, and a settler for them."""

    def __init__(self, member: Member, claims: list[Claim], queue: FailingQueue) -> None:
        self.member = member
        self.claims = claims
        self.queue = queue
        self.landed: list[set[int]] = []
        self.told = 0
        self.settler = Settler(queue, lambda: member.id, landed=self.landed.append, written=self._tell)

    def _tell(self) -> None:
        self.told += 1

    def says(self, claim: Claim, text: str) -> None:
        self.settler.remark([Remark(claim.operation, claim.token, claim.attempt, NoteKind.LOG, text, None, 1)])

    def add(self, claim: Claim, verdict: Verdict = SUCCESS) -> None:
        self.settler.add(claim, verdict)

    async def statuses(self) -> list[Status]:
        return [await status(self.member.store, claim.operation) for claim in self.claims]


async def bench(store: Store, count: int, *errors: Exception) -> Bench:
    member = await join(store)
    await submit(store, count)
    return Bench(member, await member.claim(count), FailingQueue(store.engine, *errors))


async def test_what_is_pending_is_written_in_one_batch(store: Store) -> None:
    """Everything that gathered goes in one statement, and whoever waits is told what landed."""
    host = await bench(store, 5)
    for claim in host.claims:
        host.add(claim)
    assert host.settler.backlog == 5
    assert host.settler.unwritten() == {(claim.operation, claim.token) for claim in host.claims}
    await host.settler.run_once()
    assert host.queue.batches == [5]
    assert host.landed == [{claim.operation for claim in host.claims}]
    assert host.settler.backlog == 0
    assert host.settler.unwritten() == set()
    assert set(await host.statuses()) == {Status.SUCCEEDED}


async def test_a_flood_is_written_in_several_batches(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """No statement grows without bound, and the order is kept."""
    monkeypatch.setattr(settler_module, "BATCH", 3)
    host = await bench(store, 8)
    for claim in host.claims:
        host.add(claim)
    await host.settler.run_once()
    assert host.queue.batches == [3, 3, 2]
    assert set(await host.statuses()) == {Status.SUCCEEDED}


async def test_the_last_words_of_an_operation_go_before_its_end(store: Store) -> None:
    """They came together, while the words of another one were being written. After its end nobody could tell whose they are."""
    host = await bench(store, 2)
    first, second = host.claims

    def ends() -> None:
        host.says(second, "what went wrong")
        host.add(second, End(OutcomeCode.FAILED, error="it went wrong"))

    host.queue.meanwhile = ends
    host.says(first, "still at it")
    await host.settler.run_once()
    assert await host.statuses() == [Status.PROCESSING, Status.FAILED]
    assert [note.text for note in await store.operations.notes(second.operation)] == ["what went wrong"]


async def test_an_end_that_comes_while_something_else_is_written_is_told(store: Store) -> None:
    """Who waits for it in another process would hear of it by polling only. With nothing written there is nothing to tell."""
    host = await bench(store, 2)
    host.says(host.claims[0], "still at it")
    await host.settler.run_once()
    assert host.told == 0
    host.queue.meanwhile = lambda: host.add(host.claims[1])
    host.says(host.claims[0], "nearly there")
    await host.settler.run_once()
    assert await host.statuses() == [Status.PROCESSING, Status.SUCCEEDED]
    assert host.told == 1


async def test_remarks_are_kept_while_the_database_is_away(store: Store) -> None:
    """Without them there would be nothing left to write, and the next step would tell that the database is back."""
    host = await bench(store, 1)
    host.queue.unnoted = [StoreUnavailable("gone"), StoreUnavailable("gone"), StoreUnavailable("still gone")]
    host.says(host.claims[0], "first")
    with recorded() as events:
        await host.settler.start()
        await eventually(lambda: len(host.queue.unnoted) == 2, "the first attempt to write")
        host.says(host.claims[0], "second")
        assert await host.settler.flush(10)
        await host.settler.stop()
    told = [name for name, _ in events if name.startswith(("outage", "service"))]
    assert told == ["outage.began", *["service.failed"] * 3, "outage.ended"]
    assert [note.text for note in await store.operations.notes(host.claims[0].operation)] == ["first", "second"]


@pytest.mark.parametrize("error", [StoreUncertain("broke"), StoreBusy("too long"), RowRefused("not that")], ids=repr)
async def test_remarks_that_cannot_be_written_keep_no_end_from_being_written(store: Store, error: StoreError) -> None:
    """Whatever is wrong with them, or was: they are tried once."""
    host = await bench(store, 1)
    host.queue.unnoted = [error] * 9
    host.says(host.claims[0], "unheard")
    host.add(host.claims[0])
    for _ in range(2):
        with suppress(StoreError):
            await host.settler.run_once()
    assert await host.statuses() == [Status.SUCCEEDED]
    assert host.settler.backlog == 0


async def test_a_doubt_that_is_being_settled_still_counts(store: Store) -> None:
    """Or a host that stops would leave it to be taken over, and one that looks for lost claims would give it back."""
    host = await bench(store, 1)
    seen: list[tuple[int, set[tuple[int, int]]]] = []
    host.queue.meanwhile = lambda: seen.append((host.settler.backlog, host.settler.unwritten()))
    host.settler.add_unsure(host.claims[0], End(OutcomeCode.FAILED, error="rolled back"))
    assert await host.settler.run_once() == 0
    assert seen == [(1, {(host.claims[0].operation, host.claims[0].token)})]
    await host.settler.run_once()
    assert await host.statuses() == [Status.FAILED]
    assert host.settler.backlog == 0


@pytest.mark.parametrize("bad", [0, 3, 6])
async def test_one_bad_row_fails_its_own_operation_only(store: Store, bad: int) -> None:
    """The database refuses the batch: it is split until the bad row stands alone and ends FAILED; its neighbours are as told."""
    host = await bench(store, 7)
    for number, claim in enumerate(host.claims):
        host.add(claim, REFUSED if number == bad else SUCCESS)
    await host.settler.run_once()
    statuses = await host.statuses()
    assert statuses.pop(bad) is Status.FAILED
    assert set(statuses) == {Status.SUCCEEDED}
    found = await store.operations.get(host.claims[bad].operation)
    assert "the database refused to store how it ended" in (found.error or "")
    assert host.settler.backlog == 0


async def test_a_row_that_not_even_its_failure_fits_stops_nobody(store: Store) -> None:
    """It is put off; the others are written."""
    host = await bench(store, 3)
    host.claims[1].begun = "no time at all"  # type: ignore[assignment]
    for claim in host.claims:
        host.add(claim)
    await host.settler.run_once()
    assert [each is Status.SUCCEEDED for each in await host.statuses()] == [True, False, True]
    assert host.settler.backlog == 0


async def test_what_is_refused_in_any_form_is_written_when_it_no_longer_is(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would stay claimed for as long as its host lives. Until then nobody takes it for a claim that is not known here."""
    monkeypatch.setattr(settler_module, "PUT_OFF", 0.01)
    host = await bench(store, 1)
    host.queue.errors = [RowRefused("a rule of the database"), RowRefused("the same rule")]
    host.add(host.claims[0])
    await host.settler.run_once()
    assert host.settler.unwritten() == {(host.claims[0].operation, host.claims[0].token)}
    assert await host.statuses() == [Status.PROCESSING]
    await eventually(lambda: host.settler.backlog == 1, "it is tried again")
    await host.settler.run_once()
    assert await host.statuses() == [Status.FAILED]


async def test_stale_verdicts_land_nowhere_and_are_told(store: Store) -> None:
    """The claim was given to somebody else meanwhile."""
    host = await bench(store, 2)
    host.add(stale(host.claims[0]), End(OutcomeCode.FAILED, error="late"))
    host.add(host.claims[1])
    with recorded() as events:
        await host.settler.run_once()
    assert ("settle.stale", {"operations": [host.claims[0].operation]}) in events
    assert host.landed == [{claim.operation for claim in host.claims}]  # what was stale is over for this host too
    assert await host.statuses() == [Status.PROCESSING, Status.SUCCEEDED]


@pytest.mark.parametrize("error", [StoreUnavailable("gone"), StoreBusy("locked"), StoreConflict("deadlock")], ids=repr)
async def test_a_verdict_survives_what_passes(store: Store, error: StoreError) -> None:
    """The database was away, busy, or asked to run it again: the outcome is the trigger's, not the accident's."""
    host = await bench(store, 1, error, error)
    host.add(host.claims[0])
    for _ in range(3):
        try:
            await host.settler.run_once()
        except StoreError:
            assert host.settler.backlog == 1
    assert await host.statuses() == [Status.SUCCEEDED]


async def test_many_verdicts_survive_a_deadlock(store: Store) -> None:
    """A batch that must be run again is run again, not taken apart at the price of its operations."""
    host = await bench(store, 4, *[StoreConflict("deadlock")] * 8)
    for claim in host.claims:
        host.add(claim)
    for _ in range(20):
        try:
            await host.settler.run_once()
        except StoreError:
            continue
    assert await host.statuses() == [Status.SUCCEEDED] * 4


async def test_a_lock_on_the_file_fails_no_operation(sqlite_path: Path) -> None:
    """Somebody holds SQLite's write lock longer than the busy time: the result is stored when the lock is gone."""
    engine = SqliteEngine(f"sqlite:///{sqlite_path}", SystemClock(), busy=0.05)
    store = Store(engine)
    await store.open()
    host = await bench(store, 1)
    with closing(sqlite3.connect(sqlite_path, isolation_level=None)) as blocker:
        blocker.execute("begin immediate")
        host.add(host.claims[0])
        await host.settler.start()
        await eventually(lambda: len(host.queue.batches) > 0, "the first attempt to write")
        with pytest.raises(StoreBusy):
            await store.operations.submit([])
        blocker.execute("rollback")
    assert await host.settler.flush(10)
    await host.settler.stop()
    assert await host.statuses() == [Status.SUCCEEDED]
    await store.close()


async def test_verdicts_wait_for_a_database_that_is_away(postgres_server: PostgresServer, postgres_database: str) -> None:
    """The server stops, operations end, the server comes back: every outcome is written then."""
    store = Store(engine_for(postgres_database, SystemClock()))
    await store.open()
    host = await bench(store, 3)
    # Not a crash: that may lose claims, which alone commit without waiting for the disk.
    await asyncio.to_thread(postgres_server.stop, "fast")
    for claim in host.claims:
        host.add(claim)
    await host.settler.start()
    assert not await host.settler.flush(0.3)
    assert host.settler.backlog == 3
    await asyncio.to_thread(postgres_server.start)
    assert await host.settler.flush(20)
    await host.settler.stop()
    await store.close()
    await store.open()  # the connections of before are gone
    assert await host.statuses() == [Status.SUCCEEDED] * 3
    await store.close()


async def test_every_batch_shows_that_it_moves(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """Under load its step has no end, and yet it does not hang: the lease of its host goes by this."""
    monkeypatch.setattr(settler_module, "BATCH", 4)
    host = await bench(store, 12)
    for claim in host.claims:
        host.add(claim)
    before = host.settler._moves
    await host.settler.run_once()
    assert host.settler._moves == before + 3


async def test_a_step_ends_although_more_comes_all_the_time(store: Store) -> None:
    """Remarks without a gap: it shows that it moves, and doubts are settled all the same."""
    host = await bench(store, 2)
    quiet, chatty = host.claims

    def chatter() -> None:
        host.queue.meanwhile = chatter
        host.says(chatty, "still at it")

    chatter()
    host.settler.add_unsure(quiet, End(OutcomeCode.FAILED, error="rolled back"))
    before = host.settler._moves
    for _ in range(2):
        assert await asyncio.wait_for(host.settler.run_once(), 20) == 0
    assert host.settler._moves > before + 2
    assert await host.statuses() == [Status.FAILED, Status.PROCESSING]


async def test_what_came_while_it_was_away_is_written_too(store: Store, clock: TurnedClock) -> None:
    """Old verdicts first, then the new ones; none twice."""
    host = await bench(store, 2, StoreUnavailable("gone"))
    host.add(host.claims[0])
    with pytest.raises(StoreUnavailable):
        await host.settler.run_once()
    host.add(host.claims[1])
    assert host.settler.backlog == 2
    await host.settler.run_once()
    assert host.queue.batches == [1, 1, 1]
    assert await host.statuses() == [Status.SUCCEEDED] * 2


async def test_flush_waits_until_all_is_written(store: Store) -> None:
    """True when everything landed in time; at once when there is nothing."""
    host = await bench(store, 3)
    assert await host.settler.flush(0)
    await host.settler.start()
    for claim in host.claims:
        host.add(claim)
    assert await host.settler.flush(10)
    assert await host.statuses() == [Status.SUCCEEDED] * 3
    await host.settler.stop()


async def test_flush_gives_up_in_time_and_keeps_the_verdicts(store: Store) -> None:
    """False after so many seconds; they may still be written later."""
    host = await bench(store, 1)
    host.add(host.claims[0])
    assert not await host.settler.flush(0.01)
    assert host.settler.backlog == 1
    await host.settler.run_once()
    assert await host.statuses() == [Status.SUCCEEDED]


async def test_clear_drops_what_stands_no_more(store: Store) -> None:
    """It was taken over: what it thinks of its claims is nobody's business."""
    host = await bench(store, 1, StoreUnavailable("gone"))
    host.add(host.claims[0])
    with pytest.raises(StoreUnavailable):
        await host.settler.run_once()
    host.settler.clear()
    await host.settler.run_once()
    assert host.settler.backlog == 0
    assert await host.statuses() == [Status.PROCESSING]
