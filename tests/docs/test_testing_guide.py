"""The guide to testing is itself a project with tests, and they pass."""

import re
from pathlib import Path

from tests.testing.projects import ASYNCIO, OURS, run

GUIDE = Path(__file__).parents[2] / "docs" / "guides" / "testing.md"


def files() -> dict[str, str]:
    """The blocks of the page by the file that their first line names; those of one file follow each other."""
    found: dict[str, str] = {}
    for name, text in re.findall(r"```python\n# (\w+\.py)\n(.*?)```", GUIDE.read_text(), re.DOTALL):
        found[name] = found.get(name, "") + text
    return found


def test_the_tests_of_the_guide_pass(tmp_path: Path) -> None:
    """All of its blocks, as they stand on the page."""
    assert GUIDE.read_text().count("```python") == len(re.findall(r"```python\n# \w+\.py\n", GUIDE.read_text()))
    said = run(tmp_path, files(), OURS, ASYNCIO)
    assert " passed" in said, said
    assert "failed" not in said
    assert "error" not in said
