"""A folder with an application, on either engine."""

from pathlib import Path

import pytest

from tests.cli.kit import APPLICATION, JOBS, Shell


@pytest.fixture
def shell(database_url: str, tmp_path: Path) -> Shell:
    """Commands about an application whose database is empty."""
    return _shell(tmp_path, database_url)


@pytest.fixture
def local_shell(tmp_path: Path) -> Shell:
    """The same on SQLite alone, for what does not depend on the engine."""
    return _shell(tmp_path, "sqlite:///local.db")


def _shell(folder: Path, url: str) -> Shell:
    shell = Shell(folder, url)
    shell.write("assets.py", APPLICATION.format(url=url))
    shell.write("jobs.py", JOBS)
    return shell
