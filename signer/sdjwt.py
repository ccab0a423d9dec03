"""Selective disclosure, RFC 9901: salted disclosures, digests that stand for them, decoys.

This layer knows one shape more than the standard needs: digests stand in the top-level `_sd` and in lists whose
elements are all `{"...": digest}`. `_sd` and `...` anywhere else are refused, so that no other verifier can see claims
where we see none.
"""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from signer import base64url
from signer.errors import (
    BadDigestListError,
    BadDisclosureError,
    MalformedTokenError,
    OverwritingDisclosureError,
    RepeatedDigestError,
    RepeatedDisclosureError,
    RepeatedSaltError,
    ReservedClaimNameError,
    TokenTooLargeError,
    UnreferencedDisclosureError,
    WeakRandomnessError,
)
from signer.strict_json import JSON, parse, serialise

DIGEST_ALGORITHM = "sha-256"
MAX_DISCLOSURE = 1_048_576
SALT_BYTES = 16

_PLACEHOLDER = "..."
_DIGESTS = "_sd"
# Never hidden: names that the format uses, and claims that limit validity (a reader might not see that they are there).
_NEVER_HIDDEN = frozenset({_DIGESTS, _PLACEHOLDER, "exp", "nbf", "cnf"})
_SALT = re.compile(r"[A-Za-z0-9_-]{22,}")
_DIGESTS_JOINED = re.compile(r"[A-Za-z0-9_-]+")
_DIGEST_LENGTH = 43


class Disclosure(NamedTuple):
    """One disclosure. `name` is None for a list's element; `slots` are the digests of a list's elements."""

    text: str
    digest: str
    salt: str
    name: str | None
    value: JSON
    slots: Sequence[str] | None

    def __repr__(self) -> str:
        return f"Disclosure(digest={self.digest!r})"


class Arrangement(NamedTuple):
    """Disclosures where their digests stand: claims by position in `_sd`, elements by list."""

    named: list[Disclosure]
    elements: dict[str, list[Disclosure]]


def digest_of(text: str) -> str:
    """The digest that stands for a disclosure: SHA-256 of its ASCII bytes (RFC 9901, section 4.2.3)."""
    return base64url.encode(hashlib.sha256(text.encode("ascii")).digest())


def split_presentation(text: str) -> tuple[str, tuple[str, ...]]:
    """Token and disclosures of `token~disclosure~...~`; raises MalformedTokenError.

    Without the last tilde the last part would be a key binding token, which we do not use.
    """
    if not isinstance(text, str) or "~" not in text or not text.endswith("~"):
        what = "not a token and disclosures, each ended by a tilde"
        raise MalformedTokenError(what, where="presentation", remedy="end it with a tilde, without key binding")
    token, *disclosures = text[:-1].split("~")
    return token, tuple(disclosures)


def join_presentation(token: str, disclosures: Iterable[str]) -> str:
    """`token~disclosure~...~` (RFC 9901, section 4)."""
    return "".join(f"{part}~" for part in (token, *disclosures))


# --- Reading ------------------------------------------------------------------------------------------------------


def read_disclosure(text: str, where: str) -> Disclosure:
    """A disclosure in strict form; raises BadDisclosureError, BadBase64Error, BadJsonError or a kind of them."""
    if not isinstance(text, str):
        raise BadDisclosureError("not text", where=where, remedy="send disclosures as base64url text")
    if len(text) > MAX_DISCLOSURE:
        raise TokenTooLargeError(f"more than {MAX_DISCLOSURE} bytes", where=where, remedy="split the claim")
    data = base64url.decode(text, where)
    salt, name, value = _parts(parse(data, where), where)
    if name in _NEVER_HIDDEN:
        raise _reserved("a name that is never hidden", where)
    if not _SALT.fullmatch(salt):
        raise BadDisclosureError("the salt has less than 128 bits", where=where, remedy="use 16 random bytes")
    slots = _slots(data, name, value, where)
    return Disclosure(text, digest_of(text), salt, name, value, slots)


def arrange(digests: Sequence[str], disclosures: Iterable[str]) -> tuple[list[Disclosure], Arrangement]:
    """All disclosures as given, and where they belong under the top-level `digests`.

    RFC 9901, section 7.1, steps 3 to 5: every disclosure is referenced once, no digest stands twice. Raises
    BadDisclosureError or a kind of it, RepeatedDigestError, and what `read_disclosure` raises.
    """
    given = [read_disclosure(text, f"disclosure {n}") for n, text in enumerate(disclosures)]
    waiting = _by_digest(given)
    named = [waiting.pop(digest) for digest in digests if digest in waiting]
    _check_names(named)
    lists = {str(claim.name): claim.slots for claim in named if claim.slots is not None}
    _check_unique([*digests, *(slot for slots in lists.values() for slot in slots)])
    elements = {name: [waiting.pop(slot) for slot in slots if slot in waiting] for name, slots in lists.items()}
    if waiting:
        what = f"{len(waiting)} disclosures that no digest stands for"
        raise UnreferencedDisclosureError(what, where="disclosures", remedy="send them as they were issued")
    if any(element.name is not None for lines in elements.values() for element in lines):
        raise _wrong_place("a claim where an element is due")
    return given, Arrangement(named, elements)


