"""Activity data whole: several outputs, suppliers by share, stock, scrap and waste, periods."""

from __future__ import annotations

from typing import Any

import pytest

from bom_graph import RuleSet
from exchange.assembly import RefusedError
from exchange.errors import StatementError
from exchange.kinds import ACTIVITY_DATA
from exchange.report import document, lines_of_text
from tests.exchange.plant import (
    FEBRUARY,
    GRID,
    JANUARY,
    LFP,
    NMC,
    cells,
    found,
    made,
    plant,
    refusing,
    with_power,
)
from tests.exchange.three import (
    CELL,
    CHINA,
    COPPER,
    EUROPE,
    EVERBATT,
    MAKER,
    PACKER,
    REFINER,
    SALT,
    US,
    World,
    copper,
    line,
    of,
    power,
)

Claims = dict[str, Any]


@pytest.fixture
def world() -> World:
    return World()


# -- several outputs -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "lfp", "nmc"), [("energy", 8.3040, 8.3040), ("mass", 9.2131, 6.9403)], ids=["by kWh of cells", "by mass"]
)
def test_worked_example_h(world: World, key: str, lfp: float, nmc: float) -> None:
    cells(world, key)
    kwh = {product: with_power(world, product).footprint.total / GRID for product in (LFP, NMC)}
    assert kwh == {LFP: pytest.approx(lfp, abs=5e-5), NMC: pytest.approx(nmc, abs=5e-5)}
    assert 3e6 * kwh[LFP] + 2e6 * kwh[NMC] == pytest.approx(41.52e6, rel=1e-12)


def test_the_other_keys_are_printed_beside_the_headline_and_never_are_it(world: World) -> None:
    cells(world, "energy")
    shown = document(with_power(world, LFP))
    (by_mass,) = [one for one in shown["alternatives"] if one["id"].startswith("allocation")]
    assert (by_mass["id"], by_mass["what"]) == ("allocation_by_mass", "for comparison")
    assert float(by_mass["total_kg_co2e"]) / GRID == pytest.approx(9.2131, abs=5e-5)
    assert float(shown["total"]["value"]) / GRID == pytest.approx(8.3040, abs=5e-5)
    assert any("alternative, not the headline: allocation by mass: " in text for text in lines_of_text(shown))


def test_a_key_that_the_rule_set_does_not_allow_is_labelled_so_in_comparison(world: World) -> None:
    strict = CHINA.model_copy(update={"allocation": CHINA.allocation.model_copy(update={"keys": ("energy",)})})
    cells(world, "energy")
    (other,) = [one for one in with_power(world, LFP, strict).alternatives if one.id == "allocation_by_mass"]
    assert other.what == "the rule set doesn't allow it"
    assert other.total == pytest.approx(9.2131 * GRID, abs=5e-5)


def test_a_line_that_names_outputs_is_split_among_them_alone(world: World) -> None:
    """A meter of the LFP line, one of the NMC line, and a shared one."""
    meters = [("10", [LFP]), ("5", [NMC]), ("20", [LFP, NMC]), ("5", None)]
    used = [
        {**line(gwh, "GWh", supply="grid", geography="CN"), **({"for_outputs": outputs} if outputs else {})}
        for gwh, outputs in meters
    ]
    cells(world, electricity=tuple(used))
    assert with_power(world, LFP).footprint.total / GRID == pytest.approx((10 + 25 * 0.6) / 3, rel=1e-12)
    assert with_power(world, NMC).footprint.total / GRID == pytest.approx((5 + 25 * 0.4) / 2, rel=1e-12)
    shared = next(part for part in document(with_power(world, LFP))["contributions"] if part["amount"] == "20")
    assert (shared["allocated_by"], shared["counted_percent"]) == ("energy", "60")


def test_outputs_with_meters_of_their_own_need_no_key(world: World) -> None:
    used = [line("10", "GWh", supply="grid", geography="CN", for_outputs=[product]) for product in (LFP, NMC)]
    cells(world, None, electricity=tuple(used))
    result = with_power(world, NMC)
    assert result.footprint.total / GRID == pytest.approx(5, rel=1e-12)
    assert not [one for one in result.alternatives if one.id.startswith("allocation")]


