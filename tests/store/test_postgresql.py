"""PostgreSQL: many hosts at once, connections that break, and settings that others chose."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from opwright.clock import SystemClock, TurnedClock
from opwright.errors import (
    ConfigurationError,
    KeyTaken,
    RowRefused,
    StoreBusy,
    StoreConflict,
    StoreError,
    StoreStarting,
    StoreUnavailable,
    StoreUncertain,
)
from opwright.model.ids import new_id
from opwright.model.operation import OnConflict
from opwright.model.status import Status
from opwright.store import own, postgresql, postgresql_own
from opwright.store.engine import Lane
from opwright.store.postgresql import CONNECTIONS, PostgresEngine
from opwright.store.postgresql_address import own_parameters
from opwright.store.postgresql_connection import PostgresConnection
from opwright.store.postgresql_errors import translate
from opwright.store.postgresql_lane import PostgresLane
from opwright.store.postgresql_own import OwnConnection
from opwright.store.statements import POSTGRESQL, load
from opwright.store.store import Store, engine_for
from tests.contract.kit import (
    HAND_BACK,
    PATIENCE,
    SUCCESS,
    Member,
    OpenStore,
    ids,
    join,
    operation,
    places,
    promptly,
    query,
    status,
    submit,
    until,
)
from tests.kit.waiting import eventually

Raw = Any  # an asyncpg connection of the test's own
FAIL, SKIP = OnConflict.FAIL, OnConflict.SKIP


@pytest.fixture
def contract_url(postgres_database: str) -> str:
    """These promises are of PostgreSQL alone."""
    return postgres_database


@pytest_asyncio.fixture
async def raw(store: Store) -> AsyncIterator[Raw]:
    """A connection past the store, to hold a transaction or a lock open."""
    connection = await asyncpg.connect(store.engine.url, statement_cache_size=0)
    yield connection
    await connection.close()


async def run_raw(connection: Raw, store: Store, name: str, **values: object) -> list[Any]:
    """Run one of our statements on the test's connection, inside whatever transaction it holds."""
    part = load(POSTGRESQL, "opwright")[name].parts[0]
    assert isinstance(store.engine, PostgresEngine)
    rows: list[Any] = await connection.fetch(part.sql, *part.arguments(store.engine.values(values)))
    return rows


async def blocked(connection: Raw, count: int = 1) -> None:
    """Wait until so many backends of this database wait for a lock."""
    waiting = """select count(*) from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and application_name = 'opwright'"""

    async def all_wait() -> bool:
        await connection.execute("select pg_stat_clear_snapshot()")  # else a transaction sees the same picture for ever
        return bool(await connection.fetchval(waiting) >= count)

    await until(all_wait)


async def backends(connection: Raw) -> set[int]:
    """Which backends of this database are ours."""
    await connection.execute("select pg_stat_clear_snapshot()")
    rows = await connection.fetch(
        "select pid from pg_stat_activity where datname = current_database() and application_name = 'opwright'"
    )
    return {row[0] for row in rows}


# --------------------------------------------------------------------------------------------------- claims


async def test_a_claim_passes_over_what_another_is_taking(store: Store, host: Member, rival: Member, raw: Raw) -> None:
    """A claim in flight hides its rows from the others and keeps nobody waiting."""
    sent = await submit(store, 10)
    async with raw.transaction():
        taking = await run_raw(
            raw, store, "claim", host=rival.id, token=new_id(), queue="default", triggers=["work"], limit=4, ahead=False
        )
        assert sorted(row["id"] for row in taking) == sent[:4]
        assert ids(await promptly(host.claim(4))) == sent[4:8]
    assert sorted((await places(store))["claimed"]) == sent[:8]


async def test_a_claim_that_was_rolled_back_is_free_again(store: Store, host: Member, rival: Member, raw: Raw) -> None:
    """A host that dies inside its claim leaves nothing behind."""
    sent = await submit(store, 2)
    transaction = raw.transaction()
    await transaction.start()
    values = {"host": rival.id, "token": 1, "queue": "default", "triggers": ["work"], "limit": 5, "ahead": False}
    await run_raw(raw, store, "claim", **values)
    await transaction.rollback()
    assert ids(await host.claim()) == sent


