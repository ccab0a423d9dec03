"""JSON as the files of this project are written: UTF-8, no member twice, and every text one plain line."""

from __future__ import annotations

import json
import re
from typing import Any, Final

#: C0, DEL and C1 controls; line and paragraph separator; the bidirectional controls of UAX #9; halves of a character.
UNPLAIN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def read_json(data: bytes) -> Any:
    """Return what a file's bytes hold; ValueError where readers could differ over what they say.

    Refused: a member that occurs twice (some take the first, some the last), numbers that are none, nesting beyond what can be read, and a
    text that breaks a line, controls a screen or turns the writing direction: titles and sources are printed between figures.
    """
    try:
        return json.loads(data.decode(), object_pairs_hook=_members, parse_constant=_no_number)
    except RecursionError:
        raise ValueError("nested too deep") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"the member {name!r} occurs twice")
        for text in (name, *(value if isinstance(value, list) else [value])):
            if isinstance(text, str) and (unplain := UNPLAIN.search(text)):
                what = "which breaks a line, controls a screen, turns the writing direction or is half of one"
                raise ValueError(f"{name!r} holds the character U+{ord(unplain[0]):04X}, {what}")
        found[name] = value
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no number")
