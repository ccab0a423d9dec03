"""The demo as a newcomer gets it: the real command, in a process of its own, on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import create_engine, text

import exchange.demo.tables
from exchange.cli.server_commands import run_demo
from tests.flow.process import ROOT, packtrace, read_until, started
from tests.ledger.logs import partial_tiles

EVERBATT, CHINA, EU = "everbatt-2023-cradle-to-gate", "cn-miit-551-trial", "eu-cfb-draft-2024-partial"
PLACES = ("US", "California", "China", "Korea")
EXACT, WITH_RECIPE = 1e-6, 1e-4
#: kg CO2e per kWh delivered of the pack whose cells are made in China, to the printed digits: the worked examples B and C with
#: 830.4 kWh of the authority's electricity (0.5777 kg CO2e/kWh) instead of EverBatt's (0.700094).
WORKED = {
    ("NMC622", CHINA): "0.083103",
    ("NMC622", EU): "0.169368",
    ("LFP", CHINA): "0.070324",
    ("LFP", EU): "0.143324",
}
#: The same by the regional CO2-only factor of China (0.5306), which stands beside the headline.
ALTERNATIVE = {"NMC622": 0.082668, "LFP": 0.069890}


@dataclass
class Demo:
    """A data folder, its database, and what a run printed as JSON."""

    data: Path
    url: str
    variables: dict[str, str]
    summary: dict[str, Any]

    @classmethod
    def run(cls, data: Path, url: str | None) -> Demo:
        """Play the demo; `url` None: SQLite, as without any setting."""
        variables = {} if url is None else {"database_url": url}
        run = packtrace("demo", "--exit", "--json", "--data", str(data), **variables)
        assert run.returncode == 0, run.stderr
        summary = json.loads(run.stdout)
        assert isinstance(summary, dict)
        return cls(data, url or f"sqlite:///{data / 'exchange.sqlite'}", variables, summary)

    def audit(self, folder: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
        return packtrace("ledger", "audit", "--data", str(folder or self.data), **(self.variables | variables))

    def verify(self, file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        return packtrace("verify", str(file), *arguments)

    @property
    def evidence(self) -> Path:
        return Path(self.summary["evidence"]["file"])

    @property
    def trust(self) -> Path:
        return self.data / "trust"


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The data folder and the text of a first run on SQLite."""
    data = tmp_path_factory.mktemp("sqlite") / "data"
    run = packtrace("demo", "--exit", "--data", str(data))
    assert run.returncode == 0, run.stderr
    return data, run.stdout + run.stderr


@pytest.fixture(scope="module")
def on_sqlite(printed: tuple[Path, str]) -> Demo:
    """A second run in the same folder, as JSON; the tests share it and change copies only."""
    return Demo.run(printed[0], None)


@pytest.fixture
def copied(on_sqlite: Demo, tmp_path: Path) -> Demo:
    """A copy of the SQLite demo that a test may damage."""
    data = tmp_path / "data"
    shutil.copytree(on_sqlite.data, data)
    return Demo(data, f"sqlite:///{data / 'exchange.sqlite'}", {}, on_sqlite.summary)


def check_figures(summary: dict[str, Any]) -> None:
    """Check every figure of a run against the published table, the worked examples, and what has to be said about it."""
    with (ROOT / "examples" / "everbatt" / "expected_totals.csv").open(encoding="utf-8") as file:
        expected = {(row["chemistry"], row["electricity"]): row["pack_kg_co2e_per_kwh"] for row in csv.DictReader(file)}
    packs = {(pack["chemistry"], pack["electricity"], pack["cathode"]): pack for pack in summary["packs"]}
    assert len(packs) == len(summary["packs"]) == 2 * len(PLACES) * 2
    for (chemistry, place, cathode), pack in packs.items():
        tolerance = EXACT if cathode == "published_factor" else WITH_RECIPE
        published = float(expected[chemistry, place])
        assert pack["kg_co2e_per_kwh_capacity"] == pytest.approx(published, rel=tolerance, abs=0), pack["model"]
        assert set(pack["rule_sets"]) == {EVERBATT, CHINA, EU}
        for rule_set, found in pack["rule_sets"].items():
            check_said(rule_set, found)
    for (chemistry, rule_set), printed in WORKED.items():
        delivered = packs[chemistry, "China", "published_factor"]["rule_sets"][rule_set]["kg_co2e_per_kwh_delivered"]
        assert f"{delivered:.6f}" == printed
    for (chemistry, place, cathode), pack in packs.items():
        found = pack["rule_sets"][CHINA]["alternatives"]
        assert len(found) == (place == "China")
        if (place, cathode) == ("China", "published_factor"):
            assert found[0]["value"] == pytest.approx(ALTERNATIVE[chemistry], abs=6e-7)


