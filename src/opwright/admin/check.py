"""What is wrong with a set-up, and how to mend it: one finding for each thing looked at, nothing changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from importlib.util import find_spec

from opwright.admin.admin import Admin
from opwright.admin.check_hosts import check_clock, check_hosts, check_queues
from opwright.admin.finding import Finding, doubt, right, wrong
from opwright.admin.words import address, listed
from opwright.app.application import Opwright
from opwright.errors import ConfigurationError, StoreError
from opwright.operations.client import Client
from opwright.store.listing import Listing, Survey
from opwright.store.sqlite_file import file_system, local_path


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
            listing = Listing((await client.store()).engine)
            queues = await admin.queues()
            for finding in check_hosts(await admin.hosts(), await listing.ready_work(), queues.paused(), triggers):
                yield finding
            for finding in check_queues(queues, await listing.leaked_slots()):
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
    yield from _check_clock(client, found)
    yield from _check_pooler(client, found)
    yield _check_schema(client, found)


def _check_clock(client: Client, found: Survey) -> Iterator[Finding]:
    """A database in a file has no clock of its own."""
    if not client.url.startswith("sqlite"):
        yield check_clock("clock", "this machine's clock", -found.ahead, found.doubt)


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
