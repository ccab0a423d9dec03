"""From statements to a product system: what is taken, in which order, and what is a gap."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from bom_graph import BillOfMaterials, RuleSet, load_rule_set
from exchange.assembly import RefusedError, compute
from exchange.kinds import ACTIVITY_DATA, load_policy
from exchange.report import document, heading, lines_of_text
from tests.exchange.three import (
    CALIFORNIA,
    CELL,
    CHINA,
    COPPER,
    EUROPE,
    EVERBATT,
    MAKER,
    PACK,
    REFINER,
    RELEASE,
    SALT,
    US,
    Claims,
    World,
    copper,
    line,
    of,
    power,
)
from tests.simulator import OPERATOR, ORIGIN


@pytest.fixture
def world() -> World:
    return World()


# -- what may be a pack, and sizes that nothing has -----------------------------------------------------------------


@pytest.mark.parametrize("unit", ["piece", "kg"])
def test_what_may_be_a_pack_is_never_plainly_complete(world: World, unit: str) -> None:
    if unit == "piece":
        world.activity(PACK, copper("10"), unit="piece", process_class="cell_manufacturing")
    else:
        world.activity(CELL, copper("10"), unit="piece", process_class="cell_manufacturing")
        world.activity(PACK, of(CELL, "1", "piece"))
    result = world.compute(PACK)
    (finding,) = [one for one in result.findings if one.gate == "pack"]
    assert (finding.level, finding.where, finding.refuses) == ("soft", PACK, False)
    assert f"counted in {unit}" in finding.what
    assert "no battery model: not divided" in finding.what
    assert document(result)["heading"] == "complete, with 1 soft finding"


def test_a_material_is_not_suspected_to_be_a_pack(world: World) -> None:
    world.activity(SALT, copper("1"))
    assert world.compute(SALT).findings == ()


@pytest.mark.parametrize("amount", ["1E-31", "1E+31"])
def test_a_size_that_nothing_has_is_a_hard_finding(world: World, amount: str) -> None:
    world.activity(SALT, copper(amount))
    (finding,) = [one for one in world.compute(SALT).findings if one.gate == "units"]
    assert (finding.level, finding.where) == ("hard", SALT)
    assert "too large or too small to be true: the total is 4.49e" in finding.what


# -- order of resolution ---------------------------------------------------------------------------------------------


def test_granted_activity_data_comes_before_a_signed_footprint(world: World) -> None:
    cited = world.activity(SALT, copper("2"))
    world.footprint(SALT)
    world.activity(CELL, of(SALT, "3", citation=world.cite(cited)))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(6 * COPPER, rel=1e-12)
    assert result.complete
    assert result.gaps == ()


def test_a_supplier_s_product_without_citation_is_found_by_its_uri(world: World) -> None:
    world.activity(SALT, copper("2"))
    world.activity(CELL, of(SALT, "3"))
    assert world.compute(CELL).footprint.total == pytest.approx(6 * COPPER, rel=1e-12)


def test_the_newest_statement_counts(world: World) -> None:
    world.activity(SALT, copper("2"))
    world.activity(SALT, copper("5"))
    assert world.compute(SALT).footprint.total == pytest.approx(5 * COPPER, rel=1e-12)


def test_a_signed_footprint_stands_in_where_activity_data_is_sealed(world: World) -> None:
    cited = world.activity(SALT, copper("2"))
    signed = world.footprint(SALT)
    world.activity(CELL, of(SALT, "3", citation=world.cite(cited)))
    result = world.compute(CELL, sealed={cited.index: ()})
    assert result.footprint.total == 30
    assert result.footprint.stages == {"material_acquisition": 18, "manufacturing": 12}
    assert result.complete
    # The cited entry is named too: without it at hand, the same calculation would end in a gap.
    assert {cited.index, signed.index} <= {entry.index for entry in result.inputs}


def test_a_signed_footprint_comes_before_a_bill_without_activity_data(world: World) -> None:
    """A bill of materials alone lacks the plant's energy; the footprint holds it."""
    sealed = world.activity(CELL, electricity=[power("100", "US")])
    world.bill(CELL, copper("1"))
    world.footprint(CELL)
    world.pack(of(CELL, "1"))
    result = world.compute(PACK, sealed={sealed.index: ()})
    assert result.footprint.total == 10


