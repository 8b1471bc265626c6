"""`opwright check` says what is wrong with a set-up, and how to mend it."""

from pathlib import Path
from typing import Any

import pytest

from opwright.clock import SystemClock
from opwright.store.store import Store, engine_for
from tests.cli.kit import INLINE, Done, Shell


def found(done: Done) -> dict[str, Any]:
    """The findings by the name of their check."""
    return {finding["check"]: finding for finding in done.json}


def verdicts(done: Done) -> dict[str, str]:
    """How each check came out."""
    return {name: finding["verdict"] for name, finding in found(done).items()}


async def opened(url: str, folder: Path) -> Store:
    """The store of a shell's application."""
    store = Store(engine_for(url.replace("sqlite:///local", f"sqlite:///{folder}/local"), SystemClock()))
    await store.open()
    return store


async def set_version(store: Store, version: int) -> None:
    """Have the database say that its last migration was another one."""
    table = f"{store.engine.dialect.schema_text(store.engine.schema)}migrations"
    sql = f"update {table} set version = {version} where version = (select max(version) from {table})"
    if store.engine.dialect.name == "postgresql":
        raw = await store.engine.listen({})  # type: ignore[attr-defined]
        await raw.execute(sql)
        await raw.close()
    else:
        await store.engine._hand_in(store.engine._writer, lambda raw: raw.execute(sql))  # type: ignore[attr-defined]


def test_a_good_set_up_is_good(shell: Shell) -> None:
    fresh = shell("check", "assets")
    assert fresh.code == 0
    assert "!  schema       not there yet → the first host makes it, or `opwright migrate`" in fresh.out
    with shell.host(*INLINE):
        done = shell("check", "assets", "--json")
        assert done.code == 0
        expected = ["application", "triggers", "address", "database", "schema", "host 1", "work"]
        expected += ["clock"] if shell.url.startswith("postgresql") else []  # a file has none of its own
        assert verdicts(done) == dict.fromkeys(expected, "right")
        assert "renewed" in found(done)["host 1"]["text"]
    assert verdicts(shell("check", "--url", shell.url, "--json"))["hosts"] == "doubt"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("import nosuchlib", "ModuleNotFoundError: No module named 'nosuchlib' ({folder}/bad.py, line 1)"),
        ("def f(:", "SyntaxError: invalid syntax ({folder}/bad.py, line 1)"),
        ("raise SystemExit(3)", "SystemExit: 3"),
        ("ops = 3", "'ops' in bad is of type int, not an Opwright application"),
        ("from assets import ops as app", "bad has no variable 'ops'; write bad:app"),
        ("from opwright import Opwright\nops = Opwright('mysql://u:hidden@h/d')", "'mysql' is no database that Opwright knows"),
        ("from opwright import Opwright\nops = Opwright('sqlite:////nosuch/x.db')", "the folder /nosuch does not exist"),
    ],
)
def test_an_application_that_cannot_be_used(local_shell: Shell, text: str, told: str) -> None:
    local_shell.write("bad.py", text)
    done = local_shell.inside("check", "bad")
    assert done.code == 1
    assert done.out.startswith("✗  application")
    assert told.format(folder=local_shell.folder) in done.out
    assert len(done.out.splitlines()) == 1


def test_every_trigger_that_cannot_travel_is_named(local_shell: Shell) -> None:
    local_shell.write(
        "bad.py",
        "from assets import ops\n"
        "class Odd: ...\n"
        "@ops.operation\ndef strange(x: Odd) -> None: ...\n"
        "@ops.operation\ndef lost(x: 'Nowhere') -> None: ...\n",
    )
    done = local_shell.inside("check", "bad")
    assert done.code == 1
    assert "✗  trigger      strange: bad.Odd has no form in JSON" in done.out
    assert "✗  trigger      lost: an annotation cannot be resolved" in done.out


def test_a_database_that_is_away(local_shell: Shell) -> None:
    done = local_shell.inside("check", "--url", "postgresql://u:hidden@127.0.0.1:1/d")
    assert done.code == 1
    assert "✓  address   postgresql://u:***@127.0.0.1:1/d" in done.out
    assert "✗  database  " in done.out
    assert "start the server" in done.out
    assert local_shell.inside("operations", "list", "--url", "postgresql://u:hidden@127.0.0.1:1/d").code == 3


def test_a_file_that_is_no_database(local_shell: Shell) -> None:
    done = local_shell.inside("check", "--url", "sqlite:///assets.py")
    assert done.code == 1
    assert "file is not a database" in done.out


async def test_a_schema_of_another_age(shell: Shell) -> None:
    store = await opened(shell.url, shell.folder)
    await set_version(store, 99)
    newer = shell.inside("check", "--url", shell.url, "--json")
    assert (newer.code, verdicts(newer)["schema"]) == (1, "wrong")
    refused = shell.inside("operations", "list", "assets")
    assert refused.code == 3
    assert "version 99" in refused.err

    await set_version(store, 0)
    older = found(shell.inside("check", "--url", shell.url, "--json"))["schema"]
    by_itself = store.engine.dialect.name == "sqlite"
    assert older["verdict"] == ("doubt" if by_itself else "wrong")
    assert "opwright migrate" in older["remedy"]
    await store.close()


async def test_work_that_nobody_does_and_hosts_that_are_silent(shell: Shell) -> None:
    shell.inside("submit", "assets", "render", "photo=a")
    shell.inside("submit", "assets", "fail", "reason=a", "--queue", "night")
    nobody = shell.inside("check", "assets")
    assert nobody.code == 1
    assert "✗  hosts        none is alive, and 2 operations wait → opwright run TARGET" in nobody.out

    store = await opened(shell.url, shell.folder)
    register = store.hosts.register
    await register(name="old:1", pid=1, version="0.0.1", lease=1000, queues=["default"], triggers=["fail"])
    await register(name="silent:2", pid=2, version="0.0.1", lease=0.000001, queues=None, triggers=["stumble"])
    await store.close()
    done = shell.inside("check", "assets")
    assert done.code == 1
    assert "!  host 1       old:1, renewed" in done.out
    assert "does not know day_after, hold, login, render, stumble" in done.out
    assert "✗  host 2       silent:2" in done.out
    assert "longer than its lease of <1 ms" in done.out
    assert "1 operation of render waits since" in done.out
    assert "no live host knows it" in done.out
    assert "no live host that knows it serves queue 'night' → start a host with --queue night" in done.out


def test_it_reads_in_a_terminal_without_the_signs(local_shell: Shell) -> None:
    done = local_shell("check", "assets", PYTHONIOENCODING="ascii")
    assert done.code == 0
    assert done.out.startswith("ok  application  assets:ops\n")
    assert "!   schema       not there yet -> " in done.out
