"""Records: what a reader of a part may conclude, and what is refused by name."""

import copy
import json
import unicodedata
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bom_graph import (
    SEALED,
    ActivityData,
    BatteryModel,
    BillOfMaterials,
    BomGraphError,
    CertificateRetirement,
    CompositionError,
    CycleError,
    Delivery,
    GasError,
    Lines,
    LoopError,
    Measure,
    OffsetError,
    ProductFootprint,
    Record,
    RecordError,
    StatedSumError,
    TextError,
    UnitError,
)

KINDS: dict[str, type[Record]] = {
    "activity": ActivityData,
    "bill": BillOfMaterials,
    "model": BatteryModel,
    "footprint": ProductFootprint,
    "retirement": CertificateRetirement,
    "delivery": Delivery,
}
Claims = dict[str, Any]
COBALT_IN_NICKEL: Claims = {"formula": "NiSO4", "content_of": "Co"}
ALL_WATER: Claims = {"formula": "NiSO4", "moisture_percent": "100"}
MOIST_METAL: Claims = {"formula": "NiSO4", "content_of": "Ni", "moisture_percent": "1"}
MAKER = "https://maker.example"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> tuple[type[Record], Claims]:
    """Each record kind with claims that hold."""
    return KINDS[request.param], request.getfixturevalue(request.param)


def contents_of(claims: Claims) -> Claims:
    return {
        "claims": sorted(claims),
        "lists": {name: len(value) for name, value in claims.items() if isinstance(value, list)},
    }


# -- what a reader holds ---------------------------------------------------------------------------------------------


def test_a_draft_is_whole(kind: tuple[type[Record], Claims]) -> None:
    record_type, claims = kind
    assert record_type.draft(claims).is_whole


def test_without_contents_all_that_is_not_disclosed_is_sealed(kind: tuple[type[Record], Claims]) -> None:
    record_type, claims = kind
    record = record_type.read({"sub": claims["sub"]}, None)
    assert record.sub == claims["sub"]
    assert not record.is_whole
    others = set(record_type.model_fields) - {"sub"}
    assert {getattr(record, name) for name in others} == {SEALED}


def test_with_contents_an_unnamed_claim_is_absent_and_a_named_one_sealed(activity: Claims) -> None:
    contents = contents_of(activity)
    record = ActivityData.read({"sub": activity["sub"]}, contents)
    assert record.note is None
    assert record.inputs is SEALED
    assert not record.is_whole


@pytest.mark.parametrize(("disclosed", "is_complete"), [(2, True), (1, False), (0, False)])
def test_a_list_is_complete_when_as_many_lines_as_contents_counts_are_there(
    activity: Claims, disclosed: int, is_complete: bool
) -> None:
    contents = contents_of(activity)
    lines = [{"id": f"line-{n}", **line} for n, line in enumerate(activity["inputs"][:disclosed])]
    record = ActivityData.read({"sub": activity["sub"], "inputs": lines}, contents)
    assert isinstance(record.inputs, Lines)
    assert len(record.inputs.items) == disclosed
    assert record.inputs.complete is is_complete


def test_a_list_without_contents_is_never_complete(bill: Claims) -> None:
    record = BillOfMaterials.read({"components": bill["components"]}, None)
    assert isinstance(record.components, Lines)
    assert not record.components.complete


def test_sealed_and_lines_say_what_they_are() -> None:
    assert repr(SEALED) == "SEALED"
    assert repr(Lines((), complete=False)) == "Lines(0 items, complete=False)"


def test_unknown_fields_survive(activity: Claims) -> None:
    activity["heat_recovery"] = {"share": "0.5"}
    activity["inputs"][0]["lot"] = ["a", 1]
    record = ActivityData.draft(activity)
    assert record.model_extra == {"heat_recovery": {"share": "0.5"}}
    assert isinstance(record.inputs, Lines)
    assert record.inputs.items[0].model_extra == {"lot": ["a", 1]}


