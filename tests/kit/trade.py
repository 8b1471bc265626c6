"""A shop as the tests of the engine in use need it: it charges cards, bills customers, and passes work on."""

import asyncio
import os
import random
import signal
import sys
import threading
from dataclasses import dataclass
from functools import cache
from typing import Any, NoReturn

from opwright import Limit, OperationScope, Opwright, operation
from opwright.app.target import Target
from opwright.operations.handle import Handle
from opwright.operations.submitter import HandedBack
from opwright.operations.trigger import Trigger
from tests.kit.diary import Diary
from tests.kit.waiting import eventually

MANY = 1_000  # recoveries: no operation of these tests is to run out of them
AGAIN = 0.2  # how often an attempt after the first that runs is killed, too
SOON = 0.03  # seconds within which a death comes "sometime": longer than most charges take
HELD = 10  # steps before the last of a chain, where it waits for the test
WORK = 0.03  # seconds that a bill takes

is_sqlite = os.environ.get("OPWRIGHT_URL", "").startswith("sqlite")


def die() -> NoReturn:
    """As by ``kill -9``, with a line about it."""
    Diary.found().write("killed", str(os.getpid()))
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("nobody survives that")


class Doom:
    """The moment at which the process of an attempt is killed: drawn from the seed, the operation and the attempt.

    "sometime" is any moment: another thread does it, in the middle of a COMMIT if need be.
    """

    def __init__(self, moments: tuple[str, ...], number: int, seed: int, *, name: str | None = None) -> None:
        if name is None:  # a command knows of no attempt: its process stands for that
            current = operation.current()
            name, attempt = str(current.id), current.attempt
        else:
            attempt = os.getpid()
        chance = random.Random(f"{seed} {number} {attempt}")
        doomed = seed and (Diary.found().is_first(name) or chance.random() < AGAIN)
        self._moment = chance.choice(moments) if doomed else None
        if doomed:
            Diary.found().write("doomed", str(os.getpid()))
        if self._moment == "sometime":
            threading.Timer(chance.uniform(0, SOON), die).start()

    def reached(self, moment: str) -> None:
        """Die, if this is the moment."""
        if moment == self._moment:
            die()


async def charge(number: int, seed: int) -> int:
    """Charge a card: the row and the end of the operation in one transaction. With a seed its process may be killed."""
    doom = Doom(("before", "charged", "sometime", "after"), number, seed)
    doom.reached("before")
    async with operation.transaction() as own:
        if is_sqlite:
            own.connection.execute("insert into charges values (?)", (number,))
        else:
            await own.connection.execute("insert into charges values ($1)", number)
        own.returns(2 * number)
        doom.reached("charged")
    doom.reached("after")
    return 0


def charge_plainly(number: int, seed: int) -> int:
    """The same from synchronous code."""
    doom = Doom(("before", "charged", "sometime", "after"), number, seed)
    doom.reached("before")
    with operation.transaction() as own:
        own.connection.execute(f"insert into charges values ({'?' if is_sqlite else '%s'})", (number,))
        own.returns(2 * number)
        doom.reached("charged")
    doom.reached("after")
    return 0


@dataclass(frozen=True)
class Charge:
    number: int
    seed: int


async def charge_by_command(card: Charge, scope: OperationScope) -> int:
    """The same as a command that was submitted: its scope writes the end."""
    doom = Doom(("before", "charged", "sometime", "after"), card.number, card.seed, name=f"card {card.number}")
    doom.reached("before")
    connection = await scope.connection()
    if is_sqlite:
        connection.execute("insert into charges values (?)", (card.number,))
    else:
        await connection.execute("insert into charges values ($1)", card.number)
    doom.reached("charged")
    scope.after_commit(lambda: doom.reached("after"))
    return 2 * card.number


@cache
def sessions() -> Any:
    """The application's own way to the database. Imported here: only workers that use it shall pay for it."""
    from sqlalchemy import create_engine
    from sqlalchemy.orm import sessionmaker

    return sessionmaker(create_engine(os.environ["OPWRIGHT_URL"].replace("postgresql://", "postgresql+psycopg://")))


