"""Who has to file what, and what the trial still lacks: the scope's edge, numbers, chemistry groups, and the day that it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from decimal import Decimal
from importlib import resources
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exchange.errors import EvidenceError
from exchange.filing import DutyRules, Model, coverage, duty_of, load_duty

RULES = load_duty()
MAKER = "https://packs.example"
#: One model, as several statements spell it.
SPELT = ("P100", "p100", "P100 ", "P100")
TRIAL, REGULAR = date(2026, 12, 31), date(2027, 1, 1)
FILE = (resources.files("exchange") / "data" / "duties" / "cn-miit-551.json").read_bytes()


def model(number: int, chemistry: str = "LFP", state: str | None = None, **changes: Any) -> Model:
    """A model of 100 kWh that is on sale."""
    given: dict[str, Any] = {"rated_kwh": Decimal(100), "stated_on": date(2026, 1, 1), **changes}
    return Model(f"{MAKER}/p{number}", f"P{number}", chemistry, state=state, **given)


@pytest.mark.parametrize(
    ("rated", "inside"), [("2.0", False), ("2", False), ("2.001", True), ("0.5", False), ("100", True)]
)
def test_worked_example_n(rated: str, inside: bool) -> None:
    found = duty_of(RULES, ["pack_maker"], model(1, rated_kwh=Decimal(rated)), TRIAL)
    assert found.in_scope is inside
    assert ("out of scope" in found.why) is not inside
    assert not found.overdue


@pytest.mark.parametrize(
    ("role", "obliged"),
    [("pack_maker", True), ("importer", True), ("vehicle_maker", True), ("supplier", False), ("verifier", False)],
)
def test_who_is_obliged(role: str, obliged: bool) -> None:
    assert duty_of(RULES, [role], model(1), REGULAR).obliged is obliged
    assert duty_of(RULES, [role], model(1), REGULAR).overdue is obliged


def test_five_models_that_cover_every_chemistry_cover_the_trial() -> None:
    """The two makers of the story: one covers the trial, the other leaves out a chemistry."""
    chemistries = ["LFP", "LFP", "NMC622", "NMC622", "NMC811"]
    filed = [model(number, chemistry, "filed") for number, chemistry in enumerate(chemistries)]
    assert coverage(RULES, MAKER, filed, TRIAL).missing == ()
    lacking = [*filed, model(7, "NCA"), model(8, "NCA")]
    assert coverage(RULES, MAKER, lacking, TRIAL).missing == (
        "chemistry group NCA is not represented: file one of P7, P8",
    )


def test_what_is_missing_is_said_exactly() -> None:
    models = [model(number, "LFP", "accepted" if number < 3 else "registered") for number in range(9)]
    found = coverage(RULES, MAKER, models, TRIAL)
    assert found.missing == ("2 more to be filed: 3 of 5 typical models are",)
    assert (found.models, found.filed, found.under_way, found.needed) == (9, 3, 6, 5)
    two = [model(1, "LFP", "filed"), model(2, "NMC622")]
    assert coverage(RULES, MAKER, two, TRIAL).missing == (
        "1 more to be filed: 1 of all 2 models are",
        "chemistry group NMC is not represented: file one of P2",
    )


def test_one_model_is_not_counted_as_all_of_them() -> None:
    assert coverage(RULES, MAKER, [model(1)], TRIAL).missing[0] == "1 more to be filed: the only model isn't"


def test_a_chemistry_that_the_rules_don_t_list_is_told() -> None:
    found = coverage(RULES, MAKER, [model(1, "Li-S", "filed"), model(2, "Li-S"), model(3, "LFP", "filed")], TRIAL)
    assert found.groups == ("LFP", "Li-S")
    assert found.unlisted == (
        f"Li-S (P1, P2) is none of the rules' chemistries; assumed: {RULES.assumption('unlisted_chemistry')}",
    )


def test_a_model_that_was_stated_otherwise_and_isn_t_filed_is_told() -> None:
    said = "P1 was stated with another chemistry or rated energy by entry 12, and has no filing"
    small = model(1, restated_from=12, rated_kwh=Decimal("1.9"))
    assert coverage(RULES, MAKER, [small], TRIAL).restated == (said,)
    assert duty_of(RULES, ["pack_maker"], small, TRIAL).why.endswith(said)
    filed = model(1, "LFP", "registered", restated_from=12, filed_chemistry="LFP", filed_kwh=Decimal(100))
    assert coverage(RULES, MAKER, [filed], TRIAL).restated == ()


def test_one_model_of_one_plant_is_typical_once_under_however_many_products() -> None:
    same = [replace(model(number, "LFP", "filed"), name=name, plant="Works 1") for number, name in enumerate(SPELT)]
    others = [model(number) for number in range(5, 9)]
    found = coverage(RULES, MAKER, [*same, *others], TRIAL)
    assert (found.models, found.filed, found.needed) == (5, 1, 5)
    assert found.missing == ("4 more to be filed: 1 of 5 typical models are",)
    # Stating it anew under another name makes no second one of what is filed; another plant's is another.
    renamed = [replace(one, filed_as=("P100", "Works 1"), name=f"P10{n}") for n, one in enumerate(same)]
    assert coverage(RULES, MAKER, renamed, TRIAL).filed == 1
    elsewhere = replace(same[0], plant="Works 2")
    assert coverage(RULES, MAKER, [*same, elsewhere], TRIAL).filed == 2


def test_a_maker_of_nothing_in_scope_lacks_nothing() -> None:
    found = coverage(RULES, MAKER, [model(1, rated_kwh=Decimal(2))], REGULAR)
    assert (found.missing, found.unfiled, found.out_of_scope) == ((), (), (f"{MAKER}/p1",))


def test_a_filing_counts_for_what_it_was_filed_for() -> None:
    """A maker states its models anew: the chemistry that isn't filed stays missing, what is filed stays in scope, and both are told."""
    filed = [model(number, "LFP", "filed", filed_chemistry="LFP", filed_kwh=Decimal(100)) for number in range(4)]
    under_way = model(7, "LFP", "registered", filed_chemistry="NMC622", filed_kwh=Decimal(100))
    assert coverage(RULES, MAKER, [*filed, model(8, "LFP", "filed"), under_way], TRIAL).missing == (
        "chemistry group NMC is not represented: file one of P7",
    )
    restated = model(8, "NCA", "filed", filed_chemistry="LFP", filed_kwh=Decimal(100))
    found = coverage(RULES, MAKER, [*filed, restated], TRIAL)
    assert found.groups_filed == ("LFP",)
    assert found.missing == ("chemistry group NCA is not represented: file one of P8",)
    assert found.changed == (
        "P8 is filed as LFP, 100 kWh, and stated as NCA, 100 kWh, since: amend its filing, or withdraw it",
    )
    shrunk = model(9, "LFP", "registered", filed_chemistry="LFP", filed_kwh=Decimal(100), rated_kwh=Decimal(1))
    found = coverage(RULES, MAKER, [shrunk], REGULAR)
    assert (found.out_of_scope, found.unfiled, len(found.changed)) == ((), (shrunk.product,), 1)
    assert duty_of(RULES, ["pack_maker"], shrunk, REGULAR).overdue
    same = model(1, "lfp", "filed", filed_chemistry="LFP", filed_kwh=Decimal("100.0"))
    assert coverage(RULES, MAKER, [same], TRIAL).changed == ()


