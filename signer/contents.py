"""The `contents` disclosure: which claims a statement has, and which digests of its lists stand for lines.

A reader cannot tell an undisclosed claim from a decoy. Only this disclosure lets a field be absent or a list complete. The token commits
to it, and it to every hidden claim and line: whatever else an issuer hid among the digests can't be shown beside it. So two readers
who both hold `contents` never hold different truths (docs/adr/0006).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TypeGuard

from signer.errors import ContentsMismatchError
from signer.sdjwt import Arrangement, Disclosure
from signer.statements import CONTENTS_DIGEST
from signer.strict_json import JSON

CONTENTS = "contents"
CLAIMS, LISTS = "claims", "lists"
_WHOLE = frozenset({int})


def list_contents(claims: Mapping[str, str], lists: Mapping[str, Sequence[int]]) -> JSON:
    """The value of `contents`: the digest of each hidden claim, lists included, and the places of each list's lines."""
    return {
        CLAIMS: dict(sorted(claims.items())),
        LISTS: {name: list(places) for name, places in sorted(lists.items())},
    }


def places_of(digests: Iterable[str], slots: Sequence[str]) -> list[int]:
    """Where the `digests` stand among the `slots` of a list, from 0."""
    real = frozenset(digests)
    return [place for place, slot in enumerate(slots) if slot in real]


def check_contents(arrangement: Arrangement, digests: Collection[str], committed: JSON) -> dict[str, JSON] | None:
    """What the statement has, by its `contents`: `claims`, names, sorted, and `lists`, the number of lines of each.

    None where `contents` is not disclosed. `committed` is the token's `contents_digest`. Raises ContentsMismatchError unless that is
    one of the `digests` and of no other disclosure, and every disclosed claim and line is the one that `contents` names.
    """
    if committed not in digests:
        raise _mismatch("it is none of the digests", CONTENTS_DIGEST)
    disclosed = {claim.name: claim for claim in arrangement.named}
    told = disclosed.pop(CONTENTS, None)
    claims = {name: claim.digest for name, claim in disclosed.items()}
    if (told is not None and told.digest != committed) or committed in claims.values():
        raise _mismatch("not the one disclosure that the token names by its contents_digest")
    if told is None:
        return None
    named, lists = _read(told.value)
    if not claims.items() <= named.items():
        raise _mismatch("a disclosed claim is not the one that is named")
    real = {committed, *named.values()}
    if CONTENTS in named or len(real) != len(named) + 1 or not real.issubset(digests):
        raise _mismatch("what is named is not one digest of the statement for each claim")
    if not lists.keys() <= named.keys() or claims.keys() & lists.keys() != arrangement.elements.keys():
        raise _mismatch("the lists are not those of the claims")
    for name, lines in arrangement.elements.items():
        _check_lines(lines, disclosed[name].slots or (), lists[name])
    return {CLAIMS: sorted(named), LISTS: {name: len(places) for name, places in lists.items()}}


def _read(value: JSON) -> tuple[dict[str, str], dict[str, list[int]]]:
    members = value if isinstance(value, dict) else {}
    claims, lists = members.get(CLAIMS), members.get(LISTS)
    if not isinstance(claims, dict) or not isinstance(lists, dict):
        raise _mismatch("not {claims: {name: digest}, lists: {name: [places]}}")
    digests = {name: digest for name, digest in claims.items() if isinstance(digest, str)}
    places = {name: given for name, given in lists.items() if _are_places(given)}
    if len(digests) != len(claims) or len(places) != len(lists):
        raise _mismatch("a claim without digest, or places that are no rising numbers")
    return digests, places


def _are_places(value: JSON) -> TypeGuard[list[int]]:
    # bool is a kind of int in Python, and 1.0 equals 1.
    if not isinstance(value, list) or not set(map(type, value)) <= _WHOLE:
        return False
    return not value or (value[0] >= 0 and value == sorted(set(value)))


def _check_lines(lines: Sequence[Disclosure], slots: Sequence[str], places: Sequence[int]) -> None:
    if places and places[-1] >= len(slots):
        raise _mismatch("a line is named beyond the end of its list")
    real = {slots[place] for place in places}
    if any(line.digest not in real for line in lines):
        raise _mismatch("a disclosed line is not one that is named")


def _mismatch(what: str, where: str = CONTENTS) -> ContentsMismatchError:
    return ContentsMismatchError(what, where=where, remedy="the issuer has to issue the statement again")
