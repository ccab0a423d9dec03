"""Materiality: reference/worked-examples L."""

from __future__ import annotations

from decimal import Decimal

import pytest

from bom_graph import misstatement

TOTAL = Decimal("7580.908")


def test_net_and_absolute_stand_beside_each_other() -> None:
    found = misstatement(TOTAL, [Decimal(180), Decimal(-120)], [Decimal(150)])
    assert round(found.threshold, 2) == Decimal("379.05")
    assert (found.net, found.absolute) == (Decimal(210), Decimal(450))
    assert (f"{found.net_share:.2%}", f"{found.absolute_share:.2%}") == ("2.77%", "5.94%")
    assert (found.net_is_material, found.absolute_is_material) == (False, True)


def test_the_engagement_sets_the_share() -> None:
    found = misstatement(TOTAL, [Decimal(-100)], materiality=Decimal("0.01"))
    assert (found.net_is_material, found.absolute_is_material) == (True, True)


def test_without_findings_nothing_is_misstated() -> None:
    found = misstatement(TOTAL, [])
    assert (found.net, found.absolute) == (Decimal(0), Decimal(0))
    assert not found.net_is_material


def test_nothing_is_a_share_of_zero() -> None:
    with pytest.raises(ValueError, match="total of zero"):
        misstatement(Decimal(0), [Decimal(1)])
