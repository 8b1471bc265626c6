"""The places where a value may stand: arguments, ``OPWRIGHT_*`` variables, and the variables that the seeds had."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, get_origin

import msgspec

from opwright.errors import ConfigurationError
from opwright.settings.table import PREFIX, TABLE, Setting

ARGUMENT = "argument"
CONFIG = f"{PREFIX}CONFIG"
_OF_THE_TESTS = f"{PREFIX}TEST_"
_ALIKE = 0.8  # "wrokers" is meant for workers, "tool" is not meant for pool


class Given(msgspec.Struct, frozen=True):
    """A value that was given, not checked yet. ``source`` says where it stands, ``label`` how an error names it there."""

    setting: Setting
    value: Any
    source: str
    label: str
    text: bool = False  # a variable holds text only: "4" is a number
    unit: str | None = None
    scale: float = 1

    def typed(self) -> Any:
        """The value itself. Raises ConfigurationError, which names the place and says what fits."""
        try:
            value = msgspec.convert(self.value, self.setting.type, strict=not self.text)
        except msgspec.ValidationError:
            raise self._refused() from None
        if self.scale != 1:
            value /= self.scale
        if not self.setting.allows(value):
            raise self._refused()
        return value

    def _refused(self) -> ConfigurationError:
        return ConfigurationError(f"{self.label}: {self.value!r} is not {self.setting.wanted(self.unit, self.scale)}")


Layer = dict[str, Given]


def from_arguments(arguments: Mapping[str, Any]) -> Layer:
    """What the code says."""
    return {name: Given(TABLE[name], value, ARGUMENT, name) for name, value in arguments.items()}


def from_variables(environment: Mapping[str, str]) -> Layer:
    """``OPWRIGHT_`` and the name in capitals; a list has commas."""
    found = [(setting, environment[setting.variable]) for setting in TABLE.values() if setting.variable in environment]
    return {one.name: Given(one, _parts(one, text), one.variable, one.variable, text=True) for one, text in found}


def from_seeds(environment: Mapping[str, str]) -> Layer:
    """The variables of the systems that Opwright follows, in their units."""
    found = [(one, one.about.seed) for one in TABLE.values() if one.about.seed and one.about.seed.variable in environment]
    return {
        one.name: Given(one, environment[name := seed.variable], name, name, text=True, unit=seed.unit, scale=seed.scale)
        for one, seed in found
    }


def _parts(setting: Setting, text: str) -> str | list[str]:
    if get_origin(setting.kind) is not tuple:
        return text
    return [part.strip() for part in text.split(",") if part.strip()]


def unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """A remark about each ``OPWRIGHT_*`` variable that sets nothing; it may be somebody else's, so it is no error."""
    known = {*(setting.variable for setting in TABLE.values()), CONFIG}
    for name in sorted(environment):
        if name.startswith(PREFIX) and not name.startswith(_OF_THE_TESTS) and name not in known:
            yield no_setting(name, known)


def contradictions(variables: Layer, seeds: Layer) -> Iterator[str]:
    """A remark about each setting whose two variables differ."""
    for name in sorted(variables.keys() & seeds.keys()):
        ours, theirs = variables[name], seeds[name]
        if not _agree(ours, theirs):
            yield f"{_told(theirs)} has no effect: {_told(ours)} overrules it; leave one of them out"


def _told(given: Given) -> str:
    unit = given.unit or given.setting.about.unit
    return f"{given.label}={given.value}" + (f" (in {unit})" if unit else "")


def _agree(one: Given, other: Given) -> bool:
    try:
        return bool(one.typed() == other.typed())
    except ConfigurationError:
        return False


def no_setting(name: str, known: Collection[str]) -> str:
    """What to say of a name that is none, with the name that was perhaps meant."""
    bare = {one.removeprefix(PREFIX): one for one in known}  # a prefix in common would make all of them alike
    near = get_close_matches(name.removeprefix(PREFIX), bare, n=1, cutoff=_ALIKE)
    return f"{name} is no setting" + (f"; did you mean {bare[near[0]]}?" if near else "")
