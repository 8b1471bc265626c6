"""Changes of models submit operations: in the same transaction, with a session of either kind."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import create_engine, delete, event, insert, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from opwright import ConfigurationError, InvalidOperation, Opwright, Trigger
from opwright.integrations.sqlalchemy import on_change
from tests.integrations.album import ASYNC, SYNC, address, models
from tests.kit.tables import Tables

Work = Callable[[Session], None]


@pytest.fixture
def album() -> SimpleNamespace:
    return models()


@pytest_asyncio.fixture
async def ops(database_url: str) -> AsyncIterator[Opwright]:
    async with Opwright(database_url) as ops:
        yield ops


@pytest.fixture
def render(ops: Opwright) -> Trigger[..., None]:
    @ops.operation
    def render(photo: int, title: str) -> None: ...

    return render


class Database:
    """The application's own way to its database: a synchronous session, or an asynchronous one."""

    def __init__(self, url: str, kind: str) -> None:
        self.kind = kind
        self.engine = create_async_engine(address(url, ASYNC), poolclass=NullPool)
        self.sync_url = address(url, SYNC)

    async def do(self, work: Work) -> None:
        """Do some work in a transaction, and commit it."""
        if self.kind == "async":
            async with AsyncSession(self.engine) as session, session.begin():
                await session.run_sync(work)
        else:
            await asyncio.to_thread(self._do, work)

    def _do(self, work: Work) -> None:
        engine = create_engine(self.sync_url, poolclass=NullPool)
        with Session(engine) as session, session.begin():
            work(session)


@pytest_asyncio.fixture(params=["sync", "async"])
async def database(request: pytest.FixtureRequest, database_url: str, album: SimpleNamespace) -> Database:
    database = Database(database_url, request.param)
    await database.do(lambda session: album.Base.metadata.create_all(session.connection()))
    return database


@pytest.fixture
def tables(database_url: str) -> Tables:
    return Tables(database_url)


async def submitted(tables: Tables) -> list[Any]:
    """The inputs of every operation, in the order of their submits."""
    return [json.loads(text) for text in await tables.column("select inputs from opwright.operations order by id")]


def inputs(photo: Any) -> dict[str, Any] | None:
    """A photo's id and title; of drafts nothing."""
    return None if photo.title.startswith("draft") else {"photo": photo.id, "title": photo.title}


async def test_each_change_submits_with_the_keys_that_the_database_gave(
    album: SimpleNamespace, database: Database, render: Trigger[..., None], tables: Tables
) -> None:
    """Insert, update and delete; of subclasses too; a function that answers None submits nothing."""
    on_change(album.Photo, "insert", "update", "delete", submit=render, inputs=inputs)

    def work(session: Session) -> None:
        cat, wide, draft = album.Photo(title="cat"), album.Panorama(title="wide"), album.Photo(title="draft")
        session.add_all([cat, wide, draft])
        session.flush()
        cat.title = "cats"
        session.flush()
        session.delete(wide)

    await database.do(work)
    assert await submitted(tables) == [
        {"photo": 1, "title": "cat"},
        {"photo": 2, "title": "wide"},
        {"photo": 1, "title": "cats"},
        {"photo": 2, "title": "wide"},
    ]


async def test_only_the_changes_that_were_named_count(
    album: SimpleNamespace, database: Database, render: Trigger[..., None], tables: Tables
) -> None:
    """Nor does an update that changes no column, nor one of a collection."""
    on_change(album.Photo, "update", submit=render, inputs=inputs)

    def work(session: Session) -> None:
        cat = album.Photo(title="cat")
        session.add(cat)
        session.flush()
        cat.title = "cat"
        session.flush()
        cat.tags.append(album.Tag(word="animal"))
        session.flush()
        session.delete(cat)

    await database.do(work)
    assert await tables.counts() == {}


async def test_a_rollback_leaves_nothing(
    album: SimpleNamespace, database: Database, render: Trigger[..., None], tables: Tables
) -> None:
    on_change(album.Photo, "insert", submit=render, inputs=inputs)

    def work(session: Session) -> None:
        session.add(album.Photo(title="cat"))
        session.flush()
        raise ValueError("the card was declined")

    with suppress(ValueError):
        await database.do(work)
    assert await tables.counts() == {}
    await database.do(lambda session: session.add(album.Photo(title="cat")))
    assert await tables.counts() == {"operations": 1, "ready": 1}


