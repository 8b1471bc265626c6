"""Where worker processes find an application: parsed, located, loaded."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import msgspec
import pytest

from opwright import ConfigurationError, Opwright
from opwright.app import child
from opwright.app.target import Target, locate, parse

SCRIPT = """
import sys
from opwright import Opwright
ops = Opwright("sqlite:///never.db")
@ops.operation
def double(number: int) -> int:
    return 2 * number
if __name__ == "__main__":
    import msgspec
    print(msgspec.json.encode(ops.target()).decode())
"""
PREPARE = """
import sys, msgspec
from opwright.app.child import _prepare
from opwright.app.target import Target
runner = _prepare(msgspec.json.decode(sys.argv[1], type=Target))
print(runner.find("double").name, "__main__" in runner.find("double").function.__module__)
"""


@pytest.fixture(autouse=True)
def clean_imports() -> Iterator[None]:
    """What a test imports is forgotten again."""
    modules, path = dict(sys.modules), list(sys.path)
    yield
    for name in set(sys.modules) - set(modules):
        del sys.modules[name]
    sys.path[:] = path


def run(*arguments: str, cwd: Path) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, *arguments], cwd=cwd, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ------------------------------------------------------------------------------------------------------- parse


@pytest.mark.parametrize(
    ("text", "module", "variable"),
    [("shop:ops", "shop", "ops"), ("shop", "shop", "ops"), ("shop.work:jobs", "shop.work", "jobs"), ("shop:", "shop", "ops")],
)
def test_a_module_and_a_variable(text: str, module: str, variable: str) -> None:
    """``package.module:variable``; the variable is ``ops`` unless it is named."""
    found = parse(text)
    assert (found.module, found.file, found.variable) == (module, None, variable)
    assert found.path == tuple(sys.path)


def test_a_file_and_a_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``path/file.py:variable``, from wherever the command is given."""
    (tmp_path / "shop.py").touch()
    monkeypatch.chdir(tmp_path)
    found = parse("shop.py:jobs")
    assert (found.module, found.file, found.variable) == ("shop", str(tmp_path / "shop.py"), "jobs")


@pytest.mark.parametrize("text", ["", ":", ":ops", "shop:1ops", "shop:a b", "shop:a:b"])
def test_what_is_no_target_is_refused(text: str) -> None:
    """The error shows what was written and how to write it."""
    with pytest.raises(ConfigurationError, match="module:variable"):
        parse(text)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    """By its whole path."""
    with pytest.raises(ConfigurationError, match=str(tmp_path / "missing.py")):
        parse(f"{tmp_path / 'missing.py'}:ops")


# -------------------------------------------------------------------------------------------------------- load


def test_a_module_is_imported_by_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Along the path that the target carries."""
    (tmp_path / "some_shop.py").write_text(SCRIPT)
    monkeypatch.syspath_prepend(tmp_path)
    assert isinstance(parse("some_shop:ops").load(), Opwright)


def test_a_file_is_imported_once(tmp_path: Path) -> None:
    """Twice loaded is the same application, and modules next to it can be imported."""
    (tmp_path / "neighbour_of_shop.py").write_text("number = 5")
    (tmp_path / "filed_shop.py").write_text(SCRIPT + "import neighbour_of_shop\n")
    target = parse(f"{tmp_path / 'filed_shop.py'}:ops")
    assert target.load() is target.load()


def test_a_missing_variable_is_told(tmp_path: Path) -> None:
    """With the name of the module and of the variable."""
    (tmp_path / "empty_shop.py").write_text("other = 1")
    with pytest.raises(ConfigurationError, match=r"empty_shop.*'ops'"):
        parse(f"{tmp_path / 'empty_shop.py'}").load()


def test_an_error_of_the_module_passes(tmp_path: Path) -> None:
    """Its traceback is what the user needs, and a second try raises again instead of handing out half a module."""
    (tmp_path / "broken_shop.py").write_text("ops = 1\nraise ValueError('broken')")
    target = parse(str(tmp_path / "broken_shop.py"))
    for _ in range(2):
        with pytest.raises(ValueError, match="broken"):
            target.load()
    with pytest.raises(ModuleNotFoundError):
        parse("no_such_shop:ops").load()


@pytest.mark.parametrize("line", ["ops = 5", "ops = None", "import opwright as ops"])
def test_a_worker_refuses_what_is_no_application(tmp_path: Path, line: str) -> None:
    """The variable holds something else: told by its name and value."""
    (tmp_path / "wrong_shop.py").write_text(line)
    with pytest.raises(ConfigurationError, match=r"'ops' in wrong_shop.*not an Opwright"):
        child._prepare(parse(str(tmp_path / "wrong_shop.py")))


def test_a_worker_refuses_triggers_whose_inputs_have_no_form(tmp_path: Path) -> None:
    """Before it says that it is ready."""
    (tmp_path / "formless_shop.py").write_text(SCRIPT + "\n@ops.operation\ndef bad(number: 'Nowhere') -> None: ...\n")
    with pytest.raises(ConfigurationError, match="bad"):
        child._prepare(parse(str(tmp_path / "formless_shop.py")))


# ------------------------------------------------------------------------------------------------------ locate


def test_an_application_of_a_module_is_found_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The module in which it was made, under whatever variable it has there."""
    (tmp_path / "found_shop.py").write_text(SCRIPT.replace("ops = ", "jobs = ops = "))
    monkeypatch.syspath_prepend(tmp_path)
    import found_shop  # type: ignore[import-not-found]

    target = found_shop.ops.target()
    assert (target.module, target.file) == ("found_shop", None)
    assert target.variable in {"jobs", "ops"}
    assert target.load() is found_shop.ops


