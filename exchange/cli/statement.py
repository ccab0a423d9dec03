"""``packtrace statement``: look into a statement, or verify it offline. Needs the base install only, and no network."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.anchors import read_trust
from exchange.cli.cited import Given, cited_branches, lines_of, members_of, read_folder
from exchange.cli.files import read_up_to
from exchange.cli.guard import guarded
from exchange.cli.output import DONE, REJECTED, UNDECIDABLE, USAGE, fail, say, say_json
from exchange.screen import shown

if TYPE_CHECKING:
    from exchange.trust import TrustFile
    from signer import CertificateNotValidError, Statement, Unverified

MAX_STATEMENT_BYTES = 8 * 1024 * 1024
UNVERIFIED = "UNVERIFIED: this is what the file says of itself; anybody may have written it"
LIMITS = (
    "whether the key was enrolled when it was admitted, and not revoked: the ledger knows",
    "whether the organisation had a role that may sign this kind: the ledger knows",
    "whether it was admitted, when, and whether it was superseded or withdrawn since: the ledger knows",
    "whether the entries that it cites are there and are what it takes them for: the ledger knows",
)


def run_show(file: Path, *, as_json: bool) -> int:
    """Print what a statement says, verifying nothing."""

    def command() -> int:
        from signer import citation_hash, read_unverified

        token, disclosures = read_statement(file)
        seen = read_unverified(token, disclosures)
        members = {**_members(seen), "leaf_hash": citation_hash(token)}
        if as_json:
            say_json({"verified": False, "note": UNVERIFIED, **members})
        else:
            _print(members)
        return DONE

    return guarded(command)


def run_verify(file: Path, trust: Path, cited: Path | None, *, as_json: bool) -> int:
    """Verify a statement against a trust file, and what it cites in the folder `cited`; say what can't be known without the ledger."""

    def command() -> int:
        from exchange.errors import EvidenceError

        try:
            anchors = read_trust(trust)
        except EvidenceError as error:
            # Without anchors nothing is said about the statement: that isn't a rejection.
            return fail(error, USAGE)
        anchors.check_current(datetime.now(UTC))
        given = None if cited is None else read_folder(cited, read_statement)
        code, members = _verdict(file, anchors, given)
        if as_json:
            say_json(members)
        else:
            _print_verdict(members)
        return code

    return guarded(command)


def read_statement(file: Path) -> tuple[str, tuple[str, ...]]:
    """Return token and disclosures of a presentation, or of a token alone. Raises MalformedTokenError, OSError."""
    return statement_in(read_up_to(file, MAX_STATEMENT_BYTES), str(file))


def statement_in(data: bytes, where: str) -> tuple[str, tuple[str, ...]]:
    """Return what `read_statement` does of these bytes."""
    from signer import MalformedTokenError, split_presentation

    data = data.strip()
    if len(data) > MAX_STATEMENT_BYTES or not data.isascii():
        what = f"not ASCII text of at most {MAX_STATEMENT_BYTES} bytes"
        raise MalformedTokenError(what, where=where, remedy="name a signed statement: <JWT>~<disclosure>~...~")
    text = data.decode("ascii")
    return split_presentation(text) if "~" in text else (text, ())


def _verdict(file: Path, anchors: TrustFile, given: Given | None) -> tuple[int, dict[str, Any]]:
    return judged(lambda: read_statement(file), anchors, given)


def judged(
    read: Callable[[], tuple[str, tuple[str, ...]]], anchors: TrustFile, given: Given | None = None
) -> tuple[int, dict[str, Any]]:
    """Return exit code and verdict on the token and disclosures that `read` returns."""
    from bom_graph import BomGraphError
    from exchange.errors import ExchangeError
    from signer import CertificateNotValidError, CitationToUnknownLogError, SignerError

    try:
        token, disclosures = read()
        try:
            statement, whole = _checked(token, disclosures, anchors, datetime.now(UTC))
        except CertificateNotValidError as error:
            return _expired(token, disclosures, anchors, error)
        text = "verified: signature, certificate and form" + ("" if whole else "; part of it is not disclosed")
        members = {"verdict": "verified", "exit_code": DONE, "text": text, **_said(statement), "whole": whole}
        if given is not None:
            try:
                members["cites"] = _cited(statement, given, anchors)
            except CitationToUnknownLogError as error:
                # The statement itself is good; only entry 0 of the ledger names the log before it.
                text = f"not decidable: {error.what}; the ledger knows whether it is its predecessor"
                members |= {"verdict": "not_decidable", "exit_code": UNDECIDABLE, "text": text, "where": error.where}
                members["remedy"] = "verify without --cited, or ask for evidence from the ledger"
    except (SignerError, ExchangeError, BomGraphError) as error:
        return REJECTED, _failed(error)
    return members["exit_code"], {**members, "limits": list(LIMITS)}


