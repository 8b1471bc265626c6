"""Migrations as texts: what a framework is given that applies them itself."""

import re

import pytest

from opwright.clock import SystemClock
from opwright.store.handover import handover
from opwright.store.migrations import migrations
from opwright.store.postgresql import PostgresEngine
from opwright.store.statements import POSTGRESQL, SQLITE, Dialect


def test_the_framework_takes_the_lock_that_hosts_take() -> None:
    """So neither makes a table while the other does; every schema has a lock of its own."""
    for schema in ("opwright", "elsewhere"):
        engine = PostgresEngine("postgresql:///app", SystemClock(), schema)
        (lock,) = handover(POSTGRESQL, schema).lock
        assert re.findall(r"\d+", lock) == [str(engine._gate + 1)]


@pytest.mark.parametrize("dialect", [POSTGRESQL, SQLITE], ids=lambda dialect: dialect.name)
def test_every_step_is_there_and_records_itself_last(dialect: Dialect) -> None:
    steps = handover(dialect, "elsewhere").steps
    assert list(steps) == [step.version for step in migrations(dialect, "elsewhere")]
    for version, texts in steps.items():
        assert re.match(rf"insert into elsewhere[._]migrations values \({version}, ", texts[-1])
        assert not re.search(r"\bopwright[._]", " ".join(texts))
