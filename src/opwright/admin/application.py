"""Finding the application that an operator names."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import ModuleType

from opwright.app.application import Opwright
from opwright.app.target import Target, parse
from opwright.errors import ConfigurationError, OpwrightError


def load(text: str) -> Opwright:
    """The application at ``module:variable`` or ``path/file.py:variable``; the current directory is importable.

    Raises ConfigurationError, which says in which line of the application its import failed.
    """
    if "://" in text:
        raise ConfigurationError("this is an address, not a TARGET: write --url before it")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    target = parse(text)
    application = _imported(target, text)
    if not isinstance(application, Opwright):
        kind = type(application).__name__
        raise ConfigurationError(
            f"{target.variable!r} in {target.module} is of type {kind}, not an Opwright application{_hint(target)}"
        )
    application.found_at(target)
    return application


def _imported(target: Target, text: str) -> object:
    try:
        return target.load()
    except OpwrightError as error:
        if target.module in sys.modules and not hasattr(sys.modules[target.module], target.variable):
            raise ConfigurationError(f"{error}{_hint(target)}") from None
        raise
    except ModuleNotFoundError as error:
        if error.name and f"{target.module}.".startswith(f"{error.name}."):
            raise ConfigurationError(f"there is no module {error.name!r} here ({Path.cwd()}){_file_hint(text)}") from None
        raise ConfigurationError(_told(target, error)) from error
    except (Exception, SystemExit) as error:
        raise ConfigurationError(_told(target, error)) from error


def _told(target: Target, error: BaseException) -> str:
    """One line: what the application raised, and where."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    file, line = (error.filename, error.lineno) if isinstance(error, SyntaxError) else (place.filename, place.lineno)
    message = error.msg if isinstance(error, SyntaxError) else error
    return f"importing {target.file or target.module} failed: {type(error).__name__}: {message} ({file}, line {line})"


def _hint(target: Target) -> str:
    module: ModuleType | None = sys.modules.get(target.module)
    names = [name for name, value in vars(module).items() if isinstance(value, Opwright)] if module else []
    place = target.file or target.module
    return f"; write {place}:{names[0]}" if names else ""


def _file_hint(text: str) -> str:
    place, _, variable = text.partition(":")
    file = f"{place.replace('.', '/')}.py"
    return f"; did you mean {file}{variable and ':'}{variable}?" if Path(file).is_file() else ""
