"""A formula stands on a flow or product that is that substance; else the element balance would be of paper."""

from __future__ import annotations

import pytest

from bom_graph import RuleSet
from exchange.assembly import RefusedError
from tests.exchange.three import CELL, CHINA, EVERBATT, REFINER, SALT, Claims, World, copper, line, of

CATALYST = f"{REFINER}/catalyst"


@pytest.fixture
def world() -> World:
    return World()


def as_flow(flow: str, formula: str = "NiSO4", amount: str = "2.072") -> Claims:
    return line(amount, name="nickel sulfate", flow=flow, composition={"formula": formula})


@pytest.mark.parametrize("rule_set", [CHINA, EVERBATT])
@pytest.mark.parametrize("flow", ["ethylene-carbonate", "iron", "battery-coolant", "cathode-lmo"])
def test_a_formula_on_a_flow_of_another_substance_is_refused(world: World, flow: str, rule_set: RuleSet) -> None:
    world.activity(CATALYST, as_flow(flow), formula="NiO")
    with pytest.raises(RefusedError) as refused:
        world.compute(CATALYST, rule_set)
    (finding,) = refused.value.findings
    assert finding.gate == "composition"
    assert "inputs/" in finding.where
    assert f"stated as NiSO4, and {flow} holds" in finding.what


def test_a_salt_of_one_element_is_no_cathode_that_holds_it_too(world: World) -> None:
    world.activity(CATALYST, as_flow("cathode-lmo", "Li2CO3"))
    with pytest.raises(RefusedError, match="holds Li, Mn: another substance"):
        world.compute(CATALYST)


@pytest.mark.parametrize(
    ("flow", "formula"),
    [
        ("cathode-nmc622", "LiNi0.6Mn0.2Co0.2O2"),
        ("cathode-lfp", "LiFePO4"),
        ("lithium-hexafluorophosphate", "LiPF6"),
        ("iron", "Fe"),
        ("copper", "Cu"),
        ("ethylene-carbonate", "C3H4O3"),
    ],
)
def test_the_formula_of_the_flow_s_own_substance_passes_without_a_word(world: World, flow: str, formula: str) -> None:
    world.activity(CELL, as_flow(flow, formula), unit="piece", process_class="cell_manufacturing")
    assert [one for one in world.compute(CELL).findings if one.gate == "composition"] == []


def test_a_flow_that_nobody_describes_is_taken_at_its_consumer_s_word(world: World) -> None:
    world.activity(CATALYST, as_flow("electronic-part"), formula="NiO")
    (finding,) = [one for one in world.compute(CATALYST).findings if one.gate == "composition"]
    assert finding.level == "soft"
    assert "NiSO4 is the consumer's word alone" in finding.what


def test_where_no_element_balance_rests_on_a_formula_it_needs_no_confirmation(world: World) -> None:
    world.activity(SALT, copper("1"))
    world.activity(CELL, of(SALT, "2", composition={"formula": "LiFePO4"}), unit="piece")
    assert [one for one in world.compute(CELL).findings if one.gate == "composition"] == []


def test_a_supplier_s_product_without_composition_is_taken_at_its_consumer_s_word(world: World) -> None:
    world.activity(SALT, copper("1"))
    world.activity(CATALYST, of(SALT, "2.072", composition={"formula": "NiSO4"}), formula="NiO")
    (finding,) = [one for one in world.compute(CATALYST).findings if one.gate == "composition"]
    assert (finding.level, "NiSO4 is the consumer's word alone" in finding.what) == ("soft", True)
