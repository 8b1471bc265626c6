"""The pages hold what the project promises to draw and to list."""

from pathlib import Path

from opwright.settings import TABLE, Setting

ROOT = Path(__file__).parents[2]


def test_the_architecture_is_drawn() -> None:
    """One drawing shows store, scheduler, pool and workers, and what passes between them; the documentation includes it."""
    page = (ROOT / "ARCHITECTURE.md").read_text()
    drawing = page.split("## How it runs")[1].split("##")[0]
    for part in ("scheduler", "worker", "store", "claims", "updates", "channel", "watcher"):
        assert part in drawing
    assert "ARCHITECTURE.md" in (ROOT / "docs" / "architecture.md").read_text()


def test_the_way_of_an_invalidation_to_other_hosts_is_described() -> None:
    """Who commits notifies, and each peer reads the log and invalidates; with a drawing."""
    page = (ROOT / "ARCHITECTURE.md").read_text()
    section = page.split("## How an invalidation reaches other hosts")[1].split("\n##")[0]
    for words in ("Who commits notifies", "Each peer reads the log", "`invalidates`", "reader ──► invalidate here"):
        assert words in section


def test_the_table_of_settings_is_the_declared_one() -> None:
    """Every setting has its row, word for word as it is declared and in the same order; no row is left of one that is gone."""
    page = (ROOT / "docs" / "settings.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| `")]
    assert rows == [row(setting) for setting in TABLE.values()], "the rows of docs/settings.md must be those on the right"


def row(setting: Setting) -> str:
    """A line of the table."""
    seed = setting.about.seed
    theirs = f"`{seed.variable}` ({seed.unit})" if seed else ""
    cells = (f"`{setting.name}`", setting.about.meaning, setting.wanted(), setting.shown_default(), theirs)
    return f"| {' | '.join(cells).rstrip()} |"
