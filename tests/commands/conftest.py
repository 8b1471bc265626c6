"""An application whose database is a file, opened by the first durable scope."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from opwright import Opwright
from tests.commands.kit import Journal


@pytest_asyncio.fixture
async def ops(tmp_path: Path) -> AsyncIterator[Opwright]:
    """The application under test."""
    application = Opwright(f"sqlite:///{tmp_path}/opwright.db")
    yield application
    await application.client.close()


@pytest.fixture
def journal() -> Journal:
    """What a durable scope would have written."""
    return Journal()