def test_what_isn_t_sold_any_more_is_asked_for_no_more() -> None:
    ended = date(1990, 12, 31)
    old = model(2, "NCA", on_sale_until=ended)
    found = coverage(RULES, MAKER, [model(1, state="filed"), old], TRIAL)
    assert (found.missing, found.needed) == ((), 1)
    assert duty_of(RULES, ["pack_maker"], old, TRIAL).why == "sold until 1990-12-31: nothing is to be filed any more"
    assert coverage(RULES, MAKER, [model(1, state="filed", on_sale_until=ended)], TRIAL).filed == 1
    # To the end of the trial it was asked for, and is so afterwards.
    last = [model(1, state="filed"), model(2, on_sale_until=TRIAL)]
    assert coverage(RULES, MAKER, last, TRIAL).missing == coverage(RULES, MAKER, last, REGULAR).missing != ()


@pytest.mark.parametrize(
    ("changes", "day", "listed"),
    [
        ({}, TRIAL, False),
        ({}, REGULAR, True),
        ({"on_sale_since": date(2027, 1, 2)}, REGULAR, False),
        ({"on_sale_until": TRIAL}, REGULAR, False),
        ({"on_sale_until": REGULAR}, REGULAR, True),
        ({"state": "filed"}, REGULAR, False),
        ({"state": "accepted"}, REGULAR, False),
        ({"state": "verified"}, REGULAR, True),
        ({"state": "withdrawn"}, REGULAR, True),
        ({"rated_kwh": Decimal(2)}, REGULAR, False),
    ],
)
def test_on_sale_without_a_filing(changes: dict[str, Any], day: date, listed: bool) -> None:
    one = model(1, **changes)
    assert bool(coverage(RULES, MAKER, [one], day).unfiled) is listed
    assert duty_of(RULES, ["importer"], one, day).overdue is listed


