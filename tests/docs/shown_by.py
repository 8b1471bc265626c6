"""The cell of a table that names tests: how it is read, and whether each of them exists and runs."""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_YET = "not yet"

TEST_ID = re.compile(r"tests/(?:\w+/)*\w+\.py(?:::[A-Z]\w*)?::test_\w+")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def ids_in(cell: str) -> list[str]:
    """The ids in the last cell of a row; none for "not yet"; ValueError for anything else."""
    if cell == NOT_YET:
        return []
    ids = [part.removeprefix("`").removesuffix("`") for part in cell.split("<br>")]
    if cell != "<br>".join(f"`{name}`" for name in ids):
        raise ValueError(f"not a list of ids in backticks: {cell}")
    if strays := [name for name in ids if not TEST_ID.fullmatch(name)]:
        raise ValueError(f"not the id of a test: {', '.join(strays)}")
    return ids


def is_left_out(decorated: Function | ast.ClassDef) -> bool:
    """Whether a decorator skips this test, or expects it to fail."""
    words = {word for decorator in decorated.decorator_list for word in words_of(decorator)}
    return not words.isdisjoint({"skip", "skipif", "skipUnless", "skipIf", "xfail", "expectedFailure"})


def words_of(decorator: ast.expr) -> list[str]:
    """The parts of a decorator's dotted name, without its arguments."""
    target = decorator.func if isinstance(decorator, ast.Call) else decorator
    return ast.unparse(target).split(".")


def defined_in(source: str) -> Iterator[str]:
    """The tests that run from a file, as `name` or `Class::name`."""
    body = ast.parse(source).body
    yield from functions_in(body)
    for node in body:
        if isinstance(node, ast.ClassDef) and not is_left_out(node):
            yield from (f"{node.name}::{name}" for name in functions_in(node.body))


def functions_in(body: Iterable[ast.stmt]) -> Iterator[str]:
    """The functions of one body that are not left out."""
    return (node.name for node in body if isinstance(node, Function) and not is_left_out(node))


def missing_tests(ids: Iterable[str], root: Path) -> list[str]:
    """Those of the ids that lead to no file, to no function in it, or to one that is left out."""
    return [name for name in ids if not exists(name, root)]


def exists(test_id: str, root: Path) -> bool:
    """Whether this id leads to a test that runs."""
    path, _, name = test_id.partition("::")
    file = root / path
    return file.is_file() and name in defined_in(file.read_text(encoding="utf-8"))
