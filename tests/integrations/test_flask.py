"""A Flask application submits from its requests, and has Opwright's command line as ``flask opwright``."""

import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from opwright import Opwright
from opwright.cli.commands import commands
from opwright.integrations.flask import OpwrightFlask
from tests.kit.processes import ROOT, all_ended, descendants
from tests.kit.tables import STOPPED, Tables
from tests.kit.waiting import eventually

SITE = [sys.executable, "-m", "flask", "--app", "tests.integrations.site:create_app"]


@pytest.fixture
def tables(database_url: str) -> Tables:
    return Tables(database_url)


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OPWRIGHT_")}
    return plain | {"SITE_URL": database_url, "COLUMNS": "100"}


def flask(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """What ``flask`` does with these arguments."""
    return subprocess.run([*SITE, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=50, check=False)


def start(environment: dict[str, str], log: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """The same, left running."""
    with log.open("wb") as said:
        return subprocess.Popen([*SITE, *arguments], cwd=ROOT, env=environment, stdout=said, stderr=said)


@pytest.fixture
def site(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Flask]:
    """The application in this process, with the tables that ``flask opwright migrate`` makes."""
    monkeypatch.setenv("SITE_URL", database_url)
    site = importlib.import_module("tests.integrations.site")
    app = site.create_app()
    assert app.test_cli_runner().invoke(args=["opwright", "migrate"]).exit_code == 0
    site.Base.metadata.create_all(site.engine)
    yield app
    del sys.modules[site.__name__]  # the next test has another database


async def test_a_request_submits_in_the_transaction_of_its_session(site: Flask, tables: Tables) -> None:
    """Committed with the row; after an error in the request neither is there. The next request asks for the state."""
    web = site.test_client()
    lost = web.post("/photos/lost?refuse=1")
    assert lost.status_code == 409
    assert await tables.counts() == {}

    operation = web.post("/photos/cat").get_json()["operation"]
    assert await tables.counts() == {"operations": 1, "ready": 1}
    assert web.get(f"/operations/{operation}").get_json() == {"status": "PENDING"}
    assert await tables.column("select title from photos") == ["cat"]


async def test_flask_opwright_run_is_a_host_of_the_application(
    environment: dict[str, str], tables: Tables, tmp_path: Path
) -> None:
    """The worker processes import the application by themselves; SIGTERM stops host and workers in good order."""
    log = tmp_path / "log"
    host = start(environment, log, "opwright", "run", "--workers", "1")
    try:
        await eventually(lambda: "fail, render" in log.read_text() or host.poll() is not None, 30, "its banner")
        assert "tests.integrations.site:ops" in log.read_text()
        done = flask(environment, "opwright", "submit", "render", "photo=7", "--wait", "30")
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout.splitlines()[1]) == "photo 7 at 100"
        workers = descendants(host.pid)
        host.send_signal(signal.SIGTERM)
        assert host.wait(30) == 0
        await all_ended(workers, 5)
    finally:
        host.kill()
        host.wait()
    assert set((await tables.hosts()).values()) == {STOPPED}


def test_commands_need_no_target(site: Flask) -> None:
    """Each of Opwright's commands is there, without the arguments that say where the application is."""
    shell = site.test_cli_runner()
    listed = shell.invoke(args=["opwright", "--help"]).output
    for name, command in commands.commands.items():
        assert name in listed
        usage = shell.invoke(args=["opwright", name, "--help"])
        assert usage.exit_code == 0, usage.output
        assert "TARGET" not in usage.output.partition("\n\n")[0]
        assert "--url" not in usage.output, command
    assert shell.invoke(args=["opwright", "operations", "list"]).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("submit", "paint"), 2, "there is no 'paint'; registered: fail, render"),
        (("submit", "render", "photo=x"), 2, "photo"),
        (("operations", "show", "1"), 3, "`opwright migrate`"),
        (("run", "--workers", "0"), 2, "workers"),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_errors_end_as_with_opwright_itself(
    environment: dict[str, str], arguments: tuple[str, ...], code: int, told: str
) -> None:
    """A line on stderr, and the same exit codes."""
    done = flask(environment, "opwright", *arguments)
    assert done.returncode == code
    assert done.stderr.startswith("Error: ")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_the_extension_takes_the_application_at_once_or_later(database_url: str) -> None:
    ops = Opwright(database_url)
    now, later = Flask("now"), Flask("later")
    extension = OpwrightFlask(ops, now)
    extension.init_app(later)
    for app in (now, later):
        assert app.extensions["opwright"] is extension
        assert "opwright" in app.cli.commands
    assert extension.ops is ops
