"""``opwright hosts`` and ``opwright workers``: who is there, and what everybody does."""

from __future__ import annotations

import click
from rich.text import Text

from opwright.admin.admin import Admin
from opwright.admin.company import Busy, Company, crew, database_now, plain_host, plain_workers, state_word
from opwright.admin.words import duration, listed, relative
from opwright.cli.output import columns, console, examples, heading, indented
from opwright.cli.places import client_of, json_option, target_argument, url_option
from opwright.cli.watching import look, watch_option
from opwright.clock import SECOND, moment
from opwright.model.host import Host, HostState
from opwright.model.worker import WorkerState

_HOSTS = ("ID", "NAME", "PID", "VERSION", "STATE", "STARTED", "RENEWED", "LEASE", "WORKERS", "TRIGGERS", "QUEUES")
_WORKERS = ("HOST", "WORKER", "PID", "STATE", "SINCE", "FINISHED", "OPERATIONS")
_BRIEF = 8  # columns that fit beside each other in any terminal
_STATES = {"alive": "green", "silent": "red", "dead": "red", "stopped": "dim"}
_COLOURS = {WorkerState.PENDING: "yellow", WorkerState.FREE: "green", WorkerState.ACTIVE: "blue"}


@click.command(
    short_help="The hosts: who runs, and since when.",
    epilog=examples("opwright hosts assets:ops", "opwright hosts --url postgresql://app@db/app --all --json"),
)
@target_argument
@url_option
@click.option("--all", "everybody", is_flag=True, help="Those too that stopped or died and are not forgotten.")
@watch_option
@json_option
def hosts(target: str | None, url: str | None, *, everybody: bool, watch: bool, as_json: bool) -> None:
    """List the hosts that are alive. A silent one has not renewed its lease in time; others take over its work."""

    async def question(admin: Admin) -> list[Host]:
        return [host for host in await admin.hosts() if everybody or host.state is HostState.ALIVE]

    look(
        client_of(target, url), question, _host_table, lambda found: [plain_host(host) for host in found],
        "no hosts" if everybody else "no host is alive", as_json=as_json, watch=watch,
    )  # fmt: skip


def _host_table(found: list[Host]) -> list[Text]:
    """One line for each; in a narrow terminal what it does stands below."""
    if not found:
        return []
    rows = [heading(_HOSTS), *map(_host_row, found)]
    whole = columns(rows)
    if max(line.cell_len for line in whole) <= console().width:
        return whole
    brief = columns(row[:_BRIEF] for row in rows)
    return [brief[0], *(part for line, host in zip(brief[1:], found, strict=True) for part in (line, _below(host)))]


def _host_row(host: Host) -> list[Text | str]:
    now, state = database_now(host), state_word(host)
    return [
        str(host.id), host.name, str(host.pid), host.version, Text(state, style=_STATES[state]),
        relative(moment(host.started), now, 1), f"{duration(host.age / SECOND, 1)} ago", duration(host.lease / SECOND),
        _crew(host), str(len(host.triggers)), _queues(host),
    ]  # fmt: skip


def _below(host: Host) -> Text:
    triggers = "1 trigger" if len(host.triggers) == 1 else f"{len(host.triggers)} triggers"
    queues = _queues(host) if host.queues else "all queues"
    return indented(f"workers: {_crew(host)}; {triggers}; {queues}", 4)


def _crew(host: Host) -> str:
    return ", ".join(f"{count} {state.value}" for state, count in crew(host).items() if count) or "none"


def _queues(host: Host) -> str:
    return "all" if host.queues is None else listed(host.queues)


@click.command(
    short_help="The workers: what each is doing.",
    epilog=examples("opwright workers assets:ops", "opwright workers --url sqlite:///assets.db --watch"),
)
@target_argument
@url_option
@watch_option
@json_option
def workers(target: str | None, url: str | None, *, watch: bool, as_json: bool) -> None:
    """List the workers of all hosts that are alive, as their last renewal showed them (see RENEWED of `opwright hosts`).

    A worker is pending while it starts, then free, or active with the operations that are named.
    """
    look(client_of(target, url), Admin.workers, _worker_table, plain_workers, "no workers", as_json=as_json, watch=watch)


def _worker_table(company: Company) -> list[Text]:
    rows: list[list[Text | str]] = [
        [
            f"{host.id} {host.name}", worker.name, str(worker.pid or ""), Text(worker.state.value, style=_COLOURS[worker.state]),
            relative(moment(worker.last_touched), database_now(host), 1), str(worker.finished), _operations(busy, host),
        ]
        for host, worker, busy in company.workers()
    ]  # fmt: skip
    return columns([heading(_WORKERS), *rows], cut=True) if rows else []


def _operations(busy: list[Busy], host: Host) -> str:
    now = database_now(host)
    shown = [f"{one.operation} {one.trigger or '(ended)'} {duration((now - one.since).total_seconds(), 1)}" for one in busy]
    return listed(shown)
