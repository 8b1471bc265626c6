"""The application on an empty database, the folder that its processes share, and what can be seen from outside."""

from pathlib import Path

import pytest

from tests.kit.application import Application
from tests.kit.diary import FOLDER, Diary
from tests.kit.tables import Tables

# Where only one engine makes sense: @pytest.mark.parametrize("database_url", ["postgresql"], indirect=True).


@pytest.fixture
def application(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Application:
    """The application; worker processes that this process starts find the same one."""
    monkeypatch.setenv("OPWRIGHT_URL", database_url)
    monkeypatch.setenv(FOLDER, str(tmp_path))
    return Application(database_url)


@pytest.fixture
def diary(tmp_path: Path) -> Diary:
    """What the triggers wrote down."""
    return Diary(tmp_path)


@pytest.fixture
def tables(database_url: str) -> Tables:
    """The tables."""
    return Tables(database_url)
