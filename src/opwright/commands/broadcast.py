"""Commands that any number of handlers may follow."""

from __future__ import annotations


class BroadcastCommand:
    """A base for types of which it is known that they may have no handler at all; one handler makes any type a broadcast."""

    __slots__ = ()
