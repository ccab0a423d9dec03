"""``packtrace footprint solve``: the page's example, JSON, draws, and what is refused."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bom_graph import rule_set_bytes
from exchange.cli.main import command_line
from exchange.report import document, document_bytes
from tests.connectors.supply_chain import SupplyChain

PAGE = Path(__file__).parents[2] / "docs" / "formats" / "product-system.md"
EVERBATT = "everbatt-2023-cradle-to-gate"


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    path = tmp_path / "cell.json"
    path.write_text(blocks("json")[0], encoding="utf-8")
    return path


def packtrace(*words: object) -> subprocess.CompletedProcess[str]:
    """Run the command in this process, for speed."""
    ran = CliRunner().invoke(command_line(), list(map(str, words)), prog_name="packtrace")
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    return subprocess.CompletedProcess(list(map(str, words)), ran.exit_code, ran.stdout, ran.stderr)


def solved(*words: object) -> dict[str, Any]:
    done = packtrace("footprint", "solve", *words, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_page_shows_what_the_command_prints(example: Path) -> None:
    done = packtrace("footprint", "solve", example, "--rules", EVERBATT)
    assert done.returncode == 0
    call, _, shown = blocks("text")[0].partition("\n")
    assert call == f"$ packtrace footprint solve cell.json --rules {EVERBATT}"
    assert done.stdout == shown


def test_json_holds_total_stages_and_contributions(example: Path) -> None:
    found = solved(example, "--rules", EVERBATT)
    made = 1 / (1 - 0.02)
    total = made * (10 * 0.700094 + 2 * (3 + 0.5 * 4))
    assert float(found["total"]) == pytest.approx(total, rel=1e-11)
    assert float(found["per_kwh_delivered"]) == pytest.approx(total / 900, rel=1e-11)
    assert [stage["stage"] for stage in found["stages"]] == ["material_acquisition", "manufacturing"]
    assert sum(float(part["kg_co2e"]) for part in found["contributions"]) == pytest.approx(total, rel=1e-11)
    assert found["contributions"][1]["factor"]["source"] == "an invented example"
    assert not found["refused"]
    assert "monte_carlo" not in found


def test_draws_repeat_with_their_seed(example: Path) -> None:
    one, again, other = (
        solved(example, "--rules", EVERBATT, "--monte-carlo", 500, "--seed", seed)["monte_carlo"] for seed in (1, 1, 2)
    )
    assert one == again
    assert one["quantiles"] != other["quantiles"]
    assert [share["parameter"] for share in one["variance_shares"]] == ["amount processes/cathode/inputs/salt"]
    quantiles = [float(value) for value in one["quantiles"].values()]
    assert quantiles == sorted(quantiles)


def test_a_rule_set_may_be_a_file(example: Path, tmp_path: Path) -> None:
    rules = tmp_path / "own.json"
    rules.write_bytes(rule_set_bytes(EVERBATT))
    assert solved(example, "--rules", rules) == solved(example, "--rules", EVERBATT)


def test_a_refused_result_exits_1_with_its_findings(example: Path) -> None:
    example.write_text(example.read_text().replace('"flow": "salt", "amount"', '"flow": "sand", "amount"'))
    done = packtrace("footprint", "solve", example, "--rules", EVERBATT, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert found["refused"]
    assert found["total"] is None
    assert [(f["gate"], f["where"]) for f in found["findings"]] == [("missing_factor", "processes/cathode/inputs/salt")]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["absent.json", "--rules", EVERBATT], 2, "No such file"),
        (["{example}", "--rules", "no-such-rules"], 1, "no rule set 'no-such-rules'"),
        (["{example}", "--rules", EVERBATT, "--monte-carlo", "1"], 1, "ask for 2 to 100,000 draws"),
        (["{broken}", "--rules", EVERBATT], 1, "can't be read"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    example: Path, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("{")
    done = packtrace("footprint", "solve", *(word.format(example=example, broken=broken) for word in words))
    assert done.returncode == code
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


def test_the_schema_is_printed() -> None:
    done = packtrace("footprint", "schema")
    assert json.loads(done.stdout)["title"] == "SystemFile"


# -- explain and compare ---------------------------------------------------------------------------------------------


def answered(*words: object) -> dict[str, Any]:
    done = packtrace("footprint", *words, "--json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_a_tree_of_a_system_with_its_loop(example: Path) -> None:
    found = answered("explain", example, "--rules", EVERBATT)
    rows = found["tree"]
    assert [(row["name"], row["kind"], row["loop"]) for row in rows] == [
        ("cell", "product", False),
        ("cathode", "product", False),
        ("CO2", "line", False),
        ("salt", "line", False),
        ("cell", "product", True),
        ("electricity", "line", False),
    ]
    parts = [float(row["kg_co2e"]) for row in rows if row["parent"] == 0]
    assert sum(parts) == pytest.approx(float(found["total_kg_co2e"]), rel=1e-11)
    shown = packtrace("footprint", "explain", example, "--rules", EVERBATT).stdout
    assert "cell (a loop: opened above)" in shown


def test_the_page_on_explaining_shows_what_is_printed(example: Path) -> None:
    changed(example, '"amount": "500"', '"amount": "600"')
    page = (PAGE.parents[1] / "explain.md").read_text(encoding="utf-8")
    shown = re.findall(r"^```text\n\$ packtrace (.*?)\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    assert len(shown) == 2
    for call, printed in shown:
        words = [str(example.with_name(word)) if word.endswith(".json") else word for word in call.split()]
        assert packtrace(*words).stdout == printed


def test_paths_and_sankey_of_a_system(example: Path) -> None:
    paths = answered("explain", example, "--rules", EVERBATT, "--view", "paths", "--rows", 2)["paths"]
    assert [path["products"] for path in paths] == [["cell"], ["cell", "cathode"]]
    sankey = answered("explain", example, "--rules", EVERBATT, "--view", "sankey")["sankey"]
    into = sum(float(link["kg_co2e"]) for link in sankey["links"] if link["source"].startswith("stage: "))
    assert into == pytest.approx(float(solved(example, "--rules", EVERBATT)["total"]), rel=1e-11)
    for view in ("paths", "sankey"):
        assert packtrace("footprint", "explain", example, "--rules", EVERBATT, "--view", view).returncode == 0


def changed(example: Path, old: str, new: str) -> Path:
    other = example.with_name("other.json")
    other.write_text(example.read_text().replace(old, new))
    return other


def test_a_comparison_names_the_line_and_how_sure_it_is(example: Path) -> None:
    other = changed(example, '"amount": "500"', '"amount": "600"')
    found = answered("compare", example, other, "--rules", EVERBATT, "--monte-carlo", 400, "--seed", 3)
    (bar,) = found["bars"]
    assert (bar["cause"], bar["where"], bar["what"], bar["before"], bar["after"]) == (
        "line", "cathode", "salt", "0.5", "0.6",
    )  # fmt: skip
    assert float(bar["value"]) == pytest.approx(float(found["difference"]), rel=1e-9)
    drawn = found["monte_carlo"]
    # Both have the amount of one key: its draws are common, and only its median differs.
    assert drawn["probability_first_is_smaller"] == "1"
    assert float(drawn["sd"]) == pytest.approx(0.1 * float(drawn["mean"]), rel=0.15)
    same = answered("compare", example, example, "--rules", EVERBATT, "--monte-carlo", 10)
    assert (same["bars"], same["monte_carlo"]["probability_first_is_smaller"]) == ([], "0")
    shown = packtrace("footprint", "compare", example, other, "--rules", EVERBATT, "--monte-carlo", 400).stdout
    assert "the first is the smaller in 100.0% of them" in shown


def test_the_same_system_in_other_units_differs_in_nothing(example: Path) -> None:
    other = changed(example, '"amount": "100", "unit": "kWh"', '"amount": "0.1", "unit": "MWh"')
    found = answered("compare", example, other, "--rules", EVERBATT)
    assert float(found["difference"]) == pytest.approx(0, abs=1e-15)
    assert found["bars"] == []
    other.write_text(example.read_text().replace('"amount": "1", "unit": "kWh"}', '"amount": "0.001", "unit": "MWh"}'))
    assert answered("compare", example, other, "--rules", EVERBATT)["bars"] == []


def test_a_system_that_states_nothing_has_no_total(example: Path, tmp_path: Path) -> None:
    members = json.loads(example.read_text())
    members["processes"] = [{**members["processes"][0], "inputs": []}]
    empty = tmp_path / "empty.json"
    empty.write_text(json.dumps(members))
    done = packtrace("footprint", "solve", empty, "--rules", EVERBATT, "--json")
    found = json.loads(done.stdout)
    assert (done.returncode, found["total"], found["per_kwh_delivered"]) == (1, None, None)
    assert [one["gate"] for one in found["findings"]] == ["missing_data"]
    shown = packtrace("footprint", "solve", empty, "--rules", EVERBATT, "--monte-carlo", 10).stdout
    assert "missing: nothing that goes into it is stated" in shown
    assert "0 kg CO2e" not in shown
    assert answered("explain", empty, "--rules", EVERBATT)["total_kg_co2e"] is None
    shown = packtrace("footprint", "explain", empty, "--rules", EVERBATT).stdout
    assert shown.startswith("A cell and its cathode under everbatt-2023-cradle-to-gate: missing\n")
    assert "hard finding: the process states neither inputs nor emissions" in shown
    done = packtrace("footprint", "compare", example, empty, "--rules", EVERBATT)
    assert done.returncode == 2
    assert "its total is missing" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["explain", "{example}"], 2, "name it with --rules"),
        (["explain", "{example}", "--rules", EVERBATT, "--figure", "total"], 2, "only a stored result"),
        (["explain", "{refused}", "--rules", EVERBATT], 2, "the product system is refused: no factor for flow 'sand'"),
        (["compare", "{example}", "{result}", "--rules", EVERBATT], 2, "no lines in common"),
        (["compare", "{result}", "{result}", "--monte-carlo", "10"], 2, "stored results hold no distributions"),
    ],
)
def test_what_cannot_be_explained_is_said_in_a_line(
    example: Path, tmp_path: Path, words: list[str], code: int, said: str
) -> None:
    refused, result = tmp_path / "refused.json", tmp_path / "result.json"
    refused.write_text(example.read_text().replace('"flow": "salt", "amount"', '"flow": "sand", "amount"'))
    chain = SupplyChain()
    result.write_bytes(document_bytes(document(chain.result(chain.pack("LFP", "China", "published_factor")))))
    places = {"example": example, "refused": refused, "result": result}
    done = packtrace("footprint", *(word.format(**places) for word in words))
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_result_is_explained_without_a_server(tmp_path: Path) -> None:
    chain, result = SupplyChain(), tmp_path / "result.json"
    found = document(chain.result(chain.pack("NMC622", "China", "recipe")))
    result.write_bytes(document_bytes(found))
    tree = answered("explain", result)
    assert float(tree["total_kg_co2e"]) == pytest.approx(float(found["total"]["value"]), rel=1e-9)
    assert tree["gaps"] == found["gaps"]
    traced = answered("explain", result, "--figure", "headline")
    assert traced["value"] == found["headline"]["value"]
    assert len(traced["parts"][0]["parts"]) == len(found["contributions"])
    text = packtrace("footprint", "explain", result, "--figure", "contributions/0").stdout
    assert "ledger entry: " in text
