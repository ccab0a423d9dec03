"""Rule sets: the files that ship are whole, and a bad file is refused."""

import hashlib
import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from bom_graph import RuleSet, RuleSetError, load_release, load_rule_set, rule_set_bytes, rule_set_ids
from bom_graph.rules import LINE_CLASSES, PROCESS_CLASSES

SHIPPED = (
    "cn-miit-551-trial",
    "eu-cfb-draft-2024-partial",
    "everbatt-2023-cradle-to-gate",
    "iso-14067-cradle-to-gate",
)
File = dict[str, Any]


def changed(change: Callable[[File], object]) -> bytes:
    """The Chinese rule set's file after `change`."""
    found = json.loads(rule_set_bytes("cn-miit-551-trial"))
    change(found)
    return json.dumps(found).encode()


def test_the_shipped_rule_sets() -> None:
    assert rule_set_ids() == SHIPPED


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_file_loads_under_its_own_name_and_digest(name: str) -> None:
    rule_set = load_rule_set(name)
    assert rule_set.id == name
    assert rule_set.digest == hashlib.sha256(rule_set_bytes(name)).hexdigest()
    named = ["everbatt-2023"] if name.startswith("everbatt") else ["authorities-2026", "everbatt-2023"]
    assert [load_release(release).id for release in rule_set.factor_releases] == named
    assert rule_set.proxy_releases == tuple(named[1:])


@pytest.mark.parametrize("name", SHIPPED)
def test_the_stage_map_is_total(name: str) -> None:
    rule_set = load_rule_set(name)
    stages = {stage.id for stage in rule_set.stages}
    assert {rule_set.stage_of(process, line) for process in PROCESS_CLASSES for line in LINE_CLASSES} <= stages
    with pytest.raises(RuleSetError, match="mining"):
        rule_set.stage_of("mining", "energy")


@pytest.mark.parametrize("name", SHIPPED)
def test_everything_bought_is_acquisition_and_plant_energy_is_manufacturing(name: str) -> None:
    """The split of worked example A, whatever the depth of the model."""
    acquisition, manufacturing = [stage.id for stage in load_rule_set(name).stages][:2]
    for line in LINE_CLASSES:
        assert load_rule_set(name).stage_of("material_production", line) == acquisition
    for process in ("cell_manufacturing", "pack_assembly"):
        assert load_rule_set(name).stage_of(process, "material") == acquisition
        assert load_rule_set(name).stage_of(process, "energy") == manufacturing
        assert load_rule_set(name).stage_of(process, "direct_emission") == manufacturing


def test_only_everbatt_s_own_rules_never_refuse_over_the_element_balance() -> None:
    effects = {name: load_rule_set(name).gates.element_balance.hard_effect for name in SHIPPED}
    assert effects == dict(zip(SHIPPED, ("refuse", "refuse", "report", "refuse"), strict=True))


def test_the_european_draft_says_that_it_is_partial() -> None:
    rule_set = load_rule_set("eu-cfb-draft-2024-partial")
    assert "partial" in rule_set.title
    assert rule_set.not_implemented
    assert rule_set.denominator.full_cycles_per_year["M1"] == Decimal(60)


