"""Values as they are written in the text of a statement, for the few that are sent without parameters."""

from __future__ import annotations

import re

_FAR = re.compile("[\x00\x80-\U0010ffff]")


def literal(value: object) -> str:
    """A value as PostgreSQL reads it, whatever ``standard_conforming_strings`` and ``client_encoding`` say. Raises TypeError.

    It is ASCII: the driver sends a text as UTF-8, and in some encodings the server would take a quote or a backslash for the
    second half of a character. A NUL is left for the server to refuse.
    """
    if value is None:
        return "null"
    if isinstance(value, str):
        doubled = value.replace("\\", "\\\\").replace("'", "''")
        return f"E'{doubled}'" if value.isascii() and "\x00" not in value else f"E'{_FAR.sub(_escape, doubled)}'"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"({value})"  # a minus may follow another one, and two begin a comment
    raise TypeError(f"{value!r} is not written in the text of a statement")


def _escape(far: re.Match[str]) -> str:
    return f"\\U{ord(far[0]):08X}"
