"""What the maker of an evidence file has to know of a result, read from its bytes without making objects of its long lists."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from exchange.report import Document
from exchange.verification import ReportPart

_WINDOW = 64 * 1024
_MEMBER = re.compile(rb'[{,]"(\w+)":')
_INPUTS = "inputs"
#: Lists of which nobody needs to know anything here.
_PASSED_OVER = frozenset({"contributions", "apart", "links", _INPUTS})
_decode = json.JSONDecoder().raw_decode


@dataclass(frozen=True, slots=True)
class Outline:
    """A result: the ledger's size, its rule set, its releases (digest by id), the entries whose inputs are sealed, its report."""

    size: int
    rule_set: str
    releases: Mapping[str, str]
    sealed: frozenset[int]
    report: ReportPart

    @classmethod
    def read(cls, name: str, data: bytes) -> Self:
        """Return the outline of the result in `data`, whose digest is `name`."""
        found = skimmed(data, without=_PASSED_OVER)
        # Of each contribution what the report needs to say which days the figure is of.
        found["contributions"] = [
            {member: one[member] for member in ("kg_co2e", "period") if member in one}
            for one in _items(data, "contributions")
        ]
        return cls(
            size=found["snapshot"]["size"],
            rule_set=found["rule_set"]["id"],
            releases={release["id"]: release["digest"] for release in found["releases"]},
            sealed=frozenset(branch["entry"] for branch in found["sealed"]),
            report=ReportPart.of(name, found),
        )


@dataclass(frozen=True, slots=True)
class Input:
    """A statement that results were made from, and the digests of the disclosures that they used, sorted."""

    leaf_hash: str
    disclosures: tuple[str, ...]

    def joined(self, other: Self | None) -> Self:
        """Return this with what another result used of the same statement."""
        if other is None or other == self:
            return self
        return type(self)(self.leaf_hash, tuple(sorted({*self.disclosures, *other.disclosures})))


def read_inputs(data: bytes) -> Iterator[tuple[int, Input]]:
    """Yield what the result in `data` was made from, each with its entry."""
    for one in _items(data, _INPUTS):
        yield one["index"], Input(one["leaf_hash"], tuple(one["disclosures"]))


def skimmed(data: bytes, without: Collection[str]) -> Document:
    """Return the result document that `data` spells in its one written form, without the members `without`.

    Memory is that of what is returned and of a window over the data. Raises ValueError for what isn't an object so written.
    """
    found: Document = {}
    for name, is_item, start, end in _values(data):
        if name in without:
            continue
        value = json.loads(data[start:end])
        if is_item:
            found.setdefault(name, []).append(value)
        else:
            found[name] = value
    return found


def _items(data: bytes, wanted: str) -> Iterator[Any]:
    """Yield the items of the list `wanted` of a result document."""
    for name, is_item, start, end in _values(data):
        if name == wanted and is_item:
            yield json.loads(data[start:end])


def _values(data: bytes) -> Iterator[tuple[str, bool, int, int]]:
    """Yield where each member's value begins and ends; of a list that isn't empty, each item."""
    at = 0
    while member := _MEMBER.match(data, at):
        name, at = member[1].decode(), member.end()
        is_list = data[at : at + 1] == b"[" and data[at : at + 2] != b"[]"
        for start, end in _spans(data, at + is_list, most=None if is_list else 1):
            yield name, is_list, start, end
            at = end
        at += is_list
    if data[at:] != b"}":
        raise ValueError(f"not a result document, at byte {at}")


def _spans(data: bytes, at: int, most: int | None = None) -> Iterator[tuple[int, int]]:
    """Yield where each of the values begins and ends that stand at `at`, a comma between them; `most` of them."""
    width, window, begin, given = _WINDOW, "", at, 0
    while given != most:
        try:
            # Of bytes as characters only the structure is read here: it is ASCII.
            _, end = _decode(window, at - begin)
            is_whole = begin + end < min(begin + len(window), len(data))
        except ValueError:
            is_whole = False
        if not is_whole:
            if begin == at and begin + len(window) >= len(data):
                raise ValueError(f"not a value, at byte {at}")
            # Cut at the window's end: once more from here, in a wider one where it was the first.
            width = width * 4 if window and begin == at else _WINDOW
            begin, window = at, data[at : at + width].decode("latin-1")
            continue
        yield at, begin + end
        given, at = given + 1, begin + end + 1
        if data[at - 1 : at] != b",":
            return
