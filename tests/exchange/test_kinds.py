"""The kinds registry, the policy file, and the pages that document them: the pages' examples are read by the real models."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bom_graph import ActivityData, FactorRelease, Record, RuleSet, load_release, load_rule_set
from bom_graph.factors import FactorRow
from bom_graph.records import AmountLine
from exchange.assembly import Demand, compute
from exchange.errors import EvidenceError, StatementError
from exchange.kinds import (
    KINDS,
    VERIFICATION_STATEMENT,
    Kind,
    Policy,
    ReviewedRelease,
    RoleGrant,
    kind_of,
    load_policy,
    policy_bytes,
)
from exchange.report import document
from signer import KEY_EVENT, RETRACTIONS
from tests.connectors.supply_chain import SupplyChain

PAGES = Path(__file__).parents[2] / "docs" / "formats"
RECORDS = {name: kind for name, kind in ((vct.split(":")[2], kind) for vct, kind in KINDS.items()) if kind.record}
OPEN = {
    "role-grant": "role-grant",
    "factor-release": "releases",
    "rule-set-release": "releases",
    "policy-release": "releases",
}


def page(name: str) -> str:
    return (PAGES / f"{name}.md").read_text(encoding="utf-8")


def examples(name: str) -> list[Any]:
    return [json.loads(text) for text in re.findall(r"```json\n(.*?)```", page(name), re.DOTALL)]


def documented(name: str) -> dict[str, list[str]]:
    """Name in the first cell of each row -> the row's other cells; without the table of lines."""
    text = page(name).partition("## Lines")[0]
    rows = (line.strip("|").split("|") for line in text.splitlines() if line.startswith("| `"))
    return {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in rows}


def documented_lines(name: str) -> dict[tuple[str, str], str]:
    """(list, member) -> whether it is required, from the page's table of lines."""
    rows = (line.strip("|").split("|") for line in page(name).splitlines() if re.match(r"\| `\w+` \| `\w+` \|", line))
    return {(cells[0].strip(" `"), cells[1].strip(" `")): cells[3].strip() for cells in rows}


# -- the registry ----------------------------------------------------------------------------------------------------


def test_every_kind_has_a_vct_a_reader_and_someone_who_signs_it() -> None:
    policy = load_policy()
    assert policy.roles_by_kind.keys() == KINDS.keys()
    for vct, kind in KINDS.items():
        assert re.fullmatch(r"urn:packtrace:[a-z-]+:1", vct)
        assert kind.vct == kind.profile.vct == vct
        assert kind_of(vct) is kind
        assert policy.roles_by_kind[vct]
        judged_by_signer = vct == KEY_EVENT.vct or vct in RETRACTIONS
        assert judged_by_signer or (kind.record is None) != (kind.open_model is None)


@pytest.mark.parametrize("kind", RECORDS.values(), ids=RECORDS.keys())
def test_a_kind_with_a_record_opens_nothing_of_its_own(kind: Kind) -> None:
    assert kind.profile.selective
    # The one exception: whoever sees a verification can see what of.
    assert kind.profile.open_claims == (frozenset({"target"}) if kind is VERIFICATION_STATEMENT else frozenset())
    assert kind.record is not None
    assert kind.profile.lists == set(kind.record.lists)


@pytest.mark.parametrize("name", OPEN)
def test_a_kind_of_open_claims_has_no_hidden_ones(name: str) -> None:
    kind = kind_of(f"urn:packtrace:{name}:1")
    assert not kind.profile.selective
    assert kind.open_model is not None
    assert kind.profile.open_claims == set(kind.open_model.model_fields)


@pytest.mark.parametrize("vct", ["", "activity-data", "urn:packtrace:activity-data:2", "urn:packtrace:horoscope:1"])
def test_an_unknown_kind_is_refused_with_the_known_ones(vct: str) -> None:
    with pytest.raises(StatementError) as caught:
        kind_of(vct)
    assert all(known in caught.value.remedy for known in KINDS)


# -- the policy ------------------------------------------------------------------------------------------------------


def test_the_policy_s_digest_is_of_its_bytes() -> None:
    assert load_policy().digest == hashlib.sha256(policy_bytes()).hexdigest()
    assert Policy.read(policy_bytes() + b" ").digest != load_policy().digest


@pytest.mark.parametrize(
    ("roles", "vct", "may"),
    [
        ({"supplier"}, "urn:packtrace:activity-data:1", True),
        ({"supplier", "verifier"}, "urn:packtrace:product-footprint:1", True),
        ({"supplier"}, "urn:packtrace:delivery:1", True),
        ({"supplier"}, "urn:packtrace:battery-model:1", False),
        ({"verifier"}, "urn:packtrace:delivery:1", False),
        ({"verifier"}, "urn:packtrace:activity-data:1", False),
        ({"operator"}, "urn:packtrace:activity-data:1", False),
        ({"supplier"}, KEY_EVENT.vct, False),
        (set(), "urn:packtrace:activity-data:1", False),
        ({"operator"}, "urn:packtrace:horoscope:1", False),
    ],
)
def test_a_kind_is_signed_by_its_roles_only(roles: set[str], vct: str, may: bool) -> None:
    def ask() -> None:
        load_policy().may_sign(vct, frozenset(roles), issuer="https://a.example")

    if may:
        ask()
    else:
        with pytest.raises(StatementError, match=re.escape(vct)):
            ask()


BAD_POLICIES: dict[str, bytes] = {
    "empty": b"",
    "a list": b"[]",
    "not UTF-8": b"\xff",
    "nested too deep": b"[" * 200_000,
    "an unknown role": policy_bytes().replace(b'"supplier"', b'"emperor"', 1),
    "an unknown member": policy_bytes().replace(b'"version"', b'"comment": 1, "version"', 1),
    "another format": policy_bytes().replace(b"policy-file:1", b"policy-file:2", 1),
}


