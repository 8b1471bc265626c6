"""`opwright operations cancel, retry, resume` do what they say, say what they did, and leave a line in the log."""

import re
from pathlib import Path

import pytest

from tests.cli.kit import INLINE, Shell


def lines(shell: Shell, operation: str, kind: str = "operator") -> list[str]:
    """What the log of an operation says of one kind."""
    record = shell.inside("operations", "show", "assets", operation, "--json").json
    return [line["text"] for line in record["log"] if line["kind"] == kind]


def status(shell: Shell, operation: str) -> str:
    """Where an operation stands."""
    return str(shell.inside("operations", "show", "assets", operation, "--json").json["status"])


def pending(shell: Shell, *inputs: str) -> str:
    """The id of an operation that is not due."""
    return shell.inside("submit", "assets", *(inputs or ("render", "photo=a")), "--delay", "1000").out.strip()


def test_cancel_says_what_came_of_each(shell: Shell) -> None:
    shell.jobs("render", "photo=a")
    begun, release = shell.pipe("begun"), shell.pipe("release")
    with shell.host(*INLINE):
        running = shell.inside("submit", "assets", "hold", f"pipe={begun}", f"release={release}").out.strip()
        with Path(begun).open():
            ended = shell.inside("submit", "assets", "render", "photo=b", "--wait", "--json").json["id"]
            waiting = pending(shell)
            done = shell.inside("operations", "cancel", "assets", waiting, running, ended, "5")
        with Path(release).open("w"):
            pass
        shell.inside("operations", "follow", "assets", running)
    assert done.code == 1
    assert done.out.splitlines() == [
        f"{waiting} cancelled",
        f"{running} runs: its host is asked to cancel it",
        f"{ended} had ended: SUCCEEDED",
        "5 there is no such operation",
    ]
    assert re.fullmatch(r"cancelled by \S+@\S+ through the command line", lines(shell, waiting)[0])
    assert lines(shell, running)[0].startswith("asked to cancel by ")
    again = shell.inside("operations", "cancel", "--url", shell.url, waiting, "--json")
    assert (again.code, again.json) == (0, [{"id": waiting, "answer": "ended", "status": "CANCELLED"}])


