"""A lease stands for services that move: while one hangs it is not renewed, and the hanging step is given up."""

import asyncio
import logging

import pytest

from opwright.clock import TurnedClock
from opwright.errors import StoreUnavailable
from opwright.scheduler.vigil import Vigil
from opwright.service import Service
from opwright.store.store import Store
from opwright.telemetry import recorded
from tests.kit.waiting import eventually
from tests.scheduler.kit import bench

BOUND, LOOK = 60.0, 5.0


class Stubborn(Service):
    """Hangs while it is told to; fails while the database is away."""

    def __init__(self) -> None:
        super().__init__("stubborn")
        self.free = asyncio.Event()
        self.begun = self.ended = 0
        self.away = False

    async def run_once(self) -> float:
        self.begun += 1
        await self.free.wait()
        self.ended += 1
        if self.away:
            raise StoreUnavailable("gone")
        return 3600.0


def vigil(service: Service, clock: TurnedClock) -> Vigil:
    return Vigil(lambda: [service], clock, bound=BOUND, gap=2 * LOOK)


def look(judge: Vigil, clock: TurnedClock, seconds: float) -> list[str]:
    """Look every few seconds for so long; the last answer."""
    hanging = judge.hanging()
    for _ in range(round(seconds / LOOK)):
        clock.turn(LOOK)
        hanging = judge.hanging()
    return hanging


async def test_a_step_that_does_not_end_is_noticed_told_once_and_given_up(
    clock: TurnedClock, caplog: pytest.LogCaptureFixture
) -> None:
    """Not before the bound; it begins anew, and only a step that ends makes it move again."""
    service = Stubborn()
    await service.start()
    judge = vigil(service, clock)
    await eventually(lambda: service.begun == 1, 10, "its first step")
    assert look(judge, clock, BOUND - LOOK) == []
    with recorded() as events, caplog.at_level(logging.ERROR, "opwright"):
        assert look(judge, clock, LOOK) == ["stubborn"]
        await eventually(lambda: service.begun == 2, 10, "it begins anew")
        assert look(judge, clock, BOUND - LOOK) == ["stubborn"]
        assert service._task is not None
        assert service._task.cancelling() == 0, "a step that is begun anew has the whole time"
        assert look(judge, clock, LOOK) == ["stubborn"]
        await eventually(lambda: service.begun == 3, 10, "it begins anew again")
    assert [name for name, _ in events] == ["service.hung"]
    assert len(caplog.records) == 1
    service.free.set()
    await eventually(lambda: service.ended >= 1, 10, "a step ends")
    assert judge.hanging() == []
    await service.stop()


async def test_a_service_that_sleeps_or_fails_moves(clock: TurnedClock) -> None:
    """A database that is away for hours makes nobody hang."""
    service = Stubborn()
    service.free.set()
    await service.start()
    judge = vigil(service, clock)
    await eventually(lambda: service.ended == 1, 10, "its first step")
    assert look(judge, clock, 10 * BOUND) == []
    service.away = True
    service.wake()
    await eventually(lambda: service.ended >= 2, 10, "a step that fails")
    assert look(judge, clock, 10 * BOUND) == []
    await service.stop()


async def test_a_long_step_that_tells_of_itself_moves(clock: TurnedClock) -> None:
    """The settler under load never comes to the end of its step."""
    service = Stubborn()
    await service.start()
    judge = vigil(service, clock)
    await eventually(lambda: service.begun == 1, 10, "its first step")
    for _ in range(10):
        service.moved()
        assert look(judge, clock, BOUND - LOOK) == []
    assert service.begun == 1
    await service.stop()


async def test_a_machine_that_was_paused_has_no_hanging_services(clock: TurnedClock) -> None:
    """The step stood still together with everything else."""
    service = Stubborn()
    await service.start()
    judge = vigil(service, clock)
    await eventually(lambda: service.begun == 1, 10, "its first step")
    judge.hanging()
    clock.turn(7200)
    assert judge.hanging() == []
    await service.stop()


async def test_a_service_that_was_never_started_hangs_nobody(clock: TurnedClock) -> None:
    """Nor one that was stopped."""
    service = Stubborn()
    judge = vigil(service, clock)
    assert look(judge, clock, 2 * BOUND) == []


async def test_a_lease_is_not_renewed_while_a_service_hangs(store: Store, clock: TurnedClock) -> None:
    """Trust runs out, others may take over; and the host is no judge until its renewals were unbroken again."""
    host = await bench(store, clock)
    hanging = ["scheduler"]
    host.lease._hanging = lambda: hanging
    for _ in range(4):
        clock.turn(3)
        assert await host.lease.run_once() == 3
    assert host.renewals == []
    assert not host.lease.trusted()
    hanging.clear()
    await host.lease.run_once()
    assert len(host.renewals) == 1
    assert host.lease.trusted()