async def test_a_claim_waits_while_the_gate_is_changed(store: Store, host: Member, raw: Raw) -> None:
    """Whoever changes the gate holds its lock exclusively; until it lets go nothing is claimed."""
    (one,) = await submit(store)
    assert isinstance(store.engine, PostgresEngine)
    async with raw.transaction():
        await raw.execute("select pg_advisory_xact_lock($1)", store.engine._gate)
        claiming = asyncio.ensure_future(host.claim())
        await blocked(raw)
        assert not claiming.done()
        assert await raw.fetchval("select count(*) from opwright.claimed") == 0
    assert ids(await promptly(claiming)) == [one]


async def test_claims_do_not_keep_each_other_waiting_at_the_gate(store: Store, host: Member, rival: Member, raw: Raw) -> None:
    """The gate's lock is shared among claims."""
    await submit(store, 2)
    async with raw.transaction():
        values = {"host": rival.id, "token": 1, "queue": "default", "triggers": ["work"], "limit": 1, "ahead": False}
        await run_raw(raw, store, "claim", **values)
        assert len(await promptly(host.claim())) == 1


async def test_two_schemas_have_two_gates(contract_url: str, clock: TurnedClock) -> None:
    """Applications that share a database do not stop each other."""
    gates = {PostgresEngine(contract_url, clock, schema)._gate for schema in ("opwright", "another", "third")}
    assert len(gates) == 3


# ----------------------------------------------------------------------------------------------- statements


async def test_a_statement_is_parsed_and_planned_once(store: Store, host: Member, raw: Raw) -> None:
    """Not at each call: the server knows it by name, and has a plan that serves all values, also when there are many rows."""
    await submit(store, 2000)
    await raw.execute("analyze")
    for _ in range(8):
        await submit(store)
        await host.claim(1)
    for lane, part, planned in ((Lane.CLIENT, "into opwright.ready", 5), (Lane.CLAIM, "delete from opwright.ready", 0)):
        row = next(row for row in await prepared(store, lane) if part in row["statement"] and "given" not in row["statement"])
        assert row["generic_plans"], lane
        assert row["custom_plans"] <= planned, lane


async def test_a_migration_that_changes_the_view_stops_nobody(store: Store, raw: Raw) -> None:
    """A statement prepared before cannot return other columns: all connections are replaced, and it is asked again."""
    (one,) = await submit(store)
    at_once = CONNECTIONS[Lane.CLIENT]
    await asyncio.gather(*(store.operations.get(one) for _ in range(2 * at_once)))
    before = await backends(raw)
    view = await raw.fetchval("select pg_get_viewdef('opwright.overview')")
    names = [row[0] for row in await raw.fetch("select attname from pg_attribute where attrelid = 'opwright.overview'::regclass")]
    columns = ", ".join("cast(queue as varchar(200)) as queue" if name == "queue" else name for name in names)
    await raw.execute(f"drop view opwright.overview; create view opwright.overview as select {columns} from ({view[:-1]}) o")
    assert (await store.operations.get(one)).queue == "default"

    async def replaced() -> bool:
        return len(before & await backends(raw)) <= len(before) - at_once

    await eventually(replaced, PATIENCE, "the end of the old connections, of which the server learns in its own time")


async def test_a_statement_whose_making_was_broken_off_stops_nobody(store: Store) -> None:
    """The server may know its name while we do not, as after a time limit that struck in between."""
    assert isinstance(store.engine, PostgresEngine)
    async with store.engine._lane(Lane.CLIENT).connection() as connection:
        await connection.raw.execute(f"prepare opwright_{len(connection._prepared)} as select 1")
    (one,) = await submit(store)
    assert (await store.operations.get(one)).id == one


async def prepared(store: Store, lane: Lane) -> list[Any]:
    """What a lane's connection has prepared, and how it was planned."""
    assert isinstance(store.engine, PostgresEngine)
    async with store.engine._lane(lane).connection() as connection:
        rows: list[Any] = await connection.raw.fetch("select * from pg_prepared_statements")
    return rows


