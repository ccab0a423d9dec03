"""What was erased, and what may not be: holds are set by whoever needs a statement kept (a filing, a verification)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, or_, select, update
from sqlmodel import Session, col

from exchange.vault.tables import ErasureRow, HoldRow

# Built once: whoever sends a statement again asks it.
_ERASED_AT = select(col(ErasureRow.index)).where(col(ErasureRow.leaf_hash) == bindparam("leaf"))


def erased_at(connection: Connection, leaf_hash: str) -> int | None:
    """Return the index of the entry by which a statement was erased, None where it wasn't."""
    return connection.scalar(_ERASED_AT, {"leaf": leaf_hash})


def mark_erased(session: Session, leaf_hash: str, index: int, now: datetime) -> None:
    """Note in the caller's transaction that the entry at `index` erased a statement: what comes in of it again isn't kept."""
    session.add(ErasureRow(leaf_hash=leaf_hash, index=index, erased_at=now))
    session.flush()


def hold(session: Session, leaf_hash: str, reason: str, until: datetime | None) -> None:
    """Keep a statement from erasure for `reason` before `until`, or until released; of two times of one reason the last one counts."""
    session.merge(HoldRow(leaf_hash=leaf_hash, reason=reason, until=until))
    session.flush()


def release_hold(session: Session, leaf_hash: str, reason: str) -> None:
    """Let go of a hold; those for other reasons stay."""
    session.connection().execute(
        delete(HoldRow).where(col(HoldRow.leaf_hash) == leaf_hash, col(HoldRow.reason) == reason)
    )


def release_holds(session: Session, reason: str, kept: str) -> None:
    """Let go of the holds of one reason that have no end. Those that end on a day stay until then, by the reason `kept`."""
    connection = session.connection()
    connection.execute(delete(HoldRow).where(col(HoldRow.reason) == reason, col(HoldRow.until).is_(None)))
    # Kept once before: the day that is said now is the later one.
    again = select(col(HoldRow.leaf_hash)).where(col(HoldRow.reason) == reason)
    connection.execute(delete(HoldRow).where(col(HoldRow.reason) == kept, col(HoldRow.leaf_hash).in_(again)))
    connection.execute(update(HoldRow).where(col(HoldRow.reason) == reason).values(reason=kept))


def end_holds(session: Session, reason: str, until: datetime) -> None:
    """Let every hold of one reason end at `until`."""
    session.connection().execute(update(HoldRow).where(col(HoldRow.reason) == reason).values(until=until))


def is_held(connection: Connection, leaf_hash: str, now: datetime) -> bool:
    """Whether a statement may not be erased now."""
    counts = or_(col(HoldRow.until).is_(None), col(HoldRow.until) > now)
    found = select(col(HoldRow.reason)).where(col(HoldRow.leaf_hash) == leaf_hash, counts).limit(1)
    return connection.execute(found).first() is not None
