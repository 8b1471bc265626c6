"""Values as they are written in the text of a statement, for the few that are sent without parameters."""

from __future__ import annotations


def literal(value: object) -> str:
    """A value as PostgreSQL reads it, whatever ``standard_conforming_strings`` says. Raises TypeError."""
    if value is None:
        return "null"
    if isinstance(value, str):
        doubled = value.replace("\\", "\\\\").replace("'", "''")
        return f"E'{doubled}'"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"({value})"  # a minus may follow another one, and two begin a comment
    raise TypeError(f"{value!r} is not written in the text of a statement")
