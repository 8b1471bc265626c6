"""The plan of a run: which fault comes at which progress. All of it is drawn from the seed."""

import random
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

LEASE = 3.0  # seconds, of every host
BEYOND = (2.0, 3.5)  # seconds: the others notice, take over, and begin what they took over
FIRST, LAST = 0.04, 0.88  # the share of all operations that has ended when the first fault may come, and the last one


class Kind(StrEnum):
    """What is done to whom."""

    KILL_WORKER = "kill a worker"
    KILL_HOST = "kill a host"
    STOP_HOST = "stop a host beyond its lease"
    STOP_ALL = "stop a host and its workers beyond the lease"
    STOP_WORKER = "stop a worker"
    CUT = "cut connections"
    KILL_SUBMITTER = "kill a submitter"
    RESTART = "restart the server"


# For each thousand operations; at least one of each. The server restarts once.
PER_THOUSAND = {
    Kind.KILL_WORKER: 1.5, Kind.KILL_HOST: 0.3, Kind.STOP_HOST: 0.2, Kind.STOP_ALL: 0.25, Kind.STOP_WORKER: 0.3,
    Kind.CUT: 2.5, Kind.KILL_SUBMITTER: 0.1, Kind.RESTART: 0.0,
}  # fmt: skip

# How the server is stopped; whose connections are cut: any, or those in which a statement runs at that moment.
MODES = {Kind.RESTART: ["fast", "immediate"], Kind.CUT: ["any", "busy"]}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. ``draw``, from 0 to 1, picks the victim among those who live then; ``seconds``: how long it is stopped."""

    at: int
    kind: Kind
    draw: float
    seconds: float = 0.0
    mode: str = ""

    def __str__(self) -> str:
        detail = self.mode or (f"{self.seconds:.1f} s" if self.seconds else "")
        return f"after {self.at:6,}: {self.kind}" + (f", {detail}" if detail else "")


def drawn(seed: int, operations: int) -> list[Fault]:
    """The faults of a run, in the order in which they come."""
    chance = random.Random(f"{seed} {operations}")
    faults = [
        _fault(kind, operations, chance)
        for kind, rate in PER_THOUSAND.items()
        for _ in range(max(1, round(rate * operations / 1000)))
    ]
    return sorted(faults, key=lambda fault: fault.at)


def counts(faults: list[Fault]) -> dict[str, int]:
    """How many of each kind."""
    return dict(Counter(str(fault.kind) for fault in faults))


def _fault(kind: Kind, operations: int, chance: random.Random) -> Fault:
    at, draw = round(operations * chance.uniform(FIRST, LAST)), round(chance.random(), 6)
    if kind in {Kind.STOP_HOST, Kind.STOP_ALL}:
        return Fault(at, kind, draw, seconds=round(LEASE + chance.uniform(*BEYOND), 2))
    if kind is Kind.STOP_WORKER:
        return Fault(at, kind, draw, seconds=round(chance.uniform(0.5, 5.0), 2))
    return Fault(at, kind, draw, mode=chance.choice(MODES.get(kind, [""])))
