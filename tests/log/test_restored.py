"""A database that is restored from a copy while processes go on reading its log."""

from __future__ import annotations

from urllib.parse import urlsplit

import pytest

from tests.kit.waiting import eventually
from tests.log.kit import Shop, follows, lines
from tests.servers import PostgresServer


def restore(server: PostgresServer, url: str) -> None:
    """Put a copy of a database in its place, as from a backup; whoever is connected is thrown out."""
    name = urlsplit(url).path[1:]
    gone = f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
    server.execute(f"alter database {name} allow_connections false", gone)
    server.execute(f"create database {name}_copy template {name}", f"drop database {name} with (force)")
    server.execute(f"alter database {name}_copy rename to {name}")


async def test_a_database_that_is_restored_under_a_running_reader_invalidates_everything(
    postgres_server: PostgresServer, postgres_database: str, prices: dict[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    """What was committed after the copy was made is in no log any more. It is said once, and reading goes on."""
    here, there = Shop(postgres_database, prices), Shop(postgres_database, prices)
    async with here.ops, there.ops:
        await here.read()
        await follows(here)
        await there.sell("cup", 4)
        await here.ops.caught_up(1)
        assert await here.read() == [4, 20, 24]
        prices["cup"] = 3  # the copy was made before that
        restore(postgres_server, postgres_database)
        await eventually(lambda: here.ops.log_status().lost == 1, 20)
        assert await here.read() == [3, 20, 23]
        await here.ops.caught_up(await there.sell("pot", 21))
        assert await here.read() == [3, 21, 24]
        assert here.ops.log_status().lost == 1
    assert len([line for line in lines(caplog, "ERROR") if "everything that is cached" in line]) == 1
