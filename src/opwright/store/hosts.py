"""The gateway to hosts and their leases."""

from __future__ import annotations

import json
from collections.abc import Sequence

import msgspec

from opwright.clock import SECOND
from opwright.model.host import Host, HostState, Registration, Renewal
from opwright.model.worker import Worker
from opwright.store.engine import Engine, Lane, Row

_workers = msgspec.json.Decoder(tuple[Worker, ...]).decode


class Hosts:
    """Register, renew, judge, say good-bye."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def register(
        self, *, name: str, pid: int, version: str, lease: float, queues: Sequence[str] | None, triggers: Sequence[str]
    ) -> Registration:
        """Add a host, under an id that was never used before. ``lease`` in seconds."""
        (row,) = await self._engine.run(
            "register_host", Lane.LEASE, name=name, pid=pid, version=version, lease=round(lease * SECOND),
            queues=None if queues is None else json.dumps(list(queues)), triggers=json.dumps(sorted(triggers)),
        )  # fmt: skip
        return Registration(row["id"], name, row["started"])

    async def renew(
        self, host: Registration, *, judge: bool, workers: Sequence[Worker] = (), within: float | None = None
    ) -> Renewal:
        """Renew a lease, and show what the workers do; with ``judge`` also mark as dead the hosts whose lease has lapsed.

        ``within``: judge only if its own renewal before this one is at most so many seconds old. The clock is the database's.
        """
        age = None if within is None else round(within * SECOND)
        shown = msgspec.json.encode(workers).decode()
        values = {"judge": judge, "workers": shown, "within": age}
        (row,) = await self._engine.run("renew", Lane.LEASE, **_own(host), **values)
        return Renewal(bool(row["renewed"]), row["dead"], row["others"])

    async def stop(self, host: Registration) -> None:
        """Say good-bye. A host that still holds claims counts as dead, so that they are taken over at once."""
        await self._engine.run("stop_host", Lane.LEASE, **_own(host))

    async def all(self) -> list[Host]:
        """Every host that is remembered."""
        return [_host(row) for row in await self._engine.run("hosts", Lane.CONTROL)]

    async def forget(self, age: float) -> None:
        """Drop hosts that stopped or died more than ``age`` seconds ago and hold nothing."""
        await self._engine.run("forget_hosts", Lane.CONTROL, age=round(age * SECOND))


def _own(host: Registration) -> dict[str, int | str]:
    return {"host": host.id, "name": host.name, "started": host.started}


def _host(row: Row) -> Host:
    queues = None if row["queues"] is None else tuple(json.loads(row["queues"]))
    return Host(
        row["id"], row["name"], row["pid"], row["version"], HostState(row["state"]), row["started"], row["renewed"],
        row["lease"], queues, tuple(json.loads(row["triggers"])), row["age"], _workers(row["workers"] or "[]"),
    )  # fmt: skip
