"""A wrong variant: edits to a copy of the source, and the tests that must notice."""

import re
import shutil
import tomllib
from pathlib import Path

import msgspec

import opwright

SOURCE = Path(opwright.__file__).parent
FOLDER = Path(__file__).parent


class Edit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``old`` becomes ``new`` in a file, or in one named statement of it."""

    file: str
    old: str
    new: str
    statement: str | None = None

    def apply(self, source: Path) -> None:
        """Edit a copy of the source. Whoever changes what a variant edits must change the variant too."""
        path = source / self.file
        text = path.read_text()
        start, end = _block(text, self.statement)
        assert self.old in text[start:end], f"{self.file} holds no {self.old!r} any more: bring this variant up to date"
        path.write_text(text[:start] + text[start:end].replace(self.old, self.new) + text[end:])


class Variant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is wrong, on which engine (both, if none is named), and which tests (under ``tests/``) notice it.

    They notice by an assertion, or by one of the errors in ``raises``.
    """

    wrong: str
    caught_by: list[str]
    edit: list[Edit]
    engine: str | None = None
    raises: list[str] = []

    @property
    def engines(self) -> list[str]:
        """The engines on which it is wrong."""
        return [self.engine] if self.engine else ["postgresql", "sqlite"]

    def apply(self, folder: Path) -> Path:
        """Make a copy of the source with the edits in it; what is to stand in PYTHONPATH."""
        copy = folder / "src"
        shutil.copytree(SOURCE, copy / "opwright", ignore=shutil.ignore_patterns("__pycache__"))
        for edit in self.edit:
            edit.apply(copy / "opwright")
        return copy


def variants() -> dict[str, Variant]:
    """Every variant, by name."""
    return {path.stem: msgspec.convert(tomllib.loads(path.read_text()), Variant) for path in sorted(FOLDER.glob("*.toml"))}


def _block(text: str, statement: str | None) -> tuple[int, int]:
    """Where a named statement begins and ends."""
    if statement is None:
        return 0, len(text)
    found = re.search(rf"^-- name: {statement}$.*?(?=^-- name: |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found, f"there is no statement {statement} any more: bring this variant up to date"
    return found.span()
