"""What is wrong with a set-up, and how to mend it: one finding for each thing looked at, nothing changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from enum import Enum
from importlib.util import find_spec

import msgspec

from opwright.admin.admin import Admin
from opwright.admin.words import address, duration, listed
from opwright.app.application import Opwright
from opwright.clock import SECOND, moment
from opwright.errors import ConfigurationError, StoreError
from opwright.model.host import Host, HostState
from opwright.model.ids import made_at
from opwright.operations.client import Client
from opwright.store.listing import Listing, ReadyWork, Survey
from opwright.store.sqlite_file import file_system, local_path
from opwright.version import VERSION


class Verdict(Enum):
    """How a check came out; only WRONG makes a set-up unfit."""

    RIGHT = "right"
    DOUBT = "doubt"
    WRONG = "wrong"


class Finding(msgspec.Struct, frozen=True):
    """What one check found, and how to mend it."""

    check: str
    verdict: Verdict
    text: str
    remedy: str | None = None


def right(check: str, text: str) -> Finding:
    """All is well."""
    return Finding(check, Verdict.RIGHT, text)


def doubt(check: str, text: str, remedy: str | None = None) -> Finding:
    """It works, but perhaps not as meant."""
    return Finding(check, Verdict.DOUBT, text, remedy)


def wrong(check: str, text: str, remedy: str | None = None) -> Finding:
    """It cannot work."""
    return Finding(check, Verdict.WRONG, text, remedy)


def check_application(application: Opwright) -> Iterator[Finding]:
    """Whether the triggers' inputs and results can travel, and whether the event loop is the fast one."""
    bad = [finding for name in application.registry.names() if (finding := _check_trigger(application, name))]
    names = application.registry.names()
    yield from bad
    if not names:
        yield doubt("triggers", "none is registered", "decorate functions with @ops.operation in modules that the target imports")
    elif not bad:
        yield right("triggers", f"{len(names)}, all fit to travel: {listed(names)}")
    if find_spec("uvloop") is None:
        yield doubt("uvloop", "not installed; hosts are slower without it", "pip install 'opwright[uvloop]'")


def _check_trigger(application: Opwright, name: str) -> Finding | None:
    trigger = application.registry.get(name)
    try:
        _ = trigger.inputs, trigger.result
    except ConfigurationError as error:
        return wrong("trigger", str(error))
    return None


async def check_database(client: Client, triggers: Sequence[str] | None) -> AsyncIterator[Finding]:
    """Address, server, pooler, schema; then hosts and what waits for them. ``triggers``: those of the application, if known."""
    yield _check_address(client)
    admin = Admin(client)
    try:
        found = await admin.survey()
    except (StoreError, ConfigurationError) as error:
        yield _unreachable(error)
        return
    for finding in _check_server(client, found):
        yield finding
    if found.applied and not found.missing and not found.too_new:
        async with admin:
            work = await Listing((await client.store()).engine).ready_work()
            for finding in _check_hosts(await admin.hosts(), work, triggers):
                yield finding


def _check_address(client: Client) -> Finding:
    shown = address(client.url)
    if client.url.startswith("sqlite"):
        path = local_path(client.url)
        shown += f" ({path}, {file_system(path) or 'unknown file system'})"
    return right("address", shown)


def _unreachable(error: Exception) -> Finding:
    text = address(str(error))
    if "startup parameter" in text:
        return wrong("pooler", f"PgBouncer is in between and refuses our settings: {text}", "add pooled=true to the address")
    return wrong("database", text, "start the server, or correct the address")


def _check_server(client: Client, found: Survey) -> Iterator[Finding]:
    if found.standby:
        yield wrong("database", f"{found.server} is a standby, which takes no writes", "give the address of the primary")
    elif not found.may_install and client.url.startswith("sqlite"):
        yield wrong("database", f"{found.server}; the file may not be written by this user", "correct its permissions")
    else:
        yield right("database", f"{found.server}, reachable")
    yield from _check_pooler(client, found)
    yield _check_schema(client, found)


