"""``opwright migrate``: bring a database to this program's schema."""

from __future__ import annotations

import click

from opwright.admin.admin import migrate as migrated
from opwright.cli.output import examples, json_text
from opwright.cli.places import awaited, client_of, json_option, target_argument, url_option


@click.command(
    short_help="Bring the database to this program's schema.",
    epilog=examples("opwright migrate assets:ops", "opwright migrate --url postgresql://app@db/app"),
)
@target_argument
@url_option
@json_option
def migrate(target: str | None, url: str | None, *, as_json: bool) -> None:
    """Bring the schema of a database to this program's version, and say what was applied. Twice does no harm."""
    client = client_of(target, url)
    applied = awaited(migrated(client), client.url)
    if as_json:
        click.echo(json_text({"applied": applied}))
    elif applied:
        click.echo("\n".join(f"applied {name}" for name in applied))
    else:
        click.echo("nothing to do: the schema is up to date")
