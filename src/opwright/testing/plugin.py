"""Fixtures for pytest. Needs no event loop, and no other plug-in."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.register_assert_rewrite("opwright.testing.contract")


@pytest.fixture
def opwright_database(tmp_path: Path) -> str:
    """The address of a SQLite database that does not exist yet, for one test."""
    return f"sqlite:///{tmp_path / 'opwright.db'}"
