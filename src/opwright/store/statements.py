"""Named SQL statements: read from ``sql/common`` with the dialect's folder on top.

A block starts with ``-- name: x``. On SQLite, which has no data-modifying CTEs, a block may hold several statements that run in
one transaction. In the text ``opwright.`` stands for the schema (on SQLite a prefix), ``:name`` for a parameter, ``{now}`` for
"the time handed in, else the engine's clock", ``{json::name}`` for a parameter that is JSON, ``{overview}`` for the columns of
the view, named one by one: a newer program may have added others while this one runs. On SQLite a column ``packed`` holds JSON
arrays of rows (``store/sqlite_file.py``).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from opwright.errors import ConfigurationError
from opwright.model.operation import Operation
from opwright.store.literals import literal

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"--.*$", re.MULTILINE)
_PARAMETER = re.compile(r"(?<![:\w]):([a-z_]+)")
_JSON = re.compile(r"\{json::(\w+)\}")
_OVERVIEW = ", ".join(f"v.{name}" for name in Operation.__struct_fields__)
_SCHEMA = re.compile(r"\bopwright\.")
_SCHEMA_NAME = re.compile(r"[a-z_][a-z0-9_]{0,40}")


@dataclass(frozen=True, slots=True)
class Part:
    """One SQL statement and its parameters in order; ``named`` is the text with ``:name``, for connections that want it so."""

    sql: str
    named: str
    parameters: tuple[str, ...]

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        """The values by position."""
        return [values[name] for name in self.parameters]

    def written(self, values: dict[str, Any]) -> str:
        """The text with the values in it, for PostgreSQL."""
        return self.pyformat % {name: literal(values[name]) for name in self.parameters}

    def executed(self, name: str, values: dict[str, Any]) -> str:
        """The call of the same statement, which a connection to PostgreSQL has prepared under a name."""
        return f"execute {name}({', '.join([literal(values[parameter]) for parameter in self.parameters])})"

    @property
    def pyformat(self) -> str:
        """The text with ``%(name)s``, as Django wants it."""
        return _pyformat(self.named)


@dataclass(frozen=True, slots=True)
class Statement:
    """A named block: its parts run in order, in one transaction; the rows are those of the last part that returns any."""

    name: str
    parts: tuple[Part, ...]
    reads_only: bool


@dataclass(frozen=True, slots=True)
class Dialect:
    """What differs between the texts of two engines."""

    name: str
    now: str
    json: str
    numbered: bool  # $1 rather than :name

    def schema_text(self, schema: str) -> str:
        """What ``opwright.`` becomes."""
        return f"{schema}." if self.name == "postgresql" else f"{schema}_"


POSTGRESQL = Dialect(
    "postgresql",
    now="(select coalesce(cast(:now as bigint), cast(extract(epoch from clock_timestamp()) * 1000000 as bigint)))",
    json=r"cast(:\1 as json)",
    numbered=True,
)
SQLITE = Dialect(
    "sqlite",
    now="(select coalesce(:now, cast((julianday('now') - 2440587.5) * 86400000000 as integer)))",
    json=r":\1",
    numbered=False,
)


@cache
def load(dialect: Dialect, schema: str) -> dict[str, Statement]:
    """Every statement of a dialect, by name."""
    if not _SCHEMA_NAME.fullmatch(schema):
        raise ConfigurationError(f"schema: {schema!r} must be lower-case letters, digits and _, at most 41 of them")
    folder = resources.files("opwright.store") / "sql"
    texts = _blocks(folder / "common") | _blocks(folder / dialect.name)
    return {name: _statement(name, render(text, dialect, schema), dialect) for name, text in texts.items()}


def render(text: str, dialect: Dialect, schema: str) -> str:
    """The text with its comments, macros and schema resolved."""
    text = _COMMENT.sub("", text).replace("{now}", dialect.now).replace("{overview}", _OVERVIEW)
    return _SCHEMA.sub(dialect.schema_text(schema), _JSON.sub(dialect.json, text))


def split(script: str) -> list[str]:
    """The statements of a script. Our scripts hold no semicolon inside a statement."""
    return [part.strip() for part in script.split(";") if part.strip()]


def _blocks(folder: Traversable) -> dict[str, str]:
    blocks: dict[str, str] = {}
    for file in folder.iterdir():
        pieces = _NAME.split(file.read_text())
        blocks |= dict(zip(pieces[1::2], pieces[2::2], strict=True))
    return blocks


def _statement(name: str, text: str, dialect: Dialect) -> Statement:
    parts = tuple(_part(part, numbered=dialect.numbered) for part in split(text))
    reads_only = all(part.sql.startswith(("select", "with recursive")) for part in parts)
    return Statement(name, parts, reads_only)


@cache
def _pyformat(named: str) -> str:
    return _PARAMETER.sub(r"%(\1)s", named.replace("%", "%%"))


def _part(sql: str, *, numbered: bool) -> Part:
    names = tuple(dict.fromkeys(_PARAMETER.findall(sql)))
    own = _PARAMETER.sub(lambda match: f"${names.index(match[1]) + 1}", sql) if numbered else sql
    return Part(own, sql, names)
