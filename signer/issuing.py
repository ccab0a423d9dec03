"""Making a statement, and choosing what a reader gets of it."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from operator import itemgetter

from signer.certificates import read_leaf, require_aware
from signer.contents import CONTENTS, list_contents, places_of
from signer.errors import (
    BadClaimError,
    BadDisclosureError,
    KeyMismatchError,
    OrganisationMismatchError,
    RepeatedLineError,
    UnknownPathError,
)
from signer.jws import open_envelope, seal
from signer.keys import Signer
from signer.open_claims import check_jti, check_open_claims, read_open_claims
from signer.rfc9901 import DIGEST_ALGORITHM
from signer.sdjwt import (
    SMALLEST_LIST,
    Disclosure,
    arrange,
    check_digests,
    check_hidden,
    draw_salts,
    make_disclosures,
    padded,
    padded_size,
    placeholders,
    refuse_reserved,
)
from signer.statements import CONTENTS_DIGEST, WITH_DIGESTS, Issued, Profile
from signer.strict_json import JSON, serialise, serialise_each
from signer.verification import SMALLEST_DIGEST_LIST

FULL = "full"

# Claims that `issue` sets itself, and the word that paths use for everything.
_KEPT = WITH_DIGESTS | {CONTENTS, FULL}


def issue(
    signer: Signer,
    profile: Profile,
    *,
    issuer: str,
    audience: str,
    jti: str,
    issued_at: datetime,
    claims: Mapping[str, JSON],
    random: Callable[[int], bytes],
) -> Issued:
    """A signed statement of the profile's kind, in the layout of docs/formats/statement.md.

    `claims` are all further claims; those that the profile does not open are hidden. A line of a list gets a random
    `id` if it has none. `issued_at` is cut to whole seconds. `random` gives that many random bytes.
    Raises BadClaimError, OrganisationMismatchError, KeyMismatchError, BadCertificateError, TokenTooLargeError, WeakRandomnessError.
    """
    _check_signer(signer, issuer)
    payload: dict[str, JSON] = {
        "iss": issuer,
        "aud": audience,
        "jti": check_jti(jti),
        "iat": int(require_aware(issued_at, "issued_at").timestamp()),
        "vct": profile.vct,
    }
    payload |= _open(claims, profile)
    hidden = {name: value for name, value in claims.items() if name not in profile.open_claims}
    texts: Sequence[str] = ()
    if profile.selective:
        payload["_sd_alg"] = DIGEST_ALGORITHM
        payload["_sd"], payload[CONTENTS_DIGEST], texts = _hide(hidden, profile.lists, random)
    # Checked as a verifier will: what is issued can be verified.
    check_open_claims(payload)
    return Issued(seal(signer, serialise(payload, "payload")), tuple(texts))


def disclose(token: str, disclosures: Iterable[str], paths: Collection[str]) -> tuple[str, ...]:
    """The disclosures that `paths` need, in the order given.

    A path is the name of a claim (a list with all its lines), `<list>/<id>` (one line, with its list), or `full`.
    Verifies no signature. Raises UnknownPathError, or what reading the token and disclosures raises.
    """
    digests = check_digests(_digests(token), SMALLEST_DIGEST_LIST, "_sd")
    given, (named, elements) = arrange(digests, disclosures)
    at_path: dict[str, set[str]] = {}
    for claim in named:
        lines = elements.get(str(claim.name), [])
        at_path[str(claim.name)] = {claim.digest, *(line.digest for line in lines)}
        at_path |= {f"{claim.name}/{_line_id(line)}": {claim.digest, line.digest} for line in lines}
    at_path[FULL] = {one.digest for one in given}
    wanted = {digest for path in paths for digest in _at(at_path, path)}
    return tuple(one.text for one in given if one.digest in wanted)


def _at(at_path: Mapping[str, set[str]], path: str) -> set[str]:
    if path not in at_path:
        raise UnknownPathError("no disclosure at this path", where=repr(path), remedy="name a claim or <list>/<id>")
    return at_path[path]


def _digests(token: str) -> JSON:
    return read_open_claims(open_envelope(token)).members.get("_sd")


def _check_signer(signer: Signer, issuer: str) -> None:
    leaf = read_leaf(signer.certificate)
    if leaf.organisation != issuer:
        remedy = "sign with a key certified for the issuer"
        raise OrganisationMismatchError("the issuer is not the certified organisation", where="issuer", remedy=remedy)
    if leaf.thumbprint != signer.thumbprint:
        remedy = "use the certificate issued for this key"
        raise KeyMismatchError("the certificate is for another key", where="signer", remedy=remedy)


def _open(claims: Mapping[str, JSON], profile: Profile) -> dict[str, JSON]:
    for name in claims:
        if not isinstance(name, str) or not name or "/" in name or name in _KEPT:
            remedy = "name the claim otherwise"
            raise BadClaimError("a name that the format keeps for itself", where=repr(name), remedy=remedy)
        if not profile.selective and name not in profile.open_claims:
            raise BadClaimError("a claim that the kind does not have", where=repr(name), remedy="leave it out")
    opened = {name: value for name, value in claims.items() if name in profile.open_claims}
    for name, value in opened.items():
        refuse_reserved(value, name)
    if opened:
        serialise_each(list(opened.values()), opened)
    return opened


def _hide(
    hidden: Mapping[str, JSON], lists: frozenset[str], random: Callable[[int], bytes]
) -> tuple[list[str], str, list[str]]:
    """The digests for `_sd`, that of `contents`, and the disclosures: `contents`, the claims in their order, then the lines."""
    for name, value in hidden.items():
        check_hidden(name, value)
    lines = {name: _check_lines(name, hidden[name]) for name in sorted(lists & hidden.keys())}
    # One for each disclosure or decoy, and one for each line's id.
    count = padded_size(len(hidden) + 1, SMALLEST_DIGEST_LIST)
    count += sum(padded_size(len(given), SMALLEST_LIST) + len(given) for given in lines.values())
    salts = draw_salts(random, count)
    claims: dict[str, JSON] = dict(hidden)
    made, places = [], {}
    for name, given in lines.items():
        elements = _make_lines(name, given, salts)
        made += elements
        slots = padded((digest for _, digest in elements), SMALLEST_LIST, salts)
        places[name] = places_of((digest for _, digest in elements), slots)
        claims[name] = placeholders(slots)
    named = _make_claims(claims, salts)
    by_name = {name: digest for name, (_, digest) in zip(claims, named, strict=True)}
    named = _make_claims({CONTENTS: list_contents(by_name, places)}, salts) + named
    digests = padded((digest for _, digest in named), SMALLEST_DIGEST_LIST, salts)
    return digests, named[0][1], [text for text, _ in named + made]


def _make_claims(claims: Mapping[str, JSON], salts: Iterator[str]) -> list[tuple[str, str]]:
    made: list[list[JSON]] = [[salt, name, value] for (name, value), salt in zip(claims.items(), salts, strict=False)]
    return make_disclosures(made, list(claims))


def _check_lines(name: str, value: JSON) -> list[Mapping[str, JSON]]:
    lines: list[Mapping[str, JSON]] = (
        [line for line in value if isinstance(line, dict)] if isinstance(value, list | tuple) else []
    )
    if not isinstance(value, list | tuple) or len(lines) != len(value):
        raise BadClaimError("not a list of objects", where=repr(name), remedy="make each line an object")
    ids = [line["id"] for line in lines if "id" in line]
    if not all(isinstance(one, str) and one for one in ids):
        raise BadClaimError("an id that is no text", where=repr(name), remedy="use text, or leave the id out")
    if len(set(map(str, ids))) != len(ids):
        raise RepeatedLineError("two lines with one id", where=repr(name), remedy="give each line its own id")
    return lines


def _make_lines(name: str, lines: Sequence[Mapping[str, JSON]], salts: Iterator[str]) -> list[tuple[str, str]]:
    # The id comes first so that a reader of the raw disclosure finds it at once.
    contents: list[list[JSON]] = [[next(salts), {"id": next(salts), **line}] for line in lines]
    made = make_disclosures(contents, [name] * len(lines))
    # Sorted by digest, which is random: the order of the lines tells nothing.
    return sorted(made, key=itemgetter(1))


def _line_id(line: Disclosure) -> str:
    match line.value:
        case {"id": str(line_id)}:
            return line_id
        case _:
            raise BadDisclosureError("a line without id", where="disclosures", remedy="send them as they were issued")