def test_allocation_without_basis(world: World) -> None:
    entry = cells(world, None)
    finding = refusing(world, LFP)
    assert (finding.gate, finding.where) == ("allocation", f"{LFP} (entry {entry.index}) allocation")
    assert finding.what == "2 outputs share a line, and no allocation key is stated"
    entry = cells(world, "economic")
    finding = refusing(world, LFP)
    assert finding.gate == "allocation"
    assert f"(entry {entry.index}) outputs/" in finding.where
    assert "has no price" in finding.what


def test_a_key_that_the_rule_set_does_not_allow_is_refused(world: World) -> None:
    shares = [{"product": LFP, "share": "0.5"}, {"product": NMC, "share": "0.5"}]
    cells(world, None, allocation={"key": "stated", "shares": shares})
    finding = refusing(world, LFP, EUROPE)
    assert finding.gate == "allocation"
    assert finding.where.endswith("allocation/key")
    assert "doesn't allow allocation by stated" in finding.what


def test_a_key_that_is_not_the_preferred_one_is_noted(world: World) -> None:
    cells(world, "mass")
    (note,) = found(with_power(world, LFP), "allocation")
    assert (note.level, note.refuses) == ("note", False)
    assert "prefers energy" in note.what


def test_a_key_that_is_not_the_preferred_one_and_has_no_reason_is_a_finding(world: World) -> None:
    cells(world, None, allocation={"key": "mass"})
    (finding,) = found(with_power(world, LFP), "allocation")
    assert finding.level == "soft"
    assert finding.what.endswith("no reason is stated")


