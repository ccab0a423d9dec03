"""Erasure: the entry that says so, and everything held of a statement beside the ledger, go in one transaction.

What was handed out before isn't reached: copies, evidence files, figures in other results' own documents. Of the statement its token, which
holds digests alone, stays in the ledger; of the results that were made from it their digests and the names of their inputs.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Engine
from sqlmodel import Session, select

from exchange.access import Principal
from exchange.calculation import forget_results
from exchange.cases import forget_trades
from exchange.database import forget_pages
from exchange.engagement import forget_engagements
from exchange.errors import HeldError, NotFoundError, StatementError
from exchange.filing import forget_models
from exchange.identity import Accounts, Operator
from exchange.intake import forget_statement
from exchange.intake.tables import StatementRow
from exchange.kinds import kind_of
from exchange.sharing import forget_evidence
from exchange.vault import Vault, erased_at, is_held, mark_erased
from ledger.store import snapshot

Reason = Literal["owner_request", "unlawful_content", "retention_ended"]
security = logging.getLogger("packtrace.security")


@dataclass(frozen=True, slots=True)
class Erased:
    """The entry that erased a statement, and whether it was there before."""

    index: int
    existed: bool


class Erasures:
    """Erases statements for their owners, or by the operator's own decision.

    `carry_out` is given the claims of the erasure and returns the index of its entry: `Eraser.carry_out`, here or at the worker.
    """

    def __init__(self, engine: Engine, accounts: Accounts, carry_out: Callable[[Mapping[str, Any]], int]) -> None:
        self._engine = engine
        self._accounts = accounts
        self._carry_out = carry_out

    def erase(self, actor: Principal, leaf_hash: str, reason: Reason) -> Erased:
        """Erase a statement of the actor's organisation; the operator erases anybody's, for another reason than the owner's request.

        Raises NotFoundError (no such statement of theirs), HeldError, StatementError where nothing of the statement is hidden.
        """
        with snapshot(self._engine) as connection, Session(connection) as session:
            row = session.exec(select(StatementRow).where(StatementRow.leaf_hash == leaf_hash)).one_or_none()
            known = erased_at(connection, leaf_hash)
            statement = None if row is None else (row.index, row.issuer, row.vct)
        if statement is None or (statement[1] != actor.organisation and "operator" not in actor.scopes):
            raise NotFoundError("no such statement of yours", where="leaf_hash", remedy="take it from its receipt")
        index, issuer, vct = statement
        if reason == "owner_request":
            self._accounts.check_speaks_for(actor, issuer, "statements:write")
        else:
            actor.require("operator")
        if known is not None:
            return Erased(known, existed=True)
        if not kind_of(vct).profile.selective:
            raise StatementError(
                "all claims of this entry are open: the ledger keeps them", where="leaf_hash", remedy="withdraw it"
            )
        asked_by = issuer if reason == "owner_request" else actor.organisation
        erasing = self._carry_out({"index": index, "leaf_hash": leaf_hash, "reason": reason, "asked_by": asked_by})
        security.info("erasure index=%d by=%s reason=%s", index, actor.name, reason)
        return Erased(erasing, existed=False)


class Eraser:
    """States erasures with the operator's key and erases in the same transaction. It needs no master key: it reads nothing."""

    def __init__(self, engine: Engine, vault: Vault, operator: Operator, clock: Callable[[], datetime]) -> None:
        self._engine = engine
        self._vault = vault
        self._operator = operator
        self._clock = clock

    def carry_out(self, claims: Mapping[str, Any]) -> int:
        """Erase the statement that the claims of an erasure name; return the index of the erasure's entry. Raises HeldError."""
        index, leaf_hash = claims["index"], claims["leaf_hash"]
        with snapshot(self._engine) as connection:
            if (known := erased_at(connection, leaf_hash)) is not None:
                return known

        def forget(session: Session, erasing: int) -> None:
            connection = session.connection()
            # Under the lock on the log's head: whoever files a result sets its holds under the same, or comes too late.
            if is_held(connection, leaf_hash, self._clock()):
                raise HeldError(
                    "the statement is kept: it is under verification, filed, or held for another stated reason",
                    where="leaf_hash",
                    remedy="ask again when the hold has ended",
                )
            if erased_at(connection, leaf_hash) is not None:
                raise HeldError("it is being erased by another", where="leaf_hash", remedy="ask for it again")
            forget_statement(connection, self._vault, index, leaf_hash)
            forget_evidence(connection, index)
            forget_results(connection, self._vault, leaf_hash)
            forget_trades(connection, index)
            forget_models(session, index)
            forget_engagements(session, index)
            mark_erased(session, leaf_hash, erasing, self._clock())

        receipt = self._operator.state_erasure(claims, forget)
        forget_pages(self._engine)
        return receipt.index
