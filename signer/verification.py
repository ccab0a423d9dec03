"""Verifying a statement: who signed it, that it is in the one form we accept, and what it says to this reader.

Nothing is returned unless every step has passed. The steps are numbered in `verify`, and their order is a promise:
no claim is looked at before the signature has verified under a certified key.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from signer.certificates import Certificate, Trust, require_aware, verify_certificate
from signer.contents import CONTENTS, check_contents
from signer.errors import (
    AlgorithmNotAllowedError,
    BadDigestListError,
    BadDisclosureError,
    IssuedOutsideValidityError,
    KeyMismatchError,
    OrganisationMismatchError,
    OverwritingDisclosureError,
    RepeatedLineError,
    UnreferencedDisclosureError,
    WrongAudienceError,
)
from signer.jws import Header, open_envelope
from signer.keys import algorithm_of, verify_signature
from signer.open_claims import OpenClaims, check_profile, read_open_claims
from signer.sdjwt import Arrangement, Disclosure, arrange, check_digests
from signer.statements import CONTENTS_DIGEST, DIGEST_CLAIMS, Profile, Statement
from signer.strict_json import JSON

CLOCK_TOLERANCE = timedelta(minutes=5)
SMALLEST_DIGEST_LIST = 16

_NOTHING = Arrangement([], {})


def verify(token: str, disclosures: Iterable[str], *, profile: Profile, trust: Trust, at: datetime) -> Statement:
    """The statement that `token` makes to somebody who holds `disclosures`.

    `at` is the time to judge by: that of admission to the ledger. Raises a SignerError that names the first step that
    failed. RFC 9901, section 7.1, narrowed to our profile (docs/formats/statement.md).
    """
    require_aware(at, "at")
    # 1. Form: ASCII, size, three parts in canonical base64url, a header without choices.
    envelope = open_envelope(token)
    # 2. Certificate: valid at `at`, vouched for by an authority that may speak for its organisation.
    certificate = verify_certificate(envelope.header.leaf, trust, at)
    # 3. Key: the header names the certified key and the one algorithm it may be used with.
    _check_key(envelope.header, certificate)
    # 4. Signature over the bytes as received.
    verify_signature(certificate.public_key, envelope.signature, envelope.signing_input, "signature")
    # 5. Open claims: exactly those of the kind, each in its form.
    claims = read_open_claims(envelope)
    check_profile(claims, profile)
    # 6. Who, for which ledger, when: the certified organisation, this trust's origin, within the certificate's time.
    _check_issue(claims, certificate, trust, at)
    # 7. Disclosures: each referenced once, none overwrites, lists are lists.
    given, arrangement, digests = _arrange(claims, disclosures, profile)
    # 8. Contents: the one that the token names; where disclosed, it names all that is disclosed.
    contents = check_contents(arrangement, digests, claims.members[CONTENTS_DIGEST]) if profile.selective else None
    return Statement(
        token=token,
        vct=claims.vct,
        issuer=claims.issuer,
        audience=claims.audience,
        jti=claims.jti,
        issued_at=claims.issued_at,
        claims=_resolve(claims, arrangement),
        contents=contents,
        certificate=certificate,
        signing_input=envelope.signing_input,
        disclosure_digests=tuple(disclosure.digest for disclosure in given),
    )


def _check_key(header: Header, certificate: Certificate) -> None:
    if header.thumbprint != certificate.thumbprint:
        remedy = "set kid to the RFC 7638 thumbprint of the certified key"
        raise KeyMismatchError("kid names another key than the certificate", where="header kid", remedy=remedy)
    if header.algorithm != algorithm_of(certificate.public_key):
        remedy = "use the algorithm of the certified key"
        raise AlgorithmNotAllowedError("alg is not the key's algorithm", where="header alg", remedy=remedy)


def _check_issue(claims: OpenClaims, certificate: Certificate, trust: Trust, at: datetime) -> None:
    if claims.issuer != certificate.organisation:
        remedy = "sign with a key certified for the issuer"
        raise OrganisationMismatchError("iss is not the certified organisation", where="iss", remedy=remedy)
    if claims.audience != trust.origin:
        remedy = f"issue it for {trust.origin}"
        raise WrongAudienceError("made for another ledger", where="aud", remedy=remedy)
    if not certificate.not_before <= claims.issued_at <= at + CLOCK_TOLERANCE:
        remedy = "check the issuer's clock"
        raise IssuedOutsideValidityError("before the certificate, or in the future", where="iat", remedy=remedy)


def _arrange(
    claims: OpenClaims, disclosures: Iterable[str], profile: Profile
) -> tuple[Sequence[Disclosure], Arrangement, Sequence[str]]:
    if not profile.selective:
        for _ in disclosures:
            what = "a kind without hidden claims has no disclosures"
            raise UnreferencedDisclosureError(what, where="disclosures", remedy="send the token alone")
        return (), _NOTHING, ()
    digests = check_digests(claims.members["_sd"], SMALLEST_DIGEST_LIST, "_sd")
    if digests != sorted(digests):
        raise BadDigestListError("not sorted", where="_sd", remedy="the issuer has to sort the digests")
    given, arrangement = arrange(digests, disclosures)
    _check_claims(arrangement, profile)
    for name, lines in arrangement.elements.items():
        _check_lines(name, lines)
    return given, arrangement, digests


def _check_claims(arrangement: Arrangement, profile: Profile) -> None:
    names = {claim.name for claim in arrangement.named}
    # The open claims are among the allowed ones: step 5.
    if not names.isdisjoint(profile.allowed):
        what = "a disclosure bears the name of an open claim"
        raise OverwritingDisclosureError(what, where="disclosures", remedy="the issuer has to issue it again")
    if arrangement.elements.keys() != names & profile.lists:
        what = "a list of the kind is not given as a list of digests, or another claim is"
        raise BadDisclosureError(what, where="disclosures", remedy="the issuer has to issue it again")


def _check_lines(name: str, lines: Sequence[Disclosure]) -> None:
    seen: set[str] = set()
    for line in lines:
        line_id = line.value.get("id") if isinstance(line.value, dict) else None
        if not isinstance(line_id, str) or not line_id:
            remedy = "make each line an object with an id"
            raise BadDisclosureError("a line without id", where=name, remedy=remedy)
        if line_id in seen:
            remedy = "the issuer has to give each line its own id"
            raise RepeatedLineError("two lines with one id", where=name, remedy=remedy)
        seen.add(line_id)


def _resolve(claims: OpenClaims, arrangement: Arrangement) -> dict[str, JSON]:
    resolved = {name: value for name, value in claims.members.items() if name not in DIGEST_CLAIMS}
    for claim in arrangement.named:
        if claim.name is not None and claim.name != CONTENTS:
            lines = arrangement.elements.get(claim.name)
            resolved[claim.name] = claim.value if lines is None else [line.value for line in lines]
    return resolved
