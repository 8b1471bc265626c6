"""The numbered examples of web frameworks."""

import re
from pathlib import Path

from tests.examples.kit import ROOT, run
from tests.examples.test_small import output


def test_starlette_has_a_host_in_its_own_process(tmp_path: Path) -> None:
    assert output(tmp_path, "05_starlette.py").splitlines() == [
        "Answered at once: 202",
        "Words: 6 counted by another process: True",
    ]


def test_litestar_closes_its_own_after_the_host_has_stopped(tmp_path: Path) -> None:
    assert output(tmp_path, "06_litestar.py").splitlines() == [
        "Opened: what triggers need too",
        "{'result': 'Hello, world!', 'status': 'SUCCEEDED'}",
        "Closed: after the host has stopped",
    ]


def test_flask_submits_in_the_session_of_a_request(tmp_path: Path) -> None:
    sent, *declined = output(tmp_path, "07_flask.py").splitlines()
    assert re.fullmatch(r"Sent: invoice for order \d+", sent)
    assert declined == ["Declined: 409 CONFLICT", "Kept orders above 1000: 0"]


def test_flask_finds_the_commands_of_the_example(tmp_path: Path) -> None:
    done = run(tmp_path, "-m", "flask", "--app", str(ROOT / "examples" / "07_flask.py"), "opwright", "migrate")
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "flask.db").is_file()