@pytest.mark.parametrize("paths", [(), ("sub",), ("sub", "contents"), ("sub", "contents", "outputs", "process_class")])
def test_a_partial_grant_never_counts_as_whole(world: World, paths: tuple[str, ...]) -> None:
    cited = world.activity(SALT, copper("2"))
    world.activity(CELL, of(SALT, "3", citation=world.cite(cited)), copper("1"))
    result = world.compute(CELL, sealed={cited.index: paths})
    assert not result.complete
    (gap,) = result.gaps
    assert SALT in gap.what
    assert result.footprint.total == pytest.approx(COPPER, rel=1e-12)


def test_nothing_known_of_a_supplier_is_a_gap_and_not_zero(world: World) -> None:
    world.activity(CELL, of(SALT, "3"), copper("1"))
    result = world.compute(CELL)
    assert not result.complete
    assert [(CELL in gap.where, SALT in gap.what) for gap in result.gaps] == [(True, True)]


def test_activity_data_that_says_nothing_of_inputs_is_a_gap(world: World) -> None:
    made = {"process_class": "material_production", "period": {"start": "2026-01-01", "end": "2026-01-31"}}
    world.state(MAKER, ACTIVITY_DATA, {**made, "sub": CELL, "outputs": [line("1", product=CELL)], "electricity": []})
    (gap,) = world.compute(CELL).gaps
    assert (gap.where, "says nothing of inputs" in gap.what) == (CELL, True)


def test_a_citation_of_an_entry_that_is_not_at_hand_is_a_gap(world: World) -> None:
    world.activity(SALT, copper("2"))
    citation = {"origin": ORIGIN, "index": 1, "leaf_hash": "ab" * 32}
    world.activity(CELL, of(SALT, "3", citation=citation), copper("1"))
    (gap,) = world.compute(CELL).gaps
    assert "cited entry 1 is not at hand" in gap.what


def test_a_bill_without_activity_data_lacks_the_energy(world: World) -> None:
    world.bill(CELL, copper("2", **{"yield": "0.8"}))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(2.5 * COPPER, rel=1e-12)
    assert [gap.where for gap in result.gaps] == [CELL]


@pytest.mark.parametrize("paths", [(), ("sub",), ("sub", "contents", "per")])
def test_activity_data_beside_a_sealed_bill_of_materials_is_not_whole(world: World, paths: tuple[str, ...]) -> None:
    """Else the materials would count as zero, and the result as complete."""
    bill = world.bill(CELL, copper("2"))
    world.activity(CELL, electricity=[power("1", "US")])
    result = world.compute(CELL, sealed={bill.index: paths})
    assert result.footprint.total == pytest.approx(US)
    assert not result.complete
    (gap,) = result.gaps
    assert f"entry {bill.index}" in gap.what
    assert bill.index in [entry.index for entry in result.inputs]


def test_worked_example_f_a_yield_divides(world: World) -> None:
    world.bill(CELL, copper("1", **{"yield": "0.95"}))
    world.activity(CELL)
    result = world.compute(CELL)
    assert result.footprint.total / COPPER == pytest.approx(1.052632, abs=5e-7)


# -- what isn't said, what can't be read -----------------------------------------------------------------------------


def test_activity_data_that_says_nothing_of_electricity_is_a_gap(world: World) -> None:
    world.activity(CELL, copper("1"), electricity=None)
    (gap,) = world.compute(CELL).gaps
    assert (gap.where, "says nothing of electricity; `electricity: []`" in gap.what) == (CELL, True)


def test_a_supplier_that_states_nothing_at_all_adds_zero_and_that_is_said(world: World) -> None:
    entry = world.activity(SALT)
    world.activity(CELL, of(SALT, "3"), copper("1"))
    (finding,) = world.compute(CELL).findings
    assert (finding.gate, finding.level, finding.where) == ("nothing_stated", "soft", f"{SALT} (entry {entry.index})")
    assert "nothing goes in and nothing is emitted" in finding.what
    assert finding.remedy