def test_the_field_is_called_yield_and_nothing_else(bill: Claims) -> None:
    bill["components"][1]["yield_"] = "0.5"
    record = BillOfMaterials.draft(bill)
    assert isinstance(record.components, Lines)
    assert [line.yield_ for line in record.components] == [Decimal("0.95"), Decimal(1)]


def test_lines_without_id_are_numbered_in_a_draft_only(activity: Claims) -> None:
    record = ActivityData.draft(activity)
    assert isinstance(record.inputs, Lines)
    assert [line.id for line in record.inputs] == ["li", "inputs-2"]
    with pytest.raises(RecordError):
        ActivityData.read(activity, contents_of(activity))


def test_a_measure_converts_to_other_units() -> None:
    measure = Measure.model_validate({"amount": "3.6", "unit": "MJ", "obtained": "measured"})
    assert measure.to("kWh", where="here") == 1


# -- refusals --------------------------------------------------------------------------------------------------------


def test_each_required_field_is_required_and_not_null(kind: tuple[type[Record], Claims]) -> None:
    record_type, claims = kind
    for name in sorted(record_type.required):
        for defect in ({key: value for key, value in claims.items() if key != name}, {**claims, name: None}):
            with pytest.raises(RecordError) as caught:
                record_type.draft(defect)
            assert caught.value.where.startswith(name)


def test_a_null_in_a_required_field_is_refused_without_contents(footprint: Claims) -> None:
    with pytest.raises(RecordError, match="rule_set is missing"):
        ProductFootprint.read({**footprint, "stages": [], "rule_set": None}, None)


def stated(amount: str, unit: str, **members: Any) -> Claims:
    return {"id": "li", "name": "salt", "amount": amount, "unit": unit, "obtained": "measured", **members}


def table(key: str, share: str, product: str = "https://maker.example/cathode") -> Claims:
    return {"key": key, "shares": [{"product": product, "share": share}]}


