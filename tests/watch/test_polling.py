"""Polling stays underneath every watcher."""

import pytest

from opwright import Opwright
from opwright.app import host as host_module


def double(number: int) -> int:
    return 2 * number


async def test_polling_alone_still_drains(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """No watcher, no wake-up from the submitter's program: the heartbeat finds everything."""
    monkeypatch.setattr(host_module, "watcher_for", lambda *_: None)
    ops, other = Opwright(database_url), Opwright(database_url)
    for each in (ops, other):
        each.operation(double)
    async with ops, other, ops.host(pool="inline", heartbeat=0.1):
        for start in (0, 50):
            handles = [await other.submit("double", number=number) for number in range(start, start + 50)]
            assert [await handle.result(timeout=10) for handle in handles] == [2 * number for number in range(start, start + 50)]