@pytest.mark.parametrize(
    ("chemistry", "group"),
    [
        ("NMC622", "NMC"),
        ("nmc 622", "NMC"),
        ("NMC-811", "NMC"),
        ("NCM811", "NMC"),
        ("lfp", "LFP"),
        ("磷酸铁锂", "LFP"),
        ("LiFePO4", "LFP"),
        ("LiFePO₄", "LFP"),
        ("NCM712", "NMC"),
        ("镍钴锰酸锂", "NMC"),
        ("Lithium iron phosphate", "LFP"),
        ("sodium ion", "SODIUM_ION"),
        ("Li-S", "Li-S"),
        ("LNMO", "LNMO"),
    ],
)
def test_chemistries_are_grouped_and_what_isn_t_listed_stands_alone(chemistry: str, group: str) -> None:
    assert RULES.group_of(chemistry) == group


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["LFP", "NMC622", "NCA"]), st.sampled_from([None, "registered", "filed", "accepted"])
        ),
        max_size=12,
    )
)
def test_a_further_filing_never_leaves_more_missing(made: list[tuple[str, str | None]]) -> None:
    models = [model(number, chemistry, state) for number, (chemistry, state) in enumerate(made)]
    before = coverage(RULES, MAKER, models, TRIAL)
    assert before.covered == (before.filed >= before.needed and set(before.groups) == set(before.groups_filed))
    for number, one in enumerate(models):
        if one.state not in ("filed", "accepted"):
            after = coverage(
                RULES, MAKER, [*models[:number], model(number, one.chemistry, "filed"), *models[number + 1 :]], TRIAL
            )
            assert len(after.missing) <= len(before.missing)
            assert after.filed == before.filed + 1


# -- the file --------------------------------------------------------------------------------------------------------------


def test_every_rule_names_its_source_and_what_is_open_its_assumption() -> None:
    for rule in (RULES.obliged_roles, RULES.scope, RULES.trial, RULES.regular):
        assert "https://" in rule.source
    assert all(one.assumption for one in RULES.unstated)
    assert RULES.assumption("typical_model")
    groups = [RULES.group_of(one) for group in RULES.chemistry_groups for one in group.chemistries]
    assert groups == [group.id for group in RULES.chemistry_groups for _one in group.chemistries]


BAD: dict[str, bytes] = {
    "empty": b"",
    "a list": b"[]",
    "not UTF-8": b"\xff",
    "an unknown member": FILE.replace(b'"version"', b'"comment": 1, "version"', 1),
    "another format": FILE.replace(b"filing-duty:1", b"filing-duty:2", 1),
    "an unknown opinion": FILE.replace(b'["unmodified"', b'["splendid"', 1),
    "a trigger to nowhere": FILE.replace(b'"back_to": "planned"', b'"back_to": "filed"', 1),
    "a trial without models": FILE.replace(b'"typical_models": 5', b'"typical_models": 0', 1),
    "a day that is none": FILE.replace(b"2026-12-31", b"2026-12-32", 1),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_rules_are_refused(name: str) -> None:
    with pytest.raises(EvidenceError):
        DutyRules.read(BAD[name])


def test_the_digest_is_of_the_file() -> None:
    assert DutyRules.read(FILE).digest == RULES.digest
    assert DutyRules.read(json.dumps(json.loads(FILE)).encode()).digest != RULES.digest
