"""What is wrong with the hosts, their clocks, and the queues that they are to serve."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby
from operator import itemgetter

from opwright.admin.company import Queues
from opwright.admin.finding import Finding, doubt, right, wrong
from opwright.admin.words import duration, listed
from opwright.clock import SECOND, moment
from opwright.model.host import Host, HostState
from opwright.model.ids import made_at
from opwright.model.worker import WorkerState
from opwright.store.listing import ReadyWork
from opwright.version import VERSION

DOUBTFUL_CLOCK = 1 * SECOND
WRONG_CLOCK = 5 * SECOND


def check_hosts(
    hosts: list[Host], work: list[ReadyWork], paused: Collection[str], triggers: Sequence[str] | None
) -> Iterator[Finding]:
    """Whether there are hosts, whether they are well, and whether they can do what is ready. Paused queues wait on purpose."""
    work = [one for one in work if one.queue not in paused]
    alive = [host for host in hosts if host.state is HostState.ALIVE]
    waiting = sum(one.operations for one in work)
    if not alive and waiting:
        yield wrong("hosts", f"none is alive, and {_waiting(waiting)}", "opwright run TARGET")
    elif not alive:
        yield doubt("hosts", "none is alive: nothing is carried out", "opwright run TARGET")
    for host in alive:
        yield _check_host(host, triggers)
        yield from _check_clock_of(host)
    if alive:
        yield from _check_work(alive, work)


def _check_host(host: Host, triggers: Sequence[str] | None) -> Finding:
    check = f"host {host.id}"
    queues = "all queues" if host.queues is None else f"queues {listed(host.queues)}"
    text = f"{host.name}, renewed {duration(host.age / SECOND)} ago, {queues}"
    if host.age > host.lease:
        lease = duration(host.lease / SECOND)
        return wrong(
            check,
            f"{text}: longer than its lease of {lease}",
            "it hangs or was killed; a live host takes over its work, so start one if there is none",
        )
    unknown = sorted(set(triggers or ()) - set(host.triggers))
    if unknown:
        return doubt(check, f"{text}; does not know {listed(unknown)}", "it runs an older program? start it again")
    if host.version != VERSION:
        return doubt(check, f"{text}; Opwright {host.version}, here {VERSION}", "bring both to the same version")
    if host.workers and all(worker.state is WorkerState.PENDING for worker in host.workers):
        return doubt(check, f"{text}; none of its workers is ready", "they are starting, or cannot be set up: its log says why")
    return right(check, text)


def _check_work(alive: list[Host], work: list[ReadyWork]) -> Iterator[Finding]:
    """Ready work that no live host can claim: nobody knows its trigger, or nobody who does serves its queue."""
    stuck = [one for one in work if not any(_serves(host, one) for host in alive)]
    for one in stuck:
        known = any(one.trigger in host.triggers for host in alive)
        why = f"no live host that knows it serves queue {one.queue!r}" if known else "no live host knows it"
        remedy = f"start a host with --queue {one.queue}" if known else "start a host whose application has it, before they fail"
        since = _local(made_at(one.oldest))
        yield wrong("work", f"{_waiting(one.operations, f' of {one.trigger}')} since {since}; {why}", remedy)
    if not stuck:
        ready = sum(one.operations for one in work)
        yield right("work", f"{_operations(ready)} ready, each with a host that can do it" if ready else "none is waiting")


def _serves(host: Host, work: ReadyWork) -> bool:
    return work.trigger in host.triggers and (host.queues is None or work.queue in host.queues)


def _waiting(count: int, of: str = "") -> str:
    return f"{_operations(count)}{of} {'waits' if count == 1 else 'wait'}"


def _operations(count: int) -> str:
    return "1 operation" if count == 1 else f"{count:,} operations"


def _check_clock_of(host: Host) -> Iterator[Finding]:
    """A host stamps its workers by its own clock, the database stamps its renewal: no worker can have moved later than that."""
    ahead = max((worker.last_touched for worker in host.workers), default=0) - host.renewed
    if ahead > DOUBTFUL_CLOCK:
        yield check_clock(f"host {host.id}", "its clock", ahead, 0)


def check_clock(check: str, whose: str, ahead: int, unsure: int) -> Finding:
    """How far a clock is from the database's, in microseconds; the figure may be wrong by ``unsure``.

    Leases, due dates and ages go by the database's clock alone, so nothing breaks. But ids are made by the submitter's clock,
    and order what has the same priority; and begin and end of attempts are what the worker's clock said.
    """
    distance = max(abs(ahead) - unsure, 0)
    text = f"{whose} is {duration(abs(ahead) / SECOND)} {'ahead of' if ahead > 0 else 'behind'} the database's"
    if distance <= DOUBTFUL_CLOCK:
        shown = duration(max(abs(ahead), unsure) / SECOND)
        return right(check, f"{whose} and the database's agree to {shown}")
    told = wrong if distance > WRONG_CLOCK else doubt
    return told(check, f"{text}: operations submitted there come out of turn, and times read wrong", "set it by NTP")


def check_queues(queues: Queues, leaked: list[tuple[str, int]]) -> Iterator[Finding]:
    """Pauses that somebody may have forgotten, and slots that nobody will give back."""
    for one in queues.standings:
        waiting = one.ready + one.delayed + one.limited + one.following
        if one.paused is not None and waiting:
            yield doubt(
                f"queue {one.name}",
                f"paused since {_local(one.paused)}, and {_waiting(waiting)}",
                f"opwright queues resume {one.name}",
            )
    for lane, operations in groupby(leaked, key=itemgetter(0)):
        held = listed([str(operation) for _, operation in operations])
        yield wrong(
            f"limit {lane}", f"slots are held by operations that have ended: {held}",
            "a defect of Opwright: please report it; until it is mended, delete these operations from the table slots",
        )  # fmt: skip


def _local(instant: int) -> str:
    return moment(instant).astimezone().strftime("%Y-%m-%d %H:%M:%S")