@pytest.mark.parametrize("paths", [("sub",), ("sub", "contents", "outputs"), ("sub", "period", "contents", "outputs")])
def test_a_newer_statement_that_is_not_wholly_disclosed_is_said(world: World, paths: tuple[str, ...]) -> None:
    old = world.activity(SALT, copper("1"))
    new = world.activity(SALT, copper("50"))
    world.activity(CELL, of(SALT, "1"))
    result = world.compute(CELL, sealed={new.index: paths})
    assert result.footprint.total == pytest.approx(COPPER, rel=1e-12)
    (finding,) = result.findings
    assert (finding.gate, finding.level, finding.where) == ("newer_statement", "soft", SALT)
    assert finding.what == (
        f"the newer statement in entry {new.index} isn't wholly disclosed: entry {old.index} is taken"
    )
    assert new.index in [entry.index for entry in result.inputs]


def test_a_newer_sealed_statement_of_the_same_signer_is_one_note(world: World) -> None:
    other = f"{REFINER}/other"
    for product in (SALT, other):
        world.activity(product, copper("1"))
    newer = [world.activity(product, copper("50")).index for product in (SALT, other)]
    world.activity(CELL, of(SALT, "1"), of(other, "1"))
    result = world.compute(CELL, sealed=dict.fromkeys(newer, ()))
    (finding,) = result.findings
    assert (finding.gate, finding.level, finding.where) == ("newer_statement", "note", REFINER)
    assert result.complete


def test_a_sealed_statement_of_other_days_or_before_is_nobody_s_business(world: World) -> None:
    older = world.activity(SALT, copper("7"))
    world.activity(SALT, copper("1"))
    february = world.activity(SALT, copper("9"), period={"start": "2026-02-01", "end": "2026-02-28"})
    world.activity(CELL, of(SALT, "1"))
    shown = ("sub", "period", "contents", "outputs")
    assert world.compute(CELL, sealed={older.index: ("sub",), february.index: shown}).findings == ()


@pytest.mark.parametrize("paths", [(), ("sub", "contents", "outputs")])
def test_a_cited_statement_that_is_not_disclosed_is_a_gap_beside_an_older_one(
    world: World, paths: tuple[str, ...]
) -> None:
    world.activity(SALT, copper("1"))
    cited = world.activity(SALT, copper("50"))
    world.activity(CELL, of(SALT, "1", citation=world.cite(cited)), copper("1"))
    result = world.compute(CELL, sealed={cited.index: paths})
    assert result.footprint.total == pytest.approx(COPPER, rel=1e-12)
    assert [f"the cited entry {cited.index} isn't wholly disclosed" in gap.what for gap in result.gaps] == [True]


def test_another_consumer_s_statement_is_not_the_cited_one(world: World) -> None:
    old = world.activity(SALT, copper("1"))
    cited = world.activity(SALT, copper("50"))
    world.activity(CELL, of(SALT, "1", citation=world.cite(cited), id="second"))
    module = f"{MAKER}/module"
    world.activity(module, of(SALT, "1"), of(CELL, "1"))
    result = world.compute(module, sealed={cited.index: ("sub",)})
    assert result.footprint.total == pytest.approx(COPPER, rel=1e-12)
    (gap,) = result.gaps
    assert gap.where.endswith("inputs/second")
    assert f"entry {cited.index} isn't wholly disclosed, and entry {old.index} isn't" in gap.what


def test_a_citation_of_an_older_statement_is_noted(world: World) -> None:
    cited = world.activity(SALT, copper("1"))
    counted = world.activity(SALT, copper("5"))
    world.activity(CELL, of(SALT, "1", citation=world.cite(cited)))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(5 * COPPER, rel=1e-12)
    (note,) = (one for one in result.findings if one.gate == "citation")
    assert (note.level, f"entry {cited.index} is cited, entry {counted.index}" in note.what) == ("note", True)


def test_a_newer_signed_footprint_that_can_t_be_read_is_said(world: World) -> None:
    world.footprint(SALT)
    new = world.footprint(SALT, total="90", stages=[{"stage": "manufacturing", "kg_co2e": "90"}])
    world.activity(CELL, of(SALT, "1"))
    (finding,) = world.compute(CELL, sealed={new.index: ("sub",)}).findings
    assert (finding.gate, finding.level) == ("newer_statement", "soft")


