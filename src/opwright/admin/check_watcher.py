"""What is wrong with the log watcher of an application, by which processes tell each other of commits."""

from __future__ import annotations

from opwright.admin.finding import Finding, refused, right, wrong
from opwright.app.application import Opwright
from opwright.errors import ConfigurationError, StoreUnavailable

CHECK = "log watcher"
REMEDY = "mend that, or change log_watcher; meanwhile commits of others are found by polling"


async def check_watcher(application: Opwright) -> list[Finding]:
    """Whether it could work here; nothing where nobody follows the log. Without it caches follow seconds later."""
    commander = application.commander
    if not (commander.registry.invalidates or commander.notifier.is_followed):
        return []
    try:
        watcher = commander.log_watcher(application.client.shape)
        works_with = await watcher.check()
    except ConfigurationError as error:
        return [refused(CHECK, error)]
    except StoreUnavailable as error:
        return [wrong(CHECK, str(error), REMEDY)]
    except Exception as error:  # noqa: BLE001 - of an application's own watcher; the other findings are told all the same
        return [wrong(CHECK, f"{type(error).__name__}: {error}", REMEDY)]
    name = type(watcher).__name__
    return [right(CHECK, f"{name}, {works_with}" if works_with else name)]
