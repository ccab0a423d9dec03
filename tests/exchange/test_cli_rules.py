"""``packtrace rules`` and ``packtrace factors``: files that are checked, compared, and computed with, without any server or code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bom_graph import RuleSet, release_bytes, rule_set_bytes
from exchange.report import digest, document, document_bytes
from tests.connectors.supply_chain import SupplyChain
from tests.exchange.test_cli_footprint import blocks, packtrace

SCHEMA = Path(__file__).parents[2] / "docs" / "formats" / "rule-set.schema.json"
EVERBATT, CHINA = "everbatt-2023-cradle-to-gate", "cn-miit-551-trial"
Members = dict[str, Any]


def as_json(*words: object) -> Any:
    done = packtrace(*words, "--json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def written(path: Path, members: Members) -> Path:
    path.write_text(json.dumps(members), encoding="utf-8")
    return path


@pytest.fixture
def own_rules(tmp_path: Path) -> Path:
    """A rule set that ships with nothing: EverBatt's, with plant energy in a stage of its own, and methane by AR5."""
    members = json.loads(rule_set_bytes(EVERBATT))
    members |= {"id": "own-rules", "version": "7"}
    members["stages"].append({"id": "plant_energy", "name": "plant energy", "name_zh": "工厂能源"})
    for rule in members["stage_rules"]:
        if rule["process"] == "cell_manufacturing" and rule["line"] == "energy":
            rule["stage"] = "plant_energy"
    return written(tmp_path / "own.json", members)


@pytest.fixture
def newer(tmp_path: Path) -> Path:
    """EverBatt's release with copper a tenth up, graphite gone, and lead added."""
    members = json.loads(release_bytes("everbatt-2023"))
    copper = next(row for row in members["rows"] if row["id"] == "copper")
    members["version"] = "2"
    members["rows"] = [row for row in members["rows"] if row["id"] != "graphite"]
    members["proxies"] = [one for one in members["proxies"] if one["stands_in"] != "graphite"]
    members["rows"].append({**copper, "id": "lead", "flow": "lead"})
    copper["value"] = str(round(float(copper["value"]) * 1.1, 12))
    return written(tmp_path / "newer.json", members)


# -- rule sets ---------------------------------------------------------------------------------------------------------


def test_the_committed_schema_is_the_model_s() -> None:
    assert json.loads(SCHEMA.read_text("utf-8")) == RuleSet.file_schema()
    assert json.loads(packtrace("rules", "schema").stdout) == RuleSet.file_schema()


def test_a_rule_set_in_a_file_is_checked_and_computed_with(tmp_path: Path, own_rules: Path) -> None:
    assert as_json("rules", "lint", own_rules)["warnings"] == []
    system = tmp_path / "cell.json"
    system.write_text(blocks("json")[0], encoding="utf-8")
    shipped = as_json("footprint", "solve", system, "--rules", EVERBATT)
    own = as_json("footprint", "solve", system, "--rules", own_rules)
    assert own["rule_set"]["id"] == "own-rules"
    assert own["total"] == shipped["total"]
    assert [stage["stage"] for stage in own["stages"]] == ["material_acquisition", "plant_energy"]
    assert own["stages"][1]["kg_co2e"] == shipped["stages"][1]["kg_co2e"]


def test_a_rule_set_that_says_too_little_is_warned_of(tmp_path: Path) -> None:
    members = {**json.loads(rule_set_bytes(EVERBATT)), "unstated": [], "outside_boundary": []}
    members["factor_releases"] = ["own-factors"]
    done = packtrace("rules", "lint", written(tmp_path / "own.json", members))
    assert done.returncode == 1
    for what in (
        "own-factors doesn't ship",
        "nothing is marked unstated",
        "no line counts towards distribution, recycling",
    ):
        assert what in done.stdout


def test_a_rule_set_out_of_form_is_refused_with_its_place(tmp_path: Path) -> None:
    members = json.loads(rule_set_bytes(CHINA))
    members["gases"]["gwp_set"] = "AR3"
    done = packtrace("rules", "lint", written(tmp_path / "own.json", members))
    assert (done.returncode, done.stdout) == (1, "")
    assert "gases/gwp_set" in done.stderr


@pytest.mark.parametrize("name", [CHINA, "eu-cfb-draft-2024-partial", "iso-14067-cradle-to-gate", EVERBATT])
def test_a_shipped_rule_set_is_in_form_and_shown(name: str, tmp_path: Path) -> None:
    file = tmp_path / "rules.json"
    file.write_bytes(rule_set_bytes(name))
    assert as_json("rules", "lint", file)["warnings"] == []
    shown = packtrace("rules", "show", name).stdout
    assert shown.startswith(f"{name} ")
    assert shown.count("unstated: ") == len(as_json("rules", "show", name)["unstated"])


def test_the_difference_of_two_rule_sets_is_by_member(own_rules: Path) -> None:
    found = {one["member"]: (one["old"], one["new"]) for one in as_json("rules", "diff", EVERBATT, own_rules)}
    assert found["version"] == ("2026-11-22", "7")
    assert found["stages/plant_energy"][0] is None
    assert found["stage_rules/cell_manufacturing:energy/stage"] == ("manufacturing", "plant_energy")
    assert found.keys() == {"id", "version", "stages/plant_energy", "stage_rules/cell_manufacturing:energy/stage"}
    assert packtrace("rules", "diff", CHINA, CHINA).stdout == "they say the same\n"


