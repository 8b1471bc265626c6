"""Where a Django project keeps its operations: the setting OPWRIGHT, and what DATABASES says about an alias."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connections

MEMORY = "sqlite:///:memory:"
NOWHERE = "sqlite:///opwright-in-memory.db"  # never made: it only says that the statements are those of SQLite
_KNOWN = {"url", "schema", "database"}
# What our own connections take over from OPTIONS. The rest concerns Django's driver alone (pool, isolation_level, …).
_SHARED_OPTIONS = (
    "target_session_attrs", "passfile", "service", "krbsrvname", "gsslib", "sslmode", "sslrootcert", "sslcert", "sslkey",
    "sslcrl", "sslpassword", "sslnegotiation", "ssl_min_protocol_version", "ssl_max_protocol_version",
)  # fmt: skip


class Place(NamedTuple):
    """Where the operations are, and the alias in DATABASES whose transactions submits join (None: of none).

    ``here`` is the address to which the alias leads; ``url`` may differ from it.
    """

    url: str
    schema: str
    alias: str | None
    here: str | None


def configured() -> Place:
    """What the settings say. Raises ImproperlyConfigured."""
    given: Mapping[str, Any] = getattr(settings, "OPWRIGHT", {})
    if unknown := sorted(given.keys() - _KNOWN):
        raise ImproperlyConfigured(f"OPWRIGHT has no setting {unknown[0]!r}; it knows {', '.join(sorted(_KNOWN))}")
    alias = given.get("database", "default")
    if alias is not None and alias not in settings.DATABASES:
        raise ImproperlyConfigured(f"OPWRIGHT['database'] is {alias!r}, which is not in DATABASES")
    here = None if alias is None else address_of(connections[alias])
    url = given.get("url") or here
    if url is None:
        raise ImproperlyConfigured("OPWRIGHT['database'] is None: then OPWRIGHT['url'] must say where the operations are")
    return Place(url, given.get("schema", "opwright"), alias, here)


def address_of(connection: Any) -> str:
    """The address of the database that a Django connection is for, whether it is open or not. Raises ImproperlyConfigured."""
    if connection.vendor == "postgresql":
        return _postgresql(connection.settings_dict)
    if connection.vendor == "sqlite":
        return _sqlite(connection)
    raise ImproperlyConfigured(
        f"DATABASES[{connection.alias!r}] is {connection.display_name}, and Opwright keeps operations in PostgreSQL or SQLite: "
        "name an alias of such a database in OPWRIGHT['database'], or its address in OPWRIGHT['url'] with 'database': None"
    )


def _postgresql(parameters: Mapping[str, Any]) -> str:
    """The address as libpq writes it; a folder of sockets and several hosts have no place before the path."""
    options = parameters["OPTIONS"]
    query = {name: str(options[name]) for name in _SHARED_OPTIONS if name in options}
    if role := options.get("assume_role"):
        query["role"] = role
    host, port = str(parameters["HOST"]), str(parameters["PORT"])
    if host.startswith("/") or "," in host:
        query |= {"host": host} | ({"port": port} if port else {})
        host = port = ""
    user, password = (quote(str(parameters[name]), safe="") for name in ("USER", "PASSWORD"))
    login = f"{user}{password and ':'}{password}@" if user or password else ""
    place = f"[{host}]" if ":" in host else host
    return (
        f"postgresql://{login}{place}{port and ':'}{port}/{quote(str(parameters['NAME'] or ''), safe='')}"
        f"{'?' if query else ''}{urlencode(query)}"
    )


def _sqlite(connection: Any) -> str:
    """The file; what lies in memory gets an address too, which is refused as soon as somebody wants to open it."""
    name = connection.settings_dict["NAME"]
    if connection.is_in_memory_db():
        return MEMORY
    if str(name).startswith("file:"):
        raise ImproperlyConfigured(
            f"DATABASES[{connection.alias!r}] names its file by the URI {name!r}: give OPWRIGHT['url'] the plain path, sqlite:///…"
        )
    return f"sqlite:///{Path(name).absolute()}"
