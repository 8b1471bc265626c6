"""``python -m tests.chaos.submitter NUMBER SEED SHARE TOTAL JOURNAL``: submits its share of the total, a few in a transaction.

What a transaction holds is drawn from the seed, the submitter and the number of the transaction. One that fails is not repeated;
the next one is another. Started again with the same journal it goes on where the journal ends.
"""

import os
import random
import socket
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg

from opwright import KeyTaken, StoreError
from opwright.operations.handle import Handle
from tests.chaos.application import Application
from tests.chaos.journal import COMMITTED, INTENDS, ROLLED_BACK, Journal, Submitted, read

# How many of a thousand. What is slow is rare, for four workers do it all.
KINDS = {
    "charge": 420, "note": 170, "charge_plainly": 50, "flaky": 80, "hopeless": 20, "parent": 40, "patient": 30,
    "keyed": 50, "bill": 80, "handed": 30, "recalled": 18, "slow": 12,
}  # fmt: skip
BAIT_FIRST, BAIT_EVERY = 10, 150  # transactions of a submitter: a lease may run out under what these submit
BAIT_SECONDS = 5.0
ROLLBACKS = 0.06
LOST_ANSWERS, WITHIN = 0.02, 0.004  # the share of all transactions; seconds, about as long as a COMMIT takes
CUSTOMERS = 12
BACKLOG = 0.015  # the share of all that may be ready before a submitter waits, so that every fault meets submitters too
LOOK = 0.05  # seconds


class Submitter:
    """One submitter: its connection to the database, its application, its journal."""

    def __init__(self, journal: Path, number: int, seed: int, share: int, total: int) -> None:
        entries = read(journal)
        self._number, self._seed, self._share, self._total = number, seed, share, total
        self._turn = 1 + max((int(entry.turn.partition("-")[2]) for entry in entries), default=0)
        self._submitted = sum(len(entry.operations) for entry in entries)
        self._journal = Journal(journal)
        self._url = os.environ["OPWRIGHT_URL"]
        self._application = Application(self._url)
        self._connection: psycopg.Connection | None = None

    def run(self) -> None:
        """Every transaction. One that the database lets fail is left as it is; who asks for its fate finds it in the tables."""
        while self._submitted < self._share:
            try:
                self._transact(random.Random(f"{self._seed} {self._number} {self._turn}"))
                self._wait_for_room()
            except (psycopg.Error, StoreError):
                self._disconnect()
            self._turn += 1

    def _transact(self, chance: random.Random) -> None:
        connection, turn = self._connected(), f"{self._number}-{self._turn}"
        handles = [self._submit(connection, turn, kind, chance) for kind in self._kinds(chance)]
        mine = [(handle, kind) for handle, kind in handles if handle is not None]
        operations = [Submitted(handle.id, kind) for handle, kind in mine]
        self._journal.write(INTENDS, turn, operations)
        self._submitted += len(operations)
        if chance.random() < ROLLBACKS:
            connection.rollback()
            self._journal.write(ROLLED_BACK, turn)
            return
        self._lose_answer(connection, chance)
        connection.commit()
        self._journal.write(COMMITTED, turn)
        for handle, kind in mine:
            self._follow_up(handle, kind)

    def _kinds(self, chance: random.Random) -> list[str]:
        kinds = chance.choices(list(KINDS), list(KINDS.values()), k=chance.randint(1, 5))
        return [*kinds, "bait"] if self._turn % BAIT_EVERY == BAIT_FIRST else kinds

    def _submit(
        self, connection: psycopg.Connection, turn: str, kind: str, chance: random.Random
    ) -> tuple[Handle[Any] | None, str]:
        """Submit one and write its order. No handle: its key is taken."""
        customer = chance.randrange(CUSTOMERS)
        trigger = getattr(self._application, kind)
        key = f"customer {customer}" if kind == "keyed" else None
        try:
            handle: Handle[Any] = trigger.options(on=connection, key=key).submit(*_inputs(kind, customer, chance)).now()
        except KeyTaken:
            return None, kind
        connection.execute("insert into orders values (%s, %s, %s, %s)", [turn, handle.id, kind, customer])
        return handle, kind

    @staticmethod
    def _lose_answer(connection: psycopg.Connection, chance: random.Random) -> None:
        """Now and then the network breaks during a COMMIT: before it has arrived, or before its answer has."""
        pause = chance.uniform(0, WITHIN)
        if chance.random() < LOST_ANSWERS:
            wire = socket.socket(fileno=os.dup(connection.fileno()))
            threading.Timer(pause, _break, [wire]).start()

    def _follow_up(self, handle: Handle[Any], kind: str) -> None:
        """Answer what waits, cancel what is to be cancelled. If that fails nothing is lost: neither is owed."""
        with suppress(StoreError):
            if kind == "patient":
                handle.resume("go on").now()
            elif kind == "recalled":
                handle.cancel().now()

    def _wait_for_room(self) -> None:
        while self._turn % 4 == 0 and self._ready() > BACKLOG * self._total:
            time.sleep(LOOK)

    def _ready(self) -> int:
        connection = self._connected()
        row = connection.execute("select count(*) from opwright.ready").fetchone()
        connection.rollback()
        return row[0] if row else 0

    def _connected(self) -> psycopg.Connection:
        while self._connection is None:
            try:
                self._connection = psycopg.connect(self._url, connect_timeout=5)
            except psycopg.OperationalError:  # the server restarts
                time.sleep(LOOK)
        return self._connection

    def _disconnect(self) -> None:
        """The server rolls back what was not committed."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def _break(wire: socket.socket) -> None:
    with wire, suppress(OSError):  # it was closed already
        wire.shutdown(socket.SHUT_RDWR)


def _inputs(kind: str, customer: int, chance: random.Random) -> list[Any]:
    match kind:
        case "slow" | "recalled":
            return [round(chance.uniform(0.1, 0.8), 3)]
        case "bait":
            return [BAIT_SECONDS]
        case "keyed":
            return [0.0]
        case "flaky":
            return [chance.randint(1, 2)]
        case "bill":
            return [customer]
    return []


if __name__ == "__main__":
    Submitter(Path(sys.argv[5]), *map(int, sys.argv[1:5])).run()
