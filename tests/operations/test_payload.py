"""Payloads: what may travel comes back as it was sent; what may not is refused at the door, by the name of its field."""

from __future__ import annotations

import datetime as dt
import enum
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple, TypedDict
from uuid import UUID
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from opwright import ConfigurationError, InvalidOperation, OperationFailed, Opwright
from opwright.operations.payload import LARGEST, Inputs, Result, Typed
from tests.operations.kit import rows

if TYPE_CHECKING:
    from decimal import Context as OnlyForTheChecker

LARGEST_INTEGER = 2**63 - 1
MiB = 1024 * 1024


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Size(enum.IntEnum):
    SMALL = 1
    LARGE = 2


class Point(msgspec.Struct):
    x: int
    y: float = 0.0


class Square(msgspec.Struct, tag=True):
    side: int


class Circle(msgspec.Struct, tag=True):
    radius: float


@dataclass
class Place:
    customer: str
    number: Any


@dataclass
class Photo:
    name: str
    taken: dt.datetime
    tags: list[str] = field(default_factory=list)
    corner: Point | None = None


@dataclass
class Node:
    value: Any = None
    next: Node | None = None


class Pair(NamedTuple):
    first: int
    second: str


class Options(TypedDict):
    width: int
    colour: Colour


def takes(kind: Any) -> Inputs:
    """The inputs of a trigger with one parameter, ``value``, of a type."""

    def work(value: Any) -> None:
        """Never called."""

    work.__annotations__ = {"value": kind}
    return Inputs("work", work)


def gives(kind: Any) -> Result:
    """The result of a trigger that declares a type."""

    def work() -> None:
        """Never called."""

    work.__annotations__ = {"return": kind}
    return Result("work", work)


def there_and_back(kind: Any, value: Any) -> Any:
    """The value as the trigger would see it."""
    inputs = takes(kind)
    return inputs.decode(inputs.encode((value,), {}))["value"]


BERLIN = ZoneInfo("Europe/Berlin")
UTC_MOMENT = dt.datetime(2026, 3, 29, 1, 30, 0, 123456, tzinfo=dt.UTC)
SOME_ID = UUID("12345678-1234-5678-1234-567812345678")

TRAVELLERS: list[tuple[Any, Any]] = [
    (int, LARGEST_INTEGER),
    (int, -LARGEST_INTEGER - 1),
    (float, 5e-324),
    (float, 1.7976931348623157e308),
    (str, ""),
    (str, r"\u0000 is six characters, and not a NUL"),
    (str, "9999999999999999999 null"),
    (str, "\u2028 \ufeff \U0001f600 ' \" \\ \x01 \x7f"),
    (bool, True),
    (None, None),
    (bytes, b"\x00\xff"),
    (dt.datetime, UTC_MOMENT),
    (dt.datetime, dt.datetime(2026, 7, 1, 2, 30, tzinfo=BERLIN)),
    (dt.datetime, dt.datetime(2026, 10, 25, 2, 30, tzinfo=dt.timezone(dt.timedelta(hours=-3, minutes=-30)))),
    (dt.datetime, dt.datetime(1, 1, 1)),  # noqa: DTZ001 - a naive one is data like any other
    (dt.date, dt.date(2024, 2, 29)),
    (dt.time, dt.time(23, 59, 59, 999999)),
    (dt.timedelta, dt.timedelta(days=-1, microseconds=1)),
    (UUID, SOME_ID),
    (Decimal, Decimal("1.500000000000000000000000000000001")),
    (Colour, Colour.GREEN),
    (Size, Size.LARGE),
    (Literal["a", "b"], "b"),
    (Annotated[int, msgspec.Meta(ge=1)], 1),
    (Point, Point(1, 2.5)),
    (Photo, Photo("cat", UTC_MOMENT, ["a", "b"], Point(3))),
    (Node, Node([1, {"a": None}], Node("end"))),
    (Pair, Pair(1, "b")),
    (Options, {"width": 1, "colour": Colour.RED}),
    (list[list[int]], [[], [1], [1, 2]]),
    (dict[str, dict[str, list[Point]]], {"a": {"b": [Point(1)]}, "": {}}),
    (dict[int, str], {-1: "a", 2**62: "b"}),
    (dict[UUID, Decimal], {SOME_ID: Decimal("0.1")}),
    (dict[Colour, int], {Colour.RED: 1}),
    (set[int], {1, 2, 3}),
    (frozenset[str], frozenset({"a"})),
    (tuple[int, str, bool], (1, "a", False)),
    (tuple[int, ...], (1, 2, 3)),
    (int | None, None),
    (Photo | None, Photo("cat", UTC_MOMENT)),
    (int | str | list[int] | None, [1]),
    (Square | Circle, Circle(0.5)),
    (Any, {"a": [1, 2.5, None, True, {"b": "c"}]}),
]


