"""Running the test project: its ``manage.py``, its stories, its host."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[3]
SETTINGS = "tests.integrations.django.project.settings"


def environment(url: str, **extra: str) -> dict[str, str]:
    """That of the tests, without what would tell Opwright where its database is."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("OPWRIGHT_")}
    own = {"DJANGO_SETTINGS_MODULE": SETTINGS, "PROJECT_DATABASE": url, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
    return plain | own | extra


def python(url: str, *arguments: str, **extra: str) -> subprocess.CompletedProcess[str]:
    """Run Python, for which a warning is an error, until it ends."""
    return subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=ROOT, env=environment(url, **extra), capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip


def manage(url: str, *words: str, code: int = 0, **extra: str) -> str:
    """``manage.py …``; what it said. Fails when it ends with another code."""
    done = python(url, "-m", "django", *words, **extra)
    assert done.returncode == code, f"{words}: {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


def story(url: str, name: str, **extra: str) -> None:
    """A function of ``stories.py``, which asserts what it tells."""
    done = python(url, "-m", "tests.integrations.django.stories", name, **extra)
    assert done.returncode == 0, f"{name}:\n{done.stdout}{done.stderr}"


@contextmanager
def host(url: str, folder: Path) -> Iterator[None]:
    """``manage.py opwright run`` with one worker process; it ends in good order afterwards."""
    log = folder / "host.log"
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "django", "opwright", "run", "--workers", "1"],
            cwd=ROOT, env=environment(url), stdin=subprocess.DEVNULL, stdout=said, stderr=said,
        )  # fmt: skip
    try:
        yield
    except BaseException:
        process.kill()
        sys.stdout.write(log.read_text())
        raise
    finally:
        process.send_signal(signal.SIGTERM)
        code = process.wait(30)
    assert code == 0, log.read_text()
