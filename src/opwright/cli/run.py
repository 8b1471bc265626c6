"""``opwright run``: a host, until a signal ends it."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast

import click

from opwright.admin.application import load
from opwright.admin.words import address, duration, listed
from opwright.app.application import Opwright
from opwright.app.host import INLINE_SLOTS, Host
from opwright.cli.completing import queues as queue_names
from opwright.cli.output import columns, console, examples, show
from opwright.cli.places import awaited, files
from opwright.settings import Overrides, Settings
from opwright.telemetry import listen
from opwright.version import VERSION

Function = TypeVar("Function", bound=Callable[..., Any])
_DEFAULTS = Settings()


def _hours(text: str) -> float | str:
    """A number of hours, or never."""
    return text if text == "never" else float(text)


def _setting(name: str, kind: Any, text: str, unit: str | None = None) -> Callable[[Function], Function]:
    """An option whose default is that of the settings, which also read OPWRIGHT_*."""
    default = getattr(_DEFAULTS, name)
    shown = (
        "" if default is None else f"  [default: {default:g}]" if isinstance(default, float | int) else f"  [default: {default}]"
    )
    unit = unit or {int: "N", float: "SECONDS"}.get(kind)
    return click.option(f"--{name.replace('_', '-')}", name, type=kind, metavar=unit, help=text + shown)


@click.command(
    short_help="Run a host: carry out operations until a signal comes.",
    epilog=examples("opwright run assets:ops", "opwright run assets.py --workers 4 --queue mail,images"),
)
@click.argument("target", shell_complete=files)
@_setting("workers", int, "Worker processes.")
@_setting("slots", int, "Operations at a time in one worker.  [default: 1; inline: 100]")
@_setting("pool", click.Choice(["process", "inline"]), "Worker processes, or all in this process.")
@click.option(
    "--queue",
    "queues",
    multiple=True,
    metavar="NAME",
    shell_complete=queue_names,
    help="A queue to serve; repeat it or separate by commas.  [default: all]",
)
@_setting("heartbeat", float, "Seconds between two looks at the queue when nothing wakes the host.")
@_setting("look_ahead", click.Choice(["auto", "0"]), "Claim short operations ahead, or never.")
@_setting("lease", float, "Seconds after which a silent host counts as dead.")
@_setting("renew", float, "Seconds between two renewals of the lease.")
@_setting("stop_grace", float, "Seconds that running operations have when the host stops.")
@_setting("kill_after", float, "Seconds between asking a worker to end and killing it.")
@_setting("unknown_after", float, "Seconds after which an operation fails whose trigger no live host knows.")
@_setting("wait_interval", float, "Seconds that an operation stays in WAIT when nobody answers.")
@_setting("waits", int, "Waits in a row that nobody answered, after which an operation fails.")
@_setting("maximum_processing", float, "Seconds that an operation may run without a sign of life.")
@_setting("worker_maximum", float, "Seconds that a worker may be with one operation without a sign of life.")
@_setting("worker_megabytes", int, "Memory above which a worker is killed while it runs an operation.")
@_setting("recycle_after", int, "Operations after which a worker process is replaced.")
@_setting("recycle_megabytes", int, "Memory above which a worker process is replaced.")
@_setting(
    "keep_succeeded", _hours, "Hours for which the record of an operation that succeeded is kept, or `never` to delete.", "HOURS"
)
@_setting("keep_cancelled", _hours, "The same for one that was cancelled.", "HOURS")
@_setting("keep_failed", _hours, "The same for one that failed.", "HOURS")
@_setting("keep_events", _hours, "The same for an event of a command that succeeded.", "HOURS")
@_setting("sweep_interval", float, "Seconds between two deletions of such records.")
@_setting("keep_log", float, "Hours for which an entry of the log of commands is kept.", "HOURS")
@_setting("trim_interval", float, "Seconds between two deletions of such entries.")
@_setting("dam_cleanup", click.Choice(["auto", "on", "off"]), "The clean-up of failed operations as the DAM framework has it.")
@_setting("failed_age", float, "Hours after whose submit that clean-up deletes a failed operation.  [default: 24]", "HOURS")
@_setting("failed_records", int, "Failed operations at which it deletes the oldest.  [default: 20000]")
@_setting("failed_interval", float, "Seconds between two such clean-ups.  [default: 3600]")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"]),
    default="info",
    show_default=True,
    help="What to log.",
)
def run(target: str, queues: tuple[str, ...], log_level: str, **settings: Any) -> None:
    """Run a host of the application TARGET: it heats its workers and carries out operations.

    SIGTERM or SIGINT (Ctrl-C) stops it in good order: nothing new is begun, what runs may finish within --stop-grace, the
    rest goes back to the queue. A second signal does not wait. Each setting may also stand in the environment
    (OPWRIGHT_WORKERS=4) or in opwright.toml; `opwright settings` shows them.
    """
    application = load(target)
    configure_logging(log_level)
    overrides = _given(queues, settings)
    host = application.host(**overrides)
    _announce(application, host)
    awaited(host.run(), application.client.url)


def configure_logging(level: str) -> None:
    """Time, level and message of each record on stderr, unless the application has set up logging itself."""
    logging.basicConfig(
        stream=sys.stderr, level=level.upper(), format="%(asctime)s %(levelname)-7s %(name)s: %(message)s", force=False
    )


def _given(queues: tuple[str, ...], settings: dict[str, Any]) -> Overrides:
    """What was given; what was not is left to the environment and the defaults."""
    given = {name: value for name, value in settings.items() if value is not None}
    if "look_ahead" in given:
        given["look_ahead"] = "auto" if given["look_ahead"] == "auto" else 0
    names = tuple(name.strip() for text in queues for name in text.split(",") if name.strip())
    if queues and not names:
        raise click.BadParameter("it names no queue; leave it out to serve all", param_hint="'--queue'")
    return cast("Overrides", given | {"queues": names} if names else given)


def _announce(application: Opwright, host: Host) -> None:
    """Have the banner printed when the host has started, and a line when it has stopped."""
    began = time.monotonic()

    def hear(name: str, fields: dict[str, Any]) -> None:
        if name == "host.started":
            _banner(application, host)
        elif name == "host.stopped":
            show(f"host {fields['host']} stopped after {duration(time.monotonic() - began)}", err=True)

    listen(hear)


def _banner(application: Opwright, host: Host) -> None:
    target = application.target()
    names = application.registry.names()
    queues = host.settings.queues
    rows = [
        ("application", f"{target.file or target.module}:{target.variable}"),
        ("database", address(application.client.url)),
        ("host", str(host.id)),
        ("workers", _workers(host.settings)),
        ("queues", "all" if queues is None else listed(queues)),
        ("triggers", listed(names) or "none"),
    ]
    title = f"Opwright {VERSION}, Ctrl-C stops it" if console(err=True).is_terminal else f"Opwright {VERSION}"
    show(title, *columns(rows, indent=2, err=True), err=True)


def _workers(settings: Settings) -> str:
    if settings.pool == "inline":
        return f"in this process, {settings.slots or INLINE_SLOTS} operations at a time"
    slots = settings.slots or 1
    processes = "1 process" if settings.workers == 1 else f"{settings.workers} processes"
    share = "1 operation at a time" if slots == 1 else f"{slots} operations at a time"
    return f"{processes}, {share}" if settings.workers == 1 else f"{processes}, {share} each"
