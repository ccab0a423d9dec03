"""The command line: ``packtrace <noun> <verb>``. Commands import what they need when they run.

Exit codes: 0 done or verified, 1 rejected, 2 usage, 3 not decidable, 130 interrupted.
"""

from exchange.cli.main import main

__all__ = ["main"]
