"""`opwright run` starts a host, says so, and ends as it is told."""

import signal

import pytest

from tests.cli.kit import INLINE, Shell


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(shell: Shell, number: signal.Signals) -> None:
    with shell.host("--workers", "1") as host:
        assert host.end(number) == 0
    assert "workers      1 process, 1 operation at a time" in host.said
    assert "triggers     day_after, fail, hold, login, render, stumble" in host.said
    assert "host 1 stopped after" in host.said
    assert "\x1b" not in host.said
    assert "Traceback" not in host.said


def test_what_runs_may_finish_within_the_grace(shell: Shell) -> None:
    begun, release = shell.pipe("begun"), shell.pipe("release")
    with shell.host(*INLINE) as host:
        operation = shell.inside("submit", "assets", "hold", f"pipe={begun}", f"release={release}").out.strip()
        with open(begun) as pipe:  # noqa: PTH123 - a pipe, not a file
            pipe.read()
        host.process.send_signal(signal.SIGTERM)
        host.read_to("stopping")
        with open(release, "w") as pipe:  # noqa: PTH123
            pipe.write("now")
        assert host.process.wait(10) == 0
    assert shell.inside("operations", "show", "assets", operation, "--json").json["result"] == "now"


def test_a_second_signal_does_not_wait(local_shell: Shell) -> None:
    begun, release = local_shell.pipe("begun"), local_shell.pipe("release")
    with local_shell.host("--workers", "1", "--kill-after", "0.1") as host:
        operation = local_shell.inside("submit", "assets", "hold", f"pipe={begun}", f"release={release}").out.strip()
        with open(begun) as pipe:  # noqa: PTH123
            pipe.read()
        host.process.send_signal(signal.SIGTERM)
        host.read_to("stopping")
        assert host.end(signal.SIGTERM) == 0
    assert local_shell.inside("operations", "show", "assets", operation, "--json").json["status"] == "PENDING"


def test_settings_come_from_options_and_from_the_environment(local_shell: Shell) -> None:
    options = (*INLINE, "--queue", "mail,images", "--queue", "default")
    with local_shell.host(*options, OPWRIGHT_SLOTS="7") as host:
        pass
    assert "in this process, 7 operations at a time" in host.said
    assert "queues       mail, images, default" in host.said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--workers", "0"), "workers: 0 is not a whole number from 1 on"),
        (("--lease", "1"), "lease: 1.0 s must be at least twice renew"),
        (("--heartbeat", "often"), "--heartbeat"),
        (("--pool", "thread"), "'process', 'inline'"),
    ],
)
def test_a_wrong_setting_is_named(local_shell: Shell, arguments: tuple[str, ...], told: str) -> None:
    done = local_shell.inside("run", "assets", *arguments)
    assert done.code == 2
    assert told in done.err
    assert len(done.err.splitlines()) <= 2


def test_a_database_that_is_away_is_told_in_a_line_without_its_password(local_shell: Shell) -> None:
    local_shell.write("away.py", "from opwright import Opwright\nops = Opwright('postgresql://app:hidden@127.0.0.1:1/app')")
    done = local_shell("run", "away", "--workers", "1")
    assert done.code == 3
    assert done.err.startswith("Error: postgresql://app:***@127.0.0.1:1/app: ")
    assert "hidden" not in done.err
    assert len(done.err.splitlines()) == 1
