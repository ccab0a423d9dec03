"""What Article 7 names beside the result under China's trial rules: known figures of the demo's packs, of a whole pack, and refusals."""

from __future__ import annotations

import copy
import re
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from bom_graph import BatteryModel, load_rule_set
from exchange.assembly import Demand
from exchange.beside import NOTICE, Maker, beside, lines_of
from exchange.errors import UsageError
from exchange.report import Document, digest
from tests.exchange.dossier import CHINA, EUROPE, EVERBATT, PACKS, EverBatt
from tests.exchange.stand import standing
from tests.flow.accounts import Company
from tests.flow.filing import Pack, hand_in, kind_named, model_claims, pack_claims
from tests.flow.world import Exchange, line

RULES = (load_rule_set(EUROPE), load_rule_set(CHINA))
MADE_FOR: dict[str, Any] = {
    "usable_energy": line(amount="90", unit="kWh", obtained="measured"),
    "vehicle": {"class": "M1", "obtained": "measured"},
    "warranty": {"years": "8", "obtained": "measured"},
}


def put(european: Document, chinese: Document, model: BatteryModel | None = None) -> Document:
    """The two beside each other."""
    results = (digest(european), european), (digest(chinese), chinese)
    return beside(results, RULES, Maker(PACKS, "Packs Ltd", "US", {"lei": "X1"}), model)


def of_demo(everbatt: EverBatt, name: str) -> Document:
    record = everbatt.entries[f"model {name}"].record
    assert isinstance(record, BatteryModel)
    return put(everbatt.results[name, EUROPE], everbatt.results[name, CHINA], record)


def points(found: Document) -> dict[str, Any]:
    return {one["point"]: one for one in found["article_7"]}


@pytest.mark.parametrize(
    ("name", "china", "europe"),
    [
        ("NMC622 factor", "0.081320", "0.165733"),
        ("NMC622 recipe", "0.080275", "0.163605"),
        ("LFP recipe", "0.068541", "0.139689"),
    ],
)
def test_the_demo_s_packs_differ_by_the_denominator(everbatt: EverBatt, name: str, china: str, europe: str) -> None:
    found = of_demo(everbatt, name)
    headlines = {side: one["headline"]["printed"] for side, one in found["results"].items()}
    assert headlines == {"european": europe, "chinese": china}
    said = points(found)
    assert [*said] == list("abcdefg")
    assert {point: one["status"] for point, one in said.items()} == {
        **dict.fromkeys("abc", "held"),
        **dict.fromkeys("de", "partial"),
        **dict.fromkeys("fg", "missing"),
    }
    assert said["a"]["value"] == {
        "uri": PACKS,
        "name": "Packs Ltd",
        "country": "US",
        "identifiers": {"lei": "X1"},
    }
    assert (said["b"]["value"], said["c"]["value"]["country"]) == (name, "US")
    assert said["d"]["what"] == "partial: 2 of 4 stages"
    assert said["e"]["what"] == "missing: distribution, end of life and recycling"
    # 90,000 kWh of the test, 92 kWh x 60 cycles x 8 years: that alone tells them apart.
    first, *rest = found["difference"]["aspects"]
    assert first["aspect"] == "denominator"
    assert first["lines"][0] | {"value": ""} == {
        "cause": "rule",
        "where": "denominator",
        "what": "kWh",
        "line": "",
        "before": "90000",
        "after": "44160",
        "value": "",
    }
    assert all(float(one["value"]) == pytest.approx(0, abs=1e-12) for one in rest)
    assert float(first["value"]) == pytest.approx(float(found["difference"]["value"]), rel=1e-9)


def test_a_sealed_branch_says_sealed(everbatt: EverBatt) -> None:
    found = of_demo(everbatt, "LFP recipe")
    (branch,) = found["sealed"]["european"]
    assert branch["product"] == "https://lfp-cathodes.example/cathode"
    sealed = found["difference"]["aspects"][1]
    assert sealed["aspect"] == "sealed branches, by their makers' own figures"
    assert sorted(one["cause"] for one in sealed["lines"]) == ["line added", "line removed"]
    # Its maker signed a footprint for each of the rule sets.
    of_lfp = {rules: everbatt.entries[f"footprint {rules}"].index for rules in (EUROPE, CHINA)}
    assert [one["index"] for one in found["only_inputs"]["european"]] == [of_lfp[EUROPE]]
    assert [one["index"] for one in found["only_inputs"]["chinese"]] == [of_lfp[CHINA]]
    text = "\n".join(lines_of(found))
    assert "sealed: https://lfp-cathodes.example/cathode by https://lfp-cathodes.example" in text