def charge_in_session(number: int, seed: int) -> int:
    """The same in a session of the application, which commits it by itself."""
    from sqlalchemy import text

    with sessions()() as session:
        doom = Doom(("charged", "written", "sometime", "after"), number, seed)
        with operation.transaction(on=session) as own:
            session.execute(text("insert into charges values (:number)"), {"number": number})
            own.returns(2 * number)
            doom.reached("charged")
        doom.reached("written")
        session.commit()
        doom.reached("after")
    return 0


class Relay:
    """Runs one step, and submits the next one when it gets it back. Now and then its process is killed meanwhile."""

    step: Trigger[[int, int, int], int]

    async def handle(self, number: int, last: int, seed: int) -> int:
        """One step."""
        doom = Doom(("begun", "sometime", "never"), number, self._danger(number, last, seed))
        doom.reached("begun")
        if number == last - HELD:
            await self._let_go()
        return number

    async def done(self, handed: HandedBack) -> None:
        """The next one, up to the last."""
        number, last, seed = handed.result, handed.inputs["last"], handed.inputs["seed"]
        doom = Doom(("begun", "submitted", "sometime"), number, self._danger(number, last, seed))
        doom.reached("begun")
        if number < last:
            await self.step.submit(number + 1, last, seed)
        doom.reached("submitted")

    async def _let_go(self) -> None:
        """As soon as the test says that enough has been killed, however quick the chain is."""
        await eventually(lambda: Diary.found().is_released("end"), 100)

    def _danger(self, number: int, last: int, seed: int) -> int:
        """Every twentieth step is dangerous; not the last ones, so that all that will die is dead at the end."""
        return seed if number % 20 == 0 and number < last else 0


async def bill(customer: int, number: int) -> int:
    """A bill; the diary tells which customers have one in work."""
    diary = Diary.found()
    diary.write("begin", str(customer))
    await asyncio.sleep(WORK)
    diary.write("end", str(customer))
    return number


def hold_for(customer: int, name: str) -> int:
    """A bill that takes until the test lets it go."""
    diary = Diary.found()
    diary.write("start", name)
    while not diary.is_released(name):
        threading.Event().wait(0.005)
    return customer


async def part(number: int) -> int:
    """A part of something; a negative one cannot be made."""
    await asyncio.sleep(0)
    if number < 0:
        raise ValueError(f"part {number}")
    return number


async def next_to(number: int) -> int:
    """What follows one part."""
    (before,) = await trade_handle().predecessors()
    return int(await before.result()) + number


async def total() -> int:
    """What concludes all parts."""
    return sum([int(await one.result()) for one in await trade_handle().predecessors()])


def confirm(what: str) -> str:
    """Do it as somebody says."""
    return f"{what} {operation.wait()}"


def trade_handle() -> Any:
    """The handle of the running operation."""
    running = operation.current()
    return Handle(running.function.client, running.id)  # type: ignore[union-attr] # what runs here is a Trigger


class Trade:
    """The application."""

    module = "tests.kit.trader"

    def __init__(self, url: str) -> None:
        self.ops = ops = Opwright(url)
        ops.found_at(Target(self.module, None, "ops", tuple(sys.path)))
        self.charge = ops.operation(recoveries=MANY)(charge)
        self.charge_by_command = ops.command(charge_by_command)
        self.charge_plainly = ops.operation(recoveries=MANY)(charge_plainly)
        self.charge_in_session = ops.operation(recoveries=MANY)(charge_in_session)
        relay = Relay()
        self.step = relay.step = ops.submitter("relay", relay, recoveries=MANY)
        self.bill = ops.operation(recoveries=MANY, limit=Limit(1, by="customer"))(bill)
        self.hold_for = ops.operation(recoveries=0, limit=Limit(1, by="customer"))(hold_for)
        self.part = ops.operation(recoveries=MANY)(part)
        self.next_to = ops.operation(recoveries=MANY)(next_to)
        self.confirm = ops.operation(confirm)
        self.total = ops.operation(recoveries=MANY)(total)