@pytest.mark.parametrize(("kind", "value"), TRAVELLERS, ids=repr)
def test_a_value_of_a_declared_type_comes_back_equal_and_of_its_type(kind: Any, value: Any) -> None:
    """What the trigger gets equals what was submitted, and is of the type that it declares."""
    found = there_and_back(kind, value)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(("kind", "value"), TRAVELLERS, ids=repr)
def test_a_result_of_a_declared_type_comes_back_equal_and_of_its_type(kind: Any, value: Any) -> None:
    """A result travels like an input."""
    result = gives(kind)
    found = result.decode(result.encode(value))
    assert found == value
    assert type(found) is type(value)


text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=20)
offsets = st.integers(-14 * 60, 14 * 60).map(lambda minutes: dt.timezone(dt.timedelta(minutes=minutes)))
integers = st.integers(-LARGEST_INTEGER - 1, LARGEST_INTEGER)
finite = st.floats(allow_nan=False, allow_infinity=False)

Shape = tuple[Any, "st.SearchStrategy[Any]"]
PLAIN: list[Shape] = [
    (int, integers),
    (float, finite),
    (str, text),
    (bool, st.booleans()),
    (bytes, st.binary(max_size=20)),
    (dt.date, st.dates()),
    (dt.datetime, st.datetimes(timezones=offsets)),
    (dt.timedelta, st.timedeltas(dt.timedelta(-10_000), dt.timedelta(10_000))),
    (UUID, st.integers(0, 2**128 - 1).map(lambda number: UUID(int=number))),
    (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    (Colour, st.sampled_from(Colour)),
    (Point, st.builds(Point, integers, finite)),
    (Photo, st.builds(Photo, text, st.datetimes(timezones=offsets), st.lists(text, max_size=3))),
]


def list_of(inner: Shape) -> Shape:
    kind, values = inner
    return list.__class_getitem__(kind), st.lists(values, max_size=4)


def dict_of(inner: Shape) -> Shape:
    kind, values = inner
    return dict.__class_getitem__((str, kind)), st.dictionaries(text, values, max_size=4)


def optional(inner: Shape) -> Shape:
    kind, values = inner
    return kind | None, st.none() | values


def pair_with_int(inner: Shape) -> Shape:
    kind, values = inner
    return tuple.__class_getitem__((kind, int)), st.tuples(values, integers)


shapes: st.SearchStrategy[Shape] = st.recursive(
    st.sampled_from(PLAIN),
    lambda inner: st.one_of(inner.map(list_of), inner.map(dict_of), inner.map(optional), inner.map(pair_with_int)),
    max_leaves=4,
)
json_values = st.recursive(
    st.none() | st.booleans() | integers | finite | text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(text, inner, max_size=4),
    max_leaves=20,
)


@given(data=st.data())
def test_any_value_of_any_declared_shape_comes_back_equal(data: st.DataObject) -> None:
    """Whatever the types are and however they are nested."""
    kind, values = data.draw(shapes)
    value = data.draw(values)
    assert there_and_back(kind, value) == value


@given(value=json_values)
@example(value={"a": LARGEST_INTEGER, "b": -LARGEST_INTEGER - 1})
@example(value=[r"\u0000", "null", None, "\\"])
def test_any_json_value_comes_back_equal_without_a_declared_type(value: Any) -> None:
    """A parameter that declares nothing takes whatever JSON can say."""

    def work(value) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
        """Never called."""

    inputs = Inputs("work", work)
    assert inputs.decode(inputs.encode((value,), {})) == {"value": value}


@pytest.mark.parametrize("fold", [0, 1])
def test_an_hour_that_comes_twice_keeps_its_instant(fold: int) -> None:
    """In the night when summer time ends, 2:30 in Berlin is two instants; the right one arrives."""
    ambiguous = dt.datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold)
    assert there_and_back(dt.datetime, ambiguous).timestamp() == ambiguous.timestamp()