# ---------------------------------------------------------------------------------------------------- races


async def test_a_cancel_that_meets_a_promotion_is_not_lost(store: Store, clock: TurnedClock, raw: Raw) -> None:
    """Between `delayed` and `ready` an operation is still there: the cancel finds it, or says that it may be asked again."""
    new = operation(wait=1)
    await store.operations.submit([new])
    clock.turn(1)
    async with raw.transaction():
        await run_raw(raw, store, "promote", limit=10)
        cancelling = asyncio.ensure_future(store.operations.cancel(new.id, "no"))
        await blocked(raw)
    assert await promptly(cancelling) == "cancelled"
    assert await status(store, new.id) is Status.CANCELLED


async def test_a_cancel_that_meets_a_hand_back_is_not_lost(store: Store, host: Member, raw: Raw) -> None:
    """Between `claimed` and `ready` too."""
    (one,) = await submit(store)
    claim = await host.take()
    async with raw.transaction():
        await raw.execute("lock table opwright.cancel_requests in exclusive mode")
        cancelling = asyncio.ensure_future(store.operations.cancel(one, "no"))
        await blocked(raw)  # it found nothing to withdraw and is about to ask the owner
        assert await host.end(claim, HAND_BACK)
    answer = await promptly(cancelling)
    again = await host.claim()
    assert answer == "cancelled" or (answer == "asked" and await host.asked() == ids(again))


async def test_a_settle_that_meets_a_takeover_is_decided_once(store: Store, host: Member, rival: Member, raw: Raw) -> None:
    """While another writer's verdict on the same claim is in flight, ours waits and then finds nothing (F01)."""
    (one,) = await submit(store)
    claim = await host.take()
    row = f'[{{"i":{one},"t":{claim.token},"a":1,"x":0,"d":1,"q":"default","p":0,"f":"work","e":"died"}}]'
    async with raw.transaction():
        assert len(await run_raw(raw, store, "release", rows=row)) == 1
        ending = asyncio.ensure_future(host.end(claim))
        await blocked(raw)
    assert await promptly(ending) is False
    found = await places(store)
    assert (found["ready"], found["outcomes"]) == ([one], [])


async def test_a_key_taken_by_a_transaction_in_flight_is_waited_for(store: Store, raw: Raw) -> None:
    """Whether the key is free is known when that transaction ends, not before."""
    for ending in ("rollback", "commit"):
        first, second = operation(key=ending), operation(key=ending)
        transaction = raw.transaction()
        await transaction.start()
        rows = f'[{{"i":{first.id},"t":"work","q":"default","n":"{{}}","p":0,"k":"{ending}"}}]'
        await run_raw(raw, store, "submit_keyed", rows=rows)
        waiting = asyncio.ensure_future(store.operations.submit_keyed(second, SKIP))
        await blocked(raw)
        await getattr(transaction, ending)()
        assert await promptly(waiting) == (first.id if ending == "commit" else second.id)


