"""The order of the pipeline, and what it does with a command."""

from __future__ import annotations

from typing import Any

import pytest

import opwright
from opwright import (
    CommandContext,
    Completion,
    ConfigurationError,
    DbOperationScopeProvider,
    InMemoryOperationScopeProvider,
    InvalidatingCommandCompletionHandler,
    InvalidatingCompletionHandler,
    NestedOperationLogger,
    Opwright,
    UnknownCommand,
)
from tests.commands.kit import Divide, PlaceOrder, PlaceRushOrder, Shop, passed


class Unhandled:
    """Nobody handles it."""


def names(ops: Opwright, kind: type) -> list[str]:
    return [step.name.rpartition(".")[2] for step in ops.pipeline(kind)]


def test_the_filters_of_opwright_have_the_priorities_of_the_seed(ops: Opwright) -> None:
    assert ops.pipeline(Completion)[:4] == [
        (11_000, "NestedOperationLogger"),
        (10_000, "InMemoryOperationScopeProvider"),
        (1_000, "DbOperationScopeProvider"),
        (100, "InvalidatingCommandCompletionHandler"),
    ]
    filters = (
        NestedOperationLogger, InMemoryOperationScopeProvider, DbOperationScopeProvider, InvalidatingCommandCompletionHandler,
    )  # fmt: skip
    assert [one.priority for one in filters] == [11_000, 10_000, 1_000, 100]


def test_the_completion_handler_has_two_names() -> None:
    assert InvalidatingCompletionHandler is InvalidatingCommandCompletionHandler
    assert opwright.InvalidatingCompletionHandler is InvalidatingCommandCompletionHandler


async def test_filters_are_called_from_the_highest_priority_to_the_lowest(ops: Opwright) -> None:
    called: list[str] = []

    def telling(word: str) -> Any:
        async def tell(command: object, context: CommandContext, call_next: Any) -> Any:
            called.append(word)
            result = await call_next()
            called.append(f"{word} again")
            return result

        return tell

    for priority in (500, 20_000, 5_000):
        ops.command_filter(priority=priority)(telling(str(priority)))

    @ops.command
    async def divide(command: Divide) -> int:
        called.append("handler")
        return command.dividend // command.divisor

    assert await ops.call(Divide(6, 3)) == 2
    assert called == ["20000", "5000", "500", "handler", "500 again", "5000 again", "20000 again"]
    assert [step.priority for step in ops.pipeline(Divide)] == [20_000, 11_000, 10_000, 5_000, 1_000, 500, 0]


def test_of_equal_priorities_the_more_general_filter_is_outside_and_then_the_first_registered(ops: Opwright) -> None:
    @ops.command_filter(priority=500)
    async def rush(command: PlaceRushOrder, context: Any, call_next: Any) -> Any: ...

    @ops.command_filter(priority=500)
    async def orders(command: PlaceOrder, context: Any, call_next: Any) -> Any: ...

    @ops.command_filter(priority=500)
    async def orders_too(command: PlaceOrder, context: Any, call_next: Any) -> Any: ...

    @ops.command_filter(priority=500)
    async def shop(command: Shop | int, context: Any, call_next: Any) -> Any: ...

    @ops.command_filter(priority=500)
    async def everything(command, context, call_next):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202
        ...

    @ops.command
    async def place_rush(order: PlaceRushOrder) -> None: ...

    assert names(ops, PlaceRushOrder)[3:] == ["everything", "shop", "orders", "orders_too", "rush", "place_rush"]


def test_a_filter_sees_the_commands_of_its_type_only(ops: Opwright) -> None:
    @ops.command_filter(priority=500)
    async def orders(command: PlaceOrder, context: Any, call_next: Any) -> Any: ...

    @ops.command_filter(priority=500)
    async def everything(command: object, context: Any, call_next: Any) -> Any: ...

    @ops.command
    async def divide(command: Divide) -> None: ...

    assert "orders" not in names(ops, Divide)
    assert "everything" in names(ops, Divide)
    assert "everything" not in names(ops, Completion)


def test_a_filter_registered_later_is_in_the_pipeline_too(ops: Opwright) -> None:
    @ops.command
    async def divide(command: Divide) -> None: ...

    before = ops.pipeline(Divide)
    ops.command_filter(priority=1)(passed)
    assert len(ops.pipeline(Divide)) == len(before) + 1


async def test_what_a_filter_returns_is_the_result(ops: Opwright) -> None:
    @ops.command
    async def divide(command: Divide) -> int:
        return command.dividend // command.divisor

    @ops.command_filter(priority=5_000)
    async def negated(command: Divide, context: CommandContext, call_next: Any) -> Any:
        return -await call_next()

    assert await ops.call(Divide(6, 3)) == -2


