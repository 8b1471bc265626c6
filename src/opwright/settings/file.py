"""Settings in a file: ``opwright.toml``, or the table ``[tool.opwright]`` of ``pyproject.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from opwright.errors import ConfigurationError
from opwright.settings.layers import CONFIG, Given, Layer, no_setting
from opwright.settings.table import TABLE

OWN = Path("opwright.toml")
PROJECT = Path("pyproject.toml")
_SECTION = "[tool.opwright]"


class File(msgspec.Struct, frozen=True):
    """A file of settings that was read; ``section`` is the table in it, empty for the whole file."""

    path: Path
    section: str
    values: dict[str, Any]

    def __str__(self) -> str:
        return f"{self.path} {self.section}".rstrip()

    def layer(self) -> Layer:
        """What it sets. Raises ConfigurationError for a name that is no setting."""
        place = f"{self.path.absolute()} {self.section}".rstrip()
        for name in self.values:
            if name not in TABLE:
                raise ConfigurationError(f"{place}: {no_setting(name, TABLE.keys())}")
        return {name: Given(TABLE[name], value, str(self), f"{place}: {name}") for name, value in self.values.items()}


def read(environment: Mapping[str, str]) -> File | None:
    """The file that OPWRIGHT_CONFIG names, else the one in the current folder. Raises ConfigurationError."""
    if CONFIG in environment:
        return _named(Path(environment[CONFIG]))
    return _whole(OWN) or _section(PROJECT)


def _named(path: Path) -> File:
    found = _section(path) if path.name == PROJECT.name else _whole(path)
    if found is None:
        what = f"has no {_SECTION}" if path.is_file() else "does not exist"
        raise ConfigurationError(f"{CONFIG}: the file {str(path)!r} {what}")
    return found


def _whole(path: Path) -> File | None:
    document = _document(path)
    return None if document is None else File(path, "", document)


def _section(path: Path) -> File | None:
    tools = (_document(path) or {}).get("tool", {})
    values = tools.get("opwright") if isinstance(tools, dict) else None
    if values is not None and not isinstance(values, dict):
        raise ConfigurationError(f"{path.absolute()}: tool.opwright is {values!r}; write a table {_SECTION}")
    return None if values is None else File(path, _SECTION, values)


def _document(path: Path) -> dict[str, Any] | None:
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path.absolute()}: cannot be read: {error.strerror}") from None
    except ValueError as error:  # no TOML, or no UTF-8
        raise ConfigurationError(f"{path.absolute()}: this is no TOML: {error}") from None
