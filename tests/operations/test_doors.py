"""What is meaningless is refused at the door, with words that say what to write."""

from pathlib import Path
from typing import Any

import pytest

from opwright import ConfigurationError, InvalidOperation, Opwright


@pytest.fixture
def ops() -> Opwright:
    """An application whose database is never opened."""
    return Opwright("sqlite:///never.db")


@pytest.mark.parametrize("way", ["fail", "skip", "replace"])
def test_a_way_out_of_a_conflict_needs_a_key(ops: Opwright, way: str) -> None:
    """Without a key there is no conflict. A trigger that has its key already may be given the way alone."""
    trigger = ops.operation(name="work")(lambda: None)
    with pytest.raises(InvalidOperation, match=r"^on_conflict: '\w+' says what to do about a key") as refusal:
        trigger.options(on_conflict=way)
    assert refusal.value.field == "on_conflict"
    assert trigger.options(key="k").options(on_conflict=way).request.key == "k"


@pytest.mark.parametrize("timeout", [-1, -0.001, float("nan"), float("inf"), True, "5"])
def test_a_timeout_of_a_result_is_a_number_of_seconds(ops: Opwright, timeout: Any) -> None:
    """At once, before anything is awaited."""
    with pytest.raises(InvalidOperation, match=r"^timeout: ") as refusal:
        ops.handle(5).result(timeout=timeout)
    assert refusal.value.field == "timeout"


@pytest.mark.parametrize("address", [5, Path("hello.db"), b"sqlite:///hello.db", ["sqlite:///hello.db"]])
def test_an_address_is_text(address: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"is no address: write 'sqlite:///file.db' or 'postgresql://"):
        Opwright(address)
