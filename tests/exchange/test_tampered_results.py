"""Results that don't follow from the entries, or aren't in their one written form, are refused whatever was changed."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bom_graph import load_rule_set
from exchange.assembly import Demand
from exchange.report import Document, document_bytes
from exchange.trust import TrustFile
from exchange.verification import verify_evidence
from tests.exchange.dossier import (
    EVERBATT,
    LFP,
    METALS,
    SALT,
    Dossier,
    EverBatt,
    Members,
    refuse,
    remade,
    renamed_results,
    with_results,
)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Paths of all values inside a document."""
    for key, child in value.items() if isinstance(value, dict) else enumerate(value):
        if isinstance(child, dict | list) and child:
            yield from leaves(child, (*path, key))
        else:
            yield (*path, key)


def inside(value: Any, path: Sequence[str | int]) -> Any:
    for key in path:
        value = value[key]
    return value


def other_than(value: Any) -> Any:
    """Another value of the same kind; a figure by more than the tolerance."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if value is None:
        return "0"
    if isinstance(value, str):
        try:
            return f"{float(value) * 1.00001 + 1e-9:.12g}"
        except ValueError:
            return f"{value}."
    return [value]


def test_no_value_of_a_result_can_be_changed(small: Dossier, small_trust: TrustFile) -> None:
    found = small.compute(Demand(SALT), EVERBATT)
    members = small.members([found])
    paths = list(leaves(found))
    assert len(paths) > 60
    for path in paths:
        changed = copy.deepcopy(found)
        inside(changed, path[:-1])[path[-1]] = other_than(inside(found, path))
        verdict = verify_evidence(small.written(renamed_results(members, document_bytes(changed))), small_trust)
        due = "not_decidable" if path == ("engine",) else "rejected"
        assert verdict.code == due, path
        assert str(verdict.where).startswith("results/"), path


Edit = Callable[[Document], object]
EDITED: dict[str, tuple[str, Edit, str]] = {
    "figure changed": ("NMC622 recipe", lambda d: d["total"].update(value="7000"), "/total/value"),
    "headline printed lower": (
        "NMC622 recipe",
        lambda d: d["headline"].update(printed="0.080000"),
        "/headline/printed",
    ),
    "headline printed with a digit less": (
        "NMC622 recipe",
        lambda d: d["headline"].update(printed=d["headline"]["printed"][:-1]),
        "/headline/printed",
    ),
    "unit changed": ("NMC622 recipe", lambda d: d["headline"].update(unit="g CO2e/kWh"), "/headline/unit"),
    "gap removed": ("NMC622 recipe", lambda d: d["gaps"].pop(), "/gaps"),
    "all gaps removed": ("NMC622 recipe", lambda d: d.update(gaps=[], complete=True, heading="complete"), "/complete"),
    "complete flipped": ("NMC622 recipe", lambda d: d.update(complete=True), "/complete"),
    "heading changed": ("NMC622 recipe", lambda d: d.update(heading="complete"), "/heading"),
    "gap's stage as zero": (
        "NMC622 recipe",
        lambda d: d["stages"][-1].update(status="computed", value="0", total_kg_co2e="0"),
        "/stages/3/status",
    ),
    "finding removed": ("LFP recipe", lambda d: d["findings"].pop(), "/findings"),
    "finding softened": ("LFP recipe", lambda d: d["findings"][0].update(level="note"), "/findings/0/level"),
    "sealed branch hidden": ("LFP recipe", lambda d: d["sealed"].pop(), "/sealed"),
    "sealed branch called verified": (
        "LFP recipe",
        lambda d: d["sealed"][0].update(verification="verified"),
        "/sealed/0",
    ),
    "sealed share lowered": ("LFP recipe", lambda d: d["sealed"][0].update(percent="1"), "/sealed/0/percent"),
    "assumption removed": ("NMC622 recipe", lambda d: d["assumptions"].pop(), "/assumptions"),
    "modelled called measured": (
        "NMC622 recipe",
        lambda d: d.update(obtained_percent={"measured": "100"}),
        "/obtained_percent",
    ),
    "primary share raised": (
        "NMC622 recipe",
        lambda d: d["primary_data_share"].update(activity_percent="100"),
        "/primary_data_share",
    ),
    "contribution removed": ("NMC622 recipe", lambda d: d["contributions"].pop(), "/contributions"),
    "contribution of another signer": (
        "NMC622 recipe",
        lambda d: d["contributions"][0].update(signer=METALS),
        "/contributions/0/signer",
    ),
    "factor changed": (
        "NMC622 recipe",
        lambda d: next(c for c in d["contributions"] if "factor" in c)["factor"].update(value="0"),
        "/factor/value",
    ),
    "member more": ("NMC622 recipe", lambda d: d.update(verified=True), "/verified"),
    "member less": ("NMC622 recipe", lambda d: d.pop("unstated"), "/unstated"),
    "inputs dropped": ("NMC622 recipe", lambda d: d["inputs"].pop(0), ""),
    "inputs empty": ("NMC622 recipe", lambda d: d.update(inputs=[]), ""),
    "input twice": ("NMC622 recipe", lambda d: d["inputs"].append(d["inputs"][0]), "/inputs"),
    "input at another index": ("NMC622 recipe", lambda d: d["inputs"][0].update(index=0), "/inputs/0/index"),
    "input that is absent": ("NMC622 recipe", lambda d: d["inputs"][0].update(leaf_hash="ab" * 32), ""),
    "fewer disclosures named": ("NMC622 recipe", lambda d: d["inputs"][0]["disclosures"].pop(), ""),
    "no disclosures named": ("NMC622 recipe", lambda d: d["inputs"][0].update(disclosures=[]), ""),
    "disclosures that are absent": ("NMC622 recipe", lambda d: d["inputs"][0]["disclosures"].append("x"), ""),
    "disclosures are a number": ("NMC622 recipe", lambda d: d["inputs"][0].update(disclosures=5), ""),
    "another product": ("NMC622 recipe", lambda d: d["demand"].update(product=f"{LFP}/cathode"), ""),
    "unknown product": ("NMC622 recipe", lambda d: d["demand"].update(product="https://nobody.example/x"), ""),
    "product is a list": ("NMC622 recipe", lambda d: d["demand"].update(product=[]), ""),
    "flow is an object": ("NMC622 recipe", lambda d: d["demand"].update(flow={}), ""),
    "published factor in place of the recipe": (
        "NMC622 recipe",
        lambda d: d["demand"].update(flow="cathode-nmc622"),
        "/",
    ),
    "rule set of another result": (
        "NMC622 recipe",
        lambda d: d["rule_set"].update(digest=load_rule_set("cn-miit-551-trial").digest),
        "/",
    ),
    "rule set that is absent": ("NMC622 recipe", lambda d: d["rule_set"].update(digest="0" * 64), ""),
    "release that is absent": ("NMC622 recipe", lambda d: d["releases"][0].update(digest="0" * 64), ""),
    "release twice": ("NMC622 recipe", lambda d: d["releases"].append({**d["releases"][0], "digest": "0" * 64}), ""),
    "no releases": ("NMC622 recipe", lambda d: d.update(releases=[]), ""),
    "releases are null": ("NMC622 recipe", lambda d: d.update(releases=None), ""),
    "another policy": ("NMC622 recipe", lambda d: d.update(policy="0" * 64), "/policy"),
    "snapshot beyond the checkpoint": ("NMC622 recipe", lambda d: d["snapshot"].update(size=46), ""),
    "snapshot before its own inputs": ("NMC622 recipe", lambda d: d["snapshot"].update(size=20), ""),
    "snapshot of zero": ("NMC622 recipe", lambda d: d["snapshot"].update(size=0), ""),
    "snapshot below zero": ("NMC622 recipe", lambda d: d["snapshot"].update(size=-1), ""),
    "snapshot infinite": ("NMC622 recipe", lambda d: d["snapshot"].update(size=float("inf")), ""),
    "snapshot is text": ("NMC622 recipe", lambda d: d["snapshot"].update(size="45"), ""),
    "snapshot of another log": (
        "NMC622 recipe",
        lambda d: d["snapshot"].update(origin="other.example"),
        "/snapshot/origin",
    ),
    "figure with white space": ("NMC622 recipe", lambda d: d["total"].update(value=f" {d['total']['value']}"), ""),
    "figure in other digits": (
        "NMC622 recipe",
        lambda d: d["total"].update(value=d["total"]["value"].translate({48 + n: 0xFF10 + n for n in range(10)})),
        "",
    ),
    "figure is a number": (
        "NMC622 recipe",
        lambda d: d["total"].update(value=float(d["total"]["value"])),
        "/total/value",
    ),
    "figure is not a number": ("NMC622 recipe", lambda d: d["total"].update(value="nan"), "/total/value"),
}


@pytest.mark.parametrize("case", EDITED)
def test_an_edited_result_is_refused(everbatt: EverBatt, trust: TrustFile, case: str) -> None:
    """The result is named by its digest again, the report is that of the edited result where there can be one."""
    name, edit, where = EDITED[case]
    found = everbatt.results[name, EVERBATT]
    edited = copy.deepcopy(found)
    edit(edited)
    members = everbatt.dossier.members([found])
    try:
        members = with_results(members, [edited])
    except (KeyError, TypeError, ValueError):
        members = renamed_results(members, document_bytes(edited))
    verdict = refuse(everbatt.dossier.written(members), trust, where)
    assert str(verdict.where).startswith("results/")


BAD_RESULTS: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "a list": lambda data: b"[" + data + b"]",
    "not JSON": lambda _: b"0.08 kg",
    "not UTF-8": lambda data: data.replace(b"complete", b"compl\xffte", 1),
    "UTF-16": lambda data: data.decode().encode("utf-16"),
    "member twice": lambda data: b'{"heading":"complete",' + data[1:],
    "other white space": lambda data: data.replace(b'":', b'": ', 1),
    "line feed at the end": lambda data: data + b"\n",
    "escaped characters": lambda data: data.replace(b"complete", b"\\u0063omplete", 1),
    "deep": lambda _: b'{"a":' * 100_000,
    "deep and closed": lambda _: b'{"a":' * 990 + b"1" + b"}" * 990,
    "lone surrogate": lambda data: data.replace(b"complete", b"\\ud800", 1),
    "number of many digits": lambda _: b'{"a":' + b"9" * 9000 + b"}",
}


@pytest.mark.parametrize("case", BAD_RESULTS)
def test_a_result_in_another_form_is_refused(small: Dossier, small_trust: TrustFile, case: str) -> None:
    found = small.compute(Demand(SALT), EVERBATT)
    members = renamed_results(small.members([found]), BAD_RESULTS[case](document_bytes(found)))
    refuse(small.written(members), small_trust, "results/", "one written form")


def test_a_result_under_two_names_is_refused(small_file: bytes, small_trust: TrustFile) -> None:
    def change(members: Members) -> None:
        (name,) = (name for name in members if name.startswith("results/"))
        members[f"results/{'0' * 64}.json"] = members[name]

    refuse(remade(small_file, change), small_trust, f"results/{'0' * 64}.json", "name")


def test_results_of_another_log_are_refused(small_file: bytes, trust: TrustFile) -> None:
    """Two worlds with the same log key and name: the other's certificates are not this one's."""
    refuse(small_file, trust, "entries/000000000000: certificate")


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_nothing_in_a_member_makes_verification_stumble(
    small_file: bytes, small_trust: TrustFile, data: st.DataObject
) -> None:
    """Any member with any bytes, JSON of any shape, or a splice of its own: a verdict, never an exception."""

    def change(members: Members) -> None:
        name = data.draw(st.sampled_from(sorted(members)))
        old = members[name]
        start = data.draw(st.integers(0, len(old)))
        new = data.draw(st.binary(max_size=30) | any_json.map(lambda value: json.dumps(value).encode()))
        whole = data.draw(st.booleans())
        members[name] = new if whole else old[:start] + new + old[start + data.draw(st.integers(0, 5)) :]
        if name.startswith("results/"):
            members.update(renamed_results(members, members.pop(name)))

    verdict = verify_evidence(remade(small_file, change), small_trust)
    assert verdict.code in ("verified", "rejected", "not_decidable")


any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_no_shape_of_a_result_makes_verification_stumble(
    small: Dossier, small_trust: TrustFile, data: st.DataObject
) -> None:
    found = copy.deepcopy(small.compute(Demand(SALT), EVERBATT))
    members = small.members([found])
    nodes = [path[:depth] for path in leaves(found) for depth in range(1, len(path) + 1)]
    path = data.draw(st.sampled_from(sorted(set(nodes), key=str)))
    inside(found, path[:-1])[path[-1]] = data.draw(any_json)
    try:
        encoded = document_bytes(found)
    except ValueError:
        return
    verdict = verify_evidence(small.written(renamed_results(members, encoded)), small_trust)
    assert verdict.code in ("verified", "rejected", "not_decidable")
