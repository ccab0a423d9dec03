"""Defects are told in our words, whatever pydantic calls them."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from bom_graph import first_defect, why_unreadable


class Sample(BaseModel):
    """A model with a member."""

    model_config = ConfigDict(extra="forbid")

    day: date


CASES: list[tuple[Any, Any, str]] = [
    (str, 1, "not text"),
    (Annotated[str, Field(pattern="^a$")], "b", "not of the form ^a$"),
    (Annotated[str, Field(max_length=2)], "abc", "longer than 2 characters"),
    (Annotated[list[int], Field(min_length=1)], [], "fewer than 1 elements"),
    (list[int], "x", "not a list"),
    (Annotated[int, Field(ge=0)], -1, "less than 0"),
    (Annotated[Decimal, Field(le=1)], Decimal(2), "greater than 1"),
    (Literal["a", "b"], "c", "none of 'a' or 'b'"),
    (Annotated[bool, Field(strict=True)], "true", "neither true nor false"),
    (Sample, {}, "it is missing"),
    (Sample, {"day": "2026-01-01", "{more}": 1}, "an unknown name"),
    (Sample, {"day": "2026-02-31"}, "no day of the calendar"),
    (Sample, 1, "not an object"),
    (bytes, 1, "it should be a valid bytes"),
]


@pytest.mark.parametrize(("shape", "value", "told"), CASES, ids=[told for _shape, _value, told in CASES])
def test_a_defect_is_told_in_our_words(shape: Any, value: Any, told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TypeAdapter(shape).validate_python(value)
    assert first_defect(caught.value)[1] == told


def test_why_a_file_is_unreadable_is_one_line_with_its_place() -> None:
    with pytest.raises(ValidationError) as caught:
        Sample.model_validate({"day": 1.5})
    assert why_unreadable(caught.value) == "day: no day of the calendar"
    assert why_unreadable(ValueError("one\ntwo")) == "one"
    assert why_unreadable(RecursionError()) == "RecursionError"
