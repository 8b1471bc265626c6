"""The next release of the application, as its hosts and workers import it: its program knows one more step of the schema."""

import os

from opwright.store import listing, postgresql, sqlite
from opwright.store.migrations import Migration, migrations
from opwright.store.statements import Dialect
from tests.kit.application import Application
from tests.kit.events import write_events

NEXT = 9000


def with_next(dialect: Dialect, schema: str) -> tuple[Migration, ...]:
    """What there is, and a step that adds a table, an index, a column, and shows that column in the view."""
    known = migrations(dialect, schema)
    own = dialect.schema_text(schema)
    (*_, view) = (text for step in known for text in step.statements if f"create view {own}overview" in text)
    index = "operations_mood" if dialect.name == "postgresql" else f"{own}operations_mood"
    statements = (
        f"create table {own}moods (operation bigint primary key, mood text not null)",
        f"alter table {own}operations add column mood text",
        f"create index {index} on {own}operations (mood) where mood is not null",
        f"drop view {own}overview",
        view.replace("o.inputs,", "o.mood, o.inputs,"),
    )
    return (*known, Migration(NEXT, "moods", statements))


for module in (listing, postgresql, sqlite):
    module.migrations = with_next  # type: ignore[attr-defined]

write_events()


class Newer(Application):
    """The application, as the workers of such a host find it."""

    module = "tests.kit.newer"


ops = Newer(os.environ["OPWRIGHT_URL"]).ops