def test_an_application_of_a_file_is_found_by_its_file(tmp_path: Path) -> None:
    """Loaded by path, not by name: workers load it by path too."""
    (tmp_path / "by_file.py").write_text(SCRIPT)
    target = parse(str(tmp_path / "by_file.py"))
    found = locate(target.load(), "by_file")
    again = subprocess.run(
        [sys.executable, "-c", PREPARE, msgspec.json.encode(found).decode()], cwd="/", capture_output=True, text=True,
        check=False, timeout=30,
    )  # fmt: skip
    assert again.stdout.strip() == "double False", again.stderr


def test_an_application_inside_a_function_cannot_be_located() -> None:
    """No variable of a module holds it; the error says what to do."""
    ops = Opwright("sqlite:///never.db")
    with pytest.raises(ConfigurationError, match=r"top level.*pool='inline'"):
        ops.target()


def test_a_module_that_is_gone_cannot_be_located() -> None:
    """Nobody can import it again."""
    with pytest.raises(ConfigurationError, match="no_such_home"):
        locate(object(), "no_such_home")


def test_a_script_is_found_by_its_file(tmp_path: Path) -> None:
    """``python shop.py``: never as ``__main__``, so that its main part does not run in the workers."""
    (tmp_path / "script_shop.py").write_text(SCRIPT)
    told = run("script_shop.py", cwd=tmp_path)
    target = msgspec.json.decode(told, type=Target)
    assert (target.module, target.file, target.variable) == ("script_shop", str(tmp_path / "script_shop.py"), "ops")
    assert run("-c", PREPARE, told, cwd=Path("/")) == "double False"


def test_a_module_that_is_run_is_found_by_its_name(tmp_path: Path) -> None:
    """``python -m package.shop``: workers import it under its real name."""
    package = tmp_path / "run_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "shop.py").write_text(SCRIPT)
    told = run("-m", "run_package.shop", cwd=tmp_path)
    target = msgspec.json.decode(told, type=Target)
    assert (target.module, target.file) == ("run_package.shop", None)
    assert run("-c", PREPARE, told, cwd=Path("/")) == "double False"


def test_a_package_that_is_run_is_found_by_its_main_module(tmp_path: Path) -> None:
    """``python -m package``."""
    package = tmp_path / "main_package"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "__main__.py").write_text(SCRIPT)
    told = run("-m", "main_package", cwd=tmp_path)
    assert msgspec.json.decode(told, type=Target).module == "main_package.__main__"


@pytest.mark.parametrize("prompt", [["-c", SCRIPT], ["-i", "-q"]], ids=["-c", "prompt"])
def test_what_was_typed_at_a_prompt_cannot_be_found(prompt: list[str], tmp_path: Path) -> None:
    """There is no file to import; the error says so."""
    done = subprocess.run(
        [sys.executable, *prompt], input="" if prompt[0] == "-c" else f"exec({SCRIPT!r})\n", cwd=tmp_path,
        capture_output=True, text=True, check=False, timeout=30,
    )  # fmt: skip
    assert "typed at a prompt" in done.stderr
    assert "pool='inline'" in done.stderr


def test_the_command_of_a_worker_carries_the_target() -> None:
    """What the host knows is what the worker gets."""
    target = Target("shop", None, "ops", ("/a b", 'c"d'))
    arguments = child.command(target, 3)
    assert msgspec.json.decode(arguments[3], type=Target) == target
    assert arguments[0] == sys.executable
    assert arguments[4] == "3"


def test_a_module_without_the_object_under_any_name_is_told() -> None:
    """It was made there, but nobody kept it."""
    module = ModuleType("keeps_nothing")
    sys.modules["keeps_nothing"] = module
    with pytest.raises(ConfigurationError, match="keeps_nothing"):
        locate(Opwright("sqlite:///never.db"), "keeps_nothing")


def test_a_program_that_starts_a_host_while_it_is_imported_is_refused(tmp_path: Path) -> None:
    """Without the main guard each worker would start a host with workers of its own."""
    (tmp_path / "unguarded.py").write_text(
        "import asyncio\nfrom opwright import Opwright\n"
        f"ops = Opwright('sqlite:///{tmp_path}/a.db')\n"
        "asyncio.run(ops.host(pool='inline').start())\n"
    )
    with pytest.raises(ConfigurationError, match="__main__"):
        parse(str(tmp_path / "unguarded.py")).load()
