"""``packtrace bom``: the tree of a bill, where a product is used, and checks without a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner, Result

from bom_graph import release_bytes
from exchange.cli.main import command_line
from exchange.kinds import ACTIVITY_DATA, BILL_OF_MATERIALS, PRODUCT_FOOTPRINT
from signer import split_presentation
from tests.exchange.stand import Stand, standing
from tests.flow.world import activity, bill, line, signed_footprint

EXAMPLES = Path(__file__).parents[2] / "examples" / "attest"
PACKS, CELLS = "https://packs.example", "https://cells.example"
PACK, CELL, FOIL = f"{PACKS}/pack", f"{CELLS}/cell", f"{CELLS}/foil"


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with standing(tmp_path) as found:
        for uri in (PACKS, CELLS):
            found.join(uri)
        yield found


def test_the_tree_says_how_each_branch_is_known(stand: Stand) -> None:
    foil = stand.state(CELLS, PRODUCT_FOOTPRINT, signed_footprint(FOIL, "material_acquisition"))
    made = activity(CELL, line(name="foil", product=FOIL) | {"amount": "0.5"}, line(name="salt", flow="nickel-sulfate"))
    cell = stand.state(CELLS, ACTIVITY_DATA, made)
    parts = [
        line(id="cell", name="cells", product=CELL, citation=cell) | {"amount": "6", "yield": "0.75"},
        line(id="foil", name="shield", product=FOIL),
        line(id="case", name="case", product=f"{CELLS}/case"),
    ]
    pack = stand.state(PACKS, BILL_OF_MATERIALS, bill(PACK, components=parts))
    for cited in (foil, cell):
        stand.client.grant(CELLS, PACKS, ["full"], "customer", leaf_hash=cited["leaf_hash"])
    ran = stand.run("bom", "show", PACK, "--reader", PACKS)
    assert ran.exit_code == 0, ran.output
    size = pack["index"] + 1
    assert sorted(ran.stdout.splitlines()) == sorted(
        [
            (
                f"{PACK}  [bill of materials; {PACKS}, entries bill-of-materials {pack['index']}; "
                "no activity data: the energy and emissions of its process are unknown]"
            ),
            (
                f"   8 kg/kg  cells: {CELL}  [activity data; {CELLS}, entries activity-data {cell['index']}; "
                f"cites entry {cell['index']}]"
            ),
            (
                f"      0.5 kg/kg  foil: {FOIL}  [signed footprint; 1 kg CO2e per 1 kg under {RULES}; {CELLS}, "
                f"entries product-footprint {foil['index']}]"
            ),
            "      1 kg/kg  salt: nickel-sulfate  [published factor]",
            (
                f"   1 kg/kg  shield: {FOIL}  [signed footprint; 1 kg CO2e per 1 kg under {RULES}; {CELLS}, "
                f"entries product-footprint {foil['index']}]"
            ),
            f"   1 kg/kg  case: {CELLS}/case  [GAP; no statement about it is at hand]",
            f"4 products, 1 line without data; as of {size} entries, for {PACKS}",
        ]
    )
    used = stand.run("bom", "where-used", FOIL, "--reader", PACKS)
    assert used.exit_code == 0, used.output
    lines = used.stdout.splitlines()
    assert lines[0] == FOIL
    assert {text.partition("  [")[0] for text in lines[1:]} == {
        f"   in {CELL}  0.5 kg/kg",
        f"      in {PACK}  8 kg/kg",
        f"   in {PACK}  1 kg/kg",
    }
    assert stand.found("bom", "where-used", PACK, "--reader", CELLS)["uses"] == []
    unseen = stand.run("bom", "show", PACK, "--reader", CELLS)
    assert (unseen.exit_code, unseen.stdout, unseen.stderr.count("\n")) == (1, "", 1)


RULES = "{id} {version}".format(**signed_footprint(FOIL)["rule_set"])


# --- Without a server ---------------------------------------------------------------------------------------------


def check(*words: object) -> Result:
    return CliRunner().invoke(command_line(), ["bom", "check", *map(str, words)])


def form(folder: Path, name: str, claims: dict[str, Any], kind: str = "bill-of-materials") -> Path:
    file = folder / f"{name}.yaml"
    file.write_text(yaml.safe_dump({"kind": kind, **claims}), "utf-8")
    return file


def test_forms_are_checked_as_intake_will_check_them(tmp_path: Path) -> None:
    good = check(EXAMPLES / "cell-bill.yaml")
    assert (good.exit_code, good.stdout) == (
        0,
        f"{EXAMPLES / 'cell-bill.yaml'} (bill-of-materials): in form: https://cells.example/nmc622\n",
    )
    shares = [{"component": "a", "product": f"{CELL}-{share}", "share": share} for share in ("0.3", "0.6")]
    for claims, place in (
        ({"supplier_shares": shares}, "supplier_shares"),
        ({"components": [line(id="a", name="x", flow="copper") | {"unit": "furlong"}]}, "components[1]/unit"),
        ({"mass": line() | {"amount": "7"}}, "mass"),
        ({"components": [line(id="a", name="x", product=CELL)]}, "components[1]/product"),
    ):
        components = {"components": [line(id="a", name="x", product=FOIL)]}
        bad = form(tmp_path, "bad", bill(CELL) | components | claims)
        ran = check(EXAMPLES / "cell-bill.yaml", bad, "--json")
        assert ran.exit_code == 1, ran.output
        first, second = json.loads(ran.stdout)["files"]
        assert first["error"] is None
        assert place in second["error"]["where"], second
        assert second["error"]["remedy"]


def test_an_element_that_comes_from_nowhere_is_a_hard_finding(tmp_path: Path) -> None:
    claims = activity(CELL, line(name="iron", flow="iron"))
    claims["outputs"][0]["composition"] = {"formula": "NiSO4"}
    ran = check(form(tmp_path, "nickel", claims, "activity-data"))
    assert ran.exit_code == 1
    assert "in form, with hard findings" in ran.stdout
    assert "hard: elements brought in against what the product holds: Ni" in ran.stdout


def test_flows_of_a_published_release_are_known_by_its_file(tmp_path: Path) -> None:
    release = json.loads(release_bytes("everbatt-2023")) | {"version": "2"}
    row = next(one for one in release["rows"] if one["id"] == "copper")
    release["rows"].append(row | {"id": "foil-of-tomorrow", "flow": "foil-of-tomorrow"})
    file, other = tmp_path / "published.json", tmp_path / "other.json"
    file.write_text(json.dumps(release))
    other.write_text(json.dumps(release | {"id": "of-nobody"}))
    made = [line(product=FOIL)]
    claims = activity(FOIL, line(name="foil", flow="foil-of-tomorrow"), outputs=made)
    filled = form(tmp_path, "foil", claims, "activity-data")
    assert "no factor for flow 'foil-of-tomorrow'" in check(filled).stdout
    assert check(filled, "--factors", file).exit_code == 0
    refused = check(filled, "--factors", other)
    assert (refused.exit_code, "no rule set names factor release of-nobody" in refused.stderr) == (1, True)


def test_a_ring_shows_among_the_files_given(tmp_path: Path) -> None:
    names = [f"{CELLS}/{name}" for name in "abc"]
    files = [form(tmp_path, name[-1], bill(name, names[(number + 1) % 3])) for number, name in enumerate(names)]
    assert check(*files[:2]).exit_code == 0
    ran = check(*files, "--json")
    assert ran.exit_code == 1
    (ring,) = json.loads(ran.stdout)["rings"]
    assert ring["products"][0] == ring["products"][-1]
    assert sorted(ring["products"][1:]) == names
    following = dict(zip(ring["products"], ring["products"][1:], strict=False))
    assert following == {names[0]: names[1], names[1]: names[2], names[2]: names[0]}
    assert ring["files"] == sorted(map(str, files))
    assert " > " in check(*files).stdout.splitlines()[-1]


def test_a_statement_that_is_partly_disclosed_is_not_decidable(stand: Stand, tmp_path: Path) -> None:
    presentation = stand.sign(CELLS, BILL_OF_MATERIALS, bill(CELL, FOIL))
    whole, part = tmp_path / "whole.sd-jwt", tmp_path / "part.sd-jwt"
    whole.write_text(presentation)
    token, disclosures = split_presentation(presentation)
    part.write_text("~".join([token, *disclosures[:1], ""]))
    assert check(whole).exit_code == 0
    ran = check(whole, part)
    assert ran.exit_code == 3
    assert "not decidable" in ran.stdout.splitlines()[-1]


@pytest.mark.parametrize(("text", "code"), [("eyJub", 1), ("{", 1), ("", 1)])
def test_what_is_no_statement_is_said_in_a_line(tmp_path: Path, text: str, code: int) -> None:
    file = tmp_path / "x"
    file.write_text(text)
    ran = check(file)
    assert (ran.exit_code, ran.stdout.count("\n")) == (code, 1)
    assert ": refused: " in ran.stdout
    missing = check(tmp_path / "none")
    assert (missing.exit_code, missing.stderr.count("\n")) == (2, 1)