def check_said(rule_set: str, found: dict[str, Any]) -> None:
    """Check what every result says of itself: partial, modelled, with gaps instead of zeros."""
    assert {"kg_co2e_per_kwh_delivered", "complete", "stages", "gaps", "findings", "primary_data_share"} <= set(found)
    assert found["complete"] is False
    assert found["primary_data_share"] == 0
    assert found["heading"].startswith("partial")
    assert (found["kg_co2e_per_kwh_delivered"] is None) is (rule_set == EVERBATT)
    missing = {stage: part["value"] for stage, part in found["stages"].items() if part["value"] is None}
    assert len(missing) == 2
    assert {"distribution"} < set(missing) <= {"distribution", "recycling", "end_of_life"}
    assert set(missing) <= {gap["where"] for gap in found["gaps"]}
    computed = [part["value"] for part in found["stages"].values() if part["value"] is not None]
    headline = found["kg_co2e_per_kwh_delivered"] or found["kg_co2e_per_kwh_capacity"]
    assert sum(computed) == pytest.approx(headline, rel=1e-9)


def test_every_pack_on_sqlite(on_sqlite: Demo) -> None:
    check_figures(on_sqlite.summary)


def test_every_line_of_the_readme_s_transcript_is_printed(printed: tuple[Path, str]) -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    transcript = re.search(r"```text\n(.*?)```", readme, re.DOTALL)
    assert transcript is not None
    lines = [line for line in transcript[1].splitlines() if line not in ("", "...")]
    assert len(lines) > 20
    assert [line for line in lines if line not in printed[1].splitlines()] == []


def test_a_second_run_finds_everything_there(printed: tuple[Path, str], on_sqlite: Demo) -> None:
    statements = on_sqlite.summary["statements"]
    assert statements["there_before"] == statements["total"] > 80
    assert f"{statements['total']} statements were signed and admitted, 0 were there already." in printed[1]


@pytest.mark.long
def test_every_pack_on_postgresql_with_the_same_figures(on_sqlite: Demo, tmp_path: Path, postgres_url: str) -> None:
    demo = Demo.run(tmp_path / "data", postgres_url)
    check_figures(demo.summary)
    assert figures(demo.summary) == figures(on_sqlite.summary)
    assert not (demo.data / "exchange.sqlite").exists()
    assert demo.verify(demo.evidence, "--trust", str(demo.trust)).returncode == 0
    assert demo.audit().returncode == 0
    change_an_entry(demo, 20)
    run = demo.audit()
    assert (run.returncode, "20" in run.stderr) == (1, True), run.stderr


def figures(summary: dict[str, Any]) -> list[Any]:
    """The packs without what differs between two logs: digests, entry numbers, and the order of lines, which are shuffled."""
    return [
        {**pack, "rule_sets": {name: _figures(found) for name, found in pack["rule_sets"].items()}}
        for pack in summary["packs"]
    ]


