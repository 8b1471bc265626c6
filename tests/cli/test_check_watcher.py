"""`opwright check` looks at the log watcher of an application whose commands invalidate something."""

from pathlib import Path

import pytest

from tests.cli.kit import Shell
from tests.cli.test_check import found
from tests.redis_server import running_redis

SHOP = """
from dataclasses import dataclass
from opwright import Opwright

ops = Opwright("sqlite:///local.db")

@dataclass(frozen=True)
class Sell:
    name: str

@ops.command
async def sell(command: Sell) -> None: ...
"""
INVALIDATION = """
@sell.invalidates
def forget(command: Sell) -> None: ...
"""


@pytest.fixture
def shop(local_shell: Shell) -> Shell:
    local_shell.write("shop.py", SHOP + INVALIDATION)
    return local_shell


def watcher(shop: Shell, wanted: str, application: str = "shop") -> tuple[str, str] | None:
    """The verdict and the words about it."""
    done = shop("check", application, "--json", OPWRIGHT_LOG_WATCHER=wanted)
    finding = found(done).get("log watcher")
    assert done.code == (finding is not None and finding["verdict"] == "wrong")
    return None if finding is None else (finding["verdict"], finding["text"])


def test_what_works_is_right_and_nothing_is_made(shop: Shell) -> None:
    assert watcher(shop, "auto") == ("right", f"FileSystemDbLogWatcher, the folder {shop.folder / 'local.db-watch'}")
    assert watcher(shop, f"file:{shop.folder}/shared") == ("right", f"FileSystemDbLogWatcher, the folder {shop.folder}/shared")
    assert watcher(shop, "none") == ("right", "NoDbLogWatcher, the log is polled every 4.5 s")
    with running_redis() as server:
        told = watcher(shop, server.url)
    assert told == ("right", f"RedisDbLogWatcher, Redis at {server.url.split('//')[1].split('/')[0]}")
    assert not (shop.folder / "shared").exists()
    assert not (shop.folder / "local.db-watch").exists()


def test_what_can_never_work_is_wrong(shop: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    told = watcher(shop, f"file:{tmp_path}/file")
    assert told == ("wrong", f"the folder {tmp_path}/file cannot be made: {tmp_path}/file is no folder")
    with running_redis("--requirepass", "right") as server:
        told = watcher(shop, server.url.replace("//", "//:wr0ng@"))
    assert told is not None
    assert told[0] == "wrong"
    assert "refuses its user, password or database" in told[1]
    assert "wr0ng" not in told[1]


def test_a_server_that_does_not_answer_is_wrong(shop: Shell) -> None:
    """With what happens until it does."""
    done = shop("check", "shop", OPWRIGHT_LOG_WATCHER="redis://127.0.0.1:1")
    assert done.code == 1
    assert "log watcher  Redis at 127.0.0.1:1 cannot be reached (Connection refused)" in done.out
    assert "→ start it, or correct log_watcher; meanwhile" in done.out


def test_who_invalidates_nothing_needs_none(shop: Shell) -> None:
    shop.write("bare.py", SHOP)
    assert watcher(shop, "redis://127.0.0.1:1", "bare") is None
