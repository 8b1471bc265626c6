"""An application whose database is never opened."""

from pathlib import Path

import pytest

from opwright import Opwright
from tests.commands.kit import Journal


@pytest.fixture
def ops(tmp_path: Path) -> Opwright:
    """The application under test."""
    return Opwright(f"sqlite:///{tmp_path}/never.db")


@pytest.fixture
def journal() -> Journal:
    """What a durable scope would have written."""
    return Journal()