def test_cancel_of_all_takes_only_what_was_named(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """By status, trigger and queue, also when it takes more than one page and more than one batch."""
    monkeypatch.setattr("opwright.admin.operator.PAGE", 2)
    monkeypatch.setattr("opwright.cli.acts.BATCH", 2)
    many = [pending(shell) for _ in range(3)]
    other = pending(shell, "fail", "reason=x")
    elsewhere = pending(shell, "render", "photo=b", "--queue", "mail")
    cancel = ("operations", "cancel", "assets", "--all", "--yes")
    assert shell.inside(*cancel, "--status", "wait").out == "nothing to cancel\n"
    assert shell.inside(*cancel, "--trigger", "render", "--queue", "default").out == "3 cancelled\n"
    assert {status(shell, one) for one in many} == {"CANCELLED"}
    assert [status(shell, one) for one in (other, elsewhere)] == ["PENDING"] * 2
    assert shell.inside(*cancel, "--status", "pending", "--json").json[0]["answer"] == "cancelled"
    assert [status(shell, one) for one in (other, elsewhere)] == ["CANCELLED"] * 2


def test_a_cancel_of_all_asks_and_takes_no_for_an_answer(local_shell: Shell) -> None:
    """In a terminal; where nobody can be asked it wants --yes."""
    one = pending(local_shell)
    silent = local_shell("operations", "cancel", "assets", "--all", stdin="")
    assert (silent.code, silent.err.splitlines()[0]) == (
        2,
        "Error: nobody can be asked here whether to cancel 1 operation: say --yes",
    )
    refused = local_shell.in_terminal("operations", "cancel", "assets", "--all", typed="n\n")
    assert (refused.code, status(local_shell, one)) == (130, "PENDING")
    assert "Cancel 1 operation? [y/N]" in refused.out
    agreed = local_shell.in_terminal("operations", "cancel", "assets", "--all", typed="y\n")
    assert (agreed.code, status(local_shell, one)) == (0, "CANCELLED")


def test_retry_submits_once_more(shell: Shell) -> None:
    """With the inputs as they were, or with some of them changed; who did it stands in both logs."""
    with shell.host(*INLINE):
        failed = shell.inside("submit", "assets", "fail", "reason=old", "--wait", "--json").json["id"]
        again = shell.inside("operations", "retry", "--url", shell.url, failed).out.strip()
        assert shell.inside("operations", "follow", "assets", again).code == 1  # until it has ended there is no other retry
        changed = shell.inside("operations", "retry", "assets", failed, "--input", "reason=new", "--json").json[0]["id"]
        assert shell.inside("operations", "follow", "assets", changed).code == 1
    records = [shell.inside("operations", "show", "assets", one, "--json").json for one in (again, changed)]
    assert [(record["retry_of"], record["inputs"]) for record in records] == [
        (failed, {"reason": "old"}),
        (failed, {"reason": "new"}),
    ]
    assert lines(shell, failed)[0].startswith(f"retried as operation {again} by ")
    assert lines(shell, failed)[1].startswith(f"retried with other inputs as operation {changed} by ")
    assert lines(shell, changed)[0].startswith(f"submitted with other inputs to retry operation {failed} by ")


def test_retry_of_what_has_not_ended_is_refused_and_the_others_go_on(shell: Shell) -> None:
    waiting, ended = pending(shell), pending(shell)
    shell.inside("operations", "cancel", "assets", ended)
    done = shell.inside("operations", "retry", "assets", waiting, ended)
    assert done.code == 1
    assert len(done.out.split()) == 1
    assert done.err == f"Error: operation {waiting} has not ended: cancel it first, or wait\n"


def test_retry_of_all_can_be_said_twice(shell: Shell) -> None:
    """What has been retried is left out, and so is what ended before --since."""
    old, other = (pending(shell), pending(shell, "fail", "reason=x"))
    shell.inside("operations", "cancel", "assets", old, other)
    retry = ("operations", "retry", "assets", "--all", "--yes", "--status", "cancelled")
    assert shell.inside(*retry, "--since", "2999-01-01T00:00Z").err == "nothing to retry\n"
    assert shell.inside(*retry, "--trigger", "render", "--since", "2020-01-01T00:00Z").out.startswith(f"{old} retried as ")
    assert shell.inside(*retry, "--trigger", "render").err == "nothing to retry\n"
    assert shell.inside(*retry).out.startswith(f"{other} retried as ")


def test_an_input_that_does_not_fit_is_refused_by_its_name(local_shell: Shell) -> None:
    one = pending(local_shell)
    local_shell.inside("operations", "cancel", "assets", one)
    done = local_shell.inside("operations", "retry", "assets", one, "--input", "width=wide")
    assert done.code == 1
    assert done.err.startswith("Error: width: 'wide' does not fit")
    lost = local_shell.inside("operations", "retry", "assets", one, "--json-inputs", '{"height": 3}')
    assert "render has no such input; its inputs are photo, width" in lost.err


def test_resume_answers_what_waits(shell: Shell) -> None:
    with shell.host(*INLINE, target="jobs"):
        asking = shell.jobs("ask")
        assert shell.inside("operations", "resume", "jobs", asking, '{"token": 7}').out == f"{asking} is resumed\n"
        assert shell.inside("operations", "follow", "jobs", asking).out.endswith("\"{'token': 7}\"\n")
    assert lines(shell, asking)[0].startswith("resumed by ")
    assert shell.inside("operations", "show", "assets", asking, "--json").json["answers"] == [{"token": "***"}]
    late = shell.inside("operations", "resume", "assets", asking)
    assert (late.code, late.err) == (1, f"Error: operation {asking} has ended\n")
    assert shell.inside("operations", "resume", "assets", asking, "--json").json == {"id": asking, "resumed": False}


@pytest.mark.parametrize(
    "arguments",
    [
        ("cancel", "assets"),
        ("cancel", "assets", "5", "--all"),
        ("cancel", "assets", "5", "--trigger", "x"),
        ("cancel", "assets", "five"),
        ("cancel", "assets", str(1 << 63)),
        ("retry", "--url", "sqlite:///local.db", "5", "--input", "a=1"),
        ("retry", "assets", "--all", "--since", "2030-01-01T10:00"),
        ("resume", "assets"),
        ("resume", "assets", "5", "yes"),
        ("resume", "assets", "5", "1", "2"),
    ],
)
def test_wrong_use_ends_with_2(local_shell: Shell, arguments: tuple[str, ...]) -> None:
    done = local_shell.inside("operations", *arguments)
    assert (done.code, done.out, len(done.err.splitlines())) == (2, "", 2)