def test_a_footprint_of_another_rule_set_is_named_beside_the_gap(world: World) -> None:
    signed = world.footprint(SALT, CHINA)
    entry = world.activity(CELL, of(SALT, "3", id="salt"), copper("1"))
    result = world.compute(CELL, EUROPE)
    (finding,) = result.findings
    assert (finding.gate, finding.level, finding.refuses) == ("rule_set", "hard", False)
    assert finding.where == f"{CELL} (entry {entry.index}) inputs/salt"
    assert f"(entry {signed.index}) is under the rules {CHINA.id} version {CHINA.version}" in finding.what
    assert finding.remedy
    assert len(result.gaps) == 1
    with pytest.raises(RefusedError) as caught:
        world.compute(SALT, EUROPE)
    assert [one.gate for one in caught.value.findings] == ["rule_set", "evidence"]


# -- electricity, precedence, published factors ----------------------------------------------------------------------


@pytest.mark.parametrize("rule_set", [CHINA, EUROPE], ids=["China", "Europe"])
def test_the_regulations_take_the_national_average_and_say_so(world: World, rule_set: RuleSet) -> None:
    entry = world.activity(CELL, electricity=[power("10", "US-CA"), power("2", "US")])
    result = world.compute(CELL, rule_set)
    assert result.footprint.total == pytest.approx(12 * 0.38440, rel=1e-12)
    (note,) = result.findings
    assert (note.gate, note.level, note.refuses) == ("electricity", "note", False)
    assert note.where == f"{CELL} (entry {entry.index})"
    assert note.what == "US-CA is calculated with the national average of US"


def test_everbatt_takes_the_grid_as_stated(world: World) -> None:
    world.activity(CELL, electricity=[power("10", "US-CA"), power("2", "US")])
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(10 * CALIFORNIA + 2 * US, rel=1e-12)
    assert result.findings == ()


def test_activity_data_comes_before_the_bill_of_materials(world: World) -> None:
    world.activity(CELL, copper("5"))
    world.bill(CELL, copper("2"), line("1", name="steel", flow="steel"))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(5 * COPPER + 2223657.560104 / 907185, rel=1e-12)
    (found,) = result.findings
    assert (found.gate, found.level, found.refuses) == ("consumption", "hard", False)
    assert found.what.startswith("copper is taken from the activity data")


def test_direct_emissions_count_as_they_are(world: World) -> None:
    gas = line("250", "g", "calculated", gas="CO2", origin="fossil")
    world.activity(CELL, process_class="cell_manufacturing", direct_emissions=[gas])
    footprint = world.compute(CELL).footprint
    assert footprint.stages == {"manufacturing": 0.25}
    assert (footprint.activity_primary_share, footprint.factor_primary_share) == (1, 1)


@pytest.mark.parametrize("obtained", ["modelled", "estimated", "assumed"])
def test_a_modelled_direct_emission_is_no_primary_data(world: World, obtained: str) -> None:
    gas = line("250", "g", obtained, gas="CO2", origin="fossil")
    world.activity(CELL, direct_emissions=[gas])
    footprint = world.compute(CELL).footprint
    assert (footprint.activity_primary_share, footprint.factor_primary_share) == (0, 0)


def test_a_measured_amount_with_a_modelled_factor_is_primary_in_part(world: World) -> None:
    world.activity(CELL, copper("1"), line("3", obtained="modelled", name="c", flow="copper"))
    footprint = world.compute(CELL).footprint
    assert footprint.activity_primary_share == pytest.approx(0.25)
    assert footprint.factor_primary_share == 0


def test_a_published_factor_represents_a_product(world: World) -> None:
    world.activity(SALT, copper("2"))
    result = world.compute(SALT, flow="cathode-lfp")
    assert result.footprint.total == pytest.approx(8568861.362638 / 907185, rel=1e-12)
    assert result.footprint.stages.keys() == {"material_acquisition"}
    assert (result.unit, result.inputs, result.complete) == ("kg", (), True)


def test_a_published_factor_hides_no_refusal_of_the_maker_s_own_data(world: World) -> None:
    """Nickel comes out that never came in: China's rules refuse such data, EverBatt's report it."""
    entry = world.activity(SALT, copper("2"), formula="NiSO4")
    with pytest.raises(RefusedError):
        world.compute(SALT, CHINA)
    result = world.compute(SALT, CHINA, flow="nickel-sulfate")
    (finding,) = result.findings
    assert (finding.gate, finding.level, finding.refuses) == ("element_balance", "hard", False)
    assert finding.what.startswith("the published factor stands for own data that this rule set refuses: ")
    assert result.footprint.total == pytest.approx(6866536.486182 / 907185, rel=1e-12)
    assert [used.index for used in result.inputs] == [entry.index]
    assert heading(result) == "complete, with 1 hard finding"
    assert world.compute(SALT, EVERBATT, flow="nickel-sulfate").findings == ()