MONTHLESS = [stated("1", "MWh", generation="wind", month="2026-13")]
# name -> (kind, path to the member, its bad value or ..., error, where it is said to be)
DEFECTS: dict[str, tuple[str, str, Any, type[BomGraphError], str]] = {
    "unknown unit in a line": ("activity", "inputs/0/unit", "tonne", UnitError, "inputs/li/unit"),
    "power by mass": ("activity", "electricity/0/unit", "kg", UnitError, "electricity/electricity-1/unit"),
    "fuel by distance": ("activity", "fuels/0/unit", "km", UnitError, "fuels/fuels-1/unit"),
    "emission by energy": ("activity", "direct_emissions/0/unit", "kWh", UnitError, "direct_emissions/direct_emissions-1/unit"),
    "unknown unit of a total": ("activity", "electricity_total/unit", "kwh", UnitError, "electricity_total/unit"),
    "unknown unit of the declared unit": ("bill", "per/unit", "pack", UnitError, "per/unit"),
    "rated energy by mass": ("model", "rated_energy/unit", "kg", UnitError, "rated_energy"),
    "negative amount": ("activity", "inputs/0/amount", "-1", RecordError, "inputs/li"),
    "amount as a number": ("activity", "inputs/0/amount", 1, RecordError, "inputs/li/amount"),
    "amount missing": ("activity", "inputs/0/amount", ..., RecordError, "inputs/li/amount"),
    "how obtained is missing": ("activity", "inputs/0/obtained", ..., RecordError, "inputs/li/obtained"),
    "how obtained is unknown": ("activity", "inputs/0/obtained", "guessed", RecordError, "inputs/li/obtained"),
    "a flow and a product": ("activity", "inputs/0/product", "https://x.example/y", RecordError, "inputs/li"),
    "neither flow nor product": ("activity", "inputs/0/flow", ..., RecordError, "inputs/li"),
    "a comparison without product": ("activity", "inputs/0/comparable_flow", "copper", RecordError, "inputs/li"),
    "a citation without product": ("bill", "components/0/product", ..., RecordError, "components/cathode"),
    "a citation before the log": ("bill", "components/0/citation/index", -1, RecordError, "components/cathode/citation/index"),
    "a leaf hash in capitals": ("bill", "components/0/citation/leaf_hash", "AB" * 32, RecordError, "components/cathode/citation/leaf_hash"),
    "unreadable formula": ("activity", "outputs/0/composition", {"formula": "Ca(OH)2"}, CompositionError, "outputs/o/composition"),
    "a product that comes out twice": ("activity", "outputs/1", "copy", RecordError, "outputs/o/product"),
    "a line for another's output": ("activity", "inputs/0/for_outputs", ["https://maker.example/x"], RecordError, "inputs/li/for_outputs"),
    "a line for no output": ("activity", "inputs/0/for_outputs", [], RecordError, "inputs/li/for_outputs"),
    "a table that lacks an output": ("activity", "allocation", table("stated", "1", f"{MAKER}/x"), RecordError, "allocation/shares"),
    "a table that misses one": ("activity", "allocation", table("stated", "0.9"), StatedSumError, "allocation/shares"),
    "a table beside a key": ("activity", "allocation", table("mass", "1"), RecordError, "allocation"),
    "an unknown key": ("activity", "allocation", {"key": "volume"}, RecordError, "allocation/key"),
    "energy in kilograms": ("activity", "outputs/0/energy", stated("1", "kg"), UnitError, "outputs/o/energy/unit"),
    "mass beside mass": ("activity", "outputs/0/mass", {"amount": "1", "unit": "kg", "obtained": "measured"}, RecordError, "outputs/o"),
    "a price without currency": ("activity", "outputs/0/price", {"amount": "1", "per": "kg"}, RecordError, "outputs/o/price/currency"),
    "opening stock alone": ("activity", "inputs/0/opening", "5", RecordError, "inputs/li"),
    "more left than there was": ("activity", "inputs/0", stated("1", "kg", flow="f", opening="1", closing="3"), RecordError, "inputs/li"),
    "tolled and nobody's": ("activity", "inputs/0/tolled", True, RecordError, "inputs/li"),
    "own use of all that is made": ("activity", "inputs/0", stated("2000", "g", product=f"{MAKER}/cathode"), LoopError, "inputs/li"),
    "a direct line from nowhere": ("activity", "electricity/0/supply", "direct_line", RecordError, "electricity/electricity-1"),
    "a grid of wind": ("activity", "electricity/0/generation", "wind", RecordError, "electricity/electricity-1"),
    "power of an unknown supply": ("activity", "electricity/0/supply", "barter", RecordError, "electricity/electricity-1/supply"),
    "certificates of no month": ("activity", "certificates", MONTHLESS, RecordError, "certificates/li/month"),
    "waste that nobody treats": ("activity", "waste", [stated("1", "kg")], RecordError, "waste/li"),
    "yield and scrap rate": ("bill", "components/0/scrap_rate", "0.05", RecordError, "components/cathode"),
    "a scrap rate of all": ("bill", "components/1/scrap_rate", "1", RecordError, "components/foil/scrap_rate"),
    "a share of nothing that is held": ("bill", "supplier_shares/0/component", "steel", RecordError, "supplier_shares/a/component"),
    "a share of the product itself": ("bill", "supplier_shares/0/product", f"{MAKER}/cell", CycleError, "supplier_shares/a/product"),
    "a serial twice": ("retirement", "serials/1", "copy", RecordError, "serials/wind"),
    "serials backwards": ("retirement", "serials/0/last", "GEC-2026-000000", RecordError, "serials/wind"),
    "serials of two lengths": ("retirement", "serials/0/last", "GEC-2026-4000", RecordError, "serials/wind"),
    "a serial without number": ("retirement", "serials/0/first", "GEC", RecordError, "serials/wind/first"),
    "more energy than serials": ("retirement", "energy/amount", "4001", StatedSumError, "energy"),
    "a delivery below zero": ("delivery", "quantity/amount", "-1", RecordError, "quantity/amount"),
    "a delivery in an unknown unit": ("delivery", "quantity/unit", "pallet", UnitError, "quantity/unit"),
    "pieces of a composition": ("delivery", "quantity/unit", "piece", UnitError, "quantity/unit"),
    "a delivery to its own seller": ("delivery", "buyer", MAKER, RecordError, "buyer"),
    "a buyer by name": ("delivery", "buyer", "Buyer Ltd", RecordError, "buyer"),
    "a delivery in a month": ("delivery", "date", "2026-01", RecordError, "date"),
    "a batch of two lines": ("delivery", "batch", "a\nb", TextError, "batch"),
    "no output": ("activity", "outputs/0", ..., RecordError, "outputs"),
    "output of zero": ("activity", "outputs/0/amount", "0", RecordError, "outputs/o/amount"),
    "output of another product": ("activity", "outputs/0/product", "https://maker.example/x", RecordError, "outputs/o/product"),
    "a list that is none": ("activity", "inputs", {"a": 1}, RecordError, "inputs"),
    "a line that is none": ("activity", "inputs/0", "copper", RecordError, "inputs"),
    "a line id with a slash": ("activity", "inputs/0/id", "a/b", RecordError, "inputs/a/b/id"),
    "unknown process class": ("activity", "process_class", "mining", RecordError, "process_class"),
    "a country by name": ("activity", "site/country", "China", RecordError, "site/country"),
    "a period backwards": ("activity", "period/end", "2025-12-31", RecordError, "period"),
    "a day as a number": ("activity", "period/end", 1767225600, RecordError, "period/end"),
    "a day as digits": ("activity", "period/end", "1767225600", RecordError, "period/end"),
    "a day with a time": ("activity", "period/end", "2026-01-31T00:00:00", RecordError, "period/end"),
    "a content that isn't there": ("activity", "outputs/0/composition", COBALT_IN_NICKEL, CompositionError, "outputs/o/composition"),
    "moisture of all of it": ("activity", "outputs/0/composition", ALL_WATER, RecordError, "outputs/o/composition/moisture_percent"),
    "moist metal content": ("activity", "outputs/0/composition", MOIST_METAL, RecordError, "outputs/o/composition"),
    "a gas that nobody knows": ("activity", "direct_emissions/0/gas", "CFC-11", RecordError, "direct_emissions/direct_emissions-1/gas"),
    "a removal of fossil carbon": ("activity", "direct_emissions/0/removal", True, GasError, "direct_emissions/direct_emissions-1/gas"),
    "an offset as a gas": ("activity", "direct_emissions/0/gas", "offset", OffsetError, "direct_emissions/direct_emissions-1/origin"),
    "an offset as origin": ("activity", "direct_emissions/0/origin", "offset", OffsetError, "direct_emissions/direct_emissions-1/origin"),
    "offsets beside the lines": ("activity", "offsets", [{"amount": "5"}], OffsetError, "offsets"),
    "offsets in a bill": ("bill", "carbon_credits", "5", OffsetError, "carbon_credits"),
    "offsets in a footprint": ("footprint", "carbon_offsets", "-5", OffsetError, "carbon_offsets"),
    "a power total that is not the sum": ("activity", "electricity_total/amount", "4.1", StatedSumError, "electricity_total"),
    "a mass that is not the sum": ("bill", "mass/amount", "501", StatedSumError, "mass"),
    "shares below one": ("bill", "supplier_shares/0/share", "0.6", StatedSumError, "supplier_shares"),
    "a share of zero": ("bill", "supplier_shares/0/share", "0", RecordError, "supplier_shares/a/share"),
    "a yield above one": ("bill", "components/0/yield", "1.01", RecordError, "components/cathode/yield"),
    "a yield of zero": ("bill", "components/0/yield", "0", RecordError, "components/cathode/yield"),
    "a declared unit of zero": ("bill", "per/amount", "0", RecordError, "per/amount"),
    "a product that holds itself": ("bill", "components/0/product", "https://maker.example/cell", CycleError, "components/cathode/product"),
    "no rated energy": ("model", "rated_energy/amount", "0", RecordError, "rated_energy"),
    "no usable energy": ("model", "usable_energy/amount", "0", RecordError, "usable_energy"),
    "a variant named twice": ("model", "variants", ["P100-A", "P100-B", "p100 a"], RecordError, "variants"),
    "unknown vehicle class": ("model", "vehicle", {"class": "M9", "obtained": "assumed"}, RecordError, "vehicle/class"),
    "retention in per cent": ("model", "cycle_points/1/retention", "80", RecordError, "cycle_points/cycle_points-2/retention"),
    "a warranty of no years": ("model", "warranty/years", "0", RecordError, "warranty/years"),
    "a total that is not the sum": ("footprint", "total", "9.4", StatedSumError, "total"),
    "a total as a number": ("footprint", "total", 9.5, RecordError, "total"),
    "a primary data share above all": ("footprint", "primary_data_share", "101", RecordError, "primary_data_share"),
    "a primary data share below nothing": ("footprint", "primary_data_share", "-1", RecordError, "primary_data_share"),
    "a line break in a model's name": ("model", "model", "P\nQ", TextError, "model"),
    "a line break in a line's name": ("activity", "inputs/0/name", "P\rQ", TextError, "inputs/li/name"),
    "a note of blanks": ("bill", "note", " \u3000 ", TextError, "note"),
    "an escape in a note": ("bill", "note", "\x1b[2J", TextError, "note"),
    "a C1 control in a site": ("model", "plant/name", "\x9b2J", TextError, "plant/name"),
    "a line separator in a line's note": ("bill", "components/0/note", "a\u2028b", TextError, "components/cathode/note"),
    "a turned chemistry": ("model", "chemistry", "LFP\u202e", TextError, "chemistry"),
    "an isolate in a laboratory": ("model", "cycle_life", {"standard": "\u2066s"}, TextError, "cycle_life/standard"),
    "a footprint per nothing": ("footprint", "declared_unit/amount", "0", RecordError, "declared_unit"),
    "a rule set without digest": ("footprint", "rule_set/digest", ..., RecordError, "rule_set/digest"),
}  # fmt: skip