BAD: dict[str, Callable[[File], object]] = {
    "a pair without stage": lambda file: file["stage_rules"].pop(),
    "a pair with two stages": lambda file: file["stage_rules"].append({**file["stage_rules"][0], "stage": "recycling"}),
    "a stage that isn't there": lambda file: file["stage_rules"][0].update(stage="use"),
    "two stages of one id": lambda file: file["stages"].append(file["stages"][0]),
    "no stages": lambda file: file.update(stages=[]),
    "an unknown stage outside the boundary": lambda file: file.update(outside_boundary=["use"]),
    "an unknown denominator": lambda file: file["denominator"].update(kind="mass"),
    "full cycles in words": lambda file: file["denominator"].update(full_cycles_per_year={"M1": "sixty"}),
    "no full cycles": lambda file: file["denominator"].update(full_cycles_per_year={"M1": "0"}),
    "an unknown family": lambda file: file["electricity"].update(family="co2"),
    "a hard limit below the soft one": lambda file: file["gates"]["element_balance"].update(hard=0.01),
    "a limit of zero": lambda file: file["gates"]["element_balance"].update(soft=0),
    "another rounding": lambda file: file["rounding"].update(method="half_up"),
    "no factor release": lambda file: file.update(factor_releases=[]),
    "an unknown member": lambda file: file.update(comment="x"),
    "distribution outside of all stages": lambda file: file.update(distribution="shipping"),
    "an end of life in no stage": lambda file: file["end_of_life"].update(stage="grave"),
    "an end of life outside the boundary": lambda file: file.update(outside_boundary=["recycling"]),
    "an unknown way of counting recycling": lambda file: file["end_of_life"].update(method="avoided_burden"),
    "a circular formula without A": lambda file: file["end_of_life"].update(method="cff"),
    "a collection rate above 1": lambda file: file["end_of_life"].update(collection_rate="1.2"),
    "no cycles a year": lambda file: file["denominator"].update(kind="service_life_energy", full_cycles_per_year={}),
    "no version": lambda file: file.update(version=""),
    "a limit that nothing passes": lambda file: file["gates"]["element_balance"].update(hard=1e308),
    "a ratio of qualities above 1": lambda file: file["end_of_life"].update(quality_out="50"),
    "an id that is a path": lambda file: file.update(id="../x"),
    "less than once the background": lambda file: file["gates"]["plausible_range"].update(soft=0.5),
    "a release twice": lambda file: file.update(factor_releases=[*file["factor_releases"], file["factor_releases"][0]]),
    "a key twice": lambda file: file["allocation"].update(keys=["mass", "mass"]),
    "next to no kilometres": lambda file: file["denominator"].update(km_per_year={"M1": "1E-40"}),
    "next to no cycles": lambda file: file["denominator"].update(full_cycles_per_year={"M1": "1E-40"}),
    "another format": lambda file: file.update(format="urn:packtrace:rule-set-file:2"),
    "no gates": lambda file: file.pop("gates"),
    "a proxy release that isn't allowed": lambda file: file.update(proxy_releases=["other"]),
    "an unknown GWP set": lambda file: file["gases"].update(gwp_set="AR3"),
    "two alternatives of one id": lambda file: file["electricity"]["alternatives"].append(
        file["electricity"]["alternatives"][0]
    ),
    "an alternative without a label": lambda file: file["electricity"]["alternatives"][0].pop("label"),
}


@pytest.mark.parametrize("change", BAD.values(), ids=BAD.keys())
def test_a_bad_rule_set_is_refused(change: Callable[[File], object]) -> None:
    with pytest.raises(RuleSetError):
        RuleSet.read(changed(change))


def test_what_stands_twice_is_named() -> None:
    with pytest.raises(
        RuleSetError, match=r"stage_rules \(process, line\): \('material_production', 'material'\) stands twice"
    ):
        RuleSet.read(changed(BAD["a pair with two stages"]))


@pytest.mark.parametrize("data", [b"", b"[]", b"{", b"\xff", b"[" * 200_000, b" " * (1024 * 1024 + 1)])
def test_bytes_that_are_no_rule_set_are_refused(data: bytes) -> None:
    with pytest.raises(RuleSetError):
        RuleSet.read(data)


def test_the_digest_is_of_the_bytes_and_not_of_what_they_say() -> None:
    data = changed(lambda file: file.update(digest="00"))
    assert RuleSet.read(data).digest == hashlib.sha256(data).hexdigest()
    assert RuleSet.read(data + b" ").digest != RuleSet.read(data).digest


def test_an_unknown_rule_set_is_an_error_that_lists_the_known() -> None:
    with pytest.raises(RuleSetError) as caught:
        load_rule_set("../factors/everbatt-2023")
    assert all(name in caught.value.remedy for name in SHIPPED)
