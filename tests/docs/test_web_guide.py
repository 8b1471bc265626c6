"""The guide to web applications: its files are written as they stand, and do what it says."""

import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect
from sqlalchemy.pool import NullPool

from opwright import Opwright
from tests.integrations.album import SYNC, address

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "web.md"

FASTAPI = """
import asyncio, httpx
from models import Order
from operations import ops
from shop import app, sessions

async def main():
    async with app.router.lifespan_context(app):
        web = httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://shop")
        print((await web.post("/orders/5000")).status_code)
        answer = await web.post("/orders/100")
        print(answer.status_code, await ops.handle(answer.json()["operation"]).result(timeout=30))
        print((await web.get("/operations/" + answer.json()["operation"])).json())
        async with sessions.begin() as session:
            (await session.get_one(Order, 1)).total = 200
        await web.aclose()

if __name__ == "__main__":
    asyncio.run(main())
"""

OTHERS = """
import asyncio
from operations import confirm, ops
from web import litestar, starlette

async def main():
    async with starlette.router.lifespan_context(starlette):
        handle = await confirm.submit(1)
        print(await handle.status())
    async with litestar.lifespan():
        print(await handle.result(timeout=30))

if __name__ == "__main__":
    asyncio.run(main())
"""

FLASK = """
import events
from models import Base, Order
from pages import app, session

Base.metadata.create_all(session.get_bind())
print(app.test_client().post("/orders/100").status_code)
session.delete(session.get_one(Order, 1))
session.commit()
session.remove()
"""

ALEMBIC = """
import asyncio
from env import include_name
from models import Base
from operations import ops
from sqlalchemy import create_engine, inspect

async def main():
    async with ops: pass

asyncio.run(main())
engine = create_engine("sqlite:///shop.db")
Base.metadata.create_all(engine)
names = inspect(engine).get_table_names()
print(len(names) > 10, [name for name in names if include_name(name, "table", {})], include_name(None, "schema", {}))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The files of the page."""
    for name, text in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        (tmp_path / name).write_text(text)
    return tmp_path


def run(folder: Path, *arguments: str) -> list[str]:
    """What Python prints with these arguments."""
    done = subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True, timeout=50, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def drive(folder: Path, program: str) -> list[str]:
    (folder / "drive.py").write_text(program)
    return run(folder, "drive.py")


def rows(folder: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(folder / "shop.db")) as database:
        return database.execute(sql).fetchall()


def test_every_block_of_python_is_a_file(folder: Path) -> None:
    assert len(re.findall("```python", GUIDE.read_text())) == len(list(folder.iterdir())) == 7


def test_the_fastapi_application_keeps_order_and_operation_together(folder: Path) -> None:
    """The declined order leaves neither; changes of the model submit by themselves."""
    assert drive(folder, FASTAPI) == ["500", "202 order 1 is confirmed", "SUCCEEDED"]
    assert rows(folder, "select id, total from orders") == [(1, 200)]
    submitted = rows(folder, "select trigger, inputs from opwright_operations order by id")
    assert submitted == [("index", '{"order":1}'), ("confirm", '{"order":1}'), ("index", '{"order":1}')]


def test_starlette_submits_and_litestar_has_a_host(folder: Path) -> None:
    assert drive(folder, OTHERS) == ["PENDING", "order 1 is confirmed"]


def test_the_flask_application_has_the_commands_of_the_page(folder: Path) -> None:
    """The tables are made by the command; a request submits, and so do the model's changes and its own event, with its key."""
    assert "flask --app pages opwright run --workers 4" in GUIDE.read_text()
    run(folder, "-m", "flask", "--app", "pages", "opwright", "migrate")
    assert drive(folder, FLASK) == ["200"]
    listed = run(folder, "-m", "flask", "--app", "pages", "opwright", "operations", "list")
    assert sorted(line.split()[2] for line in listed[1:]) == ["confirm", "index", "index"]
    assert rows(folder, "select count(*) from opwright_operation_keys") == [(1,)]


def test_alembic_is_shown_the_applications_tables_alone(folder: Path) -> None:
    assert drive(folder, ALEMBIC) == ["True ['orders'] True"]


async def test_on_postgresql_opwrights_tables_are_in_a_schema_that_nobody_looks_into(postgres_database: str) -> None:
    """The default schema, which autogenerate compares, holds none of them."""
    async with Opwright(postgres_database):
        engine = create_engine(address(postgres_database, SYNC), poolclass=NullPool)
        assert inspect(engine).get_table_names() == []
        assert inspect(engine).get_view_names() == []