def with_defect(claims: Claims, path: str, value: Any) -> Claims:
    """The claims with the member at `path` set to `value`, removed (...) or a copy of its neighbour."""
    changed = copy.deepcopy(claims)
    *steps, last = [int(step) if step.isdigit() else step for step in path.split("/")]
    place: Any = changed
    for step in steps:
        place = place[step]
    if value is ...:
        del place[last]
    elif value == "copy":
        place.append({**place[0], "id": "copy"})
    else:
        place[last] = value
    return changed


@pytest.mark.parametrize("defect", DEFECTS.values(), ids=DEFECTS.keys())
def test_a_defect_is_refused_and_its_place_named(
    defect: tuple[str, str, Any, type[BomGraphError], str], request: pytest.FixtureRequest
) -> None:
    name, path, value, error, where = defect
    claims = with_defect(request.getfixturevalue(name), path, value)
    with pytest.raises(error) as caught:
        KINDS[name].draft(claims)
    assert caught.value.where == where
    assert caught.value.remedy


@pytest.mark.parametrize("name", ["动力电池 NMC622", "Zelle – 2,5 Ah", "बैटरी", "سلام", "🔋 pack"])
def test_text_of_every_language_is_taken(model: Claims, name: str) -> None:
    assert BatteryModel.draft({**model, "model": name}).model == name