def _cited(statement: Statement, given: Given, anchors: TrustFile) -> list[dict[str, Any]]:
    """The tree below the statement. A cited one is judged as of the time that its issuer claims: only the ledger dates it."""
    from signer import peek

    def check(token: str, disclosures: tuple[str, ...]) -> Statement:
        at = min(peek(token).issued_at, datetime.now(UTC))
        return _checked(token, disclosures, anchors, at)[0]

    return [members_of(branch) for branch in cited_branches(statement, given, check, origin=anchors.origin)]


def _checked(token: str, disclosures: tuple[str, ...], anchors: TrustFile, at: datetime) -> tuple[Statement, bool]:
    """The statement as verified at that time, and whether all of its record is disclosed."""
    from exchange.kinds import kind_of, read_record
    from signer import peek, verify

    profile = kind_of(peek(token).vct).profile
    statement = verify(token, disclosures, profile=profile, trust=anchors.signers, at=at)
    record = read_record(statement)
    return statement, record is None or record.is_whole


def _expired(
    token: str, disclosures: tuple[str, ...], anchors: TrustFile, error: CertificateNotValidError
) -> tuple[int, dict[str, Any]]:
    """A certificate that isn't valid today may have been at admission, which only the ledger dates."""
    from signer import peek

    issued_at = peek(token).issued_at
    if issued_at > datetime.now(UTC):
        raise error
    statement, whole = _checked(token, disclosures, anchors, issued_at)
    text = "not decidable: the certificate has expired since; it was valid at the time that the issuer claims"
    members = {"verdict": "not_decidable", "exit_code": UNDECIDABLE, "text": text, **_said(statement), "whole": whole}
    remedy = "ask for the ledger's proof of when it was admitted"
    return UNDECIDABLE, {**members, "where": "certificate", "remedy": remedy, "limits": list(LIMITS)}


def _failed(error: Any) -> dict[str, Any]:
    members = {"verdict": "rejected", "exit_code": REJECTED, "text": f"rejected: {error.what}", "code": error.code}
    return {**members, "where": error.where, "remedy": error.remedy}


def _said(statement: Statement) -> dict[str, Any]:
    from signer import citation_hash

    return {
        "issuer": statement.issuer,
        "audience": statement.audience,
        "kind": statement.vct,
        "issued_at": _time(statement.issued_at),
        "jti": statement.jti,
        "thumbprint": statement.certificate.thumbprint,
        "certificate_sha256": statement.certificate.digest,
        "leaf_hash": citation_hash(statement.token),
        "disclosures": len(statement.disclosure_digests),
    }


def _print_verdict(members: dict[str, Any]) -> None:
    place = f" (at {members['where']}); {members['remedy']}" if "where" in members else ""
    say(shown(f"{members['text']}{place}"))
    for name in ("issuer", "audience", "kind", "issued_at", "thumbprint", "leaf_hash", "disclosures"):
        if name in members:
            say(shown(f"  {name:12} {members[name]}"))
    for line in lines_of(members["cites"]) if "cites" in members else ():
        say(shown(f"  {line}"))
    for limit in members.get("limits", ()):
        say(f"  not known here: {limit}")


def _members(seen: Unverified) -> dict[str, Any]:
    leaf = seen.certificate
    return {
        "header": {"alg": seen.algorithm, "kid": seen.thumbprint},
        "certificate": {
            "organisation": leaf.organisation,
            "not_before": _time(leaf.not_before),
            "not_after": _time(leaf.not_after),
            "sha256": leaf.digest,
        },
        "open": dict(seen.open_claims),
        "disclosed": dict(seen.disclosed),
        "contents": seen.contents,
        "undisclosed": seen.undisclosed,
    }


def _print(members: dict[str, Any]) -> None:
    from exchange.attestation import in_words

    say(UNVERIFIED)
    for part in ("header", "certificate", "open"):
        say(part)
        for name, value in members[part].items():
            say(shown(f"  {name}: {in_words(value)}"))
    say(f"disclosed ({len(members['disclosed'])} claims)")
    for name, value in members["disclosed"].items():
        for line in _lines(name, value):
            say(shown(f"  {line}"))
    contents = members["contents"]
    say(shown("contents: " + (in_words(contents) if contents is not None else "not disclosed")))
    say(f"undisclosed: {members['undisclosed']} digests, each a hidden claim or a decoy")
    say(f"leaf hash: {members['leaf_hash']}")


def _lines(name: str, value: Any) -> list[str]:
    from exchange.attestation import in_words

    if isinstance(value, list) and value and all(isinstance(line, Mapping) and "id" in line for line in value):
        return [
            f"{name}/{line['id']}: {in_words({key: one for key, one in line.items() if key != 'id'})}" for line in value
        ]
    return [f"{name}: {in_words(value)}"]


def _time(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
