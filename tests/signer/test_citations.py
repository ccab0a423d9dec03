"""Citations: which are refused, and the tree of what a statement rests on."""

from __future__ import annotations

import contextlib
import dataclasses
import sys
from collections.abc import Collection, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import leaf_hash
from signer import (
    JSON,
    CitableLog,
    Citation,
    CitationError,
    CitationTree,
    MalformedCitationError,
    Profile,
    Statement,
    check_citation,
    check_cited,
    citation_hash,
    citations_of,
    read_citation,
    trace_citations,
)
from tests.signer.world import END, MAKER, ORIGIN, START, World

LISTS = frozenset({"inputs"})
OLD = CitableLog("ledger.example/2025", size=3)
LOG = CitableLog(ORIGIN, predecessor=OLD)
SMELTER = "https://smelter.example"
MINE = "https://mine.example"
PROFILE = Profile("urn:packtrace:activity-data:1", frozenset(), selective=True, lists=LISTS)


@dataclasses.dataclass(frozen=True)
class Found:
    """An entry as a resolver finds it."""

    index: int
    statement: Statement


class Shelf:
    """Entries at hand, by citation. Made from one verified statement, with other tokens, issuers and claims put in."""

    def __init__(self, like: Statement) -> None:
        self.like = like
        self.entries: dict[Citation, Found] = {}

    def put(self, index: int, *cited: Citation, origin: str = ORIGIN, **more: Any) -> Citation:
        lines: list[JSON] = [
            {"id": f"line-{n}", "citation": dataclasses.asdict(citation)} for n, citation in enumerate(cited)
        ]
        statement = dataclasses.replace(
            self.like,
            **{
                "token": f"a.{origin.replace('/', '-')}-{index}.c".replace(".example", ""),
                "audience": origin,
                "claims": {"inputs": lines},
                "contents": {"claims": ["inputs"], "lists": {"inputs": len(lines)}},
                **more,
            },
        )
        citation = Citation(origin, index, citation_hash(statement.token))
        self.entries[citation] = Found(index, statement)
        return citation

    def trace(self, start: Citation, log: CitableLog = LOG) -> CitationTree:
        return trace_citations(start, self.entries.get, lists=lists, log=log)


def lists(vct: str) -> Collection[str]:
    return LISTS if vct == PROFILE.vct else ()


def picture(tree: CitationTree) -> list[str]:
    return [
        f"{'  ' * depth}{path or 'start'} {node.citation.index} {node.state}{' again' if repeated else ''}"
        for depth, path, node, repeated in tree.branches()
    ]


@pytest.fixture(scope="session")
def signed(world: World) -> Statement:
    issued = world.issue(world.certified(), {"inputs": []}, PROFILE)
    return world.verify(issued.token, issued.disclosures, PROFILE)


@pytest.fixture
def shelf(signed: Statement) -> Shelf:
    return Shelf(signed)


# --- One citation -------------------------------------------------------------------------------------------------


def test_the_hash_is_the_ledgers_leaf_hash(signed: Statement) -> None:
    assert citation_hash(signed.token) == leaf_hash(signed.token.encode("ascii")).hex()


@pytest.mark.parametrize(
    "value",
    [
        None,
        "ledger.example/2026 entry 4",
        [ORIGIN, 4, "ab" * 32],
        {},
        {"origin": ORIGIN, "index": 4},
        {"origin": "", "index": 4, "leaf_hash": "ab" * 32},
        {"origin": "x" * 501, "index": 4, "leaf_hash": "ab" * 32},
        {"origin": 7, "index": 4, "leaf_hash": "ab" * 32},
        {"origin": ORIGIN, "index": -1, "leaf_hash": "ab" * 32},
        {"origin": ORIGIN, "index": 2**63, "leaf_hash": "ab" * 32},
        {"origin": ORIGIN, "index": 4.0, "leaf_hash": "ab" * 32},
        {"origin": ORIGIN, "index": True, "leaf_hash": "ab" * 32},
        {"origin": ORIGIN, "index": "4", "leaf_hash": "ab" * 32},
        {"origin": ORIGIN, "index": 4, "leaf_hash": "AB" * 32},
        {"origin": ORIGIN, "index": 4, "leaf_hash": "ab" * 31},
        {"origin": ORIGIN, "index": 4, "leaf_hash": "ab" * 32 + "\n"},
    ],
    ids=[
        "null",
        "text",
        "list",
        "empty",
        "no leaf hash",
        "empty origin",
        "endless origin",
        "origin as number",
        "negative index",
        "index beyond any log",
        "index with a point",
        "index as truth value",
        "index as text",
        "upper case",
        "a short hash",
        "a hash with a line feed",
    ],
)
def test_a_malformed_citation_is_refused(value: JSON) -> None:
    with pytest.raises(CitationError) as caught:
        read_citation(value, "inputs/a/citation")
    assert (caught.value.code, caught.value.where) == ("malformed_citation", "inputs/a/citation")