async def test_a_statement_that_waits_too_long_for_a_lock_was_not_carried_out(
    open_store: OpenStore, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the server that gives up first, and says so: nothing is in doubt, and no connection is given up."""
    store = await open_store()
    monkeypatch.setitem(postgresql._SETTINGS, "statement_timeout", "300ms")
    monkeypatch.setattr(postgresql, "STATEMENT_SECONDS", 0.25)  # the server's time begins later, by the way to it
    assert isinstance(store.engine, PostgresEngine)
    async with store.engine._lane(Lane.CLIENT).connection():
        """It is connected with so little time; nothing runs yet that a busy machine could make late."""
    async with raw.transaction():
        await run_raw(raw, store, "submit_keyed", rows='[{"i":1,"t":"work","q":"default","n":"{}","p":0,"k":"k"}]')
        before = await backends(raw)
        with pytest.raises(StoreBusy):
            await store.operations.submit_keyed(operation(key="k"), FAIL)
        assert before <= await backends(raw)


# ----------------------------------------------------------------------------------------------- isolation


@pytest_asyncio.fixture
async def serializable(contract_url: str) -> None:
    """A database whose owner made the strictest isolation its default."""
    connection = await asyncpg.connect(contract_url)
    name = await connection.fetchval("select quote_ident(current_database())")
    await connection.execute(f"alter database {name} set default_transaction_isolation = 'serializable'")
    await connection.close()


async def test_a_serializable_database_is_installed_by_many_at_once(serializable: None, open_store: OpenStore) -> None:
    """Starting together works whatever isolation the database has by default (F39)."""
    opened = await promptly(asyncio.gather(*(open_store() for _ in range(6)), return_exceptions=True))
    assert [store for store in opened if not isinstance(store, Store)] == []


async def test_a_serializable_database_claims_and_settles_concurrently(serializable: None, open_store: OpenStore) -> None:
    """Hosts that work side by side meet no serialization failure (F39)."""
    stores = [await open_store() for _ in range(3)]
    members = [await join(store) for store in stores]
    sent = await submit(stores[0], 300)

    async def work(member: Member) -> list[int]:
        done: list[int] = []
        while claims := await member.claim(7):
            done += await member.settle(*((claim, HAND_BACK if claim.errors else SUCCESS) for claim in claims))
        return done

    shares = await promptly(asyncio.gather(*map(work, members), return_exceptions=True))
    assert [share for share in shares if isinstance(share, BaseException)] == []
    assert sorted(each for share in shares if isinstance(share, list) for each in share) == sent


async def test_a_serializable_database_keeps_keys_apart(serializable: None, open_store: OpenStore) -> None:
    """The loser of a key is told the winner, not a serialization failure (F39, F53)."""
    stores = [await open_store() for _ in range(2)]
    work = (stores[n % 2].operations.submit_keyed(operation(key="k"), SKIP) for n in range(20))
    answers = await promptly(asyncio.gather(*work, return_exceptions=True))
    assert [answer for answer in answers if isinstance(answer, BaseException)] == []
    assert len(set(answers)) == 1


# --------------------------------------------------------------------------------------------- connections


async def test_broken_connections_are_replaced(store: Store, host: Member, raw: Raw) -> None:
    """After the server dropped every connection each part has at most one failed call, and then works again."""
    sent = await submit(store, 3)
    assert len(await host.claim(1)) == 1
    await host.renew()
    await raw.execute("select pg_terminate_backend(pid) from unnest($1::int[]) pid", list(await backends(raw)))

    async def once_more(work: Any) -> Any:
        try:
            return await work()
        except StoreUnavailable:
            return await work()

    assert len(await once_more(lambda: store.operations.latest(5))) == 3
    assert (await once_more(host.renew)).renewed
    assert len(await once_more(lambda: store.queue.claims_of(host.id))) == 1
    assert ids(await host.claim()) == sent[1:]
    for _ in range(2 * CONNECTIONS[Lane.CLIENT]):
        await submit(store)


async def test_what_a_block_has_left_in_its_session_goes_though_no_other_block_comes(store: Store, raw: Raw) -> None:
    """A lock that nobody would release otherwise keeps others out."""

    async def free() -> bool:
        return bool(await raw.fetchval("select pg_try_advisory_lock(7)"))

    async with own.transaction(store.engine) as connection:
        await connection.execute("select pg_advisory_lock(7)")
        assert not await free()
    await until(free)


async def test_between_two_blocks_nothing_is_sent_but_with_the_begin(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The session is cleaned on the way: a block of one statement takes three round trips."""
    monkeypatch.setattr(postgresql_own, "SOON", 60.0)  # the next block comes sooner, however busy the machine is
    sent: list[str] = []

    def note(record: Any) -> None:
        sent.append(record.query.partition(" ")[0] + (", reset" if "RESET ALL" in record.query else ""))

    for number in range(2):
        async with own.transaction(store.engine) as connection:
            connection.add_query_logger(note)
            await connection.execute(f"select {number}")
    await asyncio.sleep(0)  # the driver tells of it a little later
    assert sent == ["select", "COMMIT;", "BEGIN;\nSELECT, reset", "select", "COMMIT;"]


async def test_whom_a_block_has_the_driver_call_is_not_called_after_it(
    store: Store, raw: Raw, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also while the server, which learns of it with the next block, still tells."""
    monkeypatch.setattr(postgresql_own, "SOON", 60.0)
    heard: list[object] = []
    async with own.transaction(store.engine) as connection:
        await connection.add_listener("news", lambda *news: heard.append(news))
    await raw.execute("notify news")
    async with own.transaction(store.engine) as after:
        assert after is connection
        await after.execute("select 1")
    assert heard == []


async def test_a_connection_whose_roll_back_was_cancelled_is_not_used_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Though what the block itself raised would have done it no harm."""
    begun, used, execute = asyncio.Event(), list[Any](), OwnConnection.execute

    async def stuck(self: OwnConnection, query: str, *args: Any, **named: Any) -> str:
        if query == "ROLLBACK;" and not begun.is_set():
            begun.set()
            await asyncio.Event().wait()
        return await execute(self, query, *args, **named)

    async def block() -> None:
        async with own.transaction(store.engine) as connection:
            used.append(connection)
            raise KeyTaken("no", winner=1)

    monkeypatch.setattr(OwnConnection, "execute", stuck)
    task = asyncio.create_task(block())
    await promptly(begun.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await promptly(task)
    assert used[0].is_closed()
    async with own.transaction(store.engine) as connection:
        assert connection is not used[0]


async def test_a_begin_that_nobody_answers_is_given_up(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server's process stands still; the next block has another one."""
    monkeypatch.setattr(postgresql_own, "SOON", 60.0)  # so that the BEGIN is the first to find out
    async with own.transaction(store.engine) as connection:
        pid = connection.get_server_pid()
    os.kill(pid, signal.SIGSTOP)
    try:
        with monkeypatch.context() as soon:
            soon.setattr(postgresql_own, "BEGIN_SECONDS", 0.2)
            with pytest.raises(StoreUnavailable, match="PostgreSQL does not answer"):
                await promptly(own.transaction(store.engine).__aenter__())
        async with own.transaction(store.engine) as connection:
            assert connection.get_server_pid() != pid
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_a_connection_that_breaks_during_a_statement_means_unavailable(store: Store, host: Member, raw: Raw) -> None:
    """The caller learns that the answer is lost, and the next call works."""
    (one,) = await submit(store)
    assert isinstance(store.engine, PostgresEngine)
    async with raw.transaction():
        await raw.execute("select pg_advisory_xact_lock($1)", store.engine._gate)
        claiming = asyncio.ensure_future(host.claim())
        await blocked(raw)
        await raw.execute("select pg_terminate_backend(pid) from unnest($1::int[]) pid", list(await backends(raw)))
        with pytest.raises(StoreUnavailable):
            await promptly(claiming)
    assert ids(await host.claim()) == [one]


async def test_the_connection_of_a_cancelled_call_is_thrown_away(store: Store, host: Member, raw: Raw) -> None:
    """What such a connection would answer next nobody knows, so it never answers again."""
    (one,) = await submit(store)
    assert isinstance(store.engine, PostgresEngine)
    async with raw.transaction():
        await raw.execute("select pg_advisory_xact_lock($1)", store.engine._gate)
        claiming = asyncio.ensure_future(host.claim())
        await blocked(raw)
        before = await backends(raw)
        claiming.cancel()
        with pytest.raises(asyncio.CancelledError):
            await claiming
    claims = await promptly(host.claim())

    async def gone() -> bool:
        return bool(before - await backends(raw))

    await eventually(gone, PATIENCE, "the end of its connection, and of what was still done there")
    held = [each for each, _ in await store.queue.claims_of(host.id)]
    assert held == [one]  # by the call that was cancelled or by the next, never by both
    assert ids(claims) in ([one], [])


async def test_no_lane_starves_another(store: Store, host: Member, raw: Raw) -> None:
    """With every client connection stuck behind a lock, claims, ends and renewals go on."""
    (one,) = await submit(store)
    stuck = CONNECTIONS[Lane.CLIENT] + 3
    async with raw.transaction():
        rows = f'[{{"i":{new_id()},"t":"other","q":"default","n":"{{}}","p":0,"k":"k"}}]'
        await run_raw(raw, store, "submit_keyed", rows=rows)
        clients = [asyncio.ensure_future(store.operations.submit_keyed(operation("other", "k"), SKIP)) for _ in range(stuck)]
        await blocked(raw, CONNECTIONS[Lane.CLIENT])
        (claim,) = await promptly(host.claim())
        assert await promptly(host.end(claim))
        assert (await promptly(host.renew())).renewed
    assert len(set(await promptly(asyncio.gather(*clients)))) == 1
    assert claim.operation == one


async def test_a_store_keeps_to_its_connections(store: Store, raw: Raw) -> None:
    """However many calls there are at once, the server sees a handful of connections."""
    await asyncio.gather(*(submit(store) for _ in range(100)))
    assert len(await backends(raw)) <= sum(CONNECTIONS.values())


class Idle:
    """The part of a connection that a lane looks at, before the driver has noticed that the server is gone."""

    def __init__(self) -> None:
        self.terminated = False

    def is_closed(self) -> bool:
        return self.terminated

    def is_in_transaction(self) -> bool:
        return False

    def terminate(self) -> None:
        self.terminated = True


@pytest.mark.parametrize(
    ("error", "usable"),
    [
        (KeyTaken("no", winner=1), True),
        (asyncpg.UniqueViolationError("no"), True),
        (asyncpg.AdminShutdownError("terminating connection"), False),
        (asyncpg.ConnectionDoesNotExistError("gone"), False),
        (asyncpg.InterfaceError("another operation is in progress"), False),
        (asyncpg.InternalClientError("cannot switch to state 11"), False),
        (TimeoutError(), False),
        (OSError(), False),
        (asyncio.CancelledError(), False),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
async def test_a_connection_is_kept_only_while_its_state_is_known(error: BaseException, *, usable: bool) -> None:
    """An answer keeps its connection; a connection that broke is never used again, even if it looks open."""
    raws: list[Idle] = []

    async def connect() -> PostgresConnection:
        raws.append(Idle())
        return PostgresConnection(raws[-1], prepares=False)

    lane = PostgresLane(connect, 1)
    with pytest.raises(type(error)):
        async with lane.connection():
            raise error
    async with lane.connection() as connection:
        assert (connection.raw is raws[0]) is usable
    assert raws[0].terminated is not usable


def test_a_driver_that_lost_its_thread_means_unavailable() -> None:
    """What asyncpg says about itself when a connection dies under it is no defect of the caller."""
    assert type(translate(asyncpg.InternalClientError("cannot switch to state 11"))) is StoreUncertain


async def test_a_refused_submit_costs_no_connection(store: Store, raw: Raw) -> None:
    """A taken key is an everyday answer; the connection that brought it is as good as before."""
    await store.operations.submit_keyed(operation(key="k"), FAIL)
    before = await backends(raw)
    await asyncio.gather(*(store.operations.submit_keyed(operation(key="k"), FAIL) for _ in range(3)), return_exceptions=True)
    assert before <= await backends(raw)


@pytest.mark.fault("F74")
async def test_closing_during_a_call_leaves_no_connection(open_store: OpenStore, raw: Raw) -> None:
    """A call that was on its way when the store closed keeps nothing open."""
    first = await open_store()
    host = await join(first)
    others = await backends(raw)
    assert isinstance(first.engine, PostgresEngine)
    await submit(first)
    async with raw.transaction():
        await raw.execute("select pg_advisory_xact_lock($1)", first.engine._gate)
        claiming = asyncio.ensure_future(host.claim())
        await blocked(raw)
        mine = await backends(raw) & others
        await first.close()
    await asyncio.gather(claiming, return_exceptions=True)

    async def claim_lane_gone() -> bool:
        waiting = "select count(*) from pg_stat_activity where pid = any($1::int[]) and query like '%skip locked%'"
        return bool(await raw.fetchval(waiting, list(mine)) == 0)

    await until(claim_lane_gone)


async def test_only_claims_may_lose_their_commit(store: Store) -> None:
    """Ends, submits and leases are on disk when they return; claims alone need not be."""
    assert isinstance(store.engine, PostgresEngine)
    found = {}
    for lane in Lane:
        connection = await store.engine.connect(lane)
        found[lane] = await connection.raw.fetchval("show synchronous_commit")
        await connection.close()
    assert found.pop(Lane.CLAIM) == "off"
    assert set(found.values()) == {"on"}


async def test_nobody_there_means_unavailable(clock: TurnedClock) -> None:
    """A server that cannot be reached is told as such, at once."""
    with pytest.raises(StoreUnavailable, match=r"^PostgreSQL cannot be reached \(Connection refused\): does it run"):
        await promptly(engine_for("postgresql://postgres@127.0.0.1:9/nothing", clock).open())


async def test_a_missing_database_is_a_store_error(contract_url: str, clock: TurnedClock) -> None:
    """A wrong name in the address is not mistaken for a server that is down."""
    url = contract_url.rpartition("/")[0] + "/no_such_database"
    with pytest.raises(StoreError, match="no_such_database"):
        await engine_for(url, clock).open()


# ------------------------------------------------------------------------------------------------ addresses


async def test_two_schemas_in_one_database_are_two_queues(contract_url: str, clock: TurnedClock, store: Store) -> None:
    """`?schema=` keeps applications apart."""
    another = Store(engine_for(f"{contract_url}?schema=another", clock))
    await another.open()
    await submit(another, 2)
    assert await store.operations.latest(10) == []
    assert len(await another.operations.latest(10)) == 2
    await another.close()


@pytest.mark.parametrize("schema", ["Upper", "with space", "quote'", 'quote"', "1st", "", "x" * 60, "a;b"])
def test_a_schema_that_needs_quotes_is_refused(clock: TurnedClock, schema: str) -> None:
    """The name goes into statements as it is, so only plain names are taken."""
    with pytest.raises(ConfigurationError, match="schema"):
        engine_for("postgresql://host/database", clock, schema)


def test_our_parameters_stay_with_us() -> None:
    """The driver gets its own parameters and none of ours."""
    url = "postgres://me:p%40ss@host:1/db?schema=s&pooled=true&listen_url=postgresql%3A%2F%2Fdirect%2Fdb&sslmode=require"
    rest, own = own_parameters(url)
    assert rest == "postgresql://me:p%40ss@host:1/db?sslmode=require"
    assert own == {"schema": "s", "pooled": "true", "listen_url": "postgresql://direct/db"}


@pytest.mark.parametrize(
    ("state", "kind"),
    [
        ("40001", StoreConflict), ("40P01", StoreConflict), ("42P05", StoreConflict),
        ("08006", StoreUncertain), ("57P01", StoreUncertain), ("57P03", StoreStarting),
        ("53300", StoreUnavailable), ("25006", StoreUnavailable), ("0A000", StoreUnavailable), ("26000", StoreUnavailable),
        ("57014", StoreBusy), ("55P03", StoreBusy),
        ("42601", StoreError), ("23514", RowRefused), ("22P02", RowRefused), ("54000", RowRefused),
    ],
)  # fmt: skip
def test_what_the_server_says_has_a_name(state: str, kind: type[StoreError]) -> None:
    """Try again, run it again, or give up: the kind of the error tells which."""
    error = asyncpg.PostgresError.new({"C": state, "M": "no"})
    assert type(translate(error)) is kind


async def test_the_clock_of_production_is_the_servers(contract_url: str) -> None:
    """Without a turned clock, statements read the server's time, within seconds of ours here."""
    store = Store(engine_for(contract_url, SystemClock()))
    await store.open()
    peek = await store.queue.peek()
    assert abs(peek.now / 1e6 - time.time()) < 60
    await submit(store)
    rows = await query(store, "select abs(created / 1e6 - extract(epoch from clock_timestamp())) < 60 from opwright.operations")
    assert rows == [(True,)]
    await store.close()