def test_an_instant_never_changes_on_the_way() -> None:
    """A time zone with odd seconds (local mean time) comes back as the same instant, or is refused; never shifted silently."""
    local_mean_time = dt.datetime(1850, 1, 1, tzinfo=ZoneInfo("Europe/Amsterdam"))
    assert local_mean_time.utcoffset() not in {None, dt.timedelta(minutes=20)}
    try:
        found = there_and_back(dt.datetime, local_mean_time)
    except InvalidOperation:
        return
    assert found == local_mean_time


# ------------------------------------------------------------------------------------------------- refused


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def chained(length: int) -> Node:
    node = Node()
    for _ in range(length):
        node = Node(next=node)
    return node


def circle_of_lists() -> list[Any]:
    value: list[Any] = []
    value.append(value)
    return value


def circle_of_nodes() -> Node:
    node = Node()
    node.next = node
    return node


class Unknown:
    """A class that JSON cannot hold."""


LONE = "\ud800"
REFUSED: list[Any] = [
    pytest.param(str, "a\x00b", "NUL", id="NUL"),
    pytest.param(Any, {"a\x00": 1}, "NUL", id="NUL in a key"),
    pytest.param(Photo, Photo("\x00", UTC_MOMENT), "NUL", id="NUL in a dataclass"),
    pytest.param(float, math.nan, "nan", id="NaN"),
    pytest.param(float, -math.inf, "inf", id="inf"),
    pytest.param(Any, [1, [math.inf]], "inf", id="inf in a list"),
    pytest.param(Any, {"a": math.nan}, "nan", id="NaN in a dict"),
    pytest.param(set[float], {math.nan}, "nan", id="NaN in a set"),
    pytest.param(Point, Point(1, math.nan), "nan", id="NaN in a struct"),
    pytest.param(Node, Node(math.nan), "nan", id="NaN in a dataclass"),
    pytest.param(dict[float, int], {math.nan: 1}, "nan", id="NaN as a typed key"),
    pytest.param(Any, {math.nan: 1}, "nan", id="NaN as a key"),
    pytest.param(Any, {"a": {math.inf: 1}}, "inf", id="inf as a nested key"),
    pytest.param(str, f"a{LONE}", "surrogate", id="lone surrogate"),
    pytest.param(Any, {LONE: 1}, "surrogate", id="lone surrogate in a key"),
    pytest.param(list[str], ["", LONE], "surrogate", id="lone surrogate in a list"),
    pytest.param(Photo, Photo(LONE, UTC_MOMENT), "surrogate", id="lone surrogate in a dataclass"),
    pytest.param(int, LARGEST_INTEGER + 1, "64 bits", id="2^63"),
    pytest.param(int, -LARGEST_INTEGER - 2, "64 bits", id="-2^63-1"),
    pytest.param(Any, {"a": [2**64]}, "64 bits", id="2^64 in a list"),
    pytest.param(Any, 10**400, "64 bits", id="10^400"),
    pytest.param(Any, {2**70: 1}, "64 bits", id="2^70 as a key"),
    pytest.param(Point, Point(2**63), "64 bits", id="2^63 in a struct"),
    pytest.param(int, "1", "Expected `int`", id="str for int"),
    pytest.param(int, True, "Expected `int`", id="bool for int"),
    pytest.param(int, 1.5, "Expected `int`", id="float for int"),
    pytest.param(str, b"a", "Expected `str`", id="bytes for str"),
    pytest.param(str, None, "Expected `str`", id="None for str"),
    pytest.param(list[int], [1, "2"], "Expected `int`", id="str in a list of int"),
    pytest.param(dict[str, int], {"a": "b"}, "Expected `int`", id="str in a dict of int"),
    pytest.param(tuple[int, str], (1,), "length 2", id="a tuple too short"),
    pytest.param(Colour, "blue", "blue", id="no member of the enum"),
    pytest.param(UUID, "nonsense", "UUID", id="no UUID"),
    pytest.param(dt.datetime, "tomorrow", "RFC3339", id="no datetime"),
    pytest.param(Annotated[int, msgspec.Meta(ge=1)], 0, ">= 1", id="below its bound"),
    pytest.param(Point, {"y": 1.0}, "`x`", id="missing field of a struct"),
    pytest.param(Point, Point("a"), "Expected `int`", id="wrong type inside a struct"),  # type: ignore[arg-type]
    pytest.param(Photo, Photo(1, UTC_MOMENT), "Expected `str`", id="wrong type inside a dataclass"),  # type: ignore[arg-type]
    pytest.param(list[Photo], [Photo("a", "b")], "datetime", id="wrong type inside a list of dataclasses"),  # type: ignore[arg-type]
    pytest.param(Any, Unknown(), "Unknown", id="unsupported type"),
    pytest.param(Any, {"a": [1j]}, "complex", id="unsupported type inside"),
    pytest.param(Any, {(1, 2): 3}, "", id="tuple as a key"),
    pytest.param(Any, nested(5000), "deep", id="nested too deeply"),
    pytest.param(Node, chained(5000), "deep", id="dataclasses nested too deeply"),
    pytest.param(Any, circle_of_lists(), "deep", id="a list within itself"),
    pytest.param(Node, circle_of_nodes(), "deep", id="a dataclass within itself"),
    pytest.param(str, "x" * MiB, "1,048,576", id="over 1 MiB"),
    pytest.param(bytes, b"x" * MiB, "1,048,576", id="bytes over 1 MiB"),
]


