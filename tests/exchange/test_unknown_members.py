"""Members that a kind doesn't know are kept, and never left out without a word."""

from __future__ import annotations

import pytest

from bom_graph import ActivityData, OffsetError, unknown_members
from tests.exchange.three import SALT, World, copper, line


def test_a_misspelled_list_is_a_soft_finding_in_the_result() -> None:
    world = World()
    world.activity(SALT, copper("1"), fuel=[line("1000", "MJ", flow="natural-gas-fuel")])
    (finding,) = world.compute(SALT).findings
    assert (finding.gate, finding.level, finding.refuses) == ("unknown_member", "soft", False)
    assert finding.what == "no name of its kind, and not counted: fuel (is fuels meant?)"
    assert finding.where.startswith("https://refiner.example (entry ")


def test_a_member_of_somebody_s_own_is_a_note_with_its_line() -> None:
    world = World()
    world.activity(SALT, copper("1", id="cu", collection_rate="0.5", purchase_order="4711"))
    (finding,) = world.compute(SALT).findings
    assert (finding.gate, finding.level) == ("unknown_member", "note")
    assert finding.what.endswith("inputs/cu/collection_rate, inputs/cu/purchase_order")


def test_many_and_long_names_are_shortened() -> None:
    record = ActivityData.draft(
        {"sub": "https://a.example/b", "period": {"start": "2026-01-01", "end": "2026-01-31"},
         "process_class": "material_production", "site": {"name": "s", "country": "CN"},
         "outputs": [{"product": "https://a.example/b", **line("1", "kg")}],
         **{f"x{number}{'q' * 200}": 1 for number in range(12)}}
    )  # fmt: skip
    (finding,) = unknown_members(record, where="here")
    assert finding.what.endswith(" and 2 more")
    assert len(finding.what) < 1200


@pytest.mark.parametrize("name", ["Offsets", "CARBON_CREDITS", "Compensation"])
def test_an_offset_in_capitals_is_an_offset(name: str) -> None:
    with pytest.raises(OffsetError):
        ActivityData.draft({name: []})
