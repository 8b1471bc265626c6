"""``opwright check``: what is wrong with a set-up."""

from __future__ import annotations

from collections.abc import Sequence

import click
from rich.text import Text

from opwright.admin.application import load
from opwright.admin.check import check_application, check_database
from opwright.admin.check_watcher import check_watcher
from opwright.admin.finding import Finding, Verdict, refused, right
from opwright.cli.exits import Exit
from opwright.cli.output import columns, console, examples, json_text, show
from opwright.cli.places import awaited, client_given, json_option, target_argument, url_option
from opwright.errors import OpwrightError
from opwright.operations.client import Client
from opwright.settings import resolve

_MARKS = {Verdict.RIGHT: ("✓", "ok", "green"), Verdict.DOUBT: ("!", "!", "yellow"), Verdict.WRONG: ("✗", "X", "red")}


@click.command(
    short_help="Say what is wrong with a set-up, and how to mend it.",
    epilog=examples("opwright check assets:ops", "opwright check --url postgresql://app@db/app"),
)
@target_argument
@url_option
@json_option
def check(target: str | None, url: str | None, *, as_json: bool) -> int:
    """Look at the application, its database and its hosts, one line for each check: right, doubtful (!) or wrong.

    Nothing is changed and nothing is made. The exit code is 1 if anything is wrong; doubts alone do not count.
    """
    if target and url:
        raise click.UsageError("give TARGET or --url, not both", click.get_current_context())
    findings = _of_target(target) if target else _of_address(url)
    show(json_text(findings)) if as_json else show(*_lines(findings))
    return Exit.FAILED if any(finding.verdict is Verdict.WRONG for finding in findings) else Exit.FINE


def _of_target(target: str) -> list[Finding]:
    try:
        application = load(target)
    except OpwrightError as error:
        return [refused("application", error)]
    place = application.target()
    found = right("application", f"{place.file or place.module}:{place.variable}")
    triggers = application.registry.names()
    about = _of_client(application.client, triggers)
    if not any(finding.check == "database" and finding.verdict is Verdict.WRONG for finding in about):
        about += awaited(check_watcher(application), application.client.url)
    return [found, *_settings(), *check_application(application), *about]


def _settings() -> list[Finding]:
    try:
        resolve({})
    except OpwrightError as error:
        return [refused("settings", error)]
    return []


def _of_address(url: str | None) -> list[Finding]:
    try:
        client = client_given(url)
    except OpwrightError as error:
        return [refused("address", error)]
    return _of_client(client, None)


def _of_client(client: Client, triggers: Sequence[str] | None) -> list[Finding]:
    async def gather() -> list[Finding]:
        return [finding async for finding in check_database(client, triggers)]

    return awaited(gather(), client.url)


def _lines(findings: list[Finding]) -> list[Text]:
    plain = console().options.ascii_only
    rows = [(_mark(finding.verdict, plain=plain), finding.check, _words(finding, plain=plain)) for finding in findings]
    return columns(rows)


def _mark(verdict: Verdict, *, plain: bool) -> Text:
    sign, word, colour = _MARKS[verdict]
    return Text(word if plain else sign, style=colour)


def _words(finding: Finding, *, plain: bool) -> Text:
    text = Text(finding.text)
    if finding.remedy:
        text.append(f" {'->' if plain else '→'} {finding.remedy}", style="bold")
    return text