@pytest.mark.parametrize(("kind", "value", "told"), REFUSED)
def test_what_cannot_travel_is_refused_by_the_name_of_its_field(kind: Any, value: Any, told: str) -> None:
    """The error is an InvalidOperation, its ``field`` is the parameter, its text names both trigger and what was wrong."""
    with pytest.raises(InvalidOperation) as refusal:
        takes(kind).encode((), {"value": value})
    assert refusal.value.field == "value"
    assert "work" in str(refusal.value)
    assert "value" in str(refusal.value)
    assert told in str(refusal.value)


@pytest.mark.parametrize(("kind", "value", "told"), REFUSED)
def test_a_result_that_cannot_travel_is_refused(kind: Any, value: Any, told: str) -> None:
    """A result is held to the same rules, and the error says that it was the result."""
    with pytest.raises(InvalidOperation, match="result") as refusal:
        gives(kind).encode(value)
    assert told in str(refusal.value)


@pytest.mark.parametrize("value", [5, "text", [None]])
def test_a_result_of_a_trigger_that_declares_none_is_refused(value: Any) -> None:
    """``-> None`` is a declaration like any other: a value would be unreadable for whoever waits for it."""
    result = gives(None)
    assert result.encode(None) is None
    with pytest.raises(InvalidOperation, match="declares"):
        result.encode(value)


