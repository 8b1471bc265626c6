"""The hosts, their workers and the queues as an operator sees them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from opwright.clock import SECOND, moment
from opwright.model.host import Host, HostState
from opwright.model.queue import QueueStanding
from opwright.model.worker import Worker, WorkerState
from opwright.store.listing import Running


class Busy(NamedTuple):
    """An operation that a worker had at its host's last renewal. Without a trigger: it has ended since."""

    operation: int
    trigger: str | None
    since: datetime


class Company(NamedTuple):
    """The hosts that are alive, with their workers, and what runs, by the id of the operation."""

    hosts: list[Host]
    running: dict[int, Running]

    def workers(self) -> Iterator[tuple[Host, Worker, list[Busy]]]:
        """Each worker as its host's last renewal showed it."""
        for host in self.hosts:
            for worker in host.workers:
                yield host, worker, [self._busy(one, worker) for one in worker.operations]

    def _busy(self, operation: int, worker: Worker) -> Busy:
        known = self.running.get(operation)
        begun = known.begun if known and known.begun else worker.last_touched
        return Busy(operation, known and known.trigger, moment(begun))


class Queues(NamedTuple):
    """How the queues stand, and the hosts that are alive."""

    standings: list[QueueStanding]
    hosts: list[Host]

    def paused(self) -> set[str]:
        """The names of those that are paused."""
        return {one.name for one in self.standings if one.paused is not None}

    def served_by(self, queue: str) -> list[Host]:
        """The live hosts that claim from a queue."""
        return [host for host in self.hosts if host.age <= host.lease and (host.queues is None or queue in host.queues)]


def database_now(host: Host) -> datetime:
    """The time by the database's clock, when the host's row was read."""
    return moment(host.renewed + host.age)


def state_word(host: Host) -> str:
    """``alive``, ``silent`` (its lease has run out and nobody has said so yet), ``dead`` or ``stopped``."""
    if host.state is HostState.ALIVE and host.age > host.lease:
        return "silent"
    return host.state.name.lower()


def crew(host: Host) -> dict[WorkerState, int]:
    """How many workers of a host are in which state."""
    found = Counter(worker.state for worker in host.workers)
    return {state: found[state] for state in WorkerState}


def plain_host(host: Host) -> dict[str, Any]:
    """A host as JSON shows it; times are instants, ages seconds."""
    return {
        "id": str(host.id), "name": host.name, "pid": host.pid, "version": host.version, "state": state_word(host),
        "started": moment(host.started), "renewed": moment(host.renewed),
        "age": host.age / SECOND, "lease": host.lease / SECOND, "queues": host.queues, "triggers": host.triggers,
        "workers": {state.value: count for state, count in crew(host).items()},
    }  # fmt: skip


def plain_workers(company: Company) -> list[dict[str, Any]]:
    """The workers as JSON shows them."""
    return [
        {
            "host": str(host.id), "host_name": host.name, "name": worker.name, "pid": worker.pid, "state": worker.state,
            "lastTouched": moment(worker.last_touched), "finished": worker.finished,
            "operations": [one._asdict() | {"operation": str(one.operation)} for one in busy],
        }
        for host, worker, busy in company.workers()
    ]  # fmt: skip


def plain_queues(queues: Queues) -> list[dict[str, Any]]:
    """The queues as JSON shows them; ``hosts`` are the ids of those that serve one."""
    return [
        {
            "name": one.name, "ready": one.ready, "delayed": one.delayed, "limited": one.limited, "following": one.following,
            "running": one.running, "paused": moment(one.paused) if one.paused is not None else None,
            "hosts": [str(host.id) for host in queues.served_by(one.name)],
        }
        for one in queues.standings
    ]  # fmt: skip
