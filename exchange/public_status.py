"""A public status as somebody fetched it: checked against a trust file, offline.

Its type is none of the ledger's, so that a status is never an entry, and an entry never a status.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from bom_graph import read_json, why_unreadable
from exchange.errors import RejectedError
from signer import Profile, Trust, verify

STATUS: Final = Profile(
    "urn:packtrace:public-status:1",
    open_claims=frozenset(
        {
            "publication",
            "status",
            "state",
            "meaning",
            "model",
            "variants",
            "filer",
            "plant_country",
            "chemistry_group",
            "duty",
            "verifier",
            "verification_expires",
            "opinion",
            "assurance",
            "materiality_percent",
            "figure",
            "unit",
            "entry",
            "as_of",
            "expires",
            "recheck",
            "status_list",
        }
    ),
    selective=False,
    lists=frozenset(),
)
STATUS_LIST: Final = Profile(
    "urn:packtrace:public-status-list:1",
    open_claims=frozenset({"withdrawn", "since", "as_of", "expires"}),
    selective=False,
    lists=frozenset(),
)


def check_status(data: bytes, trust: Trust, now: datetime) -> dict[str, Any]:
    """Return the claims of a fetched status (its JSON) with a `verdict`: ``current``, ``ended`` (fetch it anew) or ``withdrawn``.

    Only the signed token counts; what stands beside it in the answer isn't looked at. Raises SignerError, or RejectedError.
    """
    try:
        found = read_json(data)
    except ValueError as error:
        raise RejectedError(why_unreadable(error), where="status", remedy="fetch it anew") from None
    token = found.get("token") if isinstance(found, dict) else None
    if not isinstance(token, str):
        raise RejectedError(
            "no signed token in it", where="status/token", remedy="fetch /api/v1/public/models/... again"
        )
    statement = verify(token, (), profile=STATUS, trust=trust, at=now)
    claims = {name: value for name, value in statement.claims.items() if name in STATUS.open_claims}
    try:
        ends = datetime.fromisoformat(str(claims.get("expires")))
    except ValueError:
        raise RejectedError("it doesn't say when it ends", where="status/expires", remedy="fetch it anew") from None
    verdict = "withdrawn" if claims.get("status") != "published" else "current" if now <= ends else "ended"
    return {**claims, "verdict": verdict, "signed_by": statement.issuer}