@pytest.mark.parametrize(("value", "told"), [
    (Place("ann", object()), r"^place: number: Encoding objects of type object is unsupported$"),
    (Place("ann", math.nan), r"^place: number: nan has no form in JSON$"),
    (Place("nul \x00", 1), r"^place: customer: 'nul .x00' holds a NUL character"),
    (Place("x" * MiB, 1), r"^place: 1,\d{3},\d{3} bytes of JSON, most of them in customer; at most"),
    ({"number": math.nan}, r"^place: number: nan has no form in JSON$"),
    ([math.nan], r"^place: nan has no form in JSON$"),
    (object(), r"^place: Encoding objects of type object is unsupported$"),
    ("x" * MiB, r"^place: 1,\d{3},\d{3} bytes of JSON; at most"),
])  # fmt: skip
def test_a_single_value_is_refused_by_what_it_is_made_of(value: Any, told: str) -> None:
    """A command, an item, a result, what is handed to who waits: where it has fields, the error names the one."""
    with pytest.raises(InvalidOperation, match=told):
        Typed("place", Any).encode(value)


@pytest.mark.fault("F41")
async def test_what_is_refused_stores_nothing(ops: Opwright) -> None:
    """Each refusal comes at once, before anything is awaited, and leaves no row on any engine."""
    kinds = {repr(case.values[0]): case.values[0] for case in REFUSED}
    triggers = {}
    for number, (name, kind) in enumerate(kinds.items()):

        def work(value: Any) -> None:
            """Never called."""

        work.__annotations__ = {"value": kind}
        triggers[name] = ops.operation(name=f"work {number}")(work)
    accepted = []
    for case in REFUSED:
        try:
            await triggers[repr(case.values[0])].submit(case.values[1])
        except InvalidOperation:
            continue
        except Exception:  # noqa: BLE001 - the tests above say which error it must be
            continue
        accepted.append(case.id)
    assert await rows(ops) == ({"operations": len(accepted), "ready": len(accepted)} if accepted else {})
    assert accepted == []


def two(first: int, second: str = "b") -> None:
    """Never called."""


