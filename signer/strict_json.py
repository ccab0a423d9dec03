"""JSON that can be read in one way only (RFC 8259 and the warnings of RFC 8725, section 2.4).

Refused: duplicate members, NaN and infinities, numbers beyond a double, anything but UTF-8, lone surrogates, nesting
deeper than `MAX_DEPTH`. Sizes are limited by the callers, which know what they read.
"""

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NoReturn, TypeAlias

from signer.errors import BadClaimError, BadJsonError, DuplicateMemberError, TooDeepError

JSON: TypeAlias = "bool | int | float | str | Sequence[JSON] | Mapping[str, JSON] | None"

MAX_DEPTH = 32


class _DuplicateError(ValueError):
    """Raised inside the decoder, which knows no place to name."""


def _members(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise _DuplicateError
    return members


def _finite(number: str) -> float:
    value = float(number)
    if math.isinf(value):
        raise ValueError("number out of range")
    return value


def _not_a_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


_WHITE_SPACE = " \t\n\r"
_DECODER = json.JSONDecoder(object_pairs_hook=_members, parse_float=_finite, parse_constant=_not_a_number)
# What `raw_decode` calls, without what it adds.
_scan: Callable[[str, int], tuple[JSON, int]] = _DECODER.scan_once  # type: ignore[attr-defined]
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _make_speller() -> Callable[[JSON], str]:
    """What `_ENCODER.encode` does, with its machinery made once and not at each call; circles end in RecursionError."""
    make = getattr(json.encoder, "c_make_encoder", None)
    if make is None:
        return _ENCODER.encode
    spell = make(None, _ENCODER.default, json.encoder.encode_basestring, None, ":", ",", False, False, False)
    return lambda value: "".join(spell(value, 0))


_spell = _make_speller()


def parse(data: bytes, where: str) -> JSON:
    """The value that `data` spells; raises BadJsonError, DuplicateMemberError or TooDeepError."""
    return parse_text(decode_text(data, where), where)


def decode_text(data: bytes, where: str) -> str:
    """UTF-8 as text; raises BadJsonError."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise _bad("not UTF-8", where) from None


def parse_text(text: str, where: str) -> JSON:
    """The value that `text` spells, likewise."""
    value: JSON
    text = text.strip(_WHITE_SPACE)
    try:
        value, end = _scan(text, 0)
    except StopIteration as stop:
        raise _bad(f"not JSON at character {stop.value}", where) from None
    except _DuplicateError as error:
        raise DuplicateMemberError("a member is named twice", where=where, remedy="name each member once") from error
    except RecursionError as error:
        raise _too_deep(where) from error
    except json.JSONDecodeError as error:
        # Not chained: the decoder's error carries the whole text, which may be a secret disclosure.
        raise _bad(f"not JSON at character {error.pos}", where) from None
    except ValueError:
        raise _bad("a number is out of range", where) from None
    if end != len(text):
        raise _bad(f"not JSON at character {end}", where)
    if text.count("[") + text.count("{") > MAX_DEPTH:
        _check_depth(value, where)
    # Only an escape can spell half a surrogate pair.
    if "\\" in text:
        _check_surrogates(value, where)
    return value


def parse_object(data: bytes, where: str) -> dict[str, JSON]:
    """Like `parse`, for data that must be a JSON object."""
    value = parse(data, where)
    if not isinstance(value, dict):
        raise BadJsonError("not a JSON object", where=where, remedy="write an object")
    return value


def serialise(value: JSON, where: str) -> bytes:
    """Compact UTF-8 JSON; raises BadClaimError for what JSON cannot say."""
    try:
        return _spell(value).encode("utf-8")
    except (TypeError, ValueError, RecursionError):
        # Not chained: the encoder's error may carry the value.
        raise BadClaimError("not a JSON value", where=where, remedy="use text, numbers, lists and objects") from None


def serialise_each(values: Sequence[JSON], places: Iterable[str]) -> list[bytes]:
    """Compact UTF-8 JSON of each value, which `parse` takes; `places` say where each value is.

    Raises BadClaimError or TooDeepError. Names of members must be text, else JSON could spell two of them alike.
    """
    spelt = []
    for value, where in zip(values, places, strict=False):
        data = serialise(value, where)
        if data.count(b"[") + data.count(b"{") > MAX_DEPTH:
            _check_depth(value, where)
        spelt.append(data)
    return spelt


def quote_names(names: Iterable[str]) -> str:
    """Up to three member names for an error message, cut and in ASCII, since they come from outside."""
    return ", ".join(ascii(name[:40]) for name in sorted(names)[:3])


def _check_depth(value: JSON, where: str) -> None:
    level: list[JSON] = [value]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _inside(outer) if isinstance(inner, dict | list)]
        if not level:
            return
    raise _too_deep(where)


def _inside(value: JSON) -> Iterable[JSON]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _check_surrogates(value: JSON, where: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        remedy = "escape characters in whole pairs"
        raise BadJsonError("a surrogate stands alone", where=where, remedy=remedy) from None


def _bad(what: str, where: str) -> BadJsonError:
    return BadJsonError(what, where=where, remedy="write strict JSON in UTF-8")


def _too_deep(where: str) -> TooDeepError:
    return TooDeepError(f"nested deeper than {MAX_DEPTH} levels", where=where, remedy="flatten the value")
