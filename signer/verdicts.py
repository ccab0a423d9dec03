"""Judging a statement later: what the log's key events and timestamps say about it by now.

`verify` says that a statement is well made and whose it is; admission, that its key counted when it came. What became
known since stands in the verdict: `invalid` where the key had been ended or the certificate was not valid then,
`suspect` where the key, or one that it goes back to, was declared compromised, `time not decidable` where it hinges on
a time that nobody independent attested, else `valid`. Where several hold, the first of these is the verdict's word.
"""

import dataclasses
import math
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal, TypeAlias, get_args

from signer.certificates import Certificate, Trust, verify_certificate
from signer.errors import BadPolicyDigestError, CertificateNotTrustedError, CertificateNotValidError
from signer.intervals import Interval
from signer.key_events import KEY_EVENT
from signer.key_register import Enrolment, KeyRegister
from signer.statements import Statement
from signer.verification import CLOCK_TOLERANCE

Word: TypeAlias = Literal["invalid", "suspect", "time not decidable", "valid"]

_WORST_FIRST: tuple[Word, ...] = get_args(Word)
#: The note that stands in a verdict where the early side rests on the certificate's own date.
UNDATED = "no attested time lies between the start of the certificate and the entry"
#: How long before it was logged a statement may say that it was issued without a note: what is signed is handed in soon.
_LONG_BEFORE = timedelta(days=30)
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclasses.dataclass(frozen=True)
class Reason:
    """Why a verdict is not `valid`: the word it leads to, a stable code, a sentence, and the place."""

    word: Word
    code: str
    what: str
    where: str


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What can be said of the statement at entry `index`, given `known_to`, the last key event that was seen.

    `policy` is the hexadecimal SHA-256 of the policy by which it was admitted. `notes` take nothing away, but a reader
    has to know them.
    """

    word: Word
    index: int
    organisation: str
    thumbprint: str
    interval: Interval
    known_to: int
    policy: str
    reasons: tuple[Reason, ...]
    notes: tuple[str, ...]

    def __str__(self) -> str:
        reasons = "; ".join(f"{reason.what} (at {reason.where})" for reason in self.reasons)
        return "\n".join([f"{self.word}: {reasons}" if reasons else self.word, *self.notes, f"policy {self.policy}"])


def judge(
    statement: Statement, trust: Trust, at: Interval, key_events: KeyRegister, *, index: int, policy: str
) -> Verdict:
    """The verdict on the statement at entry `index`, logged in the interval `at`.

    The statement must be one that `verify` returned. `key_events` are the log's as far as they are known, those after
    `index` included. Raises KeyNotEnrolledError, for a statement that never was admissible, or BadPolicyDigestError.
    """
    if not _DIGEST.fullmatch(policy):
        remedy = "state the digest of the policy file"
        raise BadPolicyDigestError("not a hexadecimal SHA-256", where="policy", remedy=remedy)
    enrolment = key_events.enrolment(index, statement.certificate)
    trust = key_events.trusting(trust, statement.certificate.thumbprint)
    reasons = [
        *_ended(statement, enrolment, index),
        *doubts(key_events, statement.certificate, index),
        *_untimely(statement, trust, at, index),
    ]
    reasons.sort(key=lambda reason: _WORST_FIRST.index(reason.word))
    return Verdict(
        word=reasons[0].word if reasons else "valid",
        index=index,
        organisation=statement.issuer,
        thumbprint=statement.certificate.thumbprint,
        interval=at,
        known_to=key_events.last,
        policy=policy,
        reasons=tuple(reasons),
        notes=tuple(_notes(statement, enrolment, at)),
    )


def doubts(key_events: KeyRegister, certificate: Certificate, index: int) -> tuple[Reason, ...]:
    """Why the statement at entry `index`, signed under `certificate`, is suspect by now; raises KeyNotEnrolledError.

    In doubt are the entries of a compromised key, and those of keys that such an entry brought in.
    """
    return tuple(_compromised(key_events, key_events.enrolment(index, certificate), index))


def signers_in_doubt(key_events: KeyRegister) -> frozenset[str]:
    """The organisations of which statements may be suspect by now: none of anybody else's is. None where no key was compromised."""
    known = [one for enrolments in key_events.enrolments.values() for one in enrolments]
    if all(one.compromised_since is None for one in known):
        return frozenset()
    return frozenset(one.organisation for one in known if any(_compromised(key_events, one, math.inf)))