def test_it_is_never_called_a_declaration(everbatt: EverBatt) -> None:
    found = of_demo(everbatt, "NMC622 recipe")
    text = "\n".join(lines_of(found))
    assert NOTICE in text.splitlines()
    # But for the sentence that it is none, and another document's name in (f).
    assert text.lower().count("declaration") == 2
    assert "(f) identification number of the EU declaration of conformity: missing" in text
    for rules in RULES:
        assert all(f"not implemented: {one}" in text for one in rules.not_implemented)
        assert all(f"unstated: {one.what}; assumed: {one.assumption}" in text for one in rules.unstated)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda e, n: (e.results[n, CHINA], e.results[n, EUROPE]), f"the first result is under {CHINA}"),
        (lambda e, n: (e.results[n, EVERBATT], e.results[n, CHINA]), f"the first result is under {EVERBATT}"),
        (lambda e, n: (e.results[n, EUROPE], e.results[n, EVERBATT]), f"the second result is under {EVERBATT}"),
        (lambda e, n: (e.results[n, EUROPE], e.results["NMC622 factor", CHINA]), "about different products"),
    ],
)
def test_what_can_t_stand_beside_is_refused(everbatt: EverBatt, change: Any, what: str) -> None:
    with pytest.raises(UsageError, match=what) as caught:
        put(*change(everbatt, "LFP recipe"))
    assert caught.value.where
    assert caught.value.remedy


def test_another_text_of_the_rules_is_refused(everbatt: EverBatt) -> None:
    european = copy.deepcopy(everbatt.results["LFP recipe", EUROPE])
    european["rule_set"]["digest"] = "00" * 32
    with pytest.raises(UsageError, match="another text of eu-cfb-draft-2024-partial"):
        put(european, everbatt.results["LFP recipe", CHINA])


def test_what_is_no_pack_is_refused(everbatt: EverBatt) -> None:
    european, chinese = (
        everbatt.dossier.compute(Demand("https://lithium.example/lithium-carbonate"), one) for one in (EUROPE, CHINA)
    )
    with pytest.raises(UsageError, match="no battery pack"):
        put(european, chinese)