def _check_pooler(client: Client, found: Survey) -> Iterator[Finding]:
    pooled = "pooled=" in client.url
    if found.pooler and not pooled:
        yield wrong("pooler", "a connection pooler (PgBouncer?) is in between", "add pooled=true to the address")
    elif pooled and not found.pooler:
        yield doubt("pooler", "pooled=true, but no pooler is in between; it costs speed", "leave pooled=true out")
    elif pooled and "listen_url=" not in client.url:
        yield doubt(
            "pooler", "no LISTEN through a pooler: hosts on other machines see new work only at their heartbeat",
            "add listen_url=postgresql://… with a direct address",
        )  # fmt: skip
    elif pooled:
        yield right("pooler", "PgBouncer, as the address says")


def _check_schema(client: Client, found: Survey) -> Finding:
    newest = found.known[-1].version
    if found.too_new:
        return wrong(
            "schema", f"version {max(found.applied)}; this program knows {newest}", "install the Opwright that migrated it"
        )
    if not found.missing:
        return right("schema", f"version {newest}")
    if not found.applied and not found.may_install:
        return wrong("schema", "not there yet, and this user may not make it", "let its owner run `opwright migrate`")
    if not found.applied:
        return doubt("schema", "not there yet", "the first host makes it, or `opwright migrate`")
    text = f"version {max(found.applied)}; this program needs {newest}"
    if client.url.startswith("sqlite"):
        return doubt("schema", text, "the next host brings it up, or `opwright migrate`")
    return wrong("schema", text, "opwright migrate")


def _check_hosts(hosts: list[Host], work: list[ReadyWork], triggers: Sequence[str] | None) -> Iterator[Finding]:
    alive = [host for host in hosts if host.state is HostState.ALIVE]
    waiting = sum(one.operations for one in work)
    if not alive and waiting:
        yield wrong("hosts", f"none is alive, and {_operations(waiting)} wait", "opwright run TARGET")
    elif not alive:
        yield doubt("hosts", "none is alive: nothing is carried out", "opwright run TARGET")
    for host in alive:
        yield _check_host(host, triggers)
    if alive:
        yield from _check_work(alive, work)


def _check_host(host: Host, triggers: Sequence[str] | None) -> Finding:
    check = f"host {host.id}"
    queues = "all queues" if host.queues is None else f"queues {listed(host.queues)}"
    text = f"{host.name}, renewed {duration(host.age / SECOND)} ago, {queues}"
    if host.age > host.lease:
        lease = duration(host.lease / SECOND)
        return wrong(
            check,
            f"{text}: longer than its lease of {lease}",
            "it hangs or was killed; a live host takes over its work, so start one if there is none",
        )
    unknown = sorted(set(triggers or ()) - set(host.triggers))
    if unknown:
        return doubt(check, f"{text}; does not know {listed(unknown)}", "it runs an older program? start it again")
    if host.version != VERSION:
        return doubt(check, f"{text}; Opwright {host.version}, here {VERSION}", "bring both to the same version")
    return right(check, text)


def _check_work(alive: list[Host], work: list[ReadyWork]) -> Iterator[Finding]:
    """Ready work that no live host can claim: nobody knows its trigger, or nobody who does serves its queue."""
    stuck = [one for one in work if not any(_serves(host, one) for host in alive)]
    for one in stuck:
        known = any(one.trigger in host.triggers for host in alive)
        why = f"no live host that knows it serves queue {one.queue!r}" if known else "no live host knows it"
        remedy = f"start a host with --queue {one.queue}" if known else "start a host whose application has it, before they fail"
        since = moment(made_at(one.oldest)).astimezone().strftime("%Y-%m-%d %H:%M:%S")
        yield wrong("work", f"{_operations(one.operations)} of {one.trigger} wait since {since}; {why}", remedy)
    if not stuck:
        ready = sum(one.operations for one in work)
        yield right("work", f"{_operations(ready)} ready, each with a host that can do it" if ready else "none is waiting")


def _serves(host: Host, work: ReadyWork) -> bool:
    return work.trigger in host.triggers and (host.queues is None or work.queue in host.queues)


def _operations(count: int) -> str:
    return "1 operation" if count == 1 else f"{count:,} operations"