@pytest.mark.parametrize("data", BAD_POLICIES.values(), ids=BAD_POLICIES.keys())
def test_a_bad_policy_is_refused(data: bytes) -> None:
    with pytest.raises(EvidenceError):
        Policy.read(data)


# -- the pages -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", RECORDS)
def test_the_example_of_a_page_is_a_record_of_its_kind(name: str) -> None:
    record_type = RECORDS[name].record
    assert record_type is not None
    (example,) = examples(name)
    record = record_type.draft(example)
    assert record.is_whole
    assert not record.model_extra, "the example has a member that the record doesn't know"


@pytest.mark.parametrize("name", RECORDS)
def test_a_page_names_every_claim_and_which_are_required(name: str) -> None:
    record_type = RECORDS[name].record
    assert record_type is not None
    claims = documented(name)
    assert claims.keys() == record_type.model_fields.keys()
    assert {claim for claim, (_, is_required, _) in claims.items() if is_required == "yes"} == record_type.required


@pytest.mark.parametrize("name", RECORDS)
def test_a_page_names_every_member_of_every_line(name: str) -> None:
    record_type = RECORDS[name].record
    assert record_type is not None
    everywhere = {"id", "amount", "unit", "obtained", "quality", "note"}
    inputs = {field.alias or key for key, field in ActivityData.lists["inputs"].model_fields.items()}
    lines = documented_lines(name)
    for list_name, line in record_type.lists.items():
        members = {field.alias or key for key, field in line.model_fields.items()} - everywhere
        if list_name == "components":
            members -= inputs
        if issubclass(line, AmountLine):
            members -= {"evidence"}  # of every line with an amount, as `quality`
        assert {member for of, member in lines if of == list_name} == members, list_name
        for member in members:
            field = next(f for key, f in line.model_fields.items() if (f.alias or key) == member)
            assert (lines[list_name, member] == "yes") == field.is_required(), member


def test_an_open_kind_s_page_names_its_claims_and_its_example_is_read() -> None:
    (grant,) = examples("role-grant")
    assert RoleGrant.model_validate(grant).roles == ("supplier",)
    assert documented("role-grant").keys() == RoleGrant.model_fields.keys()
    release, policy = examples("releases")
    assert ReviewedRelease.model_validate(release).id == release["id"]
    assert Policy.read(json.dumps(policy).encode()).roles_by_kind
    assert documented("releases").keys() == ReviewedRelease.model_fields.keys() | Policy.model_fields.keys() - {
        "digest"
    }
    for name, where in OPEN.items():
        assert f"urn:packtrace:{name}:1" in page(where)


@pytest.mark.parametrize("name", [*RECORDS, *OPEN])
def test_a_page_says_who_signs(name: str) -> None:
    (line,) = re.findall(r"^Signed by: (.*)$", page(OPEN.get(name, name)), re.MULTILINE)
    for role in load_policy().roles_by_kind[f"urn:packtrace:{name}:1"]:
        assert f"`{role}`" in line


FILES: dict[str, tuple[type[FactorRelease | RuleSet], Callable[[bytes], FactorRelease | RuleSet], set[str]]] = {
    "factor-release": (FactorRelease, FactorRelease.read, set(FactorRow.model_fields)),
    "rule-set": (RuleSet, RuleSet.read, set()),
}


@pytest.mark.parametrize("name", FILES)
def test_the_pages_of_files_name_every_member_and_their_examples_are_read(name: str) -> None:
    model, read, of_rows = FILES[name]
    (example,) = examples(name)
    assert read(json.dumps(example).encode()).id == example["id"]
    assert documented(name).keys() == (model.model_fields.keys() | of_rows) - {"digest"}


def test_the_page_of_results_names_every_member() -> None:
    chain = SupplyChain()
    pack = chain.pack("NMC622", "US", "recipe")
    releases = [load_release("everbatt-2023")]
    rule_set = load_rule_set("everbatt-2023-cradle-to-gate")
    found = document(compute(chain.simulator.evidence(), Demand(pack), rule_set, releases, load_policy()))
    rows = documented("result")
    assert rows.keys() == found.keys()
    for name, cells in rows.items():
        parts = found[name][0] if isinstance(found[name], list) and found[name] else found[name]
        if "{" in cells[0] and isinstance(parts, dict):
            assert set(re.findall(r"\w+", cells[0].partition("{")[2].partition("}")[0])) == parts.keys(), name
    for part in found["contributions"]:
        assert all(f"`{member}`" in page("result") for member in part)
        assert all(member in page("result") for member in part.get("factor", {}))


def test_the_contribution_on_the_page_of_results_works_out() -> None:
    (part,) = examples("result")
    per_unit = float(part["amount"]) / float(part["divided_by"])
    assert per_unit == pytest.approx(float(part["amount_per_unit"]), rel=1e-11)
    assert per_unit * float(part["factor"]["value"]) == pytest.approx(float(part["kg_co2e_per_unit"]), rel=1e-11)
    assert float(part["kg_co2e_per_unit"]) * float(part["units_in_demand"]) == pytest.approx(
        float(part["kg_co2e"]), rel=1e-11
    )


def test_records_survive_their_own_unknown_claims() -> None:
    """A field that a later version adds is kept, not refused."""
    for name, kind in RECORDS.items():
        record_type: type[Record] | None = kind.record
        assert record_type is not None
        (example,) = examples(name)
        assert record_type.draft({**example, "a_later_claim": {"x": 1}}).model_extra == {"a_later_claim": {"x": 1}}
