"""What fault tests say often: hosts with short leases, a database that refuses, an audit of the tables."""

import os
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from opwright.settings import Overrides
from tests.faults.unruly import Unruly
from tests.kit.processes import HostProcess
from tests.kit.tables import Tables
from tests.kit.waiting import eventually

LEASE, RENEW = 1.5, 0.4
PLACES = ("ready", "delayed", "limited", "following", "claimed", "outcomes")
ROW, DISK = "23514", "53100"  # the row's own fault; nobody's, and it will pass


def short(url: str, folder: Path, name: str = "host", **settings: Any) -> HostProcess:
    """A host with a short lease."""
    given: Overrides = {"workers": 1, "lease": LEASE, "renew": RENEW, "heartbeat": 0.3, **settings}  # type: ignore[typeddict-item]
    return HostProcess(url, folder, name, module=Unruly.module, **given)


async def started(host: HostProcess) -> HostProcess:
    """A host whose pool is inline has no workers to wait for."""
    await host.until(lambda: bool(host.events("host.started")), "started")
    return host


def send(pids: Iterable[int], number: signal.Signals) -> None:
    """A signal to each of these processes."""
    for pid in pids:
        os.kill(pid, number)


async def ended(tables: Tables, count: int, seconds: float = 30.0) -> None:
    """Until so many operations have ended."""

    async def done() -> bool:
        return await tables.count("outcomes") >= count

    await eventually(done, seconds, f"{count} operations have ended")


async def refuse(tables: Tables, event: str, condition: str, code: str = ROW) -> None:
    """Let the database refuse rows: ``event`` is "insert on outcomes", for instance, ``condition`` speaks of ``new``.

    On SQLite what is nobody's fault is an overflow, for a trigger's own errors are always those of a row.
    """
    what, _, table = event.partition(" on ")
    if tables.is_sqlite:
        body = "select raise(abort, 'refused')" if code == ROW else "select abs(-9223372036854775807 - 1)"
        await tables.rows(f"create trigger refusal before {what} on opwright.{table} when {condition} begin {body}; end")
        return
    await tables.rows(
        "create function refused() returns trigger language plpgsql as "
        f"$$ begin raise exception 'refused' using errcode = '{code}'; end $$"
    )
    await tables.rows(
        f"create trigger refusal before {what} on opwright.{table} for each row when ({condition}) execute function refused()"
    )


async def relent(tables: Tables, table: str) -> None:
    """Let the database take them again."""
    if tables.is_sqlite:
        await tables.rows("drop trigger refusal")
    else:
        await tables.rows(f"drop trigger refusal on opwright.{table}")


async def check_nothing_is_lost(tables: Tables) -> None:
    """The auditor: each operation stands in exactly one place, no place holds what is no operation, and no slot has leaked."""
    places = " union all ".join(f"select operation from opwright.{place}" for place in PLACES)
    assert await tables.column(f"select id from opwright.operations where id not in ({places})") == [], "lost"
    assert await tables.column(f"select operation from ({places}) p group by operation having count(*) > 1") == [], "doubled"
    assert (
        await tables.column(f"select operation from ({places}) p where operation not in (select id from opwright.operations)")
        == []
    )
    leaked = (
        "select s.operation from opwright.slots s join opwright.outcomes e on e.operation = s.operation where s.until is null"
    )
    assert await tables.column(leaked) == [], "a slot leaked"
