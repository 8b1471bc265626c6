"""Submits and Django's transactions."""

from pathlib import Path

from tests.integrations.django.kit import host, manage, story


def test_submits_share_the_fate_of_the_atomic_block(database_url: str) -> None:
    """What is rolled back leaves no operation and a usable connection; savepoints, autocommit and async code do as promised."""
    manage(database_url, "migrate", "-v0")
    story(database_url, "transactions")


def test_what_was_committed_is_carried_out_by_manage_py_opwright_run(database_url: str, tmp_path: Path) -> None:
    """Its worker processes set Django up, see the data of the same commit, and keep no connection between two operations."""
    manage(database_url, "migrate", "-v0")
    with host(database_url, tmp_path):
        story(database_url, "committed_work")


def test_the_address_follows_from_databases(sqlite_path: Path) -> None:
    """Host, port, credentials, sockets and TLS options of an alias become an address; what has none says so."""
    story(f"sqlite:///{sqlite_path}", "addresses")
