"""SD-JWT as RFC 9901 defines it: any claims, hidden at any depth, digests in digests, decoys.

This layer stands alone: it knows the issuer's key and nothing of organisations, certificates or kinds of statements. Our
own statements are the narrow form of it that `signer.sdjwt` and `signer.verification` read; what those accept, this layer
reads to the same claims.

Two liberties that the standard leaves to the verifier are not taken: JSON is strict (no member twice), and `_sd` and `...`
are refused wherever they convey no digests (section 4.1).
"""

import dataclasses
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeAlias

from signer import base64url
from signer.certificates import require_aware
from signer.errors import (
    AlgorithmNotAllowedError,
    BadClaimError,
    BadDigestListError,
    BadDisclosureError,
    MalformedTokenError,
    OverwritingDisclosureError,
    RepeatedDigestError,
    RepeatedDisclosureError,
    ReservedClaimNameError,
    SignerError,
    TokenNotValidError,
    TokenTooLargeError,
    UnknownDigestAlgorithmError,
    UnknownHeaderMemberError,
    UnreferencedDisclosureError,
)
from signer.jws import token_parts
from signer.keys import PublicKey, algorithm_of, verify_signature
from signer.strict_json import JSON, decode_text, parse_object, parse_text

DIGEST_ALGORITHM = "sha-256"
DIGESTS = "_sd"
PLACEHOLDER = "..."
MAX_DISCLOSURE = 1_048_576

_ALGORITHM_NAME = "_sd_alg"
_NEVER_A_NAME = frozenset({DIGESTS, PLACEHOLDER, _ALGORITHM_NAME})

#: A disclosure: salt, name (None for an element of a list), value (sections 4.2.1 and 4.2.2), and the JSON text of all that.
Opened: TypeAlias = tuple[str, str | None, JSON, str]


@dataclasses.dataclass(frozen=True)
class SdJwt:
    """What an SD-JWT says to whoever holds these disclosures.

    `claims` is the Processed SD-JWT Payload: disclosed claims in their places, no `_sd`, `_sd_alg` or `...`.
    `key_binding` is the key binding JWT as received, NOT verified, empty where there is none (section 4.3: whether it is
    wanted, with which nonce, is up to the application).
    """

    header: Mapping[str, JSON]
    claims: Mapping[str, JSON] = dataclasses.field(repr=False)
    key_binding: str = dataclasses.field(repr=False)


def verify_sd_jwt(presentation: str, public_key: PublicKey, at: datetime) -> SdJwt:
    """The SD-JWT in `presentation` (`token~disclosure~...~[key binding]`), once it verifies under the issuer's key.

    RFC 9901, section 7.1; `exp` and `nbf` are judged at `at`. Raises MalformedTokenError, BadHeaderError,
    BadSignatureError, UnknownDigestAlgorithmError, BadDigestListError, RepeatedDigestError, BadDisclosureError,
    BadClaimError, TokenNotValidError or a kind of them.
    """
    require_aware(at, "at")
    # 1. Separate the parts.
    token, disclosures, key_binding = separate(presentation)
    # 2. The issuer-signed JWT: an algorithm of the key's own, the signature over the bytes as received.
    header, payload = _verify_token(token, public_key)
    # 3. to 5. Digests and disclosures, each referenced once.
    claims = process(payload, disclosures)
    # 6. Validity, judged after processing, since it may have been disclosed.
    _check_time(claims, at)
    return SdJwt(header, claims, key_binding)


def separate(presentation: str) -> tuple[str, tuple[str, ...], str]:
    """Token, disclosures and key binding JWT (empty if none); raises MalformedTokenError."""
    if not isinstance(presentation, str) or "~" not in presentation:
        remedy = "end the token and each disclosure with a tilde"
        raise MalformedTokenError("no tilde", where="presentation", remedy=remedy)
    token, *disclosures, key_binding = presentation.split("~")
    return token, tuple(disclosures), key_binding


