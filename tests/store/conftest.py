"""The fixtures of the contract suite, for promises of one engine. Each module says which: its own `contract_url`."""

from tests.contract.conftest import clock, host, open_store, other, rival, store

__all__ = ["clock", "host", "open_store", "other", "rival", "store"]
