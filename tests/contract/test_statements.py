"""Statements: both dialects offer the same, all of it is used, and all of it is valid."""

import ast
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import opwright
from opwright.store.engine import Lane
from opwright.store.postgresql import PostgresEngine
from opwright.store.sqlite_file import connect
from opwright.store.statements import POSTGRESQL, SQLITE, Dialect, Statement, load
from opwright.store.store import Store

SOURCE = Path(opwright.__file__).parent

# What one engine alone has.
ONLY_POSTGRESQL = {"flush", "notify", "notify_log", "notify_within"}
# What every call is given by its engine.
GIVEN = {"now", "gate", "channel", "tell", "ahead"}
# Statements called by a name that is put together, with what that call hands over.
INDIRECT: dict[str, set[str | None]] = {"finish": {"rows", "host"}, "postpone": {"rows"}, "release": {"rows"}}
INDIRECT |= {f"listed_{status}": {"before", "trigger", "limit"} for status in ("pending", "processing", "wait", "succeeded")}
INDIRECT["listed"] = {"before", "trigger", "limit"}
CALLERS = {"run", "call", "_write"}


def trees() -> Iterator[ast.Module]:
    """Every module of the source."""
    return (ast.parse(path.read_text()) for path in sorted(SOURCE.rglob("*.py")))


def constants() -> set[str]:
    """Every text that stands in quotes somewhere in the source."""
    nodes = (node for tree in trees() for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {node.value for node in nodes if isinstance(node.value, str)}


def calls() -> Iterator[tuple[str, set[str | None]]]:
    """Each statement called by its name, and the keywords of the call; None stands for `**`."""
    for tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
                caller = ast.unparse(node.func).rpartition(".")[2]
                keywords = {keyword.arg for keyword in node.keywords}
                if caller in CALLERS:
                    yield str(node.args[0].value), keywords | ({"rows"} if caller == "_write" else set())


def parameters(statement: Statement) -> set[str]:
    """What must be handed over by whoever calls it."""
    return {name for part in statement.parts for name in part.parameters} - GIVEN


def every(dialect: Dialect) -> dict[str, Statement]:
    return load(dialect, "opwright")


def test_both_dialects_have_the_same_statements() -> None:
    """What is written once above the engines finds its statement on each."""
    assert set(every(POSTGRESQL)) - set(every(SQLITE)) == ONLY_POSTGRESQL
    assert set(every(SQLITE)) - set(every(POSTGRESQL)) == set()


def test_both_dialects_take_the_same_parameters() -> None:
    """A call hands over the same values whatever the engine."""
    postgresql, sqlite = every(POSTGRESQL), every(SQLITE)
    common = set(postgresql) & set(sqlite)
    assert {name: parameters(postgresql[name]) for name in common} == {name: parameters(sqlite[name]) for name in common}


def test_every_statement_is_used() -> None:
    """No statement outlives its last caller."""
    assert set(every(POSTGRESQL)) - constants() - set(INDIRECT) == set()


def test_every_parameter_is_supplied() -> None:
    """Whoever calls a statement by name hands over each of its parameters."""
    statements = every(POSTGRESQL) | every(SQLITE)
    supplied = [(name, given) for name, given in calls() if name in statements]
    supplied += list(INDIRECT.items())
    wanting = {
        name: parameters(statements[name]) - given
        for name, given in supplied
        if None not in given and not parameters(statements[name]) <= given
    }
    assert wanting == {}
    assert set(statements) - {name for name, _ in supplied} == set()


def test_a_block_of_postgresql_is_one_statement() -> None:
    """On PostgreSQL a block is one round trip, with its effects in one snapshot."""
    assert {name for name, statement in every(POSTGRESQL).items() if len(statement.parts) != 1} == set()


def test_only_reads_go_to_the_reader_of_sqlite() -> None:
    """A block that writes is never taken for one that only reads."""
    writes = ("insert", "update", "delete", "replace", "create", "drop")
    for name, statement in every(SQLITE).items():
        words = {word.lower() for part in statement.parts for word in part.sql.split()}
        assert statement.reads_only != bool(words & set(writes)), name


async def test_every_statement_is_valid_on_its_engine(store: Store) -> None:
    """Each text is understood by the engine it is written for, against the schema as migrated."""
    engine = store.engine
    if isinstance(engine, PostgresEngine):
        connection = await engine.connect(Lane.CLIENT)
        for statement in engine.statements.values():
            await connection.raw.prepare(statement.parts[0].sql)
        await connection.close()
        return
    reader = connect(engine.path, writes=True)  # type: ignore[attr-defined]
    for statement in engine.statements.values():
        for part in statement.parts:
            reader.execute(f"explain {part.sql}", dict.fromkeys(part.parameters)).fetchall()
    reader.close()


def test_migrations_are_numbered_without_gaps() -> None:
    """Both engines are migrated in the same steps, 1 by 1."""
    folders = [SOURCE / "store" / "migrations" / dialect.name for dialect in (POSTGRESQL, SQLITE)]
    names = [sorted(path.name for path in folder.glob("*.sql")) for folder in folders]
    assert names[0] == names[1]
    numbers = [0, *(int(name[:4]) for name in names[0])]
    assert all(after == before + 1 for before, after in pairwise(numbers))