def test_the_page_shows_what_is_printed(everbatt: EverBatt) -> None:
    page = (Path(__file__).parents[2] / "docs" / "beside.md").read_text("utf-8")
    _commands, first, among = re.findall(r"^```text\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    text = "\n".join(lines_of(of_demo(everbatt, "NMC622 recipe"))) + "\n"
    assert text.startswith(first)
    assert set(among.splitlines()) <= set(text.splitlines())


# -- at an exchange --------------------------------------------------------------------------------------------------


def computed(who: Company, product: str, rules: str) -> dict[str, Any]:
    answer = who.admin.post("/api/v1/footprints", json={"product": product, "rule_set": rules, "reader": who.uri})
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_a_whole_pack_differs_by_end_of_life_too(sqlite_exchange: Exchange) -> None:
    maker = Company.join(sqlite_exchange, "maker", roles=["pack_maker"])
    pack = Pack(maker).state(**MADE_FOR)
    european, chinese = (computed(maker, pack.product, rules) for rules in (EUROPE, CHINA))
    answer = maker.admin.get(f"/api/v1/footprints/{european['digest']}/beside/{chinese['digest']}")
    assert answer.status_code == 200, answer.text
    found = answer.json()
    said = points(found)
    assert [one["status"] for one in said.values()] == ["held"] * 5 + ["missing"] * 2
    assert said["a"]["value"]["name"] == "Maker Ltd"
    assert said["c"]["value"] == {"name": "Plant 1", "country": "CN", "grid": "CN"}
    # 500 kg of copper: credited for by half of (3 - 1.2) kg CO2e/kg x 0.9 in the one, burdened with 1.2 x 0.9 in the other.
    aspects = {one["aspect"]: float(one["value"]) for one in found["difference"]["aspects"]}
    assert [*aspects] == ["denominator", "end of life"]
    burdened, credited = 500 * (0.9 * 1.2 + 0.1 * 0.05), 500 * (0.5 * 0.9 * (1.2 - 3) + 0.1 * 0.05)
    assert aspects["end of life"] == pytest.approx((credited - burdened) / 90_000, rel=1e-9)
    total = float(european["result"]["total"]["value"])
    assert aspects["denominator"] == pytest.approx(total / (90 * 60 * 8) - total / 90_000, rel=1e-9)
    moved = Decimal(found["difference"]["to"]) - Decimal(found["difference"]["from"])
    assert sum(aspects.values()) == pytest.approx(float(moved), rel=1e-9)
    swapped = maker.admin.get(f"/api/v1/footprints/{chinese['digest']}/beside/{european['digest']}")
    assert (swapped.status_code, swapped.json()["where"]) == (400, "rule_set")
    rival = Company.join(sqlite_exchange, "rival")
    there = rival.admin.get(f"/api/v1/footprints/{european['digest']}/beside/{chinese['digest']}")
    assert there.status_code == 404


def test_what_a_maker_does_not_disclose_is_sealed(sqlite_exchange: Exchange) -> None:
    exchange = sqlite_exchange
    maker = Company.join(exchange, "maker", roles=["pack_maker"])
    customer = Company.join(exchange, "customer", roles=["vehicle_maker"])
    pack = Pack(maker)
    tested: dict[str, Any] = {
        "cumulative_discharge_energy": line(amount="90000", unit="kWh", obtained="measured"),
        "cycle_life": {"standard": "GB/T 31484", "object": "pack", "basis": "Wh", "obtained": "measured"},
    }
    model = model_claims(pack.product, **MADE_FOR, **tested)
    claims = {"battery-model": model, **pack_claims(pack.product)}
    leaves = {}
    for name, stated in claims.items():
        answer = hand_in(maker, name, stated)
        assert answer.status_code == 201, answer.text
        leaves[name] = answer.json()["leaf_hash"]
    paths = sorted({*model} - {"plant"} | {"contents"})
    for name, leaf in leaves.items():
        body = {
            "owner": maker.uri,
            "reader": customer.uri,
            "leaf_hash": leaf,
            "paths": paths if name == "battery-model" else ["full"],
            "purpose": "customer",
        }
        assert maker.admin.post("/api/v1/grants", json=body).status_code == 201
    european, chinese = (computed(customer, pack.product, rules)["digest"] for rules in (EUROPE, CHINA))
    found = customer.admin.get(f"/api/v1/footprints/{european}/beside/{chinese}").json()
    said = points(found)
    assert said["b"]["value"] == "P100"
    assert (said["c"]["status"], said["c"]["value"]) == ("sealed", None)
    assert "Plant 1" not in str(found)
    taken = maker.admin.get("/api/v1/access-log").json()
    assert ("read", leaves["battery-model"]) in {(one["act"], one["leaf_hash"]) for one in taken}


def test_the_command_prints_both(tmp_path: Path) -> None:
    uri = "https://maker.example"
    with standing(tmp_path) as stand:
        stand.join(uri, "pack_maker")
        product = f"{uri}/p100"
        for name, claims in {"battery-model": model_claims(product, **MADE_FOR), **pack_claims(product)}.items():
            stand.state(uri, kind_named(name), claims)
        digests = [
            stand.found("footprint", "calculate", product, "--rule-set", rules, "--reader", uri)["digest"]
            for rules in (EUROPE, CHINA)
        ]
        ran = stand.run("footprint", "beside", *digests)
        assert ran.exit_code == 0, ran.output
        assert ran.stdout.splitlines() == lines_of(stand.found("footprint", "beside", *digests))
        assert NOTICE in ran.stdout
        wrong = stand.run("footprint", "beside", *digests[::-1])
        assert (wrong.exit_code, wrong.stdout, wrong.stderr.count("\n")) == (1, "", 1)
        assert "give the result under eu-cfb-draft-2024-partial first" in wrong.stderr
