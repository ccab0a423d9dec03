"""What a validation error says, in our words: the one place that knows pydantic's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from bom_graph.errors import BomGraphError

#: Type of pydantic's error -> what we say. Braces take members of the error's context.
_WORDS = {
    "missing": "it is missing",
    "extra_forbidden": "an unknown name",
    "string_type": "not text",
    "string_unicode": "not text that can be written in UTF-8",
    "string_pattern_mismatch": "not of the form {pattern}",
    "string_too_short": "shorter than {min_length} characters",
    "string_too_long": "longer than {max_length} characters",
    "too_short": "fewer than {min_length} elements",
    "too_long": "more than {max_length} elements",
    "list_type": "not a list",
    "tuple_type": "not a list",
    "dict_type": "not an object",
    "model_type": "not an object",
    "model_attributes_type": "not an object",
    "int_type": "not a whole number",
    "int_parsing": "not a whole number",
    "int_parsing_size": "a number of too many digits",
    "int_from_float": "not a whole number",
    "float_type": "not a number",
    "float_parsing": "not a number",
    "finite_number": "not a finite number",
    "bool_type": "neither true nor false",
    "bool_parsing": "neither true nor false",
    "greater_than": "not greater than {gt}",
    "greater_than_equal": "less than {ge}",
    "less_than": "not less than {lt}",
    "less_than_equal": "greater than {le}",
    "literal_error": "none of {expected}",
    "json_invalid": "not JSON: {error}",
    "date_from_datetime_parsing": "no day of the calendar",
    "date_type": "no day of the calendar",
    "date_from_datetime_inexact": "no day of the calendar",
    "date_parsing": "no day of the calendar",
    "value_error": "{error}",
}


def in_words(error: Mapping[str, Any]) -> str:
    """Return what one of `ValidationError.errors()` says, without its place."""
    words = _WORDS.get(error["type"])
    if words is None:
        return str(error["msg"]).replace("Input should", "it should")
    return words.format_map(error.get("ctx", {}))


def first_defect(error: ValidationError) -> tuple[tuple[str, ...], str]:
    """Return the place of the first defect, step by step, and what is wrong there."""
    first = error.errors(include_url=False, include_input=False)[0]
    return tuple(map(str, first["loc"])), in_words(first)


def why_unreadable(error: Exception) -> str:
    """Return in a line why a file can't be read: a defect with its place, or what the error itself says."""
    if isinstance(error, ValidationError):
        steps, what = first_defect(error)
        # A name in the file may hold a line break, which would begin a line of its own.
        place = "".join(one if one.isprintable() else ascii(one)[1:-1] for one in "/".join(steps))
        return f"{place}: {what}" if steps else what
    if isinstance(error, BomGraphError):
        return f"{error.where}: {error.what}"
    return (str(error).splitlines() or [type(error).__name__])[0]
