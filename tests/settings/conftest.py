"""A folder of its own for each test, and an environment that sets nothing."""

import os
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder; files of settings are looked for here."""
    monkeypatch.chdir(tmp_path)
    for name in list(os.environ):
        if name.startswith(("OPWRIGHT_", "OPERATION_")):
            monkeypatch.delenv(name)
    return tmp_path
