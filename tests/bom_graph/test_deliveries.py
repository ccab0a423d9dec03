"""Deliveries against consumption: limits, stock, units and hydrates, and what a hidden entry could explain."""

from __future__ import annotations

from typing import Any

import pytest

from bom_graph import ActivityData, Delivery, Finding, Input, Lines, Period, deliveries_against_consumption
from bom_graph.rules import Limits

REPORTING = Limits(soft=0.02, hard=0.1, hard_effect="report")
REFUSING = Limits(soft=0.02, hard=0.1, hard_effect="refuse")
SALT, BUYER = "https://maker.example/salt", "https://buyer.example"
JANUARY: dict[str, Any] = {"start": "2026-01-01", "end": "2026-01-31"}
HYDRATE, ANHYDROUS = {"formula": "NiSO4.6H2O"}, {"formula": "NiSO4"}
#: kg of NiSO4.6H2O per kg of NiSO4: molar masses by IUPAC 2021.
WATERED = 262.843 / 154.753


def sold(amount: str, unit: str = "kg", **more: Any) -> Delivery:
    quantity = {"amount": amount, "unit": unit, "obtained": "measured"}
    claims = {"sub": SALT, "batch": "b", "quantity": quantity, "buyer": BUYER, "date": "2026-01-17", **more}
    return Delivery.draft(claims)


def used(amount: str, unit: str = "kg", **more: Any) -> Input:
    line = {"amount": amount, "unit": unit, "obtained": "measured"}
    claims = {
        "sub": f"{BUYER}/x",
        "process_class": "material_production",
        "period": JANUARY,
        "outputs": [{**line, "product": f"{BUYER}/x", "amount": "1"}],
        "inputs": [{**line, "name": "salt", "product": SALT, **more}],
    }
    inputs = ActivityData.draft(claims).inputs
    assert isinstance(inputs, Lines)
    found: Input = inputs.items[0]
    return found


def compared(
    deliveries: list[Delivery], consumed: list[Input], gate: Limits = REPORTING, **more: int | None
) -> list[Finding]:
    hidden = {"more_delivered": None, "more_consumed": None, **more}
    period = Period.model_validate(JANUARY)
    numbered = list(enumerate(deliveries, 4))
    return list(deliveries_against_consumption(numbered, consumed, period, gate, where="here", **hidden))


@pytest.mark.parametrize(
    ("kg", "level", "said"),
    [
        ("100", None, ""),
        ("101.9", None, ""),
        ("98.1", None, ""),
        ("102.1", "soft", "+2.1 %"),
        ("97.9", "soft", "-2.1 %"),
        ("110.1", "hard", "+10.1 %"),
        ("80", "hard", "-20.0 %"),
    ],
)
def test_the_limits_are_two_and_ten_per_cent_of_what_was_delivered(kg: str, level: str | None, said: str) -> None:
    findings = compared([sold("60"), sold("40000", "g")], [used(kg)])
    assert [(one.gate, one.level, one.where, one.refuses) for one in findings] == (
        [] if level is None else [("deliveries", level, "here", False)]
    )
    assert all(said in one.what and one.remedy for one in findings)


def test_a_finding_says_both_sides_and_the_days() -> None:
    (finding,) = compared([sold("60"), sold("40")], [used("70", opening="10", closing="5"), used("50")])
    assert finding.what == (
        f"125 kg of {SALT} are consumed from 2026-01-01 to 2026-01-31; 100 kg were delivered (2 deliveries, entries 4 to 5) "
        "and 5 kg taken from stock (+19.0 %; soft limit 2%, hard 10%)"
    )


@pytest.mark.parametrize(("opening", "closing"), [("30", "10"), ("10", "30")])
def test_a_change_of_stock_is_part_of_consumption(opening: str, closing: str) -> None:
    """120 or 80 kg are consumed of the 100 that came: a finding only where nobody says what the stock did."""
    consumed = str(100 + int(opening) - int(closing))
    assert compared([sold("100")], [used("100", opening=opening, closing=closing)]) == []
    (bare,) = compared([sold("100")], [used(consumed)])
    assert bare.level == "hard"


def test_a_rule_set_may_refuse_a_hard_difference_and_no_soft_one() -> None:
    (hard,), (soft,) = (compared([sold("100")], [used(kg)], REFUSING) for kg in ("120", "105"))
    assert (hard.level, hard.refuses) == ("hard", True)
    assert (soft.level, soft.refuses) == ("soft", False)


def test_masses_are_compared_as_one_hydrate() -> None:
    hydrated = f"{100 * WATERED:.3f}"
    assert compared([sold(hydrated, composition=HYDRATE)], [used("100", composition=ANHYDROUS)]) == []
    assert compared([sold("100", composition=ANHYDROUS)], [used(hydrated, composition=HYDRATE)]) == []
    (finding,) = compared([sold("100", composition=HYDRATE)], [used("100", composition=ANHYDROUS)])
    assert (finding.level, "+69.8 %" in finding.what) == ("hard", True)


def test_masses_of_which_one_side_states_no_composition_are_compared_as_stated() -> None:
    assert compared([sold("100", composition=HYDRATE)], [used("100")]) == []
    assert compared([sold("100")], [used("100", composition=HYDRATE)]) == []


@pytest.mark.parametrize(
    ("delivery", "line", "what"),
    [
        (sold("100", "piece"), used("100"), "kg is mass, piece is pieces"),
        (sold("100", composition=HYDRATE), used("100", composition={"formula": "CoSO4"}), "another substance"),
    ],
    ids=["another dimension", "another substance"],
)
def test_what_can_t_be_compared_is_said(delivery: Delivery, line: Input, what: str) -> None:
    (finding,) = compared([delivery], [line], REFUSING)
    assert (finding.gate, finding.level, finding.where, finding.refuses) == ("deliveries", "soft", "here", False)
    assert what in finding.what
    assert finding.remedy


@pytest.mark.parametrize(
    ("kg", "hidden", "level"),
    [
        ("200", {"more_delivered": 9}, "note"),
        ("200", {"more_consumed": 9}, "hard"),
        ("50", {"more_consumed": 9}, "note"),
        ("50", {"more_delivered": 9}, "hard"),
    ],
)
def test_a_hidden_entry_explains_a_difference_one_way_only(kg: str, hidden: dict[str, int], level: str) -> None:
    (finding,) = compared([sold("100")], [used(kg)], REFUSING, **hidden)
    assert (finding.level, finding.refuses) == (level, level == "hard")
    assert ("entry 9" in finding.what) == (level == "note")


def test_what_was_taken_back_leaves_nothing_to_consume() -> None:
    (finding,) = compared([sold("0")], [used("1")])
    assert finding.level == "hard"
    assert compared([sold("0")], [used("0")]) == []


def test_without_deliveries_nothing_is_compared() -> None:
    assert compared([], [used("1")]) == []
    assert compared([sold("1")], []) == []
