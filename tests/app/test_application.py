"""The application object: its address, its triggers, its decorators."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from opwright import ConfigurationError, InvalidOperation, Opwright
from opwright.model.options import Backoff


@pytest.fixture
def ops() -> Opwright:
    """An application that is never opened."""
    return Opwright("sqlite:///never.db")


# ----------------------------------------------------------------------------------------------------- address


def test_without_an_address_it_cannot_be_made(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says both ways to give one."""
    monkeypatch.delenv("OPWRIGHT_URL", raising=False)
    for url in (None, ""):
        with pytest.raises(ConfigurationError, match=r"sqlite:///.*OPWRIGHT_URL"):
            Opwright(url)


def test_the_address_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """And an argument beats it."""
    monkeypatch.setenv("OPWRIGHT_URL", f"sqlite:///{tmp_path}/a.db")
    assert Opwright().client.url == f"sqlite:///{tmp_path}/a.db"
    assert Opwright("sqlite:///b.db").client.url == "sqlite:///b.db"


@pytest.mark.parametrize(
    "url",
    [
        "mysql://localhost/x",
        "file.db",
        "sqlite",
        "sqlite://",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:////no/such/folder/x.db",
        "://",
        "redis://x",
    ],
)
def test_an_address_that_cannot_work_is_refused_at_once(url: str) -> None:
    """ConfigurationError where it is written, not where it is first used."""
    with pytest.raises(ConfigurationError, match=r"\S"):
        Opwright(url)


@pytest.mark.parametrize("schema", ["", "Upper", "a b", "1a", "a;drop", "x" * 42, "a.b"])
def test_a_schema_that_cannot_be_named_is_refused(schema: str) -> None:
    """It goes into statements."""
    with pytest.raises(ConfigurationError, match="schema"):
        Opwright("sqlite:///never.db", schema=schema)


async def test_two_schemas_of_one_database_know_nothing_of_each_other(database_url: str) -> None:
    """Two applications share a database without sharing operations."""
    first, second = Opwright(database_url, schema="first"), Opwright(database_url, schema="second")
    for each in (first, second):
        each.operation(name="work")(_work)
    async with first, second:
        handle = await first.submit("work")
        assert await (await second.client.store()).operations.latest(10) == []
        async with second.host(pool="inline"), first.host(pool="inline"):
            assert await handle.result(timeout=10) == "done"


def _work() -> str:
    return "done"


# ---------------------------------------------------------------------------------------------------- triggers


def test_a_decorator_without_arguments(ops: Opwright) -> None:
    """The function's own name, and every option at its default."""

    @ops.operation
    def render(photo: str) -> str:
        """Make a smaller picture."""
        return photo.upper()

    assert render.name == "render"
    assert render.__doc__ == "Make a smaller picture."
    assert (render.budget.retries, render.budget.recoveries, render.budget.timeout) == (0, 3, None)
    assert ops.registry.names() == ["render"]
    assert ops.registry.find("render") is render
    assert not render.is_async


def test_a_decorator_with_arguments(ops: Opwright) -> None:
    """Each option is that of the trigger."""

    @ops.operation(name="thumb", queue="photos", priority=5, retries=2, recoveries=0, timeout=9.0, backoff=Backoff(first=1))
    async def render(photo: str) -> str:
        return photo

    assert (render.name, render.is_async) == ("thumb", True)
    assert (render.budget.retries, render.budget.recoveries, render.budget.timeout) == (2, 0, 9.0)
    assert render.budget.backoff == Backoff(first=1)
    assert (render.request.queue, render.request.priority) == ("photos", 5)
    assert ops.registry.names() == ["thumb"]


def test_a_number_as_backoff_is_a_constant_pause(ops: Opwright) -> None:
    """Whatever the attempt."""

    @ops.operation(backoff=5)
    def render() -> None: ...

    assert [render.budget.backoff.pause(errors, 0.5) for errors in (1, 2, 50)] == [5, 5, 5]


def test_empty_parentheses_do_no_harm(ops: Opwright) -> None:
    """``@ops.operation()`` is ``@ops.operation``."""

    @ops.operation()
    def render() -> None: ...

    assert ops.registry.names() == ["render"]


def test_an_unknown_option_is_refused_by_its_name(ops: Opwright) -> None:
    """A misspelt budget must not be a default."""
    with pytest.raises(TypeError, match="retrys"):
        ops.operation(retrys=3)  # type: ignore[call-overload]


@pytest.mark.parametrize("name", [" a", "a\x00", "x" * 201, "\ud800"])
def test_a_name_that_cannot_be_stored_is_refused(ops: Opwright, name: str) -> None:
    """Rows hold it, people read it."""
    with pytest.raises(InvalidOperation, match="name"):
        ops.operation(name=name)(_work)
    assert ops.registry.names() == []


def test_two_triggers_of_one_name_are_refused(ops: Opwright) -> None:
    """The error names both functions and what to do; the first one stays."""
    first = ops.operation(name="same")(_work)

    def other() -> None: ...

    with pytest.raises(ConfigurationError, match=r"'same'.*_work.*other.*name="):
        ops.operation(name="same")(other)
    assert ops.registry.find("same") is first


def test_calling_a_trigger_runs_the_plain_function(ops: Opwright) -> None:
    """Here and now, without any database: with defaults, by position or by name."""

    @ops.operation
    def add(first: int, second: int = 10) -> int:
        return first + second

    @ops.operation
    async def slow_add(first: int, second: int = 10) -> int:
        return first + second

    assert add(1) == add(first=1) == add(1, second=10) == 11
    called: Any = slow_add(1, 2)
    assert asyncio.run(called) == 3
    with pytest.raises(TypeError):
        add()  # type: ignore[call-arg]


def test_a_method_of_options_calls_the_same_function(ops: Opwright) -> None:
    """Options change submits, not calls, and register nothing."""
    trigger = ops.operation(_work)
    assert trigger.options(priority=9)() == "done"
    assert ops.registry.names() == ["_work"]


def test_an_application_says_what_it_is(ops: Opwright) -> None:
    """For whoever prints one."""
    ops.operation(_work)
    assert "1 trigger" in repr(ops)
