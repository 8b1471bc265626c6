"""The contract of the store, through a real PgBouncer in transaction mode: the same tests, collected a second time.

What this module adds to them is the address: ``contract_url`` of this folder's conftest.
"""

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import asyncpg
import pytest
from _pytest.fixtures import FixtureFunctionDefinition

import tests.contract
from opwright.store.postgresql import PostgresEngine
from opwright.store.store import Store
from tests.system.bouncer import POOL, Bouncer

pytestmark = pytest.mark.system

# Texts and plans of statements: no program stands between them and anything, and PREPARE needs a session.
DIRECT = {"test_place_plans", "test_plans", "test_statements", "test_sweep_plans"}
FEWEST = 100  # tests; that they are collected is what this module is about
names = sorted(path.stem for path in Path(tests.contract.__path__[0]).glob("test_*.py"))
collected: list[str] = []


def collect(module: ModuleType) -> None:
    """Offer the tests and fixtures of a module as if they stood here; a test's name says where it comes from."""
    prefix = module.__name__.rpartition(".")[2]
    for name, value in vars(module).items():
        own = getattr(value, "__module__", None) == module.__name__
        if name.startswith("test_") and own:
            collected.append(f"{prefix}__{name.removeprefix('test_')}")
            globals()[collected[-1]] = value
        elif isinstance(value, FixtureFunctionDefinition):
            assert name not in globals(), f"two modules have a fixture named {name}"
            globals()[name] = value


for stem in names:
    if stem not in DIRECT:
        collect(import_module(f"tests.contract.{stem}"))


def test_the_whole_contract_is_collected(capsys: pytest.CaptureFixture[str]) -> None:
    """No module is left out but those that are named, and no test hides another."""
    assert set(names) > DIRECT
    assert len(collected) == len(set(collected)) >= FEWEST
    assert {name.partition("__")[0] for name in collected} == set(names) - DIRECT
    with capsys.disabled():
        sys.stdout.write(f"\n{len(collected)} contract tests of {len(names) - len(DIRECT)} modules go through PgBouncer\n")


async def test_pgbouncer_really_stands_in_between(store: Store, bouncer: Bouncer, postgres_database: str) -> None:
    """It pools transactions, it is what the store is connected to, and clients share its few connections."""
    assert isinstance(store.engine, PostgresEngine)
    assert store.engine.pooled
    assert store.engine.url == bouncer.plain(postgres_database)
    admin = await asyncpg.connect(f"postgresql://postgres@127.0.0.1:{bouncer.port}/pgbouncer", statement_cache_size=0)
    await admin.close()
    raw = await asyncpg.connect(postgres_database)
    try:
        backends = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()"
        assert 1 <= await raw.fetchval(backends) <= POOL
    finally:
        await raw.close()
