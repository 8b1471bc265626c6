"""Text that can be stored: errors, log lines and progress are cleaned, never refused."""

from __future__ import annotations

LONGEST_ERROR = 16_000


def clean(text: str, longest: int = LONGEST_ERROR) -> str:
    """The text without what a database refuses (NUL, lone surrogates), cut in the middle when it is too long."""
    text = text.replace("\x00", "\\x00").encode("utf-8", "backslashreplace").decode("utf-8")
    if len(text) <= longest:
        return text
    half = longest // 2 - 20
    return f"{text[:half]}\n… {len(text) - 2 * half} characters left out …\n{text[-half:]}"
