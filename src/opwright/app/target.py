"""Where an application lives, so that a worker process can import it: by module name or by file, never as ``__main__``."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

from opwright.errors import ConfigurationError

_loading = ContextVar("opwright_loading", default=False)


def loading() -> bool:
    """Whether this program is being imported by a worker or by the command line."""
    return _loading.get()


class Target(msgspec.Struct, frozen=True):
    """A module (by ``module`` name, or by ``file`` where it has none), a variable in it, and the path to import along."""

    module: str
    file: str | None
    variable: str
    path: tuple[str, ...]

    def load(self) -> Any:
        """Import the module and give the variable. Raises ConfigurationError when there is none; the module's errors pass."""
        token = _loading.set(True)
        try:
            module = _load_file(self.module, self.file) if self.file else importlib.import_module(self.module)
        finally:
            _loading.reset(token)
        if not hasattr(module, self.variable):
            raise ConfigurationError(f"{self.module} has no variable {self.variable!r}")
        return getattr(module, self.variable)


def parse(text: str) -> Target:
    """``package.module:variable`` or ``path/file.py:variable``; the variable defaults to ``ops``."""
    place, _, variable = text.partition(":")
    variable = variable or "ops"
    if not place or not variable.isidentifier():
        raise ConfigurationError(f"{text!r}: write module:variable or file.py:variable")
    if place.endswith(".py"):
        file = Path(place).absolute()
        if not file.is_file():
            raise ConfigurationError(f"there is no file {file}")
        return Target(file.stem, str(file), variable, tuple(sys.path))
    return Target(place, None, variable, tuple(sys.path))


def locate(application: object, home: str) -> Target:
    """Where an application object can be imported from. ``home`` is the module in which it was made."""
    module = sys.modules.get(home)
    variable = _variable(module, application)
    if module is None or variable is None:
        raise ConfigurationError(
            f"worker processes import your application, but no variable of module {home!r} holds it: assign it at the top level "
            "of a module (ops = Opwright(…)), or use pool='inline'",
        )
    spec = getattr(module, "__spec__", None)
    if home != "__main__":
        return Target(
            home, None if spec is None or spec.name == home else getattr(module, "__file__", None), variable, tuple(sys.path)
        )
    if spec is not None:  # python -m package.module
        return Target(spec.name, None, variable, tuple(sys.path))
    file = getattr(module, "__file__", None)
    if file is None:
        raise ConfigurationError(
            "worker processes cannot import what was typed at a prompt: save it to a file, or use pool='inline'"
        )
    return Target(Path(file).stem, str(Path(file).absolute()), variable, tuple(sys.path))


def _variable(module: ModuleType | None, application: object) -> str | None:
    return next((name for name, value in vars(module).items() if value is application), None) if module else None


def _load_file(name: str, file: str) -> ModuleType:
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == file:
        return known
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise ConfigurationError(f"{file} cannot be imported as Python")
    if (folder := str(Path(file).parent)) not in sys.path:
        sys.path.insert(0, folder)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]  # half a module must not be taken for the whole one next time
        raise
    return module