def test_too_many_lines_are_refused(activity: Claims) -> None:
    activity["inputs"] = activity["inputs"][:1] * 4097
    with pytest.raises(RecordError, match="4096"):
        ActivityData.draft(activity)


def test_a_sum_may_differ_in_the_tenth_digit(bill: Claims) -> None:
    bill["mass"]["amount"] = "500.0000001"
    assert BillOfMaterials.draft(bill).is_whole
    bill["mass"]["amount"] = "500.000001"
    with pytest.raises(StatedSumError):
        BillOfMaterials.draft(bill)


def test_shares_may_differ_by_a_thousandth(bill: Claims) -> None:
    bill["supplier_shares"][0]["share"] = "0.701"
    assert BillOfMaterials.draft(bill).is_whole
    bill["supplier_shares"][0]["share"] = "0.7011"
    with pytest.raises(StatedSumError):
        BillOfMaterials.draft(bill)


def test_a_sum_over_sealed_lines_is_not_checked(footprint: Claims) -> None:
    contents = contents_of(footprint)
    stages = [{"id": "m", **footprint["stages"][0]}]
    record = ProductFootprint.read({**footprint, "stages": stages}, contents)
    assert record.total == Decimal("9.5")
    assert not record.is_whole


# -- whatever comes in -----------------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_arbitrary_json_ends_in_our_errors_only(name: str, data: st.DataObject) -> None:
    names = [field.alias or key for key, field in KINDS[name].model_fields.items()]
    claims = data.draw(st.dictionaries(st.sampled_from(names) | st.text(max_size=12), json_values, max_size=6))
    for contents in (None, contents_of(claims)):
        try:
            record = KINDS[name].read(claims, contents)
        except BomGraphError as error:
            assert error.where  # noqa: PT017 - either outcome is right, and each is checked
        else:
            assert isinstance(record, KINDS[name])