@pytest.mark.parametrize(
    ("args", "kwargs", "named", "told"),
    [
        pytest.param((), {}, "first", "missing", id="missing"),
        pytest.param((), {"second": "x"}, "first", "missing", id="missing beside another"),
        pytest.param((1,), {"third": 1}, "third", "unexpected", id="unknown"),
        pytest.param((1,), {"first": 2}, "first", "multiple", id="given twice"),
        pytest.param((1, "a", 3), {}, None, "too many", id="too many"),
        pytest.param((1, 2), {}, "second", "Expected `str`", id="wrong type by position"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(args: Any, kwargs: Any, named: str | None, told: str) -> None:
    """Missing, unknown, double and surplus arguments are told apart, and the error lists what the trigger takes."""
    with pytest.raises(InvalidOperation, match=told) as refusal:
        Inputs("two", two).encode(args, kwargs)
    assert refusal.value.field == named
    assert "two" in str(refusal.value)


def test_an_input_that_goes_by_its_name_only_is_refused_by_its_place() -> None:
    def shrunk(photo: str, *, width: int) -> None: ...

    inputs = Inputs("shrunk", shrunk)
    with pytest.raises(InvalidOperation, match="shrunk: too many positional arguments"):
        inputs.encode(("cat.jpg", 640), {})
    assert inputs.encode(("cat.jpg",), {"width": 640}) == '{"photo":"cat.jpg","width":640}'


@given(data=st.data())
def test_many_are_encoded_as_each_alone(data: st.DataObject) -> None:
    """Whether they are checked together or, because one wants a closer look, one by one."""
    kind, values = data.draw(shapes)
    many = [(value,) for value in data.draw(st.lists(values, max_size=6))]
    inputs = takes(kind)
    assert inputs.encode_many(many) == [inputs.encode(one, {}) for one in many]
    assert inputs.encode_many([{"value": value} for (value,) in many]) == inputs.encode_many(many)


@pytest.mark.parametrize("value", ["a\nb", "\u2028\u0085\x1c", "1968-01-01", "null", "\\u0000", str(10**19), "nan", "", "é"])
def test_text_that_looks_odd_travels_with_many(value: str) -> None:
    """Nothing in a text divides it from its neighbours."""
    inputs = takes(str)
    assert [inputs.decode(text)["value"] for text in inputs.encode_many([(value,)] * 3)] == [value] * 3


@pytest.mark.parametrize("number", [0, 1, 999, 1000, 1001])
@pytest.mark.parametrize("wrong", [("text",), {"other": 1}, (1, 2), 7, (float("nan"),), (2**70,)])
def test_one_of_many_that_is_refused_is_named(number: int, wrong: Any) -> None:
    """The error is that of the item alone, with its place."""
    inputs = takes(int)
    with pytest.raises(InvalidOperation, match=f"^item {number}: "):
        inputs.encode_many([*[(one,) for one in range(number)], wrong, (1,)])


def test_inputs_are_stored_in_the_order_of_the_parameters() -> None:
    def shrunk(photo: str, width: int) -> None: ...

    given = MappingProxyType({"width": 640, "photo": "cat.jpg"})  # any mapping will do
    assert Inputs("shrunk", shrunk).encode((), given) == '{"photo":"cat.jpg","width":640}'


def test_the_error_of_a_misfit_lists_the_inputs() -> None:
    """Whoever called it wrongly reads what it takes."""
    with pytest.raises(InvalidOperation, match="first, second"):
        Inputs("two", two).encode((), {})


def test_defaults_are_left_to_the_function() -> None:
    """What was not given is not stored: a later program's default applies."""
    inputs = Inputs("two", two)
    assert inputs.encode((1,), {}) == '{"first":1}'
    assert inputs.decode('{"first":1}') == {"first": 1}
    assert inputs.decode(inputs.encode((1, "c"), {})) == {"first": 1, "second": "c"}


def test_a_default_that_the_type_does_not_allow_needs_no_place_in_it() -> None:
    """``width: int = None`` is bad style but works: the default never travels."""

    def work(width: int = None) -> None:  # type: ignore[assignment]  # noqa: RUF013
        """Never called."""

    inputs = Inputs("work", work)
    assert inputs.decode(inputs.encode((), {})) == {}
    with pytest.raises(InvalidOperation):
        inputs.encode((None,), {})


@pytest.mark.parametrize("stored", ['{"first":"1"}', '{"second":"a"}', '{"first":1,"third":2}', "[]", "null", "{", ""])
def test_stored_inputs_that_no_longer_fit_are_refused_by_the_reader(stored: str) -> None:
    """After a change of the program an old row ends in an error, not in a wrong call."""
    with pytest.raises(ValueError, match=r"\S"):
        Inputs("two", two).decode(stored)


def test_exactly_as_much_as_allowed_may_travel() -> None:
    """The limit counts bytes of JSON."""
    frame = len('{"value":""}')
    assert len(takes(str).encode(("x" * (LARGEST - frame),), {})) == LARGEST
    with pytest.raises(InvalidOperation):
        takes(str).encode(("x" * (LARGEST - frame + 1),), {})
    with pytest.raises(InvalidOperation):
        takes(str).encode(("\u20ac" * (LARGEST // 3),), {})


# ------------------------------------------------------------------------------------- signatures at the door


def _variadic(*values: int) -> None: ...
def _keywords(**values: int) -> None: ...
def _positional(value: int, /) -> None: ...
def _unresolvable(value: OnlyForTheChecker) -> None: ...
def _two_dataclasses(value: Photo | Node) -> None: ...
def _unsupported(value: list[Unknown]) -> None: ...
def _two_texts(value: dt.datetime | str) -> None: ...
def _unsupported_result() -> dt.datetime | UUID:
    raise AssertionError  # only its annotation is looked at


def _annotated(text: str) -> Callable[..., None]:
    def work(value: Any) -> None:
        """Never called."""

    work.__annotations__ = {"value": text}
    work.__name__ = text
    return work


@pytest.mark.parametrize(
    "function",
    [
        _unresolvable,
        _two_dataclasses,
        _two_texts,
        _unsupported,
        _unsupported_result,
        _annotated("list[Missing]"),
        _annotated("dt.missing"),
        _annotated("int |"),
        _annotated("int | 3"),
    ],
    ids=lambda function: function.__name__,
)
def test_a_function_whose_inputs_have_no_form_is_refused_when_a_host_prepares(function: Callable[..., Any]) -> None:
    """ConfigurationError, which names the trigger: at the start of a host, not at midnight when the first one is submitted."""
    ops = Opwright("sqlite:///never.db")
    ops.operation(name="troublesome")(function)
    with pytest.raises(ConfigurationError, match="troublesome"):
        ops.registry.prepare()


@pytest.mark.parametrize("function", [_variadic, _keywords, _positional], ids=lambda function: function.__name__)
def test_a_parameter_without_a_name_is_refused_where_the_trigger_is_declared(function: Callable[..., Any]) -> None:
    """No type has to be resolved for that. Nothing is registered."""
    ops = Opwright("sqlite:///never.db")
    with pytest.raises(ConfigurationError, match=r"troublesome: parameter .*value.* has no name"):
        ops.operation(name="troublesome")(function)
    assert ops.registry.names() == []


def test_annotations_are_resolved_late() -> None:
    """Here all annotations are strings, and a type may be defined below the function that names it."""

    def work(value: Later) -> Later:
        return value

    inputs = Inputs("work", work)
    assert inputs.decode(inputs.encode((Later(3),), {})) == {"value": Later(3)}


class Later(msgspec.Struct):
    number: int


# ---------------------------------------------------------------------------------------------- end to end


async def test_every_kind_of_value_survives_both_ways_through_the_database(ops: Opwright) -> None:
    """Submitted, stored, read by a host, passed to the trigger, returned, stored again, read by the submitter: still the same."""
    handles = []
    for number, (kind, value) in enumerate(TRAVELLERS):

        def echo(value: Any) -> Any:
            return value

        echo.__annotations__ = {"value": kind, "return": kind}
        handles.append(await ops.operation(name=f"echo {number}")(echo).submit(value))
    async with ops.host(pool="inline"):
        for handle, (kind, value) in zip(handles, TRAVELLERS, strict=True):
            found = await handle.result(timeout=15)
            assert (kind, found, type(found)) == (kind, value, type(value))


BAD_RESULTS: dict[str, Any] = {
    "NUL": "\x00",
    "NaN": [math.nan],
    "surrogate": LONE,
    "integer": 2**63,
    "type": object(),
    "size": "x" * (MiB + 1),
    "circle": circle_of_lists(),
}


@pytest.mark.fault("F41")
async def test_a_bad_result_fails_its_own_operation_only(ops: Opwright) -> None:
    """It ends FAILED with an error that says so, without a retry; its neighbours in the same batch are fine."""

    @ops.operation(retries=3)
    def bad(which: str) -> Any:
        return BAD_RESULTS[which]

    @ops.operation
    def wrong() -> int:
        return "text"  # type: ignore[return-value]

    @ops.operation
    def good(number: int) -> int:
        return number

    suspects = [await bad.submit(which) for which in BAD_RESULTS]
    suspects.append(await wrong.submit())
    neighbours = await good.submit_many([(number,) for number in range(50)])
    async with ops.host(pool="inline"):
        for suspect in suspects:
            with pytest.raises(OperationFailed, match="result"):
                await suspect.result(timeout=15)
        assert [await neighbour.result(timeout=15) for neighbour in neighbours] == list(range(50))


@pytest.mark.fault("F68")
async def test_inputs_that_fit_no_longer_fail_without_a_retry(ops: Opwright) -> None:
    """Trying again cannot help: the program changed after the submit, and the error says so."""

    @ops.operation(name="resize", retries=5)
    def old(width: str) -> None:
        """What the submitter knew."""

    handle = await old.submit("wide")
    newer = Opwright(ops.client.url)

    @newer.operation(name="resize", retries=5)
    def new(width: int) -> None:
        """What the host knows."""

    async with newer.host(pool="inline"):
        with pytest.raises(OperationFailed, match="inputs do not fit resize"):
            await handle.result(timeout=15)
    assert (await handle.get()).attempt == 1
