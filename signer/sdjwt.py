"""Selective disclosure in our form of RFC 9901: where digests may stand, how they are padded, how salts are drawn.

Digests stand in the top-level `_sd` and in disclosures of lists whose elements are all `{"...": digest}`. `_sd` and `...`
anywhere else are refused, so that no other verifier can see claims where we see none. The standard without these rules is
`signer.rfc9901`.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from signer import base64url
from signer.errors import (
    BadClaimError,
    BadDigestListError,
    BadDisclosureError,
    MalformedTokenError,
    OverwritingDisclosureError,
    RepeatedDigestError,
    RepeatedDisclosureError,
    RepeatedSaltError,
    ReservedClaimNameError,
    UnreferencedDisclosureError,
    WeakRandomnessError,
)
from signer.rfc9901 import (
    DIGESTS,
    MAX_DISCLOSURE,
    PLACEHOLDER,
    digests_of,
    open_disclosures,
    too_large,
)
from signer.strict_json import JSON, serialise_each

SALT_BYTES = 16
SMALLEST_LIST = 8

# Never hidden: names that the format uses, and claims that limit validity (a reader might not see that they are there).
_NEVER_HIDDEN = frozenset({DIGESTS, PLACEHOLDER, "exp", "nbf", "cnf"})
_ALPHABET = base64url.ALPHABET.encode("ascii")
_CONTAINERS = (dict, list, tuple)
_TEXT = frozenset({str})
_SALT_LENGTH = 22
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


def read_disclosures(texts: Iterable[str]) -> list[Disclosure]:
    """Disclosures in strict form; raises BadDisclosureError, BadBase64Error, BadJsonError or a kind of them."""
    received = list(texts)
    if not received:
        return []
    salts, names, values, spelt = zip(*open_disclosures(received), strict=True)
    if not _NEVER_HIDDEN.isdisjoint(names):
        raise _reserved("a name that is never hidden", _first(name in _NEVER_HIDDEN for name in names))
    # All at once, which is cheaper; one by one only to name the place.
    if min(map(len, salts)) < _SALT_LENGTH or _has_foreign_characters(salts):
        where = _first(len(salt) < _SALT_LENGTH or _has_foreign_characters(salt) for salt in salts)
        raise BadDisclosureError("the salt has less than 128 bits", where=where, remedy="use 16 random bytes")
    slots = map(_slots, names, values, spelt)
    return list(map(Disclosure, received, digests_of(received), salts, names, values, slots))


def _first(defects: Iterable[bool]) -> str:
    return f"disclosure {list(defects).index(True)}"


def arrange(digests: Sequence[str], disclosures: Iterable[str]) -> tuple[list[Disclosure], Arrangement]:
    """All disclosures as given, and where they belong under the top-level `digests`.

    RFC 9901, section 7.1, steps 3 to 5: every disclosure is referenced once, no digest stands twice. Raises
    BadDisclosureError or a kind of it, RepeatedDigestError, and what `read_disclosures` raises.
    """
    given = read_disclosures(disclosures)
    waiting = _by_digest(given)
    named = [waiting.pop(digest) for digest in digests if digest in waiting]
    _check_names(named)
    lists: dict[str, Sequence[str]] = {str(claim.name): claim.slots for claim in named if claim.slots is not None}
    _check_unique([*digests, *itertools.chain.from_iterable(lists.values())])
    elements = {name: [waiting.pop(slot) for slot in slots if slot in waiting] for name, slots in lists.items()}
    if waiting:
        what = f"{len(waiting)} disclosures that no digest stands for"
        raise UnreferencedDisclosureError(what, where="disclosures", remedy="send them as they were issued")
    if any(element.name is not None for lines in elements.values() for element in lines):
        raise _wrong_place("a claim where an element is due")
    return given, Arrangement(named, elements)


def check_digests(value: JSON, smallest: int, where: str) -> Sequence[str]:
    """A padded list of digests, itself; raises BadDigestListError. Sizes are `smallest` times a power of two."""
    if not isinstance(value, list) or set(map(type, value)) != {str}:
        raise _bad_digests("not a list of digests", where)
    if _has_foreign_characters(value) or set(map(len, value)) != {_DIGEST_LENGTH}:
        raise _bad_digests("holds something else than SHA-256 digests", where)
    if len(value) != padded_size(len(value), smallest):
        raise _bad_digests(f"{len(value)} digests: not padded", where)
    return value


def _has_foreign_characters(texts: Iterable[str]) -> bool:
    # What is left once base64url's alphabet is taken out; "?", which is not in it, stands for all beyond ASCII.
    return bool("".join(texts).encode("ascii", "replace").translate(None, _ALPHABET))


def refuse_reserved(value: JSON, where: str) -> None:
    """Raises ReservedClaimNameError if an object inside `value` has a member `_sd` or `...`, BadClaimError if a name is no text."""
    # JSON knows no other containers: `serialise` refuses them.
    pending = [value] if isinstance(value, _CONTAINERS) else []
    while pending:
        container = pending.pop()
        inside: Iterable[JSON] = container
        if isinstance(container, dict):
            if DIGESTS in container or PLACEHOLDER in container:
                raise _reserved("`_sd` or `...` inside a claim", where)
            if not set(map(type, container)) <= _TEXT:
                raise BadClaimError("a name that is no text", where=where, remedy="name each member by text")
            inside = container.values()
        pending += [inner for inner in inside if isinstance(inner, _CONTAINERS)]


def _slots(name: str | None, value: JSON, spelt: str) -> Sequence[str] | None:
    # A cheap look at the text first: an escape may hide the names, all else shows them.
    if type(value) is str or not (PLACEHOLDER in spelt or DIGESTS in spelt or "\\" in spelt):
        return None
    if name is not None and isinstance(value, list) and value:
        digests = [one[PLACEHOLDER] for one in value if isinstance(one, dict) and len(one) == 1 and PLACEHOLDER in one]
        if len(digests) == len(value):
            return check_digests(digests, SMALLEST_LIST, "disclosures")
    refuse_reserved(value, "disclosures")
    return None


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


def draw_salts(random: Callable[[int], bytes], count: int) -> Iterator[str]:
    """So many times 128 random bits, in base64url; raises WeakRandomnessError.

    A source that repeats itself would give hidden values away.
    """
    data = random(SALT_BYTES * count)
    drawn = [data[start : start + SALT_BYTES] for start in range(0, len(data), SALT_BYTES)]
    if len(data) != SALT_BYTES * count or len(set(drawn)) != count:
        remedy = "pass a cryptographic source such as os.urandom"
        raise WeakRandomnessError("random bytes came short or twice", where="random", remedy=remedy)
    return iter(base64url.encode_each(drawn, SALT_BYTES))


def make_disclosures(contents: Sequence[Sequence[JSON]], places: Sequence[str]) -> list[tuple[str, str]]:
    """Text and digest of disclosures; `contents` are [salt, name, value] or [salt, value], `places` the claims they are of.

    Raises BadClaimError, TooDeepError or TokenTooLargeError.
    """
    texts = list(map(base64url.encode, serialise_each(contents, places)))
    if max(map(len, texts), default=0) > MAX_DISCLOSURE:
        raise too_large(next(where for where, text in zip(places, texts, strict=True) if len(text) > MAX_DISCLOSURE))
    return list(zip(texts, digests_of(texts), strict=True))


def check_hidden(name: str, value: JSON) -> None:
    """Raises ReservedClaimNameError if a claim may not be hidden, or holds what the format keeps for itself."""
    if name in _NEVER_HIDDEN:
        raise _reserved("a name that is never hidden", name)
    refuse_reserved(value, name)


def placeholders(digests: Iterable[str]) -> JSON:
    """The value of a list whose elements are disclosures of their own (RFC 9901, section 4.2.4.2)."""
    return [{PLACEHOLDER: digest} for digest in digests]


def padded(digests: Iterable[str], smallest: int, salts: Iterator[str]) -> list[str]:
    """The digests with decoys (RFC 9901, section 4.2.5) up to the next size, sorted.

    Digests of salted values are random, so that their order tells nothing: sorting shuffles.
    """
    real = list(digests)
    decoys = itertools.islice(salts, padded_size(len(real), smallest) - len(real))
    return sorted([*real, *digests_of(decoys)])


def padded_size(count: int, smallest: int) -> int:
    """The least of smallest, 2 smallest, 4 smallest, ... that holds `count`."""
    size = smallest
    while size < count:
        size *= 2
    return size


def _reserved(what: str, where: str) -> ReservedClaimNameError:
    return ReservedClaimNameError(what, where=where, remedy="name the claim otherwise")


def _wrong_place(what: str) -> BadDisclosureError:
    return BadDisclosureError(what, where="disclosures", remedy="the issuer has to issue it again")


def _bad_digests(what: str, where: str) -> BadDigestListError:
    return BadDigestListError(what, where=where, remedy="pad the list with decoys to its size")