VALID: dict[str, Claims] = {
    "activity": {
        "sub": "urn:a:b",
        "process_class": "pack_assembly",
        "period": {"start": "2026-01-01", "end": "2026-01-02"},
        "outputs": [{"id": "o", "product": "urn:a:b", "amount": "1", "unit": "kg", "obtained": "measured"}],
        "electricity_total": {"amount": "1", "unit": "kWh", "obtained": "measured"},
    },
    "bill": {
        "sub": "urn:a:b",
        "per": {"amount": "1", "unit": "kg", "obtained": "measured"},
        "components": [{"name": "c", "flow": "copper", "amount": "1", "unit": "kg", "obtained": "measured"}],
        "mass": {"amount": "1", "unit": "kg", "obtained": "measured"},
    },
}


@given(st.sampled_from(sorted(VALID)), st.data(), json_values)
def test_one_arbitrary_value_in_a_good_record_ends_in_our_errors_only(
    name: str, data: st.DataObject, value: object
) -> None:
    claims = json.loads(json.dumps(VALID[name]))
    place: Any = claims
    while True:
        key = data.draw(st.sampled_from(sorted(place)) if isinstance(place, dict) else st.just(0))
        if isinstance(place[key], dict | list) and place[key] and data.draw(st.booleans()):
            place = place[key]
            continue
        place[key] = value
        break
    try:
        record = KINDS[name].draft(claims)
    except BomGraphError:
        return
    assert isinstance(record, KINDS[name])


BIDIRECTIONAL = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


@given(st.characters(exclude_categories=["Cs"]))
def test_a_text_is_one_line_that_reads_as_it_is_written(one: str) -> None:
    """Refused is what a report, a screen or a page obeys instead of showing it."""
    obeyed = unicodedata.category(one) in ("Cc", "Zl", "Zp") or unicodedata.bidirectional(one) in BIDIRECTIONAL
    # The three marks have no class of their own.
    obeyed |= one in "\u200e\u200f\u061c"
    obeyed |= one.isspace()  # a text of blanks alone says nothing
    try:
        ActivityData.draft({**VALID["activity"], "note": one})
    except TextError as error:
        assert obeyed, f"U+{ord(one):04X}"
        assert error.where == "note"  # noqa: PT017 - either outcome is right, and each is checked
    else:
        assert not obeyed, f"U+{ord(one):04X}"
