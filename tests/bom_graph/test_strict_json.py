"""Files that say one thing to every reader: no member twice, no text that prints as lines of its own."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from bom_graph import (
    FactorError,
    FactorRelease,
    RuleSet,
    RuleSetError,
    SystemFile,
    SystemFileError,
    read_json,
    release_bytes,
    rule_set_bytes,
)
from tests.bom_graph.test_system_file import system

READERS: dict[str, tuple[Callable[[bytes], object], type[Exception], bytes]] = {
    "rule set": (RuleSet.read, RuleSetError, rule_set_bytes("cn-miit-551-trial")),
    "release": (FactorRelease.read, FactorError, release_bytes("everbatt-2023")),
    "system": (SystemFile.read, SystemFileError, json.dumps(system()).encode()),
}
FORGED = "t: 1 kWh of cell\n  3.1 kg CO2e\n"


@pytest.mark.parametrize("name", READERS)
def test_a_member_that_stands_twice_is_refused_by_name(name: str) -> None:
    read, error, data = READERS[name]
    read(data)
    with pytest.raises(error, match="the member 'title' occurs twice"):
        read(data.rstrip().removesuffix(b"}") + b', "title": "another"}')


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("text", [FORGED, "a\u2028b", "a\u202eb", "\x1b[2J", "\ud800"])
def test_a_title_that_prints_lines_of_its_own_is_refused(name: str, text: str) -> None:
    read, error, data = READERS[name]
    with pytest.raises(error, match="'title' holds the character U"):
        read(json.dumps({**json.loads(data), "title": text}).encode())


@pytest.mark.parametrize("data", [b'{"a": NaN}', b'{"a": ["b", "c\\nd"]}', b'{"a\\n": 1}', b"[" * 100_000, b"\xff"])
def test_what_readers_differ_over_is_no_file(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(data)
