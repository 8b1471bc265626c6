"""`opwright submit` reads inputs as people type them, and waits if asked."""

import pytest

from tests.cli.kit import INLINE, Shell


def test_it_waits_for_the_result(shell: Shell) -> None:
    with shell.host(*INLINE):
        done = shell("submit", "assets", "render", "--wait", "photo=cat.jpg", "width=640")
        operation, result = done.out.splitlines()
        assert (done.code, int(operation) > 0, result) == (0, True, '"cat.jpg@640"')
        assert shell.inside("submit", "assets.py:ops", "render", "photo=640", "--wait", "20").out.endswith('"640@100"\n')

        whole = shell.inside("submit", "assets", "day_after", "day=2026-02-28", "--wait", "--json").json
        assert isinstance(whole["id"], str)
        assert (whole["status"], whole["result"], whole["inputs"]) == ("SUCCEEDED", "2026-03-01", {"day": "2026-02-28"})
        given = shell("submit", "assets", "render", "--json-inputs", "-", "--wait", stdin='{"photo": "a b", "width": 2}')
        assert given.out.endswith('"a b@2"\n')


def test_an_operation_that_fails_fails_the_command(shell: Shell) -> None:
    with shell.host(*INLINE):
        done = shell("submit", "assets", "fail", "reason=no paper", "--wait")
        assert done.code == 1
        assert done.err == f"Error: operation {done.out.strip()} FAILED: ValueError: no paper\n"
        whole = shell.inside("submit", "assets", "fail", "reason=no paper", "--wait", "--json")
        assert (whole.code, whole.json["status"]) == (1, "FAILED")
        assert whole.json["error"].startswith("ValueError: no paper\nTraceback")


def test_without_a_host_the_wait_ends_and_the_operation_stays(shell: Shell) -> None:
    done = shell("submit", "assets", "render", "photo=a", "--wait", "0.1")
    assert done.code == 4
    assert "has not ended within 0.1 s; it goes on" in done.err
    assert shell.inside("operations", "show", "assets", done.out.strip(), "--json").json["status"] == "PENDING"


def test_options_reach_the_operation(shell: Shell) -> None:
    options = ("--queue", "mail", "--priority", "7", "--start-at", "2100-01-31T18:00+01:00", "--key", "cat")
    operation = shell.inside("submit", "assets", "render", "photo=a", *options, "--json").json["id"]
    shown = shell.inside("operations", "show", "assets", operation, "--json").json
    assert (shown["queue"], shown["priority"], shown["key"]) == ("mail", 7, "cat")
    assert shown["due"] == "2100-01-31T17:00:00Z"

    taken = shell.inside("submit", "assets", "render", "photo=b", "--key", "cat")
    assert taken.code == 1
    assert operation in taken.err
    assert shell.inside("submit", "assets", "render", "photo=b", "--key", "cat", "--on-conflict", "skip").out.strip() == operation
    assert shell.inside("submit", "assets", "render", "photo=b", "--key", "cat", "--on-conflict", "replace").code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("render", "photo=a", "width=wide"), "width: 'wide' does not fit: Expected `int`, got `str`"),
        (("render", "photo=a", "width=1.5"), "width: '1.5' does not fit: Expected `int`, got `float`"),
        (("render", "photo=a", "depth=1"), "depth: render has no such input; its inputs are photo, width"),
        (("render",), "photo"),
        (("render", "photo"), "'photo' is not NAME=VALUE"),
        (("render", "photo=a", "photo=b"), "photo: given twice"),
        (("render", "--json-inputs", "[1]"), "the JSON inputs are not a JSON object"),
        (("render", "--json-inputs", '{"photo": 1}'), "photo: '1' does not fit: Expected `str`, got `int`"),
        (("rendr", "photo=a"), "there is no 'rendr'; registered: day_after, fail"),
        (("render", "photo=a", "--priority", "101"), "priority: 101"),
        (("render", "photo=a", "--delay", "-1"), "delay: -1.0"),
        (("render", "photo=a", "--start-at", "2030-01-31"), "has no time zone; write for example 2030-01-31T00:00Z"),
        (("render", "photo=a", "--start-at", "soon"), "'soon' is no moment"),
        (("render", "photo=a", "--wait=soon"), "'soon' is not a number of seconds"),
    ],
)
def test_wrong_input_is_refused_and_the_field_named(local_shell: Shell, arguments: tuple[str, ...], told: str) -> None:
    done = local_shell.inside("submit", "assets", *arguments)
    assert (done.code, done.out) == (2, "")
    assert told in done.err
    assert len(done.err.splitlines()) <= 2
    assert not (local_shell.folder / "local.db").exists()