def test_a_published_factor_that_is_missing_is_refused(world: World) -> None:
    with pytest.raises(RefusedError, match="unobtainium"):
        world.compute(SALT, flow="unobtainium")


def test_a_published_factor_per_kilogram_is_no_pack(world: World) -> None:
    world.pack(copper("3"))
    with pytest.raises(RefusedError, match="one pack"):
        world.compute(PACK, flow="copper")


def test_a_proxy_is_an_assumption(world: World) -> None:
    world.activity(CELL, line("1", name="carbon black", flow="carbon-black"))
    assert (
        "carbon black: proxy: EverBatt counts carbon black as graphite; older year: 2022 for 2026"
        in world.compute(CELL).assumptions
    )


# -- the whole -------------------------------------------------------------------------------------------------------


def test_a_result_names_what_it_was_made_from(world: World) -> None:
    unused = world.activity(f"{REFINER}/other", copper("1"))
    used = [world.activity(SALT, copper("2")), world.bill(CELL, of(SALT, "1")), world.activity(CELL)]
    result = world.compute(CELL)
    assert [entry.index for entry in result.inputs] == [entry.index for entry in used]
    assert unused.index not in [entry.index for entry in result.inputs]
    assert (result.origin, result.snapshot) == (ORIGIN, len(world.entries))
    assert result.policy_digest == load_policy().digest


def test_a_result_can_be_made_again_from_its_inputs_alone(world: World) -> None:
    sealed = world.bill(CELL, copper("2"))
    world.activity(f"{REFINER}/other", copper("1"))
    world.activity(CELL, electricity=[power("1", "US")])
    first = world.compute(CELL, sealed={sealed.index: ()})
    evidence = type(world.evidence())(first.origin, first.snapshot, first.inputs)
    again = compute(evidence, first.demand, EVERBATT, [RELEASE], load_policy())
    assert again == first


def test_a_pack_without_distribution_and_recycling_is_partial(world: World) -> None:
    world.pack(copper("3"))
    result = world.compute(PACK)
    assert result.footprint.total == pytest.approx(3 * COPPER)
    assert result.denominator_kwh == 100
    assert tuple(result.footprint.stages) == ("material_acquisition",)
    assert [gap.where for gap in result.gaps] == ["manufacturing", "distribution", "recycling"]
    assert not result.complete


def test_a_deep_chain_of_suppliers(world: World) -> None:
    products = [f"{REFINER}/{n}" for n in range(60)]
    world.activity(products[0], copper("1"))
    for lower, upper in pairwise(products):
        world.activity(upper, of(lower, "1"))
    assert world.compute(products[-1]).footprint.total == pytest.approx(COPPER, rel=1e-12)


def test_the_simulator_s_reader_sees_what_was_granted(world: World) -> None:
    """Guards the tests above: `sealed` hides, and the operator has no product of its own."""
    entry = world.bill(CELL, copper("1"))
    evidence = world.evidence(sealed={entry.index: ("sub",)})
    record = evidence[entry.leaf_hash].record
    assert isinstance(record, BillOfMaterials)
    assert record.sub == CELL
    assert not record.is_whole
    assert all(found.statement.issuer != OPERATOR for found, _ in evidence.about(CELL, BillOfMaterials))


# -- gases, columns, years, families -----------------------------------------------------------------------------------

ISO = load_rule_set("iso-14067-cradle-to-gate")


def gas(amount: str, name: str, origin: str = "fossil", **members: Any) -> Claims:
    return line(amount, gas=name, origin=origin, **members)


GASES = [
    gas("1", "CO2"),
    gas("0.01", "SF6"),
    gas("0.1", "CH4", "biogenic"),
    gas("2", "CO2", "biogenic"),
    gas("5", "CO2", "biogenic", removal=True),
    gas("3", "CO2", "land_use_change"),
    gas("0.5", "CO2", "aircraft"),
]


