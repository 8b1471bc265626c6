"""The application object of a Django project."""

from __future__ import annotations

import sys

from opwright.app.application import Opwright
from opwright.app.target import Target
from opwright.integrations.django.alias import Alias
from opwright.integrations.django.connections import fresh_connections
from opwright.integrations.django.place import MEMORY, NOWHERE, configured

HOME = "opwright.integrations.django.worker"


class DjangoOpwright(Opwright):
    """Opwright on the database that the settings name; its workers set Django up before they import anything."""

    def __init__(self) -> None:
        place = configured()
        super().__init__(NOWHERE if place.url == MEMORY else place.url, schema=place.schema)
        self.alias = Alias(place, self.client)
        self.client.surroundings = self.alias.connection
        self.around(fresh_connections)

    def target(self) -> Target:
        return Target(HOME, None, "ops", tuple(sys.path))


ops = DjangoOpwright()
