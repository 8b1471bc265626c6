"""What is wrong with the log watcher of an application, by which processes tell each other of commits."""

from __future__ import annotations

from opwright.admin.finding import Finding, refused, right, wrong
from opwright.app.application import Opwright
from opwright.errors import ConfigurationError, StoreUnavailable

CHECK = "log watcher"


async def check_watcher(application: Opwright) -> list[Finding]:
    """Whether it could work here; nothing where no command invalidates anything. Without it caches follow seconds later."""
    commander = application.commander
    if not commander.registry.invalidates:
        return []
    try:
        watcher = commander.log_watcher(application.client.shape)
        works_with = await watcher.check()
    except ConfigurationError as error:
        return [refused(CHECK, error)]
    except StoreUnavailable as error:
        return [wrong(CHECK, str(error), "start it, or correct log_watcher; meanwhile commits of others are found by polling")]
    name = type(watcher).__name__
    return [right(CHECK, f"{name}, {works_with}" if works_with else name)]
