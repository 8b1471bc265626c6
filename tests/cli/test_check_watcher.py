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
    assert "→ mend that, or change log_watcher; meanwhile" in done.out


LISTENER = """
@ops.on_completion
async def listen(completion: object) -> None: ...
"""


def test_who_follows_the_log_needs_one(shop: Shell) -> None:
    """For what is invalidated, or for whoever listens to completions."""
    shop.write("bare.py", SHOP)
    shop.write("listening.py", SHOP + LISTENER)
    assert watcher(shop, "redis://127.0.0.1:1", "bare") is None
    told = watcher(shop, "redis://127.0.0.1:1", "listening")
    assert told is not None
    assert told[0] == "wrong"


def test_a_watcher_of_the_applications_own_spoils_no_other_finding(shop: Shell) -> None:
    """Whatever it raises. One that says nothing of itself is trusted."""
    own = "from opwright import NoDbLogWatcher\n\nclass Own(NoDbLogWatcher):\n    async def check(self):\n        {}\n"
    for name, body in (("broken", "raise OSError('boom')"), ("silent", "return ''")):
        shop.write(f"{name}.py", own.format(body) + SHOP.replace('.db")', '.db", log_watcher=Own)') + INVALIDATION)
    done = shop("check", "broken")
    assert (done.code, "✗  log watcher  OSError: boom" in done.out) == (1, True)
    assert watcher(shop, "auto", "silent") == ("right", "Own")


def test_where_the_database_is_away_the_watcher_is_not_looked_at(shop: Shell) -> None:
    shop.write("away.py", SHOP.replace("sqlite:///local.db", "postgresql://127.0.0.1:1/x") + INVALIDATION)
    assert set(found(shop("check", "away", "--json"))) == {"application", "triggers", "address", "database"}
