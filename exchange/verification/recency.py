"""How old the newest status snapshot of an evidence file may be. Rules: docs/formats/evidence-file.md."""

from __future__ import annotations

from datetime import datetime, timedelta

from exchange.errors import UndecidableError
from exchange.snapshots import LastSnapshot

#: How far clocks may be apart, as at admission.
_APART = timedelta(minutes=5)
_REMEDY = "ask for the file again once the log has a newer one, or ask the log's operator why it states none"


def snapshot_age(snapshot: LastSnapshot | None, most: int, seen: datetime | None, now: datetime | None) -> str:
    """Check that the newest snapshot is at most `most` days older than the checkpoint; 0: any age. Say, for the limits, what was asked.

    The checkpoint is from before `seen`, when somebody independent saw it, else from before `now` (both aware). The snapshot's own time is
    its operator's word, as all that it says. Raises UndecidableError, also where neither time is known.
    """
    if not most:
        return "; the trust file sets no greatest age of a status snapshot"
    asked = f"the trust file asks for one that is at most {most} days older than the checkpoint"
    if snapshot is None:
        raise _missing("a status snapshot is missing", asked)
    until = now if seen is None else seen
    if until is None:
        raise _missing("the time is missing from which the age of the status snapshot counts", asked)
    if seen is None:
        against = "now, and no timestamp or witness says that the checkpoint is from before"
    else:
        against = f"the checkpoint was seen at {seen:%Y-%m-%dT%H:%M:%SZ}"
    age, of = until - snapshot.signed, f"{snapshot.signed:%Y-%m-%dT%H:%M:%SZ}"
    if age > timedelta(days=most):
        raise _missing(
            f"a newer status snapshot is missing: the newest is of {of}, {age.days} days before {against}", asked
        )
    if age < -_APART:
        raise _missing(f"a status snapshot whose time can be is missing: the newest is of {of}, after {against}", asked)
    return f"; {asked}, and it is"


def _missing(what: str, asked: str) -> UndecidableError:
    return UndecidableError(f"{what}; {asked}", where="status snapshot", remedy=_REMEDY)
