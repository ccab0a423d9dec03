"""Looking into a statement without believing it: for people who want to see what a file says before they can check it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from signer.certificates import Certificate, read_leaf
from signer.contents import CONTENTS, check_contents
from signer.errors import UnreferencedDisclosureError
from signer.jws import open_envelope
from signer.keys import Algorithm
from signer.open_claims import read_open_claims
from signer.sdjwt import Arrangement, arrange, check_digests
from signer.statements import CONTENTS_DIGEST, DIGEST_CLAIMS
from signer.strict_json import JSON
from signer.verification import SMALLEST_DIGEST_LIST


@dataclass(frozen=True, slots=True)
class Unverified:
    """What a statement says of itself, UNVERIFIED: anybody may have written it.

    `open_claims` stand in the token, `disclosed` in the disclosures at hand (lists with the disclosed lines only);
    `contents` is the statement's own account of its claims, where disclosed, as in `Statement`. `undisclosed` counts the top-level digests
    without disclosure: hidden claims or decoys, nobody can tell.
    """

    algorithm: Algorithm
    thumbprint: str
    certificate: Certificate
    open_claims: Mapping[str, JSON]
    disclosed: Mapping[str, JSON] = field(repr=False)
    contents: Mapping[str, JSON] | None = field(repr=False)
    undisclosed: int


def read_unverified(token: str, disclosures: Sequence[str]) -> Unverified:
    """What `token` says with `disclosures`. Checks the form as strictly as `verify`, but neither signature nor certificate.

    Raises MalformedTokenError, BadHeaderError, BadClaimError, BadDisclosureError, BadCertificateError or a kind of them.
    """
    envelope = open_envelope(token)
    members = read_open_claims(envelope).members
    arrangement, contents = _arranged(members, disclosures)
    named, elements = arrangement
    values = {
        str(claim.name): claim.value if claim.slots is None else [line.value for line in elements[str(claim.name)]]
        for claim in named
    }
    digests = members.get("_sd")
    return Unverified(
        algorithm=envelope.header.algorithm,
        thumbprint=envelope.header.thumbprint,
        certificate=read_leaf(envelope.header.leaf),
        open_claims={name: value for name, value in members.items() if name not in DIGEST_CLAIMS},
        disclosed={name: value for name, value in values.items() if name != CONTENTS},
        contents=contents,
        undisclosed=len(digests) - len(named) if isinstance(digests, list) else 0,
    )


def _arranged(members: Mapping[str, JSON], disclosures: Sequence[str]) -> tuple[Arrangement, Mapping[str, JSON] | None]:
    if "_sd" in members:
        digests = check_digests(members["_sd"], SMALLEST_DIGEST_LIST, "_sd")
        _, arrangement = arrange(digests, disclosures)
        return arrangement, check_contents(arrangement, digests, members.get(CONTENTS_DIGEST))
    if disclosures:
        what = "there are disclosures, but no digests in the token"
        raise UnreferencedDisclosureError(what, where="disclosures", remedy="send the token alone")
    return Arrangement([], {}), None
