"""Values in the text of a statement: PostgreSQL reads what was meant, whatever the session is set to."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from opwright.store.literals import literal

# What could end a text early, stand for something else, or be a parameter.
ODD = [
    "",
    "it's",
    "\\",
    "\\'",
    "'\\",
    "''",
    "'; select 1; --",
    "\\u0041 \\x41 \\101",
    "E'",
    "$1 :id %s %(id)s %%",
    "\n\t",
    "ü 🎈 日本",
]
texts = st.one_of(st.sampled_from(ODD), st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"])))


@pytest_asyncio.fixture
async def connection(postgres_database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection of the driver."""
    raw = await asyncpg.connect(postgres_database)
    yield raw
    await raw.close()


@pytest.mark.parametrize("standard", ["on", "off"])
async def test_a_text_is_read_as_it_was(connection: asyncpg.Connection, standard: str) -> None:
    """Also where a backslash in quotes is an escape for the session."""
    await connection.execute(f"set standard_conforming_strings = {standard}; set escape_string_warning = off")
    for text in [*ODD, "".join(ODD), "".join(reversed(ODD))]:
        assert await connection.fetchval(f"select {literal(text)}") == text


@pytest.mark.parametrize("encoding", ["LATIN1", "BIG5", "SJIS", "GBK", "EUC_JP", "UTF8"])
async def test_a_text_is_read_as_it_was_in_any_encoding(connection: asyncpg.Connection, encoding: str) -> None:
    """Also where the end of a character and what follows it would be one character for the server."""
    wanted = [*ODD, "æ\u6865\\'||null); drop table kept; --", "\u0080\uffff", "\U0010ffff\\"]
    await connection.execute("create table kept (text text, place integer)")
    await connection.execute(f"set backslash_quote = on; set client_encoding = '{encoding}'")
    for place, text in enumerate(wanted):
        await connection.execute(f"insert into kept values ({literal(text)}, {place})")
    await connection.execute("reset client_encoding")
    assert [row["text"] for row in await connection.fetch("select text from kept order by place")] == wanted


@pytest.mark.parametrize("text", ["\x00", "\ud800"], ids=ascii)
async def test_what_no_text_can_hold_is_refused(connection: asyncpg.Connection, text: str) -> None:
    with pytest.raises(asyncpg.PostgresError):
        await connection.fetchval(f"select {literal(text)}")


@given(st.lists(texts, min_size=1, max_size=5))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_ends_before_its_end(values: list[str]) -> None:
    """Read as the lexer of PostgreSQL reads: a backslash takes what follows with it, two quotes are one."""
    rest = "".join(map(literal, values))
    assert rest.isascii()
    for value in values:
        assert rest.startswith("E'")
        read, rest = _read(rest[2:])
        assert read == value
    assert rest == ""


def _read(text: str) -> tuple[str, str]:
    read, at = "", 0
    while True:
        if text[at : at + 2] == "\\U":
            read, at = read + chr(int(text[at + 2 : at + 10], 16)), at + 10
        elif text[at] == "\\":
            assert text[at + 1] == "\\"
            read, at = read + "\\", at + 2
        elif text[at] != "'":
            read, at = read + text[at], at + 1
        elif text[at : at + 2] == "''":
            read, at = read + "'", at + 2
        else:
            return read, text[at + 1 :]


@pytest.mark.parametrize("number", [0, -1, 2**63 - 1, -(2**63)])
async def test_a_number_is_read_as_it_was(connection: asyncpg.Connection, number: int) -> None:
    """Also a negative one behind a minus, where two of them would begin a comment."""
    assert await connection.fetchval(f"select {literal(number)}::bigint") == number
    assert await connection.fetchval(f"select 0::numeric -{literal(number)}") == -number


async def test_nothing_is_null(connection: asyncpg.Connection) -> None:
    assert await connection.fetchval(f"select {literal(None)} is null")


@pytest.mark.parametrize("value", [True, 1.5, b"bytes", [1]], ids=repr)
def test_what_no_statement_needs_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match="is not written in the text of a statement"):
        literal(value)
