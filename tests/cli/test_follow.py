"""`opwright operations follow` tells what happens while it happens, and ends as the operation does."""

import json
import signal

from tests.cli.kit import INLINE, Shell


def test_follow_prints_the_log_and_ends_with_the_result(shell: Shell) -> None:
    with shell.host(*INLINE, target="jobs"):
        one = shell.jobs("told", "password=hunter2")
        done = shell("operations", "follow", "jobs", one)
    assert done.code == 0
    words = [line.partition("  ")[2] for line in done.out.splitlines()[:-1]]
    assert [word for word in words if word in ("working", "50% half", "SUCCEEDED")] == ["working", "50% half", "SUCCEEDED"]
    assert done.out.splitlines()[-1] == '"done"'

    told = shell.inside("operations", "follow", "--url", shell.url, one, "--json").out.splitlines()
    *updates, last = [json.loads(line) for line in told]
    assert [update["fraction"] for update in updates if update["fraction"]] == [0.5]
    assert (last["id"], last["result"], last["inputs"]) == (one, "done", {"password": "***"})


def test_a_failed_one_ends_with_1(local_shell: Shell) -> None:
    with local_shell.host(*INLINE):
        one = local_shell.inside("submit", "assets", "fail", "reason=why").out.strip()
        done = local_shell.inside("operations", "follow", "assets", one)
    assert (done.code, done.err) == (1, f"Error: operation {one} FAILED: ValueError: why\n")
    assert local_shell.inside("operations", "follow", "assets", "5").code == 1


def test_a_terminal_has_a_bar_below_the_log(local_shell: Shell) -> None:
    with local_shell.host(*INLINE, target="jobs"):
        one = local_shell.jobs("told", "password=x", "--wait")
        done = local_shell.in_terminal("operations", "follow", "jobs", one)
    assert done.code == 0
    assert "━" in done.out
    assert "50%" in done.out
    assert done.out.rstrip().endswith('"done"')


def test_ctrl_c_ends_the_following_alone(local_shell: Shell) -> None:
    """The operation goes on, and that is said."""
    one = local_shell.inside("submit", "assets", "render", "photo=a", "--delay", "1000").out.strip()
    done = local_shell.in_terminal("operations", "follow", "assets", one, ends_by=signal.SIGINT)
    assert done.code == 130
    assert f"operation {one} goes on" in done.out
    assert local_shell.inside("operations", "show", "assets", one, "--json").json["status"] == "PENDING"
