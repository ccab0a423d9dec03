"""What stands for a result and is none: ``footprint explain`` and ``footprint compare`` name the member and never break."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exchange.errors import UsageError
from exchange.explaining import explanation_of, figures_of, read_result, trace
from exchange.report import document, document_bytes
from tests.connectors.supply_chain import SupplyChain
from tests.exchange.test_cli_footprint import packtrace

Document = dict[str, Any]
FORMAT = "urn:packtrace:result:1"


@pytest.fixture(scope="module")
def whole() -> Document:
    chain = SupplyChain()
    return json.loads(document_bytes(document(chain.result(chain.pack("LFP", "China", "published_factor")))))  # type: ignore[no-any-return]


def _places(value: Any, steps: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every member, of lists the first element."""
    if isinstance(value, dict | list):
        for name in value if isinstance(value, dict) else range(min(1, len(value))):
            yield (*steps, name)
            yield from _places(value[name], (*steps, name))


def _explained(data: bytes) -> None:
    read = read_result(data)
    for figure in figures_of(read):
        trace(read, figure)
    explanation_of(read).tree()


def test_whatever_a_document_lacks_it_is_explained_or_refused(whole: Document) -> None:
    refused = []
    for steps in _places(whole):
        for odd in (None, KeyError, 7, "odd", [], {}, [7], {"a": 7}, "nan", "0"):
            found = copy.deepcopy(whole)
            holder: Any = found
            for step in steps[:-1]:
                holder = holder[step]
            if odd is KeyError:
                del holder[steps[-1]]
            else:
                holder[steps[-1]] = odd
            try:
                _explained(json.dumps(found).encode())
            except UsageError as error:
                refused.append(error)
    assert len(refused) > 100
    assert all(error.where and error.remedy for error in refused)


@pytest.mark.parametrize(
    "members",
    [
        {"contributions": []},
        {"contributions": [], "model": None, "demand": {}},
        {"contributions": [{}], "model": "x"},
        {"contributions": 5, "model": "x", "rule_set": "q", "total": None},
    ],
)
def test_a_command_says_in_a_line_what_is_missing(tmp_path: Path, members: Document) -> None:
    path = tmp_path / "found.json"
    path.write_text(json.dumps({"format": FORMAT, **members}))
    for words in (["explain", path], ["explain", path, "--figure", "headline"], ["compare", path, path]):
        done = packtrace("footprint", *words)
        assert (done.returncode, done.stdout) == (2, "")
        assert len(done.stderr.splitlines()) == 1
        assert "this is no whole result document" in done.stderr
        assert "docs/formats/result.md" in done.stderr


def test_a_whole_document_passes(whole: Document) -> None:
    assert read_result(json.dumps(whole).encode()) == whole


def test_a_member_that_stands_twice_is_refused(whole: Document) -> None:
    data = json.dumps(whole).replace('"complete":', '"complete": true, "complete":', 1).encode()
    with pytest.raises(UsageError, match="occurs twice"):
        read_result(data)