def check_digests(value: JSON, smallest: int, where: str) -> Sequence[str]:
    """A padded list of digests, itself; raises BadDigestListError. Sizes are `smallest` times a power of two."""
    if not isinstance(value, list) or not all(type(digest) is str for digest in value):
        raise _bad_digests("not a list of digests", where)
    if set(map(len, value)) != {_DIGEST_LENGTH} or not _DIGESTS_JOINED.fullmatch("".join(value)):
        raise _bad_digests("holds something else than SHA-256 digests", where)
    if len(value) != padded_size(len(value), smallest):
        raise _bad_digests(f"{len(value)} digests: not padded", where)
    return value


def refuse_reserved(value: JSON, where: str) -> None:
    """Raises ReservedClaimNameError if an object inside `value` has a member `_sd` or `...`."""
    pending: list[JSON] = [value]
    while pending:
        inner = pending.pop()
        if isinstance(inner, Mapping):
            if _DIGESTS in inner or _PLACEHOLDER in inner:
                raise _reserved("`_sd` or `...` inside a claim", where)
            pending.extend(inner.values())
        elif isinstance(inner, list | tuple):
            pending.extend(inner)


def _parts(disclosure: JSON, where: str) -> tuple[str, str | None, JSON]:
    match disclosure:
        case [str(salt), str(name), value]:
            return salt, name, value
        case [str(salt), value]:
            return salt, None, value
        case _:
            remedy = "make it [salt, name, value] or [salt, value]"
            raise BadDisclosureError("not a disclosure", where=where, remedy=remedy)


def _slots(data: bytes, name: str | None, value: JSON, where: str) -> Sequence[str] | None:
    # A cheap look at the bytes first: an escape may hide the names, all else shows them.
    if b"..." not in data and b"_sd" not in data and b"\\u" not in data:
        return None
    if name is not None and isinstance(value, list) and value and all(_is_placeholder(one) for one in value):
        return check_digests([one[_PLACEHOLDER] for one in value], 8, where)
    refuse_reserved(value, where)
    return None


def _is_placeholder(value: JSON) -> bool:
    return isinstance(value, dict) and value.keys() == {_PLACEHOLDER}


def _by_digest(given: Sequence[Disclosure]) -> dict[str, Disclosure]:
    waiting = {disclosure.digest: disclosure for disclosure in given}
    if len(waiting) != len(given):
        raise RepeatedDisclosureError("a disclosure twice", where="disclosures", remedy="send each once")
    if len({disclosure.salt for disclosure in given}) != len(given):
        remedy = "the issuer has to draw new salts and issue again"
        raise RepeatedSaltError("two disclosures share a salt", where="disclosures", remedy=remedy)
    return waiting


def _check_unique(digests: Sequence[str]) -> None:
    if len(set(digests)) != len(digests):
        remedy = "the issuer has to issue it again"
        raise RepeatedDigestError("a digest stands twice in the statement", where="digests", remedy=remedy)


def _check_names(named: Sequence[Disclosure]) -> None:
    names = [claim.name for claim in named]
    if None in names:
        raise _wrong_place("an element where a claim is due")
    if len(set(names)) != len(names):
        remedy = "the issuer has to issue it again"
        raise OverwritingDisclosureError("two disclosures of one claim", where="disclosures", remedy=remedy)


# --- Making -------------------------------------------------------------------------------------------------------


class Salts:
    """Random bytes for salts and decoys, checked: a source that repeats itself would give hidden values away."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        self._random = random
        self._seen: set[bytes] = set()

    def draw(self) -> str:
        """128 random bits in base64url; raises WeakRandomnessError."""
        data = self._random(SALT_BYTES)
        if len(data) != SALT_BYTES or data in self._seen:
            remedy = "pass a cryptographic source such as os.urandom"
            raise WeakRandomnessError("random bytes came short or twice", where="random", remedy=remedy)
        self._seen.add(data)
        return base64url.encode(data)

    def decoy(self) -> str:
        """A digest that stands for nothing (RFC 9901, section 4.2.5)."""
        return digest_of(self.draw())


def make_disclosure(salts: Salts, name: str, value: JSON) -> Disclosure:
    """The disclosure of a claim. Read back at once: what is issued can be verified."""
    return _encode([salts.draw(), name, value], name)


def make_element(salts: Salts, value: JSON, where: str) -> Disclosure:
    """The disclosure of a list's element."""
    return _encode([salts.draw(), value], where)


def placeholders(digests: Iterable[str]) -> JSON:
    """The value of a list whose elements are disclosures of their own (RFC 9901, section 4.2.4.2)."""
    return [{_PLACEHOLDER: digest} for digest in digests]


def padded(digests: Iterable[str], smallest: int, salts: Salts) -> list[str]:
    """The digests with decoys up to the next size, sorted.

    Digests of salted values are random, so that their order tells nothing: sorting shuffles.
    """
    real = list(digests)
    decoys = (salts.decoy() for _ in range(padded_size(len(real), smallest) - len(real)))
    return sorted([*real, *decoys])


def padded_size(count: int, smallest: int) -> int:
    """The least of smallest, 2 smallest, 4 smallest, ... that holds `count`."""
    size = smallest
    while size < count:
        size *= 2
    return size


def _encode(parts: list[JSON], where: str) -> Disclosure:
    return read_disclosure(base64url.encode(serialise(parts, where)), where)


def _reserved(what: str, where: str) -> ReservedClaimNameError:
    return ReservedClaimNameError(what, where=where, remedy="name the claim otherwise")


def _wrong_place(what: str) -> BadDisclosureError:
    return BadDisclosureError(what, where="disclosures", remedy="the issuer has to issue it again")


def _bad_digests(what: str, where: str) -> BadDigestListError:
    return BadDigestListError(what, where=where, remedy="pad the list with decoys to its size")
