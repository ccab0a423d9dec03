"""What a supplier's command does with an error: one line, and the exit code that says who has to act."""

from __future__ import annotations

from collections.abc import Callable

from exchange.cli.output import REJECTED, USAGE, fail, interrupted


def guarded(command: Callable[[], int]) -> int:
    """Run a command; an error of ours becomes one line and an exit code: 1 what was given is refused, 2 call it otherwise."""
    from bom_graph import BomGraphError
    from exchange.errors import ExchangeError, UsageError
    from ledger import LedgerError
    from signer import KeyStoreError, SignerError

    try:
        return command()
    except (KeyStoreError, UsageError) as error:
        return fail(error, USAGE)
    except (ExchangeError, LedgerError, SignerError, BomGraphError) as error:
        return fail(error, REJECTED)
    except OSError as error:
        return fail(f"{error.strerror} (at {error.filename}); name a file that this command can use", USAGE)
    except KeyboardInterrupt:
        return interrupted("nothing was written")
