"""The `contents` disclosure: which claims a statement has, and how many lines each of its lists.

A reader cannot tell an undisclosed claim from a decoy. Only this disclosure lets a field be absent or a list complete.
"""

from collections.abc import Iterable, Mapping, Sequence

from signer.errors import ContentsMismatchError
from signer.sdjwt import Arrangement, Disclosure
from signer.strict_json import JSON

CONTENTS = "contents"


def list_contents(claims: Iterable[str], lists: Mapping[str, int]) -> JSON:
    """The value of `contents`: the names of all hidden claims, lists included, and the number of lines per list."""
    return {"claims": sorted(claims), "lists": dict(sorted(lists.items()))}


def check_contents(arrangement: Arrangement, digests: Sequence[str]) -> Mapping[str, JSON] | None:
    """The statement's `contents`, or None where it is not disclosed; raises ContentsMismatchError.

    Checked against what is disclosed: each disclosed claim is named, no list has more lines than counted, and there
    are digests enough for all that is named.
    """
    for disclosure in arrangement.named:
        if disclosure.name == CONTENTS:
            claims, lists = _read(disclosure.value)
            _check_claims(arrangement, claims, lists, len(digests))
            _check_counts(arrangement, lists)
            return disclosure.value if isinstance(disclosure.value, dict) else None
    return None


def _read(value: JSON) -> tuple[set[str], dict[str, int]]:
    match value:
        case {"claims": list(names), "lists": dict(lists)}:
            claims = {name for name in names if isinstance(name, str)}
            counts = {name: n for name, n in lists.items() if type(n) is int and n >= 0}
        case _:
            raise _mismatch("not {claims: [...], lists: {...}}")
    if len(claims) != len(names) or len(counts) != len(lists):
        raise _mismatch("a claim is named twice, or a number of lines is no number")
    return claims, counts


def _check_claims(arrangement: Arrangement, claims: set[str], lists: dict[str, int], digests: int) -> None:
    disclosed = {claim.name for claim in arrangement.named} - {CONTENTS}
    if CONTENTS in claims or not lists.keys() <= claims:
        raise _mismatch("it names itself, or counts a list that it does not name")
    if not disclosed <= claims:
        raise _mismatch("a disclosed claim is not named")
    if len(claims) + 1 > digests:
        raise _mismatch("more claims are named than there are digests")


def _check_counts(arrangement: Arrangement, lists: dict[str, int]) -> None:
    for claim in arrangement.named:
        if (claim.slots is None) == (claim.name in lists):
            raise _mismatch("a list is not counted, or what is counted is no list")
        if claim.slots is not None and claim.name is not None:
            _check_count(claim, len(arrangement.elements[claim.name]), lists[claim.name])


def _check_count(claim: Disclosure, disclosed: int, counted: int) -> None:
    if not disclosed <= counted <= len(claim.slots or ()):
        raise _mismatch("more lines are disclosed than counted, or counted than there are digests")


def _mismatch(what: str) -> ContentsMismatchError:
    return ContentsMismatchError(what, where="contents", remedy="the issuer has to issue the statement again")