ANYTHING: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(ANYTHING | st.fixed_dictionaries({"origin": ANYTHING, "index": ANYTHING, "leaf_hash": ANYTHING}))
def test_reading_a_citation_ends_in_our_errors_only(value: Any) -> None:
    for claims in ({"inputs": value}, {"inputs": [value]}, {"inputs": [{"id": "a", "citation": value}]}):
        with contextlib.suppress(MalformedCitationError):
            assert all(isinstance(citation, Citation) for _, citation in citations_of(claims, LISTS))


def test_citations_are_found_in_the_lists_of_the_kind_only() -> None:
    cited: dict[str, JSON] = {"origin": ORIGIN, "index": 4, "leaf_hash": "ab" * 32, "remark": "kept"}
    claims: Mapping[str, JSON] = {
        "citations": [{"id": "c", **cited}],
        "inputs": [{"id": "a", "citation": cited}, {"id": "b"}, {"id": "n", "citation": None}],
        "note": {"citation": "see page 5"},
        "remarks": [{"id": "r", "citation": "see page 6"}],
    }
    citation = Citation(ORIGIN, 4, "ab" * 32)
    assert list(citations_of(claims, {"inputs", "citations"})) == [
        ("citations/c", citation),
        ("inputs/a/citation", citation),
    ]


@pytest.mark.parametrize(
    ("origin", "index", "code"),
    [
        (ORIGIN, 7, "citation_not_earlier"),
        (ORIGIN, 8, "citation_not_earlier"),
        ("other.example/log", 0, "citation_to_unknown_log"),
        (OLD.origin, 3, "citation_out_of_bounds"),
        (OLD.origin, 900, "citation_out_of_bounds"),
    ],
    ids=["itself", "a later entry", "another log", "just behind the predecessor's end", "far behind it"],
)
def test_a_citation_that_points_nowhere_is_refused(origin: str, index: int, code: str) -> None:
    with pytest.raises(CitationError) as caught:
        check_citation(Citation(origin, index, "ab" * 32), log=LOG, index=7, where="inputs/a/citation")
    assert (caught.value.code, caught.value.where) == (code, "inputs/a/citation")


def test_a_predecessor_that_is_not_named_is_another_log() -> None:
    with pytest.raises(CitationError) as caught:
        check_citation(Citation(OLD.origin, 0, "ab" * 32), log=CitableLog(ORIGIN), index=7, where="x")
    assert caught.value.code == "citation_to_unknown_log"


def test_the_log_that_a_citation_points_into() -> None:
    assert check_citation(Citation(ORIGIN, 6, "ab" * 32), log=LOG, index=7, where="x") is LOG
    assert check_citation(Citation(OLD.origin, 2, "ab" * 32), log=LOG, index=0, where="x") is OLD


@pytest.mark.parametrize(("index", "digest"), [(5, "ab" * 32), (4, "cd" * 32)], ids=["index", "leaf hash"])
def test_another_entry_than_the_cited_one_is_refused(index: int, digest: str) -> None:
    with pytest.raises(CitationError) as caught:
        check_cited(Citation(ORIGIN, 4, "ab" * 32), index=index, leaf_hash=digest, where="inputs/a/citation")
    assert caught.value.code == "citation_mismatch"


# --- The tree -----------------------------------------------------------------------------------------------------


