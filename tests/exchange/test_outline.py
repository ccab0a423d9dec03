"""A result document's outline is read from its bytes through a window, whatever the window cuts."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.calculation import outline
from exchange.calculation.outline import Input, read_inputs, skimmed
from exchange.report import document_bytes

_LEAF = st.none() | st.booleans() | st.integers(0, 999) | st.text(max_size=40)
_VALUE = st.recursive(
    _LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
_DOCUMENT = st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), _VALUE, min_size=1, max_size=5)


@given(_DOCUMENT, st.integers(1, 64))
def test_any_document_reads_as_json_does(found: dict[str, object], width: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outline, "_WINDOW", width)
        assert skimmed(document_bytes(found), ()) == found
        for name in found:
            assert skimmed(document_bytes(found), {name}) == {key: found[key] for key in found if key != name}


@given(_DOCUMENT, st.data())
def test_what_is_cut_is_refused(found: dict[str, object], data: st.DataObject) -> None:
    whole = document_bytes(found)
    cut = whole[: data.draw(st.integers(0, len(whole) - 1))]
    with pytest.raises(ValueError, match="not a"):
        skimmed(cut, ())
    with pytest.raises(ValueError, match="not a result document"):
        skimmed(whole + b"x", ())


def test_inputs_of_several_results_are_joined() -> None:
    listed = [
        {"index": 7, "leaf_hash": "ab", "disclosures": ["b", "c"]},
        {"index": 9, "leaf_hash": "cd", "disclosures": []},
    ]
    data = json.dumps({"engine": "x", "inputs": listed, "total": "1"}, separators=(",", ":")).encode()
    (seven, first), (nine, _) = read_inputs(data)
    assert (seven, nine, first) == (7, 9, Input("ab", ("b", "c")))
    assert first.joined(None) is first
    assert first.joined(Input("ab", ("a", "b"))) == Input("ab", ("a", "b", "c"))
