"""How commands ask before they do what can't be taken back."""

from __future__ import annotations

import sys

from exchange.cli.output import tell


def confirmed(question: str) -> bool:
    """Ask on the terminal; only yes is yes. UsageError where nobody is there."""
    from exchange.errors import UsageError

    if sys.stdin is None or not sys.stdin.isatty():
        remedy = "run it on a terminal, or give --yes once you have seen what is shown"
        raise UsageError("nobody to ask", where="--yes", remedy=remedy)
    tell(f"{question} [y/N]")
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
