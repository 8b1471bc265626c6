"""``opwright settings``: each value, and where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import msgspec
from rich.text import Text

from opwright.admin.application import load
from opwright.admin.words import address
from opwright.app.application import Opwright
from opwright.cli.output import columns, console, examples, indented, json_text, show
from opwright.cli.places import client_given, json_option
from opwright.settings import TABLE, Database, Found, Settings, look_up

_COLUMNS = ("SETTING", "VALUE", "FROM", "MEANING")
_ROOM = 30  # a meaning that has less beside its value goes below


class Row(msgspec.Struct, frozen=True):
    """A setting in force; a password in the value is hidden."""

    name: str
    value: Any
    unit: str | None
    source: str
    meaning: str

    @property
    def shown(self) -> str:
        """The value in words."""
        return TABLE[self.name].shown(self.value)


@click.command(
    short_help="Print each setting, and where its value comes from.",
    epilog=examples("opwright settings assets:ops", "opwright settings --json"),
)
@click.argument("target", required=False)
@json_option
def settings(target: str | None, *, as_json: bool) -> None:
    """Print what a host would take that `opwright run` starts here without options.

    Values come from OPWRIGHT_* variables, then from opwright.toml or [tool.opwright] of pyproject.toml in the current
    folder, then from the variables that older systems had, then from the defaults. With TARGET the database is that of the
    application; what its code gives as arguments to a host is not seen here.
    """
    application = load(target) if target else None
    found = look_up({})
    rows = list(_rows(found, application))
    if as_json:
        show(json_text({"settings": rows, "file": _file(found), "remarks": found.remarks}))
    else:
        show(*_lines(rows), *_below(found))


def _rows(found: Found, application: Opwright | None) -> Iterator[Row]:
    database = found.build(Database)
    values = msgspec.structs.asdict(database) | msgspec.structs.asdict(found.build(Settings))
    sources = found.sources | (application.sources if application else {})
    values["log_watcher"] = address(database.log_watcher)
    client = application.client if application else client_given(None) if database.url else None
    if client:
        values |= {"url": address(client.url), "schema": client.schema, "event_retries": client.event_retries}
        if client.schema != database.schema and "schema=" in client.url:
            sources["schema"] = "url"
    for name, setting in TABLE.items():
        yield Row(name, values[name], setting.about.unit, sources[name], setting.about.meaning.replace("`", ""))


def _lines(rows: list[Row]) -> list[Text]:
    """One line for each; in a narrow terminal the meaning stands below."""
    cells: list[list[Text | str]] = [[Text(name, style="bold") for name in _COLUMNS]]
    cells += [[row.name, row.shown, row.source, row.meaning] for row in rows]
    brief = columns(row[:-1] for row in cells)
    if console().width - max(line.cell_len for line in brief) >= _ROOM:
        return columns(cells)
    return [line for head, row in zip(brief, cells, strict=True) for line in (head, indented(str(row[-1]), 4))]


def _file(found: Found) -> str | None:
    return f"{found.file.path.absolute()} {found.file.section}".rstrip() if found.file else None


def _below(found: Found) -> Iterator[Text]:
    """Which file was read, and what looks like a mistake."""
    nowhere = f"none: neither opwright.toml nor [tool.opwright] of pyproject.toml in {Path.cwd()}"
    yield Text(f"\nfile: {_file(found) or nowhere}")
    marked = [(Text("!", style="yellow"), remark) for remark in found.remarks]
    yield from columns(marked) if marked else []
