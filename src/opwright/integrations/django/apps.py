"""The Django app."""

from __future__ import annotations

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.utils.module_loading import autodiscover_modules

from opwright.integrations.django.application import ops


class OpwrightConfig(AppConfig):
    """Finds every app's triggers: its modules ``operations`` and ``tasks`` are imported when Django is ready."""

    name = "opwright.integrations.django"
    label = "opwright"
    verbose_name = "Opwright"

    def ready(self) -> None:
        connection_created.connect(ops.alias.follow)
        autodiscover_modules("operations", "tasks")