# -- factors -----------------------------------------------------------------------------------------------------------


def test_the_releases_are_listed_and_shown() -> None:
    assert [one["id"] for one in as_json("factors", "list")] == ["authorities-2026", "everbatt-2023"]
    rows = as_json("factors", "show", "authorities-2026", "--flow", "electricity", "--geography", "KR")["rows"]
    assert [(row["year"], row["value"]) for row in rows] == [(2025, "0.41706"), (2023, "0.430567")]
    assert rows[0]["address"] == "https://ourworldindata.org/grapher/carbon-intensity-electricity"
    assert "0.41706 kg CO2e/kWh" in packtrace("factors", "show", "authorities-2026", "--geography", "KR").stdout


def test_the_difference_of_two_releases(newer: Path) -> None:
    found = as_json("factors", "diff", "everbatt-2023", newer)
    assert [row["id"] for row in found["added"]] == ["lead"]
    assert [row["id"] for row in found["removed"]] == ["graphite"]
    (change,) = found["changed"]
    assert (change["id"], change["members"]) == ("copper", ["value"])
    assert float(change["relative"]) == pytest.approx(0.1, rel=1e-9)
    assert "copper: 4.49010074162492 -> " in packtrace("factors", "diff", "everbatt-2023", newer).stdout


def test_what_another_release_moves_in_a_stored_result(newer: Path, tmp_path: Path) -> None:
    chain = SupplyChain()
    made = document(chain.result(chain.pack("NMC622", "US", "published_factor")))
    file = tmp_path / f"{digest(made)}.json"
    file.write_bytes(document_bytes(made))
    effect = as_json("factors", "diff", "everbatt-2023", newer, "--result", file)["effect"]
    moved = {one["row"]: one for one in effect["moved"]}
    copper = [float(part["kg_co2e"]) for part in made["contributions"] if part["factor"]["row"] == "copper"]
    assert float(effect["moved_kg_co2e"]) == pytest.approx(0.1 * sum(copper), rel=1e-9)
    assert moved.keys() == {"copper", "graphite"}
    assert moved["graphite"]["new_kg_co2e"] is None
    assert len(effect["moved"]) == len(copper) + 2
    assert len(effect["not_in_it"]) == 2
    shown = packtrace("factors", "diff", "everbatt-2023", newer, "--result", file).stdout
    assert "-> unknown kg CO2e" in shown
    assert f"  not in it: 2 of {len(copper) + 2} lines, " in shown
    gone = json.loads(newer.read_text())
    gone["rows"] = [row for row in gone["rows"] if row["id"] != "copper"] + [
        row for row in json.loads(release_bytes("everbatt-2023"))["rows"] if row["id"] == "copper"
    ]
    only = written(tmp_path / "gone.json", gone)
    assert as_json("factors", "diff", "everbatt-2023", only, "--result", file)["effect"]["moved_kg_co2e"] is None
    assert (
        "  together: can't be summed\n" in packtrace("factors", "diff", "everbatt-2023", only, "--result", file).stdout
    )


def test_what_another_release_moves_in_a_product_system(newer: Path, tmp_path: Path) -> None:
    members = json.loads(blocks("json")[0])
    members["processes"][1]["inputs"][0]["flow"] = "copper"
    system = written(tmp_path / "system.json", members)
    effect = as_json("factors", "diff", "everbatt-2023", newer, "--footprint", system, "--rules", EVERBATT)["effect"]
    (moved,) = effect["moved"]
    assert moved["where"] == "processes/cathode/inputs/salt"
    made = 2 / (1 - 0.02) * 0.5 * 4.49010074162492
    assert float(moved["old_kg_co2e"]) == pytest.approx(made, rel=1e-9)
    assert float(moved["new_kg_co2e"]) == pytest.approx(1.1 * made, rel=1e-9)
    assert float(effect["moved_kg_co2e"]) == pytest.approx(0.1 * made, rel=1e-8)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("factors", "show", "everbatt-2024"), "no factor release 'everbatt-2024'"),
        (("factors", "show", "everbatt-2023", "--flow", "coper"), "the nearest are copper"),
        (
            ("factors", "show", "authorities-2026", "--flow", "electricity-wind", "--geography", "US"),
            "the nearest are CN",
        ),
        (("factors", "diff", "everbatt-2023", "everbatt-2023", "--footprint", "x.json"), "needs a rule set"),
        (("rules", "show", "cn-miit-552"), "no rule set 'cn-miit-552'"),
    ],
)
def test_a_wrong_call_says_what_to_do(words: tuple[str, ...], said: str) -> None:
    done = packtrace(*words)
    assert done.returncode == (2 if "--flow" in words else 1)
    assert said in done.stderr


@pytest.mark.parametrize("text", ["{}", "[]", "nothing", '{"releases": [], "contributions": []}'])
def test_what_is_no_result_of_that_release_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "result.json"
    file.write_text(text, "utf-8")
    done = packtrace("factors", "diff", "everbatt-2023", "everbatt-2023", "--result", file)
    assert (done.returncode, done.stdout) == (1, "")
    assert str(file) in done.stderr
