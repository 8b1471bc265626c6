"""A run as a table, as JSON and as a picture."""

import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.figures import Figure, rate, waits
from benchmarks.goals import at_least
from benchmarks.picture import draw
from benchmarks.report import markdown, show, write


@pytest.fixture
def figures() -> dict[str, Figure]:
    measured = [
        rate("floor.postgresql.queue", 120_000.0),
        rate("drain.postgresql.inline", 40_000.0, floor="floor.postgresql.queue", goals=(at_least(2, "drain.graphile"),)),
        rate("drain.graphile", 16_000.0),
        rate("submit.bulk.postgresql", 50_000.0),
        waits("pickup.postgresql.apart", [0.001, 0.002, 0.003]),
        waits("pickup.graphile", [0.002, 0.004, 0.030]),
    ]
    return {figure.name: figure for figure in measured}


def test_each_system_is_a_multiple_of_opwright(figures: dict[str, Figure]) -> None:
    rows = {row.split("|")[1].strip(): row for row in markdown(figures).splitlines()}
    assert "40,000 |" in rows["Opwright, one process"]
    assert "16,000 (0.40)" in rows["Graphile Worker 0.17.3"]
    assert "4.00 / 27.40 / 29.48 (2.00)" in rows["Graphile Worker 0.17.3"]


def test_a_system_of_which_nothing_was_measured_has_no_row(figures: dict[str, Figure]) -> None:
    assert "Celery" not in markdown(figures)


def test_the_table_says_which_goals_are_met(figures: dict[str, Figure]) -> None:
    console = Console(width=150, file=io.StringIO())
    show(console, figures)
    assert "≥ 2 × drain.graphile: 2.50, met" in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_goal_that_nothing_was_measured_for_says_so(figures: dict[str, Figure], tmp_path: Path) -> None:
    del figures["drain.graphile"]
    write(tmp_path / "run.json", figures, {"left_out": {"graphile": "there is no npm here"}})
    run = json.loads((tmp_path / "run.json").read_text())
    (drained,) = (row for row in run["figures"] if row["name"] == "drain.postgresql.inline")
    assert drained["goals"][0]["verdict"] == "≥ 2 × drain.graphile: not measured"
    assert run["left_out"] == {"graphile": "there is no npm here"}
    assert run["peers"][0]["settings"]["localQueue"] == 500


def test_the_systems_are_drawn_side_by_side(figures: dict[str, Figure], tmp_path: Path) -> None:
    draw(tmp_path / "run.png", figures, "today")
    assert (tmp_path / "run.png").read_bytes().startswith(b"\x89PNG")


def test_nothing_to_compare_is_not_drawn(tmp_path: Path) -> None:
    draw(tmp_path / "run.png", {"memory.host": Figure("memory.host", (20.0,), "MB")}, "today")
    assert not (tmp_path / "run.png").exists()