async def test_a_savepoint_takes_back_what_was_flushed_in_it(
    album: SimpleNamespace, database: Database, render: Trigger[..., None], tables: Tables
) -> None:
    """Before it, after it, and in one that is released, everything stays."""
    on_change(album.Photo, "insert", submit=render, inputs=inputs)

    def work(session: Session) -> None:
        session.add(album.Photo(title="before"))
        savepoint = session.begin_nested()
        session.add(album.Photo(title="undone"))
        session.flush()
        savepoint.rollback()
        with session.begin_nested():
            session.add(album.Photo(title="released"))
        session.add(album.Photo(title="after"))

    await database.do(work)
    assert [one["title"] for one in await submitted(tables)] == ["before", "released", "after"]


async def test_a_flush_that_failed_leaves_nothing_to_the_next(
    album: SimpleNamespace, database: Database, render: Trigger[..., None], tables: Tables
) -> None:
    """What it had written before it failed is gone, and so is what it would have submitted."""
    on_change(album.Photo, "insert", submit=render, inputs=inputs)

    def work(session: Session) -> None:
        session.add(album.Photo(title="cat"))
        session.flush()
        with suppress(IntegrityError), session.begin_nested():
            session.add(album.Photo(title="dog", tags=[album.Tag()]))  # the photo is written, and then its tag refused
            session.flush()
        session.add(album.Photo(title="bird"))

    await database.do(work)
    assert [one["title"] for one in await submitted(tables)] == ["cat", "bird"]


async def test_inputs_that_do_not_fit_fail_the_flush(
    album: SimpleNamespace, database: Database, render: Trigger[..., None], tables: Tables
) -> None:
    """The error names the field, and neither the row nor an operation is there."""
    on_change(album.Photo, "insert", submit=render, inputs=lambda photo: {"photo": photo.title, "title": photo.title})
    with pytest.raises(InvalidOperation, match="photo") as told:
        await database.do(lambda session: session.add(album.Photo(title="cat")))
    assert told.value.field == "photo"
    assert await tables.counts() == {}
    assert await tables.value("select count(*) from photos") == 0


async def test_bulk_statements_are_not_seen(
    album: SimpleNamespace, database: Database, render: Trigger[..., None], tables: Tables
) -> None:
    """They touch no instance. The guide says so."""
    on_change(album.Photo, "insert", "update", "delete", submit=render, inputs=inputs)

    def work(session: Session) -> None:
        session.execute(insert(album.Photo), [{"title": "cat", "kind": "photo"}])
        session.execute(update(album.Photo).values(title="cats"))
        session.execute(delete(album.Photo))

    await database.do(work)
    assert await tables.counts() == {}


async def test_a_flush_of_many_submits_them_together(
    album: SimpleNamespace, database: Database, render: Trigger[..., None], tables: Tables
) -> None:
    """A thousand instances are one submit, not a thousand; options of the trigger hold for each."""
    on_change(album.Photo, "insert", submit=render.options(priority=7), inputs=inputs)
    said: list[str] = []

    def work(session: Session) -> None:
        event.listen(session.connection(), "before_cursor_execute", lambda *told: said.append(told[2]))
        session.add_all([album.Photo(title=f"{number}") for number in range(1000)])

    await database.do(work)
    assert await tables.counts() == {"operations": 1000, "ready": 1000}
    assert await tables.column("select distinct priority from opwright.operations") == [7]
    assert len([sql for sql in said if "photos" not in sql]) < 10
    if database.kind == "async":  # its loop has our connection open, which notifies after the commit
        assert not [sql for sql in said if "notify" in sql]


async def test_a_session_of_several_databases_submits_in_that_of_the_model(
    album: SimpleNamespace, database_url: str, render: Trigger[..., None], tables: Tables, tmp_path: Path
) -> None:
    """The session's default may be another database; the operation goes where the row goes."""
    on_change(album.Photo, "insert", submit=render, inputs=inputs)
    own, other = (
        create_engine(url, poolclass=NullPool) for url in (address(database_url, SYNC), f"sqlite:///{tmp_path}/other.db")
    )
    album.Base.metadata.create_all(own)
    with Session(other, binds={album.Photo: own}) as session, session.begin():
        session.add(album.Photo(title="cat"))
    assert await submitted(tables) == [{"photo": 1, "title": "cat"}]


async def test_changes_that_there_are_not_are_refused(album: SimpleNamespace, render: Trigger[..., None]) -> None:
    with pytest.raises(ConfigurationError, match="on_change: 'upsert' is none of insert, update, delete"):
        on_change(album.Photo, "upsert", submit=render, inputs=inputs)  # type: ignore[arg-type] # the mistake
    with pytest.raises(ConfigurationError, match="on_change: say which changes of Photo count"):
        on_change(album.Photo, submit=render, inputs=inputs)