def _ended(statement: Statement, enrolment: Enrolment, index: int) -> Iterator[Reason]:
    ended = enrolment.revoked
    if ended is None or index < ended:
        return
    # A key may sign its own end: the replacement, or that it is compromised. No other statement has that entry.
    if index == ended and statement.vct == KEY_EVENT.vct:
        return
    what = f"the key was revoked at entry {ended}: {enrolment.reason}"
    yield Reason("invalid", "key_revoked", what, f"entry {index}")


def _compromised(key_events: KeyRegister, enrolment: Enrolment, index: float) -> Iterator[Reason]:
    since = enrolment.compromised_since
    if since is not None and since <= index:
        what = f"the key was declared compromised from entry {since} on"
        yield Reason("suspect", "key_compromised", what, f"entry {index}")
    for brought_in, signed_by in _lineage(key_events, enrolment):
        since = signed_by.compromised_since
        if since is not None and since <= brought_in.enrolled:
            what = f"its key was enrolled by one that was declared compromised from entry {since} on"
            yield Reason("suspect", "enrolled_by_compromised_key", what, f"entry {brought_in.enrolled}")


def _lineage(key_events: KeyRegister, enrolment: Enrolment) -> Iterator[tuple[Enrolment, Enrolment]]:
    """Each enrolment that the key rests on, with the one of the key that signed it, back to entry 0.

    A key rests on its first enrolment too: a renewed certificate does not tell where the key came from.
    """
    waiting = [enrolment]
    seen: set[tuple[str, int]] = set()
    while waiting:
        one = waiting.pop()
        for brought_in in (one, key_events.enrolments[one.thumbprint][0]):
            if (place := (brought_in.thumbprint, brought_in.enrolled)) in seen:
                continue
            seen.add(place)
            signed_by = _signing(key_events, brought_in)
            yield brought_in, signed_by
            waiting.append(signed_by)


def _signing(key_events: KeyRegister, brought_in: Enrolment) -> Enrolment:
    enrolments = key_events.enrolments[brought_in.enrolled_with]
    return next(one for one in enrolments if one.certificate_digest == brought_in.enrolled_under)


def _untimely(statement: Statement, trust: Trust, at: Interval, index: int) -> Iterator[Reason]:
    """What contradicts the certificate's time, or hinges on more than is attested.

    The early side needs no attestation: the signed header holds the certificate, so the statement is younger than it.
    """
    certificate = statement.certificate
    where = f"entry {index} certificate"
    if at.latest is not None and statement.issued_at > at.latest + CLOCK_TOLERANCE:
        what = f"issued, as it says, after it was logged: {statement.issued_at:%Y-%m-%dT%H:%M:%S%z}"
        yield Reason("invalid", "issued_outside_validity", what, f"entry {index} iat")
    elif at.latest is not None and at.latest < certificate.not_before:
        yield Reason("invalid", "certificate_not_valid", "logged before the certificate was valid", where)
    elif at.earliest is not None and _expired(statement, trust, at):
        yield Reason("invalid", "certificate_not_valid", "logged after the certificate had expired", where)
    elif at.latest is None or not _vouched(statement, trust, at.latest):
        what = f"whether the certificate was still valid hinges on a time that nobody attested: {at}"
        yield Reason("time not decidable", "time_not_decidable", what, where)


def _expired(statement: Statement, trust: Trust, at: Interval) -> bool:
    # At the time that it claims the chain was valid, else it was not verified; if it is no longer at a later
    # time that the entry is younger than, it had expired by then.
    return at.earliest is not None and statement.issued_at < at.earliest and not _vouched(statement, trust, at.earliest)


def _vouched(statement: Statement, trust: Trust, at: datetime) -> bool:
    try:
        verify_certificate(statement.certificate.der, trust, at)
    except (CertificateNotValidError, CertificateNotTrustedError):
        return False
    return True


def _notes(statement: Statement, enrolment: Enrolment, at: Interval) -> Iterator[str]:
    if enrolment.re_enrolled is not None:
        yield f"re-enrolled by the operator at {enrolment.re_enrolled}"
    if at.earliest is None or at.earliest < statement.certificate.not_before:
        yield UNDATED
    if at.earliest is not None and at.earliest - statement.issued_at > _LONG_BEFORE:
        yield f"issued, as it says, on {statement.issued_at:%Y-%m-%d}, and logged on {at.earliest:%Y-%m-%d} at the earliest"