def _figures(found: dict[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in found.items() if key not in ("result", "sealed")}
    return kept | {"assumptions": sorted(found["assumptions"])}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("rule_set", [CHINA, EU])
def test_where_the_lfp_recipe_is_refused_the_published_factor_stands_in(
    on_sqlite: Demo, place: str, rule_set: str
) -> None:
    by_cathode = {
        pack["cathode"]: pack["rule_sets"][rule_set]
        for pack in on_sqlite.summary["packs"]
        if (pack["chemistry"], pack["electricity"]) == ("LFP", place)
    }
    recipe, factor = by_cathode["recipe"], by_cathode["published_factor"]
    assert recipe["kg_co2e_per_kwh_delivered"] == pytest.approx(factor["kg_co2e_per_kwh_delivered"], rel=1e-9)
    (finding,) = [found for found in recipe["findings"] if found["gate"] == "element_balance"]
    assert finding["level"] == "hard"
    assert not any(found["gate"] == "element_balance" for found in factor["findings"])
    refused = [item for item in on_sqlite.summary["refused"] if item["rule_set"] == rule_set]
    assert [finding["level"] for item in refused for finding in item["findings"]] == ["hard"]


@pytest.mark.parametrize("place", PLACES)
def test_everbatt_s_own_rules_report_the_imbalance_without_refusing(on_sqlite: Demo, place: str) -> None:
    (pack,) = [
        pack
        for pack in on_sqlite.summary["packs"]
        if (pack["chemistry"], pack["electricity"], pack["cathode"]) == ("LFP", place, "recipe")
    ]
    (finding,) = [f for f in pack["rule_sets"][EVERBATT]["findings"] if f["gate"] == "element_balance"]
    assert "reported, not refused" in finding["what"]
    assert not [item for item in on_sqlite.summary["refused"] if item["rule_set"] == EVERBATT]


def test_an_address_is_given_only_where_it_is_served(printed: tuple[Path, str], on_sqlite: Demo) -> None:
    """Nobody serves after --exit, and the address would hand the token around."""
    assert on_sqlite.summary["page"] is None
    assert on_sqlite.summary["serve"] == f"packtrace serve --data {on_sqlite.data}"
    assert f"see the pages: {on_sqlite.summary['serve']}" in printed[1]
    token = (on_sqlite.data / "token").read_text("ascii").strip()
    assert token not in printed[1] + json.dumps(on_sqlite.summary)


def test_the_pages_are_served_until_ctrl_c(copied: Demo) -> None:
    """And a port that is taken is no obstacle."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        check_pages(copied, port)


def check_pages(demo: Demo, port: str) -> None:
    with started("demo", "--json", "--data", str(demo.data), "--port", port) as process:
        assert process.stdout is not None
        printed = ""
        while not printed.endswith("\n}\n"):
            printed += process.stdout.readline()
        page = json.loads(printed)["page"]
        assert httpx2.get(page, follow_redirects=True, trust_env=False).status_code == 200
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert err.startswith(f"port {port} can't be had")
    assert err.endswith(f"serving {page} until Ctrl-C\nstopping\n")


@pytest.fixture
def tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the tables, which runs in this process read."""
    folder = tmp_path / "everbatt"
    shutil.copytree(ROOT / "examples" / "everbatt", folder)
    monkeypatch.setattr(exchange.demo.tables, "_PLACES", (folder,))
    for name in os.environ:
        if name.startswith("PACKTRACE_"):
            monkeypatch.delenv(name)
    return folder


@pytest.mark.long
def test_tables_that_were_edited_since_are_named(
    copied: Demo, tables: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A recipe and a factor; a total that is only compared with makes no other statement."""
    edits = {
        "cathode_recipes.csv": "NMC622,nickel-sulfate,",
        "factors.csv": "Graphite,GLO,",
        "expected_totals.csv": "LFP,Korea,",
    }
    for table, before in edits.items():
        text = (tables / table).read_text("utf-8")
        assert before in text
        # The figure after `before` is another one now.
        (tables / table).write_text(text.replace(before, f"{before}9"), "utf-8")
    differing = ["cathode-NMC622", "factor release everbatt-2023"]
    assert run_demo(copied.data, 0, leave=True, as_json=True) == 0
    summary = json.loads(capsys.readouterr().out)
    assert sorted(summary["statements"]["differing"]) == differing
    assert figures(summary) == figures(copied.summary)
    assert run_demo(copied.data, 0, leave=True, as_json=False) == 0
    (line,) = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("The tables give other data now")
    ]
    assert all(name in line for name in differing)


def test_a_table_that_cannot_be_read_is_named(copied: Demo, tables: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tables / "parameters.csv").write_text("parameter,value\ncell_yield,much\n")
    assert run_demo(copied.data, 0, leave=True, as_json=True) == 2
    assert "parameters.csv" in capsys.readouterr().err.splitlines()[-1]


@pytest.mark.long
def test_a_run_that_is_cut_short_again_and_again_is_finished_by_two_at_once(tmp_path: Path, on_sqlite: Demo) -> None:
    """Neither signs anew what the other one signs, and the lock of a process that was killed holds nobody up."""
    data = tmp_path / "data"
    arguments = ("demo", "--exit", "--json", "--data", str(data), "--port", "0")
    with started(*arguments) as stopped:
        told = read_until(stopped, "companies enrolled")
        stopped.send_signal(signal.SIGINT)
        out, err = stopped.communicate(timeout=60)
    assert (stopped.returncode, out) == (130, "")
    *progress, last = [*told, *err.splitlines()]
    assert last == "interrupted; what was done stays done; run it again to go on"
    assert all(line.endswith((" were there)", "granted", "sealed", "stated")) for line in progress), progress
    for moment in ("5 salts stated", "pack NMC622-100-CN stated"):
        with started(*arguments) as cut:
            read_until(cut, moment)
            # A moment later, so that the kill comes in the middle of the next step.
            threading.Event().wait(0.05)
            cut.send_signal(signal.SIGKILL)
    with started(*arguments) as first, started(*arguments) as second:
        answers = [process.communicate(timeout=120) for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0], answers
    waited = [err for _out, err in answers if "another demo is at work" in err]
    assert len(waited) == 1
    before = sorted(json.loads(out)["statements"]["there_before"] for out, _err in answers)
    assert before[0] < before[1] == on_sqlite.summary["statements"]["total"]
    for out, _err in answers:
        check_figures(json.loads(out))
        assert figures(json.loads(out)) == figures(on_sqlite.summary)
    log = {int(row) for (row,) in rows(f"sqlite:///{data / 'exchange.sqlite'}", 'SELECT "index" FROM ledger_entry')}
    assert log == set(range(len(log)))
    whole = rows(on_sqlite.url, "SELECT count(*) FROM ledger_entry")[0][0]
    assert len(log) == whole, "nothing is there twice"
    assert packtrace("ledger", "audit", "--data", str(data)).returncode == 0


def rows(url: str, query: str) -> list[Any]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = list(connection.execute(text(query)).all())
    engine.dispose()
    return found


def test_the_evidence_is_verified_offline(on_sqlite: Demo) -> None:
    stated = on_sqlite.summary["evidence"]
    assert on_sqlite.evidence.is_file()
    assert stated["verdict"].startswith("verified")
    assert stated["exit_code"] == 0
    run = on_sqlite.verify(on_sqlite.evidence, "--trust", str(on_sqlite.trust), "--json")
    assert run.returncode == 0, run.stderr
    found = json.loads(run.stdout)
    assert found["verdict"] == stated["verdict"]
    assert len(found["results"]) == 48


def test_without_a_trust_file_it_is_trust_on_first_use(on_sqlite: Demo) -> None:
    run = on_sqlite.verify(on_sqlite.evidence)
    assert run.returncode == 3
    assert "trust on first use" in run.stdout


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_one_changed_byte_in_the_evidence_is_found_and_its_place_named(
    on_sqlite: Demo, tmp_path: Path, share: float
) -> None:
    data = bytearray(on_sqlite.evidence.read_bytes())
    place = int(len(data) * share)
    data[place] ^= 1
    (tmp_path / "changed").write_bytes(data)
    run = on_sqlite.verify(tmp_path / "changed", "--trust", str(on_sqlite.trust))
    assert run.returncode == 1
    assert "rejected" in run.stdout
    assert any(name in run.stdout for name in ("entries/", "results/", "archive", "manifest", "rules/", "factors/"))


def change_an_entry(demo: Demo, index: int) -> None:
    """Change one byte of an entry in the database."""
    engine = create_engine(demo.url)
    where = {"index": index}
    with engine.begin() as connection:
        data = bytearray(
            connection.execute(text('SELECT data FROM ledger_entry WHERE "index" = :index'), where).scalar_one()
        )
        data[len(data) // 2] ^= 1
        connection.execute(
            text('UPDATE ledger_entry SET data = :data WHERE "index" = :index'), {**where, "data": bytes(data)}
        )
    engine.dispose()


def test_the_ledger_passes_its_audit(on_sqlite: Demo) -> None:
    run = on_sqlite.audit()
    assert run.returncode == 0, run.stderr
    assert run.stdout.startswith("consistent: ")


def test_one_changed_byte_in_the_database_is_found_and_its_entry_named(copied: Demo) -> None:
    change_an_entry(copied, 42)
    run = copied.audit()
    assert run.returncode == 1
    assert "42" in run.stderr


@pytest.mark.parametrize("number", [0, 1], ids=["hashes", "entries"])
def test_one_changed_byte_in_a_published_tile_is_found_and_its_path_named(copied: Demo, number: int) -> None:
    size = rows(copied.url, "SELECT max(size) FROM ledger_checkpoint")[0][0]
    tiles = [place.path for place in partial_tiles(size)]
    path = next(path for path in tiles if path.startswith("tile/entries") is bool(number))
    file = copied.data / "log" / path
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    run = copied.audit()
    assert run.returncode == 1
    assert path in run.stderr
