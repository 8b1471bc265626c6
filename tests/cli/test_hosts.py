"""`opwright hosts`, `workers` and `queues` show who is there, what everybody does, and what waits."""

import re
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.kit import Done, Shell


def until(ask: Callable[[], Done], holds: Callable[[Any], bool]) -> Any:
    """Ask again until the answer holds: renewals show a change a little later."""
    while not holds(answer := ask().json):
        pass
    return answer


def test_what_each_worker_does(shell: Shell) -> None:
    begun, release = shell.pipe("begun"), shell.pipe("release")
    with shell.host("--workers", "2", "--renew", "0.2"):
        one = shell.inside("submit", "assets", "hold", f"pipe={begun}", f"release={release}").out.strip()
        with Path(begun).open():
            found = until(
                lambda: shell.inside("workers", "assets", "--json"),
                lambda workers: sorted(worker["state"] for worker in workers) == ["active", "free"],
            )
            table = shell.inside("workers", "--url", shell.url).out
            queues = shell.inside("queues", "assets", "--json").json
            (host,) = until(lambda: shell.inside("hosts", "assets", "--json"), lambda hosts: hosts[0]["workers"]["active"] == 1)
        with Path(release).open("w"):
            pass
        shell.inside("operations", "follow", "assets", one)
    (active,) = [worker for worker in found if worker["state"] == "active"]
    assert [(each["operation"], each["trigger"]) for each in active["operations"]] == [(one, "hold")]
    assert (active["host"], active["host_name"], active["finished"]) == (host["id"], host["name"], 0)
    assert re.search(rf"^\d+ \S+  +\S+ +{active['pid']} +active .* {one} hold \S+", table, re.MULTILINE)
    assert (host["state"], host["queues"], host["workers"]) == ("alive", None, {"pending": 0, "free": 1, "active": 1})
    assert [(queue["name"], queue["running"], queue["hosts"]) for queue in queues] == [("default", 1, [host["id"]])]


@pytest.mark.parametrize("columns", [80, 200])
def test_hosts_fit_their_terminal(local_shell: Shell, columns: int) -> None:
    """One line each where there is room, two where there is not; nothing is cut."""
    with local_shell.host("--pool", "inline", "--queue", "mail,images"):
        out = local_shell.in_terminal("hosts", "assets", columns=columns).out
    assert all(len(line) <= columns for line in out.splitlines())
    assert len(out.strip().splitlines()) == (3 if columns == 80 else 2)
    assert [word for word in ("alive", "12 s", "mail, images") if word not in out] == []


def test_hosts_that_are_gone_are_shown_on_request(shell: Shell) -> None:
    with shell.host("--pool", "inline"):
        pass
    gone = shell.inside("hosts", "assets")
    assert (gone.code, gone.out, gone.err) == (0, "", "no host is alive\n")
    assert [host["state"] for host in shell.inside("hosts", "assets", "--all", "--json").json] == ["stopped"]
    assert shell.inside("workers", "assets").err == "no workers\n"
    assert shell.inside("workers", "assets", "--json").json == []


def test_a_paused_queue_begins_nothing_until_it_is_resumed(shell: Shell) -> None:
    with shell.host("--pool", "inline", "--heartbeat", "0.2"):
        assert shell.inside("queues", "pause", "assets", "mail").out == "mail is paused\n"
        one = shell.inside("submit", "assets", "render", "photo=a", "--queue", "mail").out.strip()
        assert shell.inside("submit", "assets", "render", "photo=b", "--wait", "20").code == 0
        (mail,) = shell.inside("queues", "list", "--url", shell.url, "--json").json
        assert (mail["name"], mail["ready"], bool(mail["paused"])) == ("mail", 1, True)
        assert re.search(r"^mail +1 +0 +0 +0 +0 +(now|.* ago) +\d+ ", shell.inside("queues", "assets").out, re.MULTILINE)
        assert shell.inside("queues", "resume", "--url", shell.url, "mail").out == "mail is resumed\n"
        assert shell.inside("operations", "follow", "assets", one).code == 0
    assert shell.inside("queues", "resume", "assets", "mail").out == "mail was not paused\n"
    told = shell.inside("queues", "pause", "assets", "mail", "--json").json
    assert told == {"name": "mail", "paused": True, "was_paused": False}
    told = shell.inside("queues", "resume", "assets", "mail", "--json").json
    assert told == {"name": "mail", "paused": False, "was_paused": True}


def test_an_empty_database_has_no_queues(shell: Shell) -> None:
    shell.inside("migrate", "assets")
    assert shell.inside("queues", "assets").err == "no queues\n"
    assert shell.inside("queues", OPWRIGHT_URL=shell.url).err == "no queues\n"
    assert shell.inside("queues", "pause", "assets", " ").code == 2


@pytest.mark.parametrize("command", [("operations", "list"), ("workers",), ("hosts",), ("queues", "list")])
def test_watch_draws_in_a_terminal_until_ctrl_c(local_shell: Shell, command: tuple[str, ...]) -> None:
    local_shell.inside("migrate", "assets")
    done = local_shell.in_terminal(*command, "assets", "--watch", ends_by=signal.SIGINT)
    assert done.code == 0
    assert local_shell.inside(*command, "assets", "--watch").code == 2
