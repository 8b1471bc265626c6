"""`opwright operations` shows what is known, to people and to programs."""

import json
import os
import pty
import re
import subprocess

import pytest

from tests.cli.kit import INLINE, Shell, clean_environment


def test_a_list_is_filtered_and_paged(shell: Shell) -> None:
    with shell.host(*INLINE):
        good = shell.inside("submit", "assets", "render", "photo=a", "--wait", "--json").json["id"]
        bad = shell.inside("submit", "assets", "fail", "reason=why", "--wait", "--json").json["id"]
    later = shell.inside("submit", "assets", "render", "photo=b", "--delay", "1000").out.strip()

    def listed(*arguments: str) -> list[str]:
        return [operation["id"] for operation in shell.inside("operations", "list", "--json", *arguments).json]

    assert listed("assets") == [later, bad, good]
    assert listed("--url", shell.url, "--status", "pending") == [later]
    assert listed("--url", shell.url, "--status", "FAILED") == [bad]
    assert listed("--url", shell.url, "--trigger", "render") == [later, good]
    assert listed("--url", shell.url, "--status", "succeeded", "--trigger", "fail") == []
    assert listed("assets", "--limit", "2") == [later, bad]
    assert listed("assets", "--limit", "2", "--before", bad) == [good]

    table = shell("operations", "list", OPWRIGHT_URL=shell.url).out
    assert re.search(rf"^{bad}  FAILED     fail +(now|.* ago) +\S+ \S+ +ValueError: why$", table, re.MULTILINE)
    assert re.search(rf"^{later}  PENDING    render .*due in 16 min$", table, re.MULTILINE)
    assert all(line == line.rstrip() and "\x1b" not in line and "…" not in line for line in table.splitlines())


def test_show_tells_everything_from_submit_to_end(shell: Shell) -> None:
    with shell.host(*INLINE):
        operation = shell.inside("submit", "assets", "stumble", "reason=stone", "--wait", "--json").json["id"]
    text = shell("operations", "show", "assets", operation).out
    assert text.startswith(f"{operation} stumble FAILED\n  attempt    2 (retries 1, recoveries 3)\n")
    for name in ("submitted", "started", "ended"):
        assert re.search(rf"^  {name} +\d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{{3}} \(.+\)$", text, re.MULTILINE)
    assert re.search(r"^  took ", text, re.MULTILINE)
    assert 'inputs\n  {\n    "reason": "stone"\n  }' in text
    assert "error\n  ValueError: stone\n  Traceback" in text
    log = text.partition("\nlog\n")[2]
    kinds = re.findall(r"^  \d\d:\d\d:\d\d\.\d{3}  (\w+)", log, re.MULTILINE)
    assert kinds == ["submitted", "error", "started", "ended"]
    assert "attempt 1: ValueError: stone" in log

    whole = shell.inside("operations", "show", "--url", shell.url, operation, "--json").json
    assert whole["id"] == operation
    assert (whole["attempt"], whole["options"]["retries"], whole["host"]) == (2, 1, 1)
    assert [line["kind"] for line in whole["log"]] == kinds


def test_what_is_secret_is_masked(local_shell: Shell) -> None:
    operation = local_shell.inside("submit", "assets", "login", "user=me", "password=hunter2").out.strip()
    for command in (("show", "assets", operation), ("show", "assets", operation, "--json"), ("list", "assets", "--json")):
        out = local_shell.inside("operations", *command).out
        assert '"password": "***"' in out
        assert "hunter2" not in out


def test_an_unknown_id_is_said_to_be_unknown(shell: Shell) -> None:
    assert shell.inside("migrate", "assets").code == 0
    done = shell("operations", "show", "assets", "5")
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith("Error: there is no operation 5")


@pytest.mark.parametrize("arguments", [("show", "five"), ("show", "assets", "x", "5"), ("list", "--status", "lost"), ("list",)])
def test_wrong_use_ends_with_2(local_shell: Shell, arguments: tuple[str, ...]) -> None:
    done = local_shell.inside("operations", *arguments)
    assert done.code == 2
    assert len(done.err.splitlines()) == 2


def test_looking_leaves_nothing_behind(shell: Shell) -> None:
    done = shell("operations", "list", "assets")
    assert done.code == 3
    assert "`opwright migrate`" in done.err
    assert shell.inside("operations", "list", "assets").code == 3


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_terminal_gets_colours_and_its_width_is_kept(
    local_shell: Shell, environment: dict[str, str], *, coloured: bool
) -> None:
    local_shell.inside("submit", "assets", "render", "photo=a", "--delay", "1000000")
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    subprocess.run(
        local_shell.command("operations", "list", "assets"),
        cwd=local_shell.folder,
        env=clean_environment() | {"TERM": "xterm", "COLUMNS": "80"} | environment,
        stdout=theirs,
        timeout=30,
        check=True,
    )
    text = os.read(ours, 65536).decode()
    os.close(ours)
    os.close(theirs)
    assert ("\x1b[36mPENDING" in text) is coloured
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    assert all(len(line) <= 80 for line in plain.splitlines())


def test_json_holds_ids_as_text(local_shell: Shell) -> None:
    local_shell.inside("submit", "assets", "render", "photo=a")
    (operation,) = json.loads(local_shell.inside("operations", "list", "assets", "--json").out)
    assert int(operation["id"]) > 2**53
    assert isinstance(operation["id"], str)
