"""Text that others wrote, as it may stand on a screen or in a report."""

from __future__ import annotations


def shown(text: str) -> str:
    """Return `text` as one line without control characters: others wrote parts of it, and must not write on the reader's screen."""
    return text if text.isprintable() else "".join(map(escaped, text))


def shown_lines(text: str) -> str:
    """Return `text` of several lines, whose breaks are ours, with each line as it may be `shown`."""
    return "\n".join(map(shown, text.split("\n")))


def escaped(one: str) -> str:
    """Return a character itself, or as JSON escapes it where it doesn't print: controls, line breaks, changes of direction."""
    if one.isprintable():
        return one
    units = one.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[n] << 8 | units[n + 1]:04x}" for n in range(0, len(units), 2))
