"""Strict mypy and strict pyright as users would run them, on right and on wrong use of the public API."""

import json
import re
import subprocess
import sys
from abc import ABC, abstractmethod
from collections import Counter
from pathlib import Path

import msgspec
import pytest

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
FILES = ("right_use.py", "wrong_use.py")
MARKS = re.compile(r"  # (?:type|pyright): ignore\[[\w, -]+\]")

Found = Counter[tuple[str, int, str]]
"""How often which kind of error was found in a line of a file."""


class Judge(ABC):
    """A type checker. ``mark``: how its kind of error stands in ``wrong_use.py``."""

    mark: re.Pattern[str]

    def found(self, folder: Path) -> Found:
        """Every error in the files of a folder, and in whatever of Opwright they draw in."""
        done = subprocess.run(
            [sys.executable, "-m", *self.command(folder)], cwd=ROOT, capture_output=True, text=True, check=False, timeout=50
        )
        assert done.returncode in {0, 1}, done.stderr + done.stdout
        return self.read(done.stdout)

    def marked(self, lines: list[str]) -> Found:
        """What ``wrong_use.py`` says that it finds."""
        marks = ((number, kinds) for number, line in enumerate(lines, 1) for kinds in self.mark.findall(line))
        return Counter(("wrong_use.py", number, kind) for number, kinds in marks for kind in kinds.split(", "))

    @abstractmethod
    def command(self, folder: Path) -> list[str]: ...

    @abstractmethod
    def read(self, output: str) -> Found: ...


class Mypy(Judge):
    mark = re.compile(r"# type: ignore\[([\w, -]+)\]")

    def command(self, folder: Path) -> list[str]:
        cache = ROOT / ".mypy_cache" / "typing-tests"
        files = [str(folder / name) for name in FILES]
        return ["mypy", "--strict", "--config-file", "", "--cache-dir", str(cache), *files]

    def read(self, output: str) -> Found:
        error = re.compile(r"^(\S+?):(\d+): error: .*\[([\w-]+)\]$", re.MULTILINE)
        return Counter((Path(file).name, int(line), kind) for file, line, kind in error.findall(output))


class Pyright(Judge):
    """Its wheel and Node's hold all that it needs, so it runs where there is only Python and a package index."""

    mark = re.compile(r"# pyright: ignore\[([\w, -]+)\]")

    def command(self, folder: Path) -> list[str]:
        (folder / "pyrightconfig.json").write_text(json.dumps({"typeCheckingMode": "strict", "include": list(FILES)}))
        return ["pyright", "--pythonpath", sys.executable, "--project", str(folder), "--outputjson"]

    def read(self, output: str) -> Found:
        report = msgspec.json.decode(output, type=_Report)
        return Counter((Path(one.file).name, one.range.start.line + 1, one.rule) for one in report.diagnostics)


class _Position(msgspec.Struct):
    line: int


class _Range(msgspec.Struct):
    start: _Position


class _Diagnostic(msgspec.Struct):
    file: str
    range: _Range
    rule: str = "a rule without a name"


class _Report(msgspec.Struct):
    diagnostics: list[_Diagnostic] = msgspec.field(name="generalDiagnostics")


JUDGES = {"mypy": Mypy(), "pyright": Pyright()}


@pytest.fixture(scope="module", params=JUDGES)
def judge(request: pytest.FixtureRequest) -> Judge:
    """Each type checker in turn."""
    name: str = request.param
    return JUDGES[name]


@pytest.fixture(scope="module")
def found(judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Found:
    """What it finds in both files, once the marks are gone."""
    folder = tmp_path_factory.mktemp("typing")
    for name in FILES:
        (folder / name).write_text(MARKS.sub("", (HERE / name).read_text()))
    return judge.found(folder)


def test_right_use_passes(found: Found) -> None:
    """Everything that the documentation shows, with the types that it promises."""
    assert [error for error in found if error[0] == "right_use.py"] == []


def test_each_mistake_is_found_and_nothing_else(judge: Judge, found: Found) -> None:
    """Line by line: the marked mistake, its kind, and no second error."""
    marked = judge.marked((HERE / "wrong_use.py").read_text().splitlines())
    assert len(marked) > 50
    assert Counter({error: times for error, times in found.items() if error[0] == "wrong_use.py"}) == marked


def test_no_error_comes_from_our_own_files(found: Found) -> None:
    """The package is typed: a strict checker finds nothing in it, and does not call it untyped."""
    assert {file for file, _, _ in found} <= set(FILES)
    assert not [kind for _, _, kind in found if kind in {"import-untyped", "reportMissingTypeStubs"}]
