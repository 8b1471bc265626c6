"""The alias in DATABASES whose database holds the operations, and what Django's connection to it is used for."""

from __future__ import annotations

from typing import Any, TypeVar, cast

from django.core.exceptions import ImproperlyConfigured
from django.db import connections

from opwright.integrations.django.connections import in_event_loop
from opwright.integrations.django.place import MEMORY, NOWHERE, Place, address_of
from opwright.operations.client import Client
from opwright.operations.portal import portal
from opwright.store.engine import Engine, Plan
from opwright.store.foreign import recognise

T = TypeVar("T")


class Alias:
    """Synchronous code submits over Django's connection: in its atomic block, and outside of one Django commits at once.

    Inside a running event loop Django's connections refuse to work, so a submit there has a transaction of its own.
    ``name``: None when the operations live where no alias leads.
    """

    def __init__(self, place: Place, client: Client) -> None:
        self.name = place.alias
        self._client = client
        self._here = place.here
        self._url = client.url
        self._follows = place.url == place.here
        if place.url == MEMORY:
            self._settle(MEMORY)

    def connection(self) -> object | None:
        """What a submit joins unless it names a connection; None where there is none, also when a test moved the client away."""
        if self.name is None or self._client.url != self._url or in_event_loop():
            return None
        return cast("object", connections[self.name])

    def look(self, plan: Plan[T]) -> T:
        """Play a plan that only reads, from synchronous code; it sees what the current atomic block has written."""
        connection = self.connection()
        if connection is None:
            return portal().run(self._look(plan))
        return recognise(connection, self._client.shape).play(plan)

    def follow(self, connection: Any, **_: Any) -> None:
        """Go where the alias leads now: a test runner gives it another database before it connects.

        What is open of the former one stays open, and nobody asks it any more. Raises ImproperlyConfigured for an address of its
        own, behind which is the database that tests must not touch.
        """
        if connection.alias != self.name or (here := address_of(connection)) == self._here:
            return
        if not self._follows:
            raise ImproperlyConfigured(
                f"DATABASES[{self.name!r}] leads to a test database now, and OPWRIGHT['url'] does not: "
                "leave it out in the settings of tests"
            )
        self._here = here
        self._settle(here)

    def _settle(self, url: str) -> None:
        """A database in memory (of a test) takes submits over Django's connection; what needs one of ours is refused later."""
        client = self._client
        client.move(NOWHERE if url == MEMORY else url, client.clock, client.schema)
        if url == MEMORY:
            client.url, client.shape = MEMORY, cast("Engine", _InMemory(client.shape))
        self._url = url

    async def _look(self, plan: Plan[T]) -> T:
        return await (await self._client.store()).engine.play(plan)


class _InMemory:
    """The part of an engine that knows its statements, for a database in memory: no file to compare, and nothing to open."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def __getattr__(self, name: str) -> Any:
        return getattr(self._engine, name)
