"""Migrations: many may start on an empty database, and no program touches a schema it does not know."""

import asyncio
from collections.abc import Callable

import pytest

from opwright.clock import TurnedClock
from opwright.errors import SchemaTooNew, SchemaTooOld, StoreError
from opwright.store import postgresql, sqlite
from opwright.store.migrations import Migration, migrations
from opwright.store.statements import Dialect
from opwright.store.store import Store, engine_for
from tests.contract.kit import OpenStore, is_postgresql, operation, promptly, query

LATER = 9000
Upgrade = Callable[..., None]


@pytest.fixture
def upgrade(monkeypatch: pytest.MonkeyPatch) -> Upgrade:
    """Give this program one more migration, as its next release might have."""

    def install(*statements: str) -> None:
        def more(dialect: Dialect, schema: str) -> tuple[Migration, ...]:
            texts = (text.replace("opwright.", dialect.schema_text(schema)) for text in statements)
            return (*migrations(dialect, schema), Migration(LATER, "later", tuple(texts)))

        for engine in (postgresql, sqlite):
            monkeypatch.setattr(engine, "migrations", more)

    return install


async def versions(store: Store) -> list[int]:
    """Which migrations the database says it has."""
    return [row[0] for row in await query(store, "select version from opwright.migrations order by version")]


async def tables(store: Store) -> list[str]:
    """Every table and index of the database."""
    catalog = "select relname from pg_class" if is_postgresql(store) else "select name from sqlite_master"
    return sorted(row[0] for row in await query(store, catalog))


async def test_an_empty_database_is_installed_without_asking(store: Store) -> None:
    """The first start makes the tables and records what was applied."""
    known = migrations(store.engine.dialect, store.engine.schema)
    assert await versions(store) == [step.version for step in known]
    assert await store.engine.migrate() == []


@pytest.mark.fault("F66")
async def test_many_processes_may_start_on_an_empty_database_at_once(open_store: OpenStore) -> None:
    """Whoever comes first installs, the others wait for it and find all done (F66)."""
    opened = await promptly(asyncio.gather(*(open_store() for _ in range(8)), return_exceptions=True))
    stores = [store for store in opened if isinstance(store, Store)]
    assert [store for store in opened if not isinstance(store, Store)] == []
    await asyncio.gather(*(store.operations.submit([operation()]) for store in stores))
    assert await query(stores[0], "select count(*) from opwright.operations") == [(8,)]
    assert len(await versions(stores[0])) == len(set(await versions(stores[0])))


@pytest.mark.fault("F65")
async def test_a_newer_schema_is_refused_and_left_alone(store: Store, open_store: OpenStore) -> None:
    """An older program neither reads nor repairs what a newer one has made (F65)."""
    await store.operations.submit([operation()])
    await query(store, f"insert into opwright.migrations values ({LATER}, 'from the future', 0)")
    await query(store, "create table opwright.marvel (x integer)")
    before = await tables(store), await versions(store)
    for _ in range(2):
        with pytest.raises(SchemaTooNew, match=str(LATER)):
            await open_store()
    with pytest.raises(SchemaTooNew):
        await store.engine.migrate()
    assert (await tables(store), await versions(store)) == before
    assert await query(store, "select count(*) from opwright.operations") == [(1,)]


async def test_an_older_schema_is_upgraded_as_the_engine_promises(
    store: Store, open_store: OpenStore, contract_url: str, clock: TurnedClock, upgrade: Upgrade
) -> None:
    """SQLite upgrades by itself; PostgreSQL, where older hosts may still run, waits for `migrate()`."""
    await store.operations.submit([operation()])
    upgrade("create table opwright.later (x integer)")
    if is_postgresql(store):
        with pytest.raises(SchemaTooOld, match="opwright migrate"):
            await open_store()
        assert LATER not in await versions(store)
        engine = engine_for(contract_url, clock)
        assert await engine.migrate() == [LATER]
        await engine.close()
    newer = await open_store()
    assert (await versions(newer))[-1] == LATER
    assert await query(newer, "select * from opwright.later") == []
    assert await query(newer, "select count(*) from opwright.operations") == [(1,)]


async def test_a_schema_is_upgraded_once_by_however_many_ask(store: Store, other: Store, upgrade: Upgrade) -> None:
    """Of concurrent upgrades one applies the step, the others find nothing to do."""
    upgrade("create table opwright.later (x integer)")
    done = await promptly(asyncio.gather(store.engine.migrate(), other.engine.migrate()))
    assert sorted(done) == [[], [LATER]]


@pytest.mark.fault("F66", "F69")
async def test_a_migration_that_fails_leaves_nothing_behind(
    store: Store, open_store: OpenStore, upgrade: Upgrade, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step is applied whole or not at all, and the lock is free again afterwards (F66)."""
    before = await tables(store)
    upgrade("create table opwright.later (x integer)", "create table opwright.later (x integer)")
    with pytest.raises(StoreError):
        await store.engine.migrate()
    assert await tables(store) == before
    assert LATER not in await versions(store)
    monkeypatch.undo()
    await promptly(open_store())


async def test_reopening_changes_nothing(store: Store, open_store: OpenStore) -> None:
    """A start on a database that is up to date writes nothing to its schema."""
    before = await tables(store), await query(store, "select * from opwright.migrations")
    again = await open_store()
    assert (await tables(again), await query(again, "select * from opwright.migrations")) == before
