"""The `contents` disclosure: which claims a statement has, and how many lines each of its lists.

A reader cannot tell an undisclosed claim from a decoy. Only this disclosure lets a field be absent or a list complete.
"""

from collections.abc import Iterable, Mapping, Sequence

from signer.errors import ContentsMismatchError
from signer.sdjwt import Arrangement
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
    members = value if isinstance(value, dict) else {}
    names, lists = members.get("claims"), members.get("lists")
    if not isinstance(names, list) or not isinstance(lists, dict) or not set(map(type, names)) <= {str}:
        raise _mismatch("not {claims: [names], lists: {...}}")
    claims = set(names)
    counts = {name: n for name, n in lists.items() if type(n) is int and n >= 0}
    if len(claims) != len(names) or len(counts) != len(lists):
        raise _mismatch("a claim is named twice, or a number of lines is no number")
    return claims, counts


def _check_claims(arrangement: Arrangement, claims: set[str], lists: dict[str, int], digests: int) -> None:
    if CONTENTS in claims or not lists.keys() <= claims:
        raise _mismatch("it names itself, or counts a list that it does not name")
    if not {claim.name for claim in arrangement.named} <= claims | {CONTENTS}:
        raise _mismatch("a disclosed claim is not named")
    if len(claims) + 1 > digests:
        raise _mismatch("more claims are named than there are digests")


def _check_counts(arrangement: Arrangement, lists: dict[str, int]) -> None:
    if {claim.name for claim in arrangement.named} & lists.keys() != arrangement.elements.keys():
        raise _mismatch("a list is not counted, or what is counted is no list")
    for claim in arrangement.named:
        if claim.slots is not None and claim.name is not None:
            _check_count(len(arrangement.elements[claim.name]), lists[claim.name], len(claim.slots))


def _check_count(disclosed: int, counted: int, slots: int) -> None:
    if not disclosed <= counted <= slots:
        raise _mismatch("more lines are disclosed than counted, or counted than there are digests")


def _mismatch(what: str) -> ContentsMismatchError:
    return ContentsMismatchError(what, where="contents", remedy="the issuer has to issue the statement again")