async def test_a_filter_may_answer_instead_of_the_handler_and_swallow_its_error(ops: Opwright) -> None:
    @ops.command
    async def divide(command: Divide) -> int:
        return command.dividend // command.divisor

    @ops.command_filter(priority=5_000)
    async def forgiving(command: Divide, context: CommandContext, call_next: Any) -> Any:
        try:
            return await call_next()
        except ZeroDivisionError:
            assert isinstance(context.error, ZeroDivisionError)
            return None

    context = await ops.run(Divide(6, 0))
    assert (context.result, context.error) == (None, None)


async def test_a_filter_can_run_the_rest_again_and_the_first_error_is_forgotten(ops: Opwright) -> None:
    seen: list[tuple[Any, Any, bool]] = []

    @ops.command_filter(priority=5_000)
    async def again(command: object, context: CommandContext, call_next: Any) -> Any:
        saved = context.save()
        for _ in range(2):
            try:
                return await call_next()
            except ZeroDivisionError:
                context.restore(saved)
        return await call_next()

    @ops.command
    async def divide(command: Divide, context: CommandContext) -> None:
        seen.append((context.error, context.result, "tried" in context.items))
        context.items["tried"] = True
        if len(seen) < 3:
            raise ZeroDivisionError

    context = await ops.run(Divide(1, 1))
    assert context.error is None
    assert seen == [(None, None, False)] * 3


async def test_another_run_of_the_rest_begins_without_the_result_and_the_error_of_the_first(ops: Opwright) -> None:
    seen: list[tuple[Any, Any]] = []

    @ops.command_filter(priority=5_000)
    async def thrice(command: object, context: CommandContext, call_next: Any) -> Any:
        with pytest.raises(ZeroDivisionError):
            await call_next()
        await call_next()
        return await call_next()

    @ops.command
    async def divide(command: Divide, context: CommandContext) -> int:
        seen.append((context.result, context.error))
        if len(seen) == 1:
            raise ZeroDivisionError
        return len(seen)

    assert await ops.call(Divide(1, 1)) == 3
    assert seen == [(None, None)] * 3


# ------------------------------------------------------------------------------------------- who handles what


async def test_a_command_without_a_handler_is_refused_by_name(ops: Opwright) -> None:
    @ops.command
    async def divide(command: Divide) -> None: ...

    with pytest.raises(UnknownCommand, match=r"Unhandled has no handler; types that have one: Divide"):
        await ops.call(Unhandled())
    context = await ops.run(Unhandled())
    assert isinstance(context.error, UnknownCommand)


async def test_a_class_in_the_place_of_a_command_is_refused(ops: Opwright) -> None:
    @ops.command
    async def divide(command: Divide) -> None: ...

    with pytest.raises(UnknownCommand, match=r"a class is none, a value of it is; types with a handler: Divide"):
        await ops.call(Divide)


async def test_the_handler_of_a_base_class_does_not_handle_the_command(ops: Opwright) -> None:
    @ops.command
    async def place(order: PlaceOrder) -> None: ...

    with pytest.raises(UnknownCommand, match="that of PlaceOrder handles exactly that type"):
        await ops.call(PlaceRushOrder(1))


def test_two_handlers_of_a_type_are_refused_and_both_named(ops: Opwright) -> None:
    @ops.command
    async def divide(command: Divide) -> None: ...

    with pytest.raises(ConfigurationError, match=r"Divide would have two handlers.*<locals>\.divide and .*<locals>\.second"):

        @ops.command
        async def second(command: Divide) -> None: ...


def test_two_handlers_cannot_have_one_name(ops: Opwright) -> None:
    @ops.command(name="work")
    async def divide(command: Divide) -> None: ...

    with pytest.raises(ConfigurationError, match=r"two handlers want the name 'work'.*divide and .*place"):

        @ops.command(name="work")
        async def place(order: PlaceOrder) -> None: ...


def test_a_parameter_that_nobody_can_fill_in_is_refused(ops: Opwright) -> None:
    with pytest.raises(ConfigurationError, match=r"nobody can fill in the parameter 'limit'.*scope: OperationScope, context"):

        @ops.command
        async def divide(command: Divide, limit: int = 3) -> None: ...


def test_a_handler_is_async_and_names_the_type_of_its_command(ops: Opwright) -> None:
    with pytest.raises(ConfigurationError, match="async def"):

        @ops.command  # type: ignore[arg-type]
        def divide(command: Divide) -> None: ...

    with pytest.raises(ConfigurationError, match="annotate it with its class"):

        @ops.command
        async def nameless(command) -> None:  # type: ignore[no-untyped-def] # noqa: ANN001
            ...


@pytest.mark.parametrize("priority", [0, -1, float("nan"), True, "high"])
def test_a_filter_stands_in_front_of_the_handler(ops: Opwright, priority: Any) -> None:
    with pytest.raises(ConfigurationError, match="is not a number above 0"):
        ops.command_filter(priority=priority)(passed)


def test_a_filter_of_another_shape_is_refused(ops: Opwright) -> None:
    async def short(command: object, call_next: Any) -> Any: ...

    with pytest.raises(ConfigurationError, match=r"command, context, call_next"):
        ops.command_filter(priority=1)(short)  # type: ignore[type-var]
