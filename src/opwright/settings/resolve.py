"""The layers put together. The first wins: arguments, ``OPWRIGHT_*`` variables, TOML, the seeds' variables, defaults."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from opwright.errors import ConfigurationError, ExtraMissing
from opwright.settings.file import File, read
from opwright.settings.layers import (
    ARGUMENT,
    Layer,
    contradictions,
    from_arguments,
    from_seeds,
    from_variables,
    no_setting,
    unknown_variables,
)
from opwright.settings.table import TABLE, Database, Overrides, Settings
from opwright.telemetry import logger

DEFAULT = "default"
_WORD = re.compile(r"\b[a-z_]+\b")
Declared = TypeVar("Declared", Database, Settings)


class Found(msgspec.Struct, frozen=True):
    """What was found for every setting; ``file`` is the one that was read, ``remarks`` say what looks like a mistake."""

    given: Layer
    file: File | None
    remarks: tuple[str, ...]

    @property
    def sources(self) -> dict[str, str]:
        """Where each value stands: ``argument``, a variable, a file and its table, or ``default``."""
        return {name: self.given[name].source if name in self.given else DEFAULT for name in TABLE}

    def build(self, declared: type[Declared]) -> Declared:
        """The values in force. Raises ConfigurationError, which names the place of the one that does not fit."""
        names = [name for name in declared.__struct_fields__ if name in self.given]
        values = {name: self.given[name].typed() for name in names}
        try:
            return declared(**values)
        except ConfigurationError as error:  # each value fits, but not beside another
            raise ConfigurationError(_WORD.sub(self._label, str(error))) from None

    def blamed(self, error: ConfigurationError) -> ConfigurationError:
        """The same error, under the place where the wrong setting stands unless it is an argument; else it is the address."""
        text = str(error)
        name = next((one for one in ("schema", "log_watcher") if text.startswith(f"{one}: ")), "url")
        given = self.given.get(name)
        if given is None or given.source == ARGUMENT or isinstance(error, ExtraMissing):
            return error
        return ConfigurationError(f"{given.label}: {text.removeprefix(f'{name}: ')}")

    def _label(self, word: re.Match[str]) -> str:
        return self.given[word[0]].label if word[0] in self.given else word[0]


def look_up(arguments: Mapping[str, Any], environment: Mapping[str, str] = os.environ) -> Found:
    """Look in every place. Raises ConfigurationError for a file that cannot be read or that sets what is no setting."""
    file = read(environment)
    variables, seeds = from_variables(environment), from_seeds(environment)
    given = seeds | (file.layer() if file else {}) | variables | from_arguments(arguments)
    return Found(given, file, (*contradictions(variables, seeds), *unknown_variables(environment)))


def resolve(arguments: Overrides, environment: Mapping[str, str] = os.environ) -> Settings:
    """The settings of a host; what looks like a mistake is logged. Raises ConfigurationError, which says where a value stands."""
    for name in arguments:
        if name not in Settings.__struct_fields__:
            raise ConfigurationError(no_setting(name, Settings.__struct_fields__))
    found = look_up(arguments, environment)
    settings = found.build(Settings)
    for remark in found.remarks:
        logger.warning("%s", remark)
    return settings
