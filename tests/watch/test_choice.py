"""Which log watcher an application has: by the setting, by its code."""

import re
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from opwright import (
    ConfigurationError,
    DbLogWatcher,
    FileSystemDbLogWatcher,
    NoDbLogWatcher,
    Opwright,
    PostgreSqlDbLogWatcher,
    RedisDbLogWatcher,
)

POSTGRES, SQLITE = "postgresql://user@host/database", "sqlite:///never.db"
REDIS = "redis://user:secret@127.0.0.1:6379/0"


def watcher(ops: Opwright) -> DbLogWatcher:
    """What a reader would be given."""
    return ops.commander.log_watcher(ops.client.shape)


@pytest.mark.parametrize(
    ("url", "wanted", "kind"),
    [
        (POSTGRES, "auto", PostgreSqlDbLogWatcher),
        (SQLITE, "auto", FileSystemDbLogWatcher),
        (POSTGRES, REDIS, RedisDbLogWatcher),
        (SQLITE, "rediss://host", RedisDbLogWatcher),
        (POSTGRES, "unix:///run/redis.sock", RedisDbLogWatcher),
        (POSTGRES, "file:/somewhere", FileSystemDbLogWatcher),
        (POSTGRES, "file:///somewhere", FileSystemDbLogWatcher),
        (POSTGRES, "none", NoDbLogWatcher),
    ],
)
def test_one_setting_exchanges_them(url: str, wanted: str, kind: type, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a variable, and by an argument."""
    assert type(watcher(Opwright(url, log_watcher=wanted))) is kind
    monkeypatch.setenv("OPWRIGHT_LOG_WATCHER", wanted)
    ops = Opwright(url)
    assert type(watcher(ops)) is kind
    assert ops.sources["log_watcher"] == "OPWRIGHT_LOG_WATCHER"


def test_code_hands_over_what_makes_one() -> None:
    """A class of one's own, or one of ours with what it needs; it is given what tells the id of its process."""

    class Telepathic(NoDbLogWatcher):
        """Knows."""

    ops = Opwright(POSTGRES, log_watcher=Telepathic)
    assert type(watcher(ops)) is Telepathic
    assert watcher(ops).origin() == ops.commander.origin
    assert watcher(ops) is not watcher(ops)
    made = partial(RedisDbLogWatcher, url=REDIS, channel="another")
    assert type(watcher(Opwright(POSTGRES, log_watcher=made))) is RedisDbLogWatcher


@pytest.mark.parametrize("wrong", ["carrier-pigeon", "file:", "sqlite:///x.db", "", "mqtt://user:secret@host"])
def test_what_is_no_watcher_is_refused_at_the_door(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message says where it stands and what fits, and no password."""
    with pytest.raises(ConfigurationError, match=r"^log_watcher: .*'auto', 'none', 'redis:"):
        Opwright(SQLITE, log_watcher=wrong)
    monkeypatch.setenv("OPWRIGHT_LOG_WATCHER", wrong)
    with pytest.raises(ConfigurationError, match=r"^OPWRIGHT_LOG_WATCHER: ") as refused:
        Opwright(SQLITE)
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("file:", "'file:' names no folder"),
        ("file://", "'file:' names no folder"),
        ("none:now", "'none:…' is no kind of watcher"),
        ("mqtt://user:secret@host", "'mqtt:…' is no kind of watcher"),
        (5, "5 is neither a text nor what makes a watcher"),
    ],
)
def test_the_refusal_names_what_is_wrong_with_it(wrong: Any, told: str) -> None:
    """And not a kind that there is."""
    with pytest.raises(ConfigurationError, match=f"^log_watcher: {re.escape(told)}"):
        Opwright(SQLITE, log_watcher=wrong)


def test_the_file_may_lie_below_the_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And a relative path is that of where the program was started."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    folders = [watcher(Opwright(SQLITE, log_watcher=f"file:{path}"))._folder for path in ("~/watch", "watch")]  # type: ignore[attr-defined]
    assert folders == [tmp_path / "watch"] * 2