def test_gases_stand_in_the_columns_of_iso_14067_and_living_carbon_beside_the_total(world: World) -> None:
    world.activity(SALT, copper("1"), direct_emissions=GASES)
    result = world.compute(SALT)
    assert result.footprint.total == pytest.approx(COPPER + 1 + 252 + 2.7 + 3 + 0.5, rel=1e-12)
    columns = {
        one["id"]: (float(one["total_kg_co2e"]), float(one["apart_kg_co2e"])) for one in document(result)["columns"]
    }
    assert columns == {
        "fossil": (253, 0),
        "biogenic_emission": (pytest.approx(4.7), 2),
        "biogenic_removal": (-5, -5),
        "land_use_change": (3, 0),
        "aircraft": (0.5, 0),
        "not_split": (pytest.approx(COPPER), 0),
    }
    text = "\n".join(lines_of_text(document(result)))
    assert "biogenic removals: 0 kg CO2e; beside the total: -5 kg CO2e" in text
    assert "emissions of aircraft: 0.5 kg CO2e" in text
    kilograms = [float(part["kg_co2e"]) for part in document(result)["contributions"]]
    assert sum(kilograms) == pytest.approx(result.footprint.total, rel=1e-10)
    assert sorted(float(part["kg_co2e"]) for part in document(result)["apart"]) == [-5, 2]


def test_a_rule_set_may_count_living_carbon(world: World) -> None:
    world.activity(SALT, copper("1"), direct_emissions=GASES)
    result = world.compute(SALT, ISO)
    assert result.footprint.total == pytest.approx(COPPER + 1 + 252 + 2.7 + 2 - 5 + 3 + 0.5, rel=1e-12)
    assert document(result)["apart"] == []


def test_another_gwp_set_counts_other_kilograms(world: World) -> None:
    world.activity(SALT, direct_emissions=[gas("0.01", "SF6"), gas("1", "CH4")])
    older = EVERBATT.model_copy(update={"gases": EVERBATT.gases.model_copy(update={"gwp_set": "AR5"})})
    assert world.compute(SALT).footprint.total == pytest.approx(252 + 29.8, rel=1e-12)
    assert world.compute(SALT, older).footprint.total == pytest.approx(235 + 28, rel=1e-12)


@pytest.mark.parametrize(("year", "value"), [(2023, 0.6205), (2024, 0.5777), (2026, 0.5777), (2020, 0.6205)])
def test_the_factor_is_of_the_year_in_which_the_period_ends(world: World, year: int, value: float) -> None:
    period = {"start": f"{year}-01-01", "end": f"{year}-12-31"}
    world.activity(SALT, electricity=[power("100", "CN")], period=period)
    assert world.compute(SALT, CHINA).footprint.total == pytest.approx(100 * value, rel=1e-12)


def test_a_region_of_china_has_a_labelled_alternative(world: World) -> None:
    """The headline stays with the national average; 0.5500 is East China's CO2 alone."""
    world.activity(SALT, electricity=[power("100", "CN-GRID-EAST"), power("10", "US")])
    result = world.compute(SALT, CHINA)
    (alternative,) = result.alternatives
    assert result.footprint.total == pytest.approx(57.77 + 3.844, rel=1e-12)
    assert alternative.total == pytest.approx(55.00 + 3.844, rel=1e-12)
    assert alternative.what == "1 of 2 lines of electricity have such a factor"


def test_a_rule_set_on_the_other_family_gets_no_sum(world: World) -> None:
    """Worked example D3: electricity by CO2 alone and materials by CO2e are never one figure."""
    world.activity(SALT, copper("1"), electricity=[power("100", "CN-GRID-EAST")])
    basis = CHINA.electricity.model_copy(update={"family": "co2_generation", "basis": "as_stated"})
    with pytest.raises(RefusedError) as caught:
        world.compute(SALT, CHINA.model_copy(update={"electricity": basis}))
    (finding,) = caught.value.findings
    assert (finding.gate, finding.where) == ("factor_family", SALT)
    assert "cn-grid-co2-2023-east" in finding.what
    assert finding.remedy


def test_a_partial_footprint_of_iso_14067_is_per_declared_unit_even_of_a_pack(world: World) -> None:
    world.pack(copper("7"))
    result = world.compute(PACK, ISO)
    found = document(result)
    assert (found["headline"]["unit"], found["denominator"]["kwh"]) == ("kg CO2e/piece", None)
    assert found["heading"] == "complete"
    assert [stage["id"] for stage in found["stages"]] == ["material_acquisition"]