def test_the_chain_down_to_the_mine(world: World) -> None:
    """Statement, its signer, the cited entries, their signers: all signed, verified, and resolved."""
    entries: list[Found] = []

    def state(organisation: str, *cited: Citation) -> Citation:
        key = world.certified(organisation=organisation, start=START, end=END)
        lines: list[JSON] = [{"citation": dataclasses.asdict(one)} for one in cited]
        issued = world.issue(key, {"inputs": lines}, PROFILE, issuer=organisation)
        statement = world.verify(issued.token, issued.disclosures, PROFILE)
        entries.append(Found(len(entries), statement))
        return Citation(ORIGIN, len(entries) - 1, citation_hash(statement.token))

    start = state(MAKER, state(SMELTER, state(MINE)))
    tree = trace_citations(start, lambda citation: entries[citation.index], lists=lists, log=LOG)
    seen = [(branch.depth, branch.node.issuer, branch.node.thumbprint) for branch in tree.branches()]
    signers = [found.statement.certificate.thumbprint for found in reversed(entries)]
    assert seen == list(zip(range(3), (MAKER, SMELTER, MINE), signers, strict=True))
    assert {node.state for node in tree.nodes.values()} == {"verified"}


def test_a_shared_entry_is_shown_once_and_referenced(shelf: Shelf) -> None:
    mine = shelf.put(0)
    nickel, cobalt = shelf.put(1, mine), shelf.put(2, mine)
    assert picture(shelf.trace(shelf.put(3, nickel, cobalt))) == [
        "start 3 verified",
        "  inputs/line-0/citation 1 verified",
        "    inputs/line-0/citation 0 verified",
        "  inputs/line-1/citation 2 verified",
        "    inputs/line-0/citation 0 verified again",
    ]


def test_what_hangs_below_a_shared_entry_is_shown_once(shelf: Shelf) -> None:
    smelter = shelf.put(1, shelf.put(0))
    shown = picture(shelf.trace(shelf.put(2, smelter, smelter)))
    assert shown[-1] == "  inputs/line-1/citation 1 verified again"
    assert sum(" 0 " in line for line in shown) == 1


def test_what_is_not_at_hand_is_said(shelf: Shelf) -> None:
    tree = shelf.trace(shelf.put(5, Citation(ORIGIN, 4, "ab" * 32)))
    assert picture(tree) == ["start 5 verified", "  inputs/line-0/citation 4 not at hand"]
    assert shelf.trace(Citation(ORIGIN, 9, "cd" * 32)).nodes[Citation(ORIGIN, 9, "cd" * 32)].state == "not at hand"


@pytest.mark.parametrize(
    "given_parts",
    [
        {"contents": None},
        {"contents": None, "claims": {}},
        {"claims": {}},
        {"claims": {"inputs": []}},
    ],
    ids=["no contents", "nothing disclosed", "a list hidden", "a line hidden"],
)
def test_hidden_citations_make_an_entry_sealed(shelf: Shelf, given_parts: dict[str, Any]) -> None:
    contents = {"claims": ["inputs"], "lists": {"inputs": 1}}
    entry = shelf.put(1, shelf.put(0), **{"contents": contents, **given_parts})
    node = shelf.trace(entry).nodes[entry]
    assert node.state == "sealed"
    assert node.issuer == MAKER


def test_a_list_that_the_contents_do_not_name_is_absent(shelf: Shelf) -> None:
    entry = shelf.put(0, claims={}, contents={"claims": ["sub"], "lists": {}})
    assert shelf.trace(entry).nodes[entry].state == "verified"


def test_a_kind_without_lists_cites_nothing(shelf: Shelf) -> None:
    entry = shelf.put(0, vct="urn:packtrace:role-grant:1", contents=None, claims={})
    assert shelf.trace(entry).nodes[entry].state == "verified"


def test_ten_thousand_deep(shelf: Shelf) -> None:
    """In constant stack depth: the limit is far below the depth of the chain."""
    depth = 10_000
    assert sys.getrecursionlimit() < depth
    top = shelf.put(0)
    for index in range(1, depth):
        top = shelf.put(index, top)
    tree = shelf.trace(top)
    assert len(tree.nodes) == depth
    assert [branch.depth for branch in tree.branches()] == list(range(depth))


