"""The pages hold what the project promises to draw and to list."""

from pathlib import Path

import msgspec

from opwright.settings import Settings

ROOT = Path(__file__).parents[2]


def test_the_architecture_is_drawn() -> None:
    """One drawing shows store, scheduler, pool and workers, and what passes between them; the documentation includes it."""
    page = (ROOT / "ARCHITECTURE.md").read_text()
    drawing = page.split("## How it runs")[1].split("##")[0]
    for part in ("scheduler", "worker", "store", "claims", "updates", "channel", "watcher"):
        assert part in drawing
    assert "ARCHITECTURE.md" in (ROOT / "docs" / "architecture.md").read_text()


def test_every_setting_is_in_the_table() -> None:
    """A setting without a line in the guide fails here."""
    guide = (ROOT / "docs" / "guides" / "hosts.md").read_text()
    missing = [field.name for field in msgspec.structs.fields(Settings) if f"| `{field.name}` |" not in guide]
    assert missing == []
