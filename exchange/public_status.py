"""A public status as somebody fetched it: checked against a trust file, offline.

Its type is none of the ledger's, so that a status is never an entry, and an entry never a status.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from bom_graph import read_json, why_unreadable
from exchange.errors import RejectedError, UndecidableError
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
            "stale",
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
    open_claims=frozenset({"withdrawn", "outdated", "stale", "since", "as_of", "expires"}),
    selective=False,
    lists=frozenset(),
)


#: States in which a filing is verified, so that its status counts.
VOUCHED: Final = frozenset({"verified", "filed", "accepted"})


def check_status(data: bytes, trust: Trust, now: datetime, listed: bytes | None = None) -> dict[str, Any]:
    """Return the claims of a fetched status (its JSON) with a `verdict`; `listed`: the status list, as it was fetched.

    ``withdrawn`` by its owner; ``outdated``: by the list, its filing went back since; ``ended`` (fetch it anew); ``not_verified`` (nobody's
    opinion stands behind it, or it has lapsed); ``stale`` (verified, and what it was made from has changed, by itself or by the list);
    ``current``.

    Only the signed tokens count: a file that says anything else beside its token is refused. Raises SignerError, RejectedError,
    UndecidableError where the list has ended.
    """
    claims, signer = _signed(data, STATUS, trust, now, "status")
    gone, outdated, stale = claims.get("status") != "published", False, bool(claims.get("stale"))
    if listed is not None:
        named, by = _signed(listed, STATUS_LIST, trust, now, "list")
        if by != signer:
            raise RejectedError(
                f"the list is signed by {by}, the status by {signer}",
                where="list",
                remedy="fetch both from one exchange",
            )
        if now > _day(named, "list"):
            raise UndecidableError("the list has ended", where="list", remedy="fetch it anew")
        gone, outdated = gone or claims.get("publication") in named["withdrawn"], _is_outdated(claims, named)
        stale = stale or _is_stale(claims, named)
    if gone or outdated:
        verdict = "withdrawn" if gone else "outdated"
    else:
        verdict = "ended" if now > _day(claims, "status") else _standing(claims, now, stale=stale)
    return {**claims, "verdict": verdict, "signed_by": signer}


def _signed(data: bytes, profile: Profile, trust: Trust, now: datetime, where: str) -> tuple[dict[str, Any], str]:
    """Return the signed claims of a fetched file and who signed them; what stands beside the token is the same."""
    try:
        found = read_json(data)
    except ValueError as error:
        raise RejectedError(why_unreadable(error), where=where, remedy="fetch it anew") from None
    token = found.get("token") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(token, str):
        raise RejectedError("no signed token in it", where=f"{where}/token", remedy="fetch it anew")
    statement = verify(token, (), profile=profile, trust=trust, at=now)
    claims = {name: value for name, value in statement.claims.items() if name in profile.open_claims}
    beside = {name: value for name, value in found.items() if name != "token"}
    if altered := sorted(name for name, value in beside.items() if name not in claims or claims[name] != value):
        raise RejectedError(
            f"what it says beside its token isn't what was signed: {', '.join(altered)}",
            where=f"{where}/{altered[0]}",
            remedy="fetch it anew; rely on what is signed alone",
        )
    return claims, statement.issuer


def _is_outdated(claims: Mapping[str, Any], named: Mapping[str, Any]) -> bool:
    """Whether a list names an entry by which the filing of a status went back after the status was told."""
    entry: int = claims.get("entry", {}).get("index", -1)
    went_back: int = named["outdated"].get(claims.get("publication"), -1)
    return entry < went_back


def _is_stale(claims: Mapping[str, Any], named: Mapping[str, Any]) -> bool:
    """Whether a list names a status as stale, told at the entry that its filing stands at, or before. A list of before knows none."""
    entry: int = claims.get("entry", {}).get("index", -1)
    newest: int = named.get("stale", {}).get(claims.get("publication"), -1)
    return entry <= newest


def _standing(claims: Mapping[str, Any], now: datetime, *, stale: bool) -> str:
    verified = claims.get("state") in VOUCHED and "verification_expires" in claims
    if not verified or date.fromisoformat(claims["verification_expires"]) < now.date():
        return "not_verified"
    return "stale" if stale else "current"


def _day(claims: Mapping[str, Any], where: str) -> datetime:
    try:
        return datetime.fromisoformat(str(claims.get("expires")))
    except ValueError:
        raise RejectedError("it doesn't say when it ends", where=f"{where}/expires", remedy="fetch it anew") from None