def test_a_diamond_of_many_layers_is_walked_once(shelf: Shelf) -> None:
    """Each layer cites the one below twice: 2**60 paths, 61 entries."""
    top = shelf.put(0)
    for index in range(1, 61):
        top = shelf.put(index, top, top)
    assert len(shelf.trace(top).nodes) == 61
    assert len(list(shelf.trace(top).branches())) == 121


def test_a_chain_goes_on_in_the_predecessor(shelf: Shelf) -> None:
    mine = shelf.put(0, origin=OLD.origin)
    smelter = shelf.put(2, mine, origin=OLD.origin)
    tree = shelf.trace(shelf.put(1, smelter))
    assert [node.state for node in tree.nodes.values()] == ["verified"] * 3


@pytest.mark.parametrize(
    ("cited", "code"),
    [
        (Citation(ORIGIN, 0, "ab" * 32), "citation_to_unknown_log"),
        (Citation(OLD.origin, 2, "ab" * 32), "citation_not_earlier"),
    ],
    ids=["back into the successor", "itself"],
)
def test_an_entry_of_the_predecessor_does_not_cite_forward(shelf: Shelf, cited: Citation, code: str) -> None:
    smelter = shelf.put(2, cited, origin=OLD.origin)
    assert refusal(shelf, shelf.put(1, smelter)) == (code, f"entry 2 of {OLD.origin}: inputs/line-0/citation")


def refusal(shelf: Shelf, start: Citation) -> tuple[str, str]:
    with pytest.raises(CitationError) as caught:
        shelf.trace(start)
    return caught.value.code, caught.value.where


def test_a_cycle_is_refused_where_it_turns_back(shelf: Shelf) -> None:
    later = Citation(ORIGIN, 2, "ab" * 32)
    assert refusal(shelf, shelf.put(2, shelf.put(1, later))) == (
        "citation_not_earlier",
        f"entry 1 of {ORIGIN}: inputs/line-0/citation",
    )


PLACE = f"entry 5 of {ORIGIN}: inputs/line-0/citation"


def test_a_token_with_another_leaf_hash_is_refused(shelf: Shelf) -> None:
    cited = shelf.put(4)
    shelf.entries[cited] = Found(4, dataclasses.replace(shelf.like, token="a.other.c"))
    assert refusal(shelf, shelf.put(5, cited)) == ("citation_mismatch", PLACE)


def test_a_statement_at_another_index_is_refused(shelf: Shelf) -> None:
    cited = shelf.put(4)
    shelf.entries[cited] = Found(3, shelf.entries[cited].statement)
    assert refusal(shelf, shelf.put(5, cited)) == ("citation_mismatch", PLACE)


def test_a_statement_made_for_another_ledger_is_refused(shelf: Shelf) -> None:
    cited = shelf.put(4)
    found = shelf.entries[cited]
    shelf.entries[cited] = Found(4, dataclasses.replace(found.statement, audience=OLD.origin))
    assert refusal(shelf, shelf.put(5, cited)) == ("citation_mismatch", PLACE)


@pytest.mark.parametrize(
    "other", [Citation(ORIGIN, 4, "cd" * 32), Citation(ORIGIN, 3, "ab" * 32)], ids=["one index", "one leaf hash"]
)
def test_two_citations_that_contradict_each_other_are_refused(shelf: Shelf, other: Citation) -> None:
    """Also where neither entry is at hand."""
    code, where = refusal(shelf, shelf.put(5, Citation(ORIGIN, 4, "ab" * 32), other))
    assert code == "citation_mismatch"
    assert where.startswith(f"entry 5 of {ORIGIN}: inputs/line-")


def test_a_malformed_citation_in_a_chain_is_placed(shelf: Shelf) -> None:
    cited = shelf.put(4, claims={"inputs": [{"id": "x", "citation": {"origin": ORIGIN}}]})
    assert refusal(shelf, shelf.put(5, cited)) == ("malformed_citation", f"entry 4 of {ORIGIN}: inputs/x/citation")