PRICES = [{"amount": amount, "currency": "CNY", "per": "kg"} for amount in ("0.001", "1000000")]
DUMMY = f"{REFINER}/dummy"
#: What the product's and the dummy's output line says beside 1,000 kg and 1 kg, and the allocation.
DODGED: dict[str, tuple[Claims, Claims, Claims]] = {
    "prices": ({"price": PRICES[0]}, {"price": PRICES[1]}, {"key": "economic"}),
    "pieces": (
        {"pieces": line("1", "piece")}, {"pieces": line("999999", "piece")}, {"key": "pieces", "reason": "we count"}
    ),
    "a table": (
        {}, {}, {"key": "stated", "shares": [{"product": SALT, "share": "0"}, {"product": DUMMY, "share": "1"}]}
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DODGED.values(), ids=DODGED.keys())
def test_a_key_that_rids_a_product_of_its_lines_is_a_finding(world: World, case: tuple[Claims, Claims, Claims]) -> None:
    ours, other, allocation = case
    world.activity(
        SALT,
        copper("1000"),
        outputs=[line("1000", product=SALT, **ours), line("1", product=DUMMY, **other)],
        allocation=allocation,
    )
    result = world.compute(SALT, CHINA)
    findings = found(result, "allocation")
    assert any(f"{SALT} bears " in one.what and "by mass it would bear 99.9 %" in one.what for one in findings)
    assert {one.level for one in findings if "would bear" in one.what} == {"soft"}
    assert all(one.remedy for one in findings)


@pytest.mark.parametrize("crumb", [None, "1"])
def test_lines_that_are_pushed_onto_a_dummy_output_are_a_finding(world: World, crumb: str | None) -> None:
    inputs = [copper("1000", for_outputs=[DUMMY])] + ([copper(crumb, for_outputs=[SALT])] if crumb else [])
    used = {**power("5000", "CN"), "for_outputs": [DUMMY]}
    outputs = [line("1000", product=SALT), line("0.001", product=DUMMY)]
    world.activity(SALT, *inputs, outputs=outputs, electricity=[used])
    result = world.compute(SALT, CHINA)
    whats = [one.what for one in found(result, "allocation") if one.level == "soft"]
    shares = ("0 %", "0.0999 %") if crumb else ("0 %", "0 %")
    assert sorted(what.partition(", and")[0] for what in whats) == [
        f"{SALT} bears {shares[0]} of the energy",
        f"{SALT} bears {shares[1]} of the inputs",
    ]
    assert document(result)["heading"] != "complete"
    if crumb is None:
        assert result.total is None
        assert document(result)["heading"] == "partial: a branch is missing"
        assert [gap.where for gap in result.gaps] == [SALT]


@pytest.mark.parametrize(
    ("formula", "output", "said"),
    [
        ("NiSO4", {}, f"{SALT} states no composition"),
        (None, {}, f"{SALT} states no composition"),
        ("NiSO4", {"unit": "piece", "composition": {"formula": "NiSO4"}}, f"{SALT} is stated in piece"),
        ("NiSO4", {"composition": {"formula": "NiSO4"}}, None),
    ],
    ids=["no formula of the product", "the factor's formula", "pieces", "all of it"],
)
def test_an_element_balance_that_cannot_be_made_is_said(
    world: World, formula: str | None, output: Claims, said: str | None
) -> None:
    stated: Claims = {"composition": {"formula": formula}} if formula else {}
    world.activity(
        SALT,
        line("1", name="nickel", flow="nickel-sulfate", **stated),
        outputs=[{**line("1", product=SALT), **output}],
    )
    findings = found(world.compute(SALT), "element_balance")
    assert [(one.level, one.refuses) for one in findings] == ([("soft", False)] if said else [])
    assert all(str(said) in one.what and "Ni comes in" in one.what for one in findings)


def test_a_product_is_found_as_any_of_a_statement_s_outputs(world: World) -> None:
    entry = cells(world)
    assert [one.index for one, _ in world.evidence().about(NMC, type(entry.record))] == [entry.index]  # type: ignore[type-var]
    world.state(
        PACKER,
        ACTIVITY_DATA,
        {
            "sub": f"{PACKER}/module",
            "process_class": "pack_assembly",
            "period": JANUARY,
            "outputs": [made(f"{PACKER}/module", "1")],
            "inputs": [of(NMC, "50", "kWh", citation=world.cite(entry))],
        },
    )
    assert with_power(world, f"{PACKER}/module").footprint.total / GRID == pytest.approx(50 * 8.304, rel=1e-9)


def test_an_output_of_another_owner_is_refused(world: World) -> None:
    with pytest.raises(StatementError, match="speaks for a product that isn't its own") as caught:
        plant(world, made(LFP, "1"), made(f"{REFINER}/cell", "1"))
    assert caught.value.where == "outputs"


def test_elements_are_balanced_over_all_outputs(world: World) -> None:
    """Half of the nickel leaves in a co-product: neither output holds too little."""
    plant(
        world,
        made(LFP, "1", composition={"formula": "NiSO4"}),
        made(NMC, "1", composition={"formula": "NiSO4"}),
        inputs=(line("2", name="salt", flow="nickel-sulfate", composition={"formula": "NiSO4"}),),
        allocation={"key": "mass"},
    )
    assert found(world.compute(LFP), "element_balance") == []


# -- suppliers by share, tolling -------------------------------------------------------------------------------------


def shares(*stated: tuple[str, str]) -> list[Claims]:
    return [{"component": "salt", "product": product, "share": share} for product, share in stated]


def test_a_component_is_split_over_its_suppliers_by_share(world: World) -> None:
    other = f"{REFINER}/other"
    world.activity(SALT, copper("2"))
    world.activity(other, copper("7"))
    world.activity(CELL)
    component = of(SALT, "3", id="salt", **{"yield": "0.5"})
    world.bill(CELL, component, supplier_shares=shares((SALT, "0.7"), (other, "0.3005")))
    # The shares add up to 1.0005: what goes in is the whole content all the same.
    mix = (0.7 * 2 + 0.3005 * 7) / 1.0005
    assert world.compute(CELL).footprint.total == pytest.approx(6 * mix * COPPER, rel=1e-12)


def test_a_supplier_of_a_share_that_nobody_knows_is_a_gap(world: World) -> None:
    world.activity(SALT, copper("2"))
    world.activity(CELL)
    world.bill(CELL, of(SALT, "1", id="salt"), supplier_shares=shares((SALT, "0.5"), (f"{REFINER}/other", "0.5")))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(COPPER, rel=1e-12)
    (gap,) = result.gaps
    assert "supplier_shares/" in gap.where
    assert f"{REFINER}/other" in gap.what


def test_a_tolled_input_is_counted_by_its_product(world: World) -> None:
    world.activity(SALT, copper("2"))
    world.activity(CELL, of(SALT, "3", tolled=True))
    assert world.compute(CELL).footprint.total == pytest.approx(6 * COPPER, rel=1e-12)


# -- stock, yield, scrap, waste, packaging ---------------------------------------------------------------------------


def test_a_change_of_stock_adds_to_consumption(world: World) -> None:
    world.activity(SALT, copper("2"))
    world.activity(CELL, of(SALT, "5", opening="3", closing="1"), copper("4", opening="0.5", closing="1.5"))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx((7 * 2 + 3) * COPPER, rel=1e-12)
    part = next(part for part in document(result)["contributions"] if "stock" in part)
    assert (part["amount"], part["amount_per_unit"], part["stock"]) == ("4", "3", {"opening": "0.5", "closing": "1.5"})


def test_worked_example_f_by_scrap_rate(world: World) -> None:
    world.activity(CELL)
    world.bill(CELL, copper("1", scrap_rate="0.05"))
    assert world.compute(CELL).footprint.total / COPPER == pytest.approx(1.052632, abs=5e-7)


def test_scrap_of_the_cells_returns_into_the_cathode(world: World) -> None:
    """The cell plant's scrap is a co-product; 0.1 kg of it goes into each kilogram of cathode, 2 kg of which go into each of cells."""
    scrap = f"{MAKER}/scrap"
    outputs = [made(CELL, "9"), made(scrap, "1")]
    plant(world, *outputs, inputs=(of(SALT, "20"),), allocation={"key": "mass"})
    world.activity(SALT, copper("1"), of(scrap, "0.1"))
    # Each kilogram of cells and of scrap bears 2 kg of cathode: c = 1 + 0.1 x 2 c.
    assert world.compute(CELL).footprint.total == pytest.approx(2 * COPPER / 0.8, rel=1e-12)


def test_a_loop_at_or_above_its_output_is_a_named_hard_finding(world: World) -> None:
    world.activity(CELL, of(SALT, "2"))
    world.activity(SALT, of(CELL, "0.5"), copper("1"))
    world.activity(f"{MAKER}/module", of(CELL, "1"))
    with pytest.raises(RefusedError) as caught:
        world.compute(f"{MAKER}/module")
    (finding,) = caught.value.findings
    assert (finding.gate, finding.level, finding.refuses) == ("loop", "hard", True)
    assert finding.where in (f"{CELL} > {SALT} > {CELL}", f"{SALT} > {CELL} > {SALT}")
    assert finding.remedy


def test_waste_counts_by_its_treatment(world: World) -> None:
    treatment = f"{REFINER}/incineration"
    world.activity(treatment, copper("0.25"))
    waste = [line("3", name="slurry", product=treatment), line("2", name="foil", flow="copper")]
    world.activity(CELL, process_class="cell_manufacturing", waste=waste)
    footprint = world.compute(CELL).footprint
    assert footprint.stages == pytest.approx({"manufacturing": 2 * COPPER, "material_acquisition": 0.75 * COPPER})


def test_packaging_counts_towards_the_stage_of_its_class(world: World) -> None:
    rules = [
        rule.model_copy(update={"stage": "distribution"}) if rule.line == "packaging" else rule
        for rule in EVERBATT.stage_rules
    ]
    world.activity(CELL, copper("1", **{"class": "packaging"}), copper("2"))
    result = world.compute(CELL, EVERBATT.model_copy(update={"stage_rules": tuple(rules)}))
    assert result.footprint.stages == pytest.approx({"distribution": COPPER, "material_acquisition": 2 * COPPER})


# -- periods, consumption of record, plausible range -----------------------------------------------------------------


def test_a_line_outside_its_statement_s_period(world: World) -> None:
    late = {"start": "2026-01-20", "end": "2026-02-05"}
    entry = world.activity(CELL, copper("1", period=late, id="a"), copper("1", period=JANUARY))
    (finding,) = world.compute(CELL).findings
    assert (finding.gate, finding.level) == ("periods", "soft")
    assert finding.where == f"{CELL} (entry {entry.index}) inputs/a"
    assert finding.what == "the line is of 2026-01-20 to 2026-02-05, the statement of 2026-01-01 to 2026-01-31"
    assert finding.remedy


@pytest.mark.parametrize(("rule_set", "level"), [(CHINA, "soft"), (EVERBATT, "note")])
def test_periods_of_supplier_and_consumer_that_do_not_overlap(world: World, rule_set: RuleSet, level: str) -> None:
    world.activity(SALT, copper("2"), period=FEBRUARY)
    entry = world.activity(CELL, of(SALT, "3", id="salt"))
    (finding,) = world.compute(CELL, rule_set).findings
    assert (finding.gate, finding.level, finding.refuses) == ("periods", level, False)
    assert finding.where == f"{CELL} (entry {entry.index}) inputs/salt"
    assert "2026-02-01 to 2026-02-28, it goes into a process of 2026-01-01 to 2026-01-31" in finding.what
    assert finding.remedy


def test_a_rule_set_may_refuse_periods_that_do_not_overlap(world: World) -> None:
    periods = CHINA.gates.periods.model_copy(update={"supplier": "refuse"})
    strict = CHINA.model_copy(update={"gates": CHINA.gates.model_copy(update={"periods": periods})})
    world.footprint(SALT, strict, period=FEBRUARY)
    world.activity(CELL, of(SALT, "3"))
    with pytest.raises(RefusedError, match="2026-02-28"):
        world.compute(CELL, strict)


def test_a_statement_of_the_consumer_s_period_comes_before_a_newer_one(world: World) -> None:
    world.activity(SALT, copper("2"))
    world.activity(SALT, copper("5"), period=FEBRUARY)
    world.activity(CELL, of(SALT, "1"))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(2 * COPPER, rel=1e-12)
    assert result.findings == ()


def test_statements_that_contradict_each_other_are_named(world: World) -> None:
    old = world.activity(SALT, copper("2"), line("1", name="acid", flow="steel"))
    new = world.activity(SALT, copper("5"))
    result = world.compute(SALT)
    assert result.footprint.total == pytest.approx(5 * COPPER, rel=1e-12)
    (note,) = result.findings
    assert (note.gate, note.level, note.where) == ("contradiction", "note", SALT)
    assert note.what == (
        f"entries {old.index} and {new.index} state the same of 2026-01-01 to 2026-01-31 otherwise; the newer, {new.index}, is taken: "
        "inputs acid: 1 kg, now nothing; inputs copper: 2 kg, now 5 kg"
    )
    assert {old.index, new.index} <= {entry.index for entry in result.inputs}, "whoever replays it meets both"


def test_the_same_statement_again_is_no_contradiction(world: World) -> None:
    world.activity(SALT, copper("2"))
    world.activity(SALT, copper("2.0"))
    assert world.compute(SALT).findings == ()


def test_overlapping_periods_of_one_process(world: World) -> None:
    world.activity(SALT, copper("2"))
    world.activity(SALT, copper("2"), period={"start": "2026-01-31", "end": "2026-02-28"})
    (finding,) = world.compute(SALT).findings
    assert (finding.gate, finding.level, finding.where) == ("periods", "soft", SALT)
    assert f"overlap; entry {world.entries[-1].index} is taken" in finding.what


def test_a_footprint_of_the_consumer_s_period_comes_before_a_newer_one(world: World) -> None:
    world.footprint(SALT, period=JANUARY)
    world.footprint(SALT, period=FEBRUARY, total="5", stages=[{"stage": "manufacturing", "kg_co2e": "5"}])
    world.activity(CELL, of(SALT, "1"))
    assert world.compute(CELL).footprint.total == 10


@pytest.mark.parametrize(
    ("of_record", "gate", "level", "said"),
    [
        ("1.01", "precedence", "note", "+1.0 %"),
        ("1.05", "consumption", "soft", "+5.0 %"),
        ("0.85", "consumption", "hard", "-15.0 %"),
    ],
)
def test_consumption_of_record_against_the_bill_of_materials(
    world: World, of_record: str, gate: str, level: str, said: str
) -> None:
    world.activity(CELL, copper(of_record))
    entry = world.bill(CELL, copper("0.9", id="c", **{"yield": "0.9"}))
    result = world.compute(CELL)
    (finding,) = result.findings
    assert (finding.gate, finding.level) == (gate, level)
    assert finding.where == f"{CELL} (entry {entry.index}) components/c"
    assert said in finding.what
    assert result.footprint.total == pytest.approx(float(of_record) * COPPER, rel=1e-12)


def test_the_regulations_refuse_consumption_far_from_the_bill_of_materials(world: World) -> None:
    world.activity(CELL, copper("2"))
    world.bill(CELL, copper("1"))
    with pytest.raises(RefusedError, match=r"2 kg against 1 kg \(\+100.0 %\)"):
        world.compute(CELL, CHINA)


def test_a_component_of_several_suppliers_is_consumed_by_all_of_them(world: World) -> None:
    other = f"{REFINER}/other"
    for product in (SALT, other):
        world.activity(product, copper("1"))
    world.activity(CELL, of(SALT, "0.5"), of(other, "0.5"))
    world.bill(CELL, of(SALT, "1", id="salt"), supplier_shares=shares((SALT, "0.5"), (other, "0.5")))
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx(COPPER, rel=1e-12)
    (note,) = result.findings
    assert (note.gate, note.level) == ("precedence", "note")


def test_components_of_one_flow_are_compared_together(world: World) -> None:
    """Else one line of consumption would stand for each of them, and what the others hold would vanish."""
    entry = world.bill(CELL, copper("0.5", id="foil"), copper("0.3", id="busbar"))
    world.activity(CELL, copper("0.5"), copper("0.3"))
    result = world.compute(CELL, CHINA)
    (note,) = result.findings
    assert (note.gate, note.level) == ("precedence", "note")
    assert note.where == f"{CELL} (entry {entry.index}) components/foil, components/busbar"
    assert "0.8 kg against 0.8 kg (+0.0 %)" in note.what
    world.activity(CELL, copper("0.4"))
    (hard,) = found(world.compute(CELL), "consumption")
    assert (hard.level, "(-50.0 %)" in hard.what) == ("hard", True)


def test_a_mix_of_suppliers_other_than_the_bill_s_is_said(world: World) -> None:
    other = f"{REFINER}/other"
    for product, amount in ((SALT, "2"), (other, "7")):
        world.activity(product, copper(amount))
    world.bill(CELL, of(SALT, "1", id="salt"), supplier_shares=shares((SALT, "0.5"), (other, "0.5")))
    world.activity(CELL, of(SALT, "1"))
    result = world.compute(CELL, CHINA)
    assert result.footprint.total == pytest.approx(2 * COPPER, rel=1e-12)
    (mix,) = found(result, "supplier_shares")
    assert (mix.level, mix.where.endswith("components/salt")) == ("soft", True)
    assert f"{other} 0.0% against 50.0%, {SALT} 100.0% against 50.0%" in mix.what


def nickel(amount: str, formula: str | None, **basis: str) -> Claims:
    composition: Claims = {} if formula is None else {"composition": {"formula": formula, **basis}}
    return line(amount, name="nickel", flow="nickel-sulfate", **composition)


@pytest.mark.parametrize(
    ("bill", "activity", "said"),
    [
        (nickel("0.957928", "NiSO4"), nickel("1.627085", "NiSO4.6H2O"), "(+0.0 %)"),
        (nickel("0.957928", "NiSO4"), nickel("0.957928", "NiSO4.6H2O"), "(-41.1 %)"),
        (nickel("1", "NiSO4", content_of="Ni"), nickel("2.63658", "NiSO4"), "(-0.0 %)"),
        (nickel("1", "NiSO4"), nickel("2", "NiSO4", moisture_percent="50"), "(+0.0 %)"),
        (nickel("1", "NiSO4", content_of="Ni"), nickel("1", "NiSO4", content_of="Ni"), "(+0.0 %)"),
        (nickel("1", None), nickel("1", "NiSO4.6H2O"), "without stated composition are taken for"),
    ],
    ids=["the same salt", "less salt", "metal content", "moist", "both metal content", "one side doesn't say"],
)
def test_consumption_is_compared_as_the_same_salt(world: World, bill: Claims, activity: Claims, said: str) -> None:
    world.bill(CELL, bill)
    world.activity(CELL, activity)
    (finding,) = [*found(result := world.compute(CELL), "consumption"), *found(result, "precedence")]
    assert (finding.level == "hard") == ("41.1" in said)
    assert said in finding.what


def test_another_substance_than_the_bill_s_is_compared_as_stated_and_said(world: World) -> None:
    world.bill(CELL, of(SALT, "1", id="salt", composition={"formula": "NiSO4"}))
    world.activity(CELL, of(SALT, "1", composition={"formula": "CoSO4"}))
    world.activity(SALT, copper("1"))
    (finding,) = (one for one in found(world.compute(CELL), "composition") if "components/salt" in one.where)
    assert finding.where.endswith("components/salt")
    assert "compared by mass as stated" in finding.what


@pytest.mark.parametrize("by_flow", ["bill", "activity"])
def test_a_material_that_one_side_names_by_its_flow_counts_once(world: World, by_flow: str) -> None:
    world.activity(SALT, copper("2"))
    named = [copper("1"), of(SALT, "1", comparable_flow="copper")]
    bill, activity = named if by_flow == "bill" else reversed(named)
    world.bill(CELL, bill)
    world.activity(CELL, activity)
    result = world.compute(CELL)
    assert result.footprint.total == pytest.approx((2 if by_flow == "bill" else 1) * COPPER, rel=1e-12)
    (note,) = found(result, "precedence")
    assert "(+0.0 %)" in note.what


def test_what_is_named_beside_the_bill_s_flow_is_more_of_the_same(world: World) -> None:
    world.activity(SALT, copper("1"))
    world.bill(CELL, copper("1"))
    world.activity(CELL, copper("1"), of(SALT, "1", comparable_flow="copper"))
    (finding,) = found(world.compute(CELL), "consumption")
    assert "2 kg against 1 kg (+100.0 %)" in finding.what


@pytest.mark.parametrize(("kg", "level"), [("1", None), ("7", "soft"), ("0.5", "soft"), ("30", "hard")])
def test_activity_far_from_the_background_of_the_same_flow(world: World, kg: str, level: str | None) -> None:
    """The background's LFP has 9.45 kg CO2e/kg, copper 4.49."""
    world.activity(SALT, copper(kg))
    world.activity(CELL, of(SALT, "1", comparable_flow="cathode-lfp"))
    findings = found(world.compute(CELL, CHINA), "plausible_range")
    assert [(one.level, one.where, one.refuses) for one in findings] == (
        [] if level is None else [(level, SALT, False)]
    )
    assert all("the background of the same flow has 9.446" in one.what for one in findings)


# -- nothing at all --------------------------------------------------------------------------------------------------


def test_a_result_of_nothing_is_missing_and_not_zero(world: World) -> None:
    world.activity(CELL, of(SALT, "3"))
    result = world.compute(CELL)
    assert result.total is None
    shown = document(result)
    assert (shown["total"]["value"], shown["headline"]["value"]) == (None, None)
    assert shown["headline"]["printed"] == "missing"
    text = "\n".join(lines_of_text(shown))
    assert "missing kg CO2e/kg (partial: a branch is missing)" in text
    assert "0.000000" not in text


def test_what_was_computed_to_be_zero_is_zero(world: World) -> None:
    world.activity(CELL, copper("0"))
    assert document(world.compute(CELL))["headline"]["printed"] == "0.000000"


def test_power_of_a_region_is_matched_too(world: World) -> None:
    """Guards the release above: the United States have no factor in it."""
    world.activity(CELL, electricity=[power("1", "US")])
    assert world.compute(CELL).footprint.total == pytest.approx(US)
    with pytest.raises(RefusedError, match="no factor for flow 'electricity' for US"):
        with_power(world, CELL)