def digest_of(text: str) -> str:
    """The digest that stands for a disclosure: SHA-256 of its ASCII bytes (section 4.2.3)."""
    return digests_of([text])[0]


def digests_of(texts: Iterable[str]) -> list[str]:
    """The digest of each text, likewise."""
    return base64url.encode_each([hashlib.sha256(text.encode("ascii")).digest() for text in texts], 32)


def open_disclosures(texts: Sequence[str]) -> list[Opened]:
    """What disclosures say, each with its JSON text as received.

    Raises BadDisclosureError, TokenTooLargeError, BadBase64Error, BadJsonError or a kind of it.
    """
    try:
        return [_open(text, "disclosures") for text in texts]
    except SignerError:
        # Once more, to name the place: cheaper than a name for each in advance.
        return [_open(text, f"disclosure {n}") for n, text in enumerate(texts)]


def _open(text: str, where: str) -> Opened:
    if not isinstance(text, str):
        raise BadDisclosureError("not text", where=where, remedy="send disclosures as base64url text")
    if len(text) > MAX_DISCLOSURE:
        raise too_large(where)
    spelt = decode_text(base64url.decode(text, where), where)
    parts = parse_text(spelt, where)
    if isinstance(parts, list):
        if len(parts) == 3 and type(parts[0]) is type(parts[1]) is str:
            return parts[0], parts[1], parts[2], spelt
        if len(parts) == 2 and type(parts[0]) is str:
            return parts[0], None, parts[1], spelt
    raise BadDisclosureError("not a disclosure", where=where, remedy="make it [salt, name, value] or [salt, value]")


def too_large(where: str) -> TokenTooLargeError:
    """The error for a disclosure of more than MAX_DISCLOSURE characters."""
    return TokenTooLargeError(f"more than {MAX_DISCLOSURE} bytes", where=where, remedy="split the claim")


def process(payload: Mapping[str, JSON], disclosures: Iterable[str]) -> dict[str, JSON]:
    """The payload with all disclosures in their places; neither argument is changed.

    Section 7.1, steps 3 to 5, by a list of what is left to do: digests in disclosures may nest as deep as they like.
    Raises UnknownDigestAlgorithmError, BadDigestListError, RepeatedDigestError, BadDisclosureError or a kind of them.
    """
    if payload.get(_ALGORITHM_NAME, DIGEST_ALGORITHM) != DIGEST_ALGORITHM:
        remedy = f"use {DIGEST_ALGORITHM}"
        raise UnknownDigestAlgorithmError("unknown digest algorithm", where=_ALGORITHM_NAME, remedy=remedy)
    members = {name: value for name, value in payload.items() if name != _ALGORITHM_NAME}
    return _Processing(disclosures).run(members)


