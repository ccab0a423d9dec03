"""What a supplier's command does with an error: one line, and the exit code that says who has to act."""

from __future__ import annotations

from collections.abc import Callable

from exchange.cli.output import REJECTED, UNDECIDABLE, USAGE, fail, interrupted


def guarded(command: Callable[[], int]) -> int:
    """Run a command; our errors become a line and an exit code: 1 what was given is refused, 2 call it otherwise, 3 not decidable."""
    from bom_graph import BomGraphError
    from exchange.errors import ExchangeError, UndecidableError, UsageError
    from ledger import LedgerError
    from signer import KeyStoreError, SignerError

    try:
        return command()
    except (KeyStoreError, UsageError) as error:
        return fail(error, USAGE)
    except UndecidableError as error:
        return fail(error, UNDECIDABLE)
    except (ExchangeError, LedgerError, SignerError, BomGraphError) as error:
        return fail(error, REJECTED)
    except OSError as error:
        return fail(f"{error.strerror} (at {error.filename}); name a file that this command can use", USAGE)
    except KeyboardInterrupt:
        return interrupted("nothing was written")