class _Processing:
    """One payload on its way: disclosures still unreferenced, digests met, containers still to be filled."""

    def __init__(self, disclosures: Iterable[str]) -> None:
        self._waiting: dict[str, Opened] = {}
        self._met: set[str] = set()
        self._pending: list[tuple[JSON, dict[str, JSON] | list[JSON]]] = []
        texts = list(disclosures)
        opened = open_disclosures(texts)
        self._waiting.update(zip(digests_of(texts), opened, strict=True))
        if len(self._waiting) != len(texts):
            raise RepeatedDisclosureError("a disclosure twice", where="disclosures", remedy="send each once")

    def run(self, members: Mapping[str, JSON]) -> dict[str, JSON]:
        claims: dict[str, JSON] = {}
        self._pending.append((members, claims))
        while self._pending:
            source, target = self._pending.pop()
            if isinstance(target, dict) and isinstance(source, Mapping):
                self._fill_object(source, target)
            elif isinstance(target, list) and isinstance(source, list | tuple):
                target.extend(self._elements(source))
        if self._waiting:
            what = f"{len(self._waiting)} disclosures that no digest stands for"
            raise UnreferencedDisclosureError(what, where="disclosures", remedy="send them as they were issued")
        return claims

    def _fill_object(self, source: Mapping[str, JSON], target: dict[str, JSON]) -> None:
        if PLACEHOLDER in source:
            raise _reserved("`...` where no digest is due")
        target.update((name, self._place(value)) for name, value in source.items() if name != DIGESTS)
        for digest in _digests(source.get(DIGESTS, [])):
            disclosed = self._take(digest)
            if disclosed is None:
                continue
            _, name, value, _ = disclosed
            if name is None:
                raise _misplaced("an element where a claim is due")
            if name in _NEVER_A_NAME:
                raise _reserved("a name that is never hidden")
            if name in target:
                remedy = "the issuer has to issue it again"
                raise OverwritingDisclosureError("a claim is there already", where="disclosures", remedy=remedy)
            target[name] = self._place(value)

    def _elements(self, source: Iterable[JSON]) -> Iterable[JSON]:
        for element in source:
            if isinstance(element, Mapping) and element.keys() == {PLACEHOLDER}:
                disclosed = self._take(_digests([element[PLACEHOLDER]])[0])
                if disclosed is None:
                    continue
                _, name, value, _ = disclosed
                if name is not None:
                    raise _misplaced("a claim where an element is due")
                yield self._place(value)
            else:
                yield self._place(element)

    def _place(self, value: JSON) -> JSON:
        """The value, or an empty container in its place that is filled later."""
        target: dict[str, JSON] | list[JSON]
        if isinstance(value, Mapping):
            target = {}
        elif isinstance(value, list | tuple):
            target = []
        else:
            return value
        self._pending.append((value, target))
        return target

    def _take(self, digest: str) -> Opened | None:
        if digest in self._met:
            remedy = "the issuer has to issue it again"
            raise RepeatedDigestError("a digest stands twice", where="digests", remedy=remedy)
        self._met.add(digest)
        return self._waiting.pop(digest, None)


def _verify_token(token: str, public_key: PublicKey) -> tuple[dict[str, JSON], dict[str, JSON]]:
    header, payload, signature = token_parts(token)
    members = parse_object(base64url.decode(header, "header"), "header")
    if members.get("alg") != algorithm_of(public_key):
        remedy = "sign with the algorithm of the issuer's key"
        raise AlgorithmNotAllowedError("alg is not the key's algorithm", where="header alg", remedy=remedy)
    if "crit" in members:
        raise UnknownHeaderMemberError("crit: no extension is known here", where="header", remedy="leave it out")
    signed = token[: -len(signature) - 1].encode("ascii")
    verify_signature(public_key, base64url.decode(signature, "signature"), signed, "signature")
    return members, parse_object(base64url.decode(payload, "payload"), "payload")


def _check_time(claims: Mapping[str, JSON], at: datetime) -> None:
    now = at.timestamp()
    for name in claims.keys() & {"exp", "nbf"}:
        limit = claims[name]
        if isinstance(limit, bool) or not isinstance(limit, int | float):
            raise BadClaimError("not a number of seconds since 1970", where=name, remedy="use a number")
        if (limit <= now) if name == "exp" else (limit > now):
            remedy = "ask the issuer for one that is valid"
            raise TokenNotValidError("not valid at this time", where=name, remedy=remedy)


def _digests(value: JSON) -> list[str]:
    if not isinstance(value, list | tuple) or not all(isinstance(digest, str) for digest in value):
        raise BadDigestListError("not digests", where=DIGESTS, remedy="the issuer has to issue it again")
    return [str(digest) for digest in value]


def _misplaced(what: str) -> BadDisclosureError:
    return BadDisclosureError(what, where="disclosures", remedy="the issuer has to issue it again")


def _reserved(what: str) -> ReservedClaimNameError:
    return ReservedClaimNameError(what, where="claims", remedy="name the claim otherwise")
