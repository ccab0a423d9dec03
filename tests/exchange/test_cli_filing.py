"""docs/filing.md and docs/engagement.md are true: their commands file and verify a model, and their tables are those of the rules."""

from __future__ import annotations

import json
import re
import secrets
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate
from typer.testing import CliRunner, Result

from exchange.cli.main import command_line
from exchange.client import Client
from exchange.engagement import STEPS as ENGAGEMENT_STEPS
from exchange.engagement import load_rules
from exchange.filing import STEPS, load_duty
from exchange.server import Running, serving
from exchange.settings import Settings
from signer import KeyPair, issue, new_jti, proof_of_possession
from signer.keystore import save_key
from tests.flow.filing import CHINA, WAY, kind_named, model_claims, pack_claims
from tests.flow.world import PERIOD

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "filing.md").read_text("utf-8")
ENGAGEMENT_PAGE = (ROOT / "docs" / "engagement.md").read_text("utf-8")
PACKS, VERIFIER, AUTHORITY = (f"https://{name}.example" for name in ("packs", "verifier", "authority"))
PRODUCT = f"{PACKS}/products/p100"
SECRET = "correct horse battery staple"


@dataclass
class Scene:
    """A running exchange, three organisations with key files, and a folder of claims."""

    running: Running
    folder: Path
    client: Client
    activity: dict[str, Any] = field(default_factory=dict)
    filing: str = ""
    engagement: str = ""

    def run(self, command: str) -> Result:
        """Run a command of the page with its variables filled in."""
        values = {"SERVER": self.running.address, "KEYS": self.folder, "CLAIMS": self.folder, "FILING": self.filing}
        values["ENGAGEMENT"] = self.engagement
        for name, value in values.items():
            command = command.replace(f"${name}", str(value))
        given = [*shlex.split(command)[1:], "--data", str(self.folder / "data")]
        given += ["--yes"] if given[1] == "step" else []
        return CliRunner().invoke(command_line(given), given, env={"PACKTRACE_PASSPHRASE": SECRET})

    def follow(self, command: str) -> Result:
        """Run a command, and note what it makes; once verification is asked for, it is done but for the opinion."""
        ran = self.run(command)
        if " register " in command:
            self.filing = ran.stdout.split()[1].rstrip(":")
        if " step submit " in command:
            self.engagement = self.client.filing(self.filing, organisation=PACKS)["steps"][-1]["leaf_hash"]
            for one in commands(ENGAGEMENT_PAGE)[:-2]:
                said = self.run(one)
                assert said.exit_code == 0, (one, said.output)
        return ran

    def write(self, name: str, claims: Any) -> None:
        (self.folder / f"{name}.json").write_text(json.dumps(claims), "utf-8")


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with (
        serving(Settings(data=tmp_path / "data", port=0)) as running,
        Client(running.address, running.services.installation.token) as client,
    ):
        origin, keys = client.log()["origin"], {}
        for uri, roles in ((PACKS, ["pack_maker"]), (VERIFIER, ["verifier"]), (AUTHORITY, ["authority"])):
            key = KeyPair.generate("ES256")
            enrolled = client.enrol(uri, uri, key.csr(uri), proof_of_possession(key, origin, uri), roles)
            path = tmp_path / uri.removeprefix("https://").removesuffix(".example")
            save_key(path, key, SECRET)
            pem = load_der_x509_certificate(enrolled.certificate).public_bytes(Encoding.PEM)
            path.with_name(f"{path.name}.crt").write_bytes(pem)
            keys[uri] = key.with_certificate(enrolled.certificate)
        found = Scene(running, tmp_path, client)
        for name, claims in {"battery-model": model_claims(PRODUCT), **pack_claims(PRODUCT)}.items():
            now = datetime.now(UTC)
            issued = issue(
                keys[PACKS],
                kind_named(name).profile,
                issuer=PACKS,
                audience=origin,
                jti=new_jti(now, secrets.token_bytes),
                issued_at=now,
                claims=claims,
                random=secrets.token_bytes,
            )
            receipt = client.submit(issued.token, issued.disclosures)
            if name == "activity-data":
                found.activity = receipt.citation
        yield found


def write_claims(scene: Scene) -> None:
    digest, result = scene.client.footprint(PRODUCT, CHINA, PACKS)
    said = {"function": "metering_engineer", "frequency": "monthly", "gap_treatment": "same month of last year"}
    scene.write("plan", {"period": PERIOD, "figures": [{"id": "power", "name": "power", "source": "invoice", **said}]})
    data = [{"id": "d1", "figure": "power", "citation": scene.activity}]
    scene.write("complete", {"period": PERIOD, "data": data})
    scene.write("calculate", {"result": digest})
    lines = {one["id"]: one["value"] for one in result["stages"]} | {"total": result["headline"]["value"]}
    platform = {
        "platform": "designated platform",
        "database": "background database",
        "database_version": "2026.1",
        "calculated": "2026-01-01",
        "unit": result["headline"]["unit"],
        "lines": [{"id": name, "line": name, "value": value} for name, value in lines.items()],
    }
    scene.write("platform", platform)
    scene.write("submit", {"verifier": VERIFIER})
    expires = (datetime.now(UTC) + timedelta(days=365)).date().isoformat()
    scene.write("conclude", {"scope": "all", "validated": "distribution and recycling", "expires": expires})
    write_engagement(scene)
    scene.write("review", {"outcome": "accepted", "conflicts": []})


def write_engagement(scene: Scene) -> None:
    today = datetime.now(UTC).date()
    accreditation = {
        "body": "National accreditation service",
        "number": "L-0815",
        "chemistry_groups": ["LFP"],
        "rule_sets": [CHINA],
        "since": today.isoformat(),
        "until": (today + timedelta(days=900)).isoformat(),
    }
    scene.write("accreditations", [accreditation])
    team = [{"id": "t1", "function": "lead_verifier", "mark": "A-1"}]
    reviewer = {"reviewer": {"function": "outside_independent", "mark": "B-1"}}
    said = {"independence": "no other business with either", "accreditation": "L-0815", "assurance": "limited"}
    scene.write("accept", {**said, "team": team, **reviewer})
    risks = [
        {"id": stage, "stage": stage, "risk": "low", "why": "few lines", "response": "all are drawn"}
        for stage in ("material_acquisition", "manufacturing", "distribution", "recycling")
    ]
    evidence = [{"id": "e1", "what": "bills", "technique": "inspection"}]
    scene.write("engagement-plan", {"strategy": "one plant", "risks": risks, "evidence": evidence})
    examined = [
        {
            "id": f"x{number}",
            "item": f"contributions/{number}",
            "conclusion": "verified" if number < 2 else "validated",
            "error_kg": "0",
        }
        for number in range(5)
    ]
    scene.write("examine", {"examined": examined})
    found = {"finding": "F1", "text": "the bill of May is a copy"}
    scene.write("find", {**found, "severity": "minor", "concerned": PACKS})
    scene.write("answer", {**found, "text": "the original is at hand"})
    scene.write("close", {**found, "text": "it was seen", "closing": "resolved"})
    scene.write("assess", {"opinion": "unmodified"})
    scene.write("technical-review", {**reviewer, "outcome": "confirmed"})


def commands(page: str = PAGE) -> list[str]:
    block = re.search(r"```sh\n(.*?)```", page, re.DOTALL)
    assert block is not None
    return block[1].splitlines()


def test_the_commands_of_the_page_file_a_model(scene: Scene, subtests: pytest.Subtests) -> None:
    write_claims(scene)
    said: dict[str, str] = {}
    for command in commands():
        with subtests.test(command):
            ran = scene.follow(command)
            # Of a maker with one model nothing is filed at first, and the command says so.
            assert ran.exit_code == (1 if " duties " in command else 0), ran.output
            said[" ".join(command.split()[1:3])] = ran.stdout
            assert "\\u000a" not in ran.output, "what has several lines is shown in several"
    assert "missing: 1 more to be filed: the only model isn't" in said["filing duties"]
    assert f"{scene.filing}  accepted  P100  LFP  {PACKS}" in said["filing show"]
    assert said["filing reconcile"].endswith("fileable\n")
    assert "accepted  1" in said["authority overview"]
    assert f"{PACKS}  1, 1 filed" in said["authority overview"]
    assert [line.split()[0] for line in said["filing statements"].splitlines()] == list(WAY)
    assert said["filing status-list"] == "none was withdrawn, none is stale\n"
    assert f"{PACKS}  1 of 1 filed  covered" in said["authority coverage"]
    assert f"| {PACKS} | 1 | 1 | nothing |" in said["authority summary"]
    assert scene.run(commands()[0]).exit_code == 0, "nothing lacks any more"
    shown = scene.run(commands(ENGAGEMENT_PAGE)[-1])
    assert f"{scene.engagement}  concluded" in shown.stdout
    assert (
        "finding F1 (minor) resolved; find: the bill of May is a copy; answer: the original is at hand" in shown.stdout
    )
    assert "assumed: 5 % of the total" in shown.stderr
    refused = scene.run(commands(ENGAGEMENT_PAGE)[2])
    assert refused.exit_code == 1
    assert "the engagement is concluded" in refused.stderr
    # What it was made from is taken back: each list says so, without --json.
    taken = f"packtrace statement withdraw {scene.activity['leaf_hash']} --reason error --key file:$KEYS/packs --yes"
    taken += f" --out {scene.folder}/withdrawal --server $SERVER"
    assert scene.run(taken).exit_code == 0
    for command in (one for one in commands() if " filing list " in one or " authority filings " in one):
        assert f"{scene.filing}  accepted, stale  P100" in scene.run(command).stdout
    overview = scene.run(next(one for one in commands() if " authority overview " in one)).stdout
    assert " of 1, 1 of them stale" in overview


def test_a_refused_step_ends_in_a_line(scene: Scene) -> None:
    write_claims(scene)
    scene.follow(commands()[1])
    skipped = scene.run(next(one for one in commands() if " step calculate " in one))
    assert skipped.exit_code == 1
    assert "next is plan, by the filer" in skipped.stderr
    again = scene.run(f"{commands()[1]} --claims $CLAIMS/nothing.json")
    assert again.exit_code == 2, again.output


def test_an_input_that_nobody_else_signed_is_not_asked_for(scene: Scene) -> None:
    write_claims(scene)
    for command in commands()[1 : 1 + next(n for n, one in enumerate(commands()[1:], 1) if " step submit " in one)]:
        assert scene.follow(command).exit_code == 0, command
    leaf, options = scene.activity["leaf_hash"], f"--organisation {VERIFIER} --server $SERVER"
    asked = scene.run(f"packtrace engagement ask $ENGAGEMENT {leaf} --days 9 --period 2025-01-01 2025-12-31 {options}")
    assert asked.exit_code == 1
    assert "no input of the result that another signed" in asked.stderr
    line = scene.run(f"packtrace engagement line $ENGAGEMENT 1 {options}")
    assert "5 x 0.5777 x 1 = 2.8885 kg CO2e; the result says 2.8885" in line.stdout


def test_a_status_is_checked_offline(scene: Scene) -> None:
    write_claims(scene)
    for command in commands()[1:16]:
        ran = scene.follow(command)
        assert ran.exit_code == 0, ran.output
        if " publish " in command:
            address = f"{scene.running.address}{ran.stdout.split()[-2]}"
    file = scene.folder / "status.json"
    publication = address.rpartition("/")[2]
    fetched = scene.run(f"packtrace filing status {publication} --out {file} --server $SERVER")
    assert fetched.stdout.startswith("published: "), fetched.output
    check = f"packtrace filing check-status {file} --trust {scene.folder}/data/trust --json"
    given = shlex.split(check)[1:]
    current = CliRunner().invoke(command_line(given), given)
    assert (current.exit_code, json.loads(current.stdout)["verdict"]) == (0, "current"), current.output
    claims = json.loads(file.read_text("utf-8"))
    words = CliRunner().invoke(command_line(given[:-1]), given[:-1])
    assert f"{claims['model']} of {PACKS}  {claims['figure']} {claims['unit']}" in words.stdout
    # What stands beside the token is what was signed, or nothing.
    file.write_text(json.dumps({"token": claims["token"]}), "utf-8")
    assert CliRunner().invoke(command_line(given), given).exit_code == 0
    for altered in ({"figure": "0.001"}, {"model": "P200"}, {"status": "withdrawn"}, {"grade": "A"}):
        file.write_text(json.dumps({**claims, **altered}), "utf-8")
        refused = CliRunner().invoke(command_line(given), given)
        assert (refused.exit_code, f"status/{next(iter(altered))}" in refused.stderr) == (1, True), refused.output
    file.write_text(json.dumps(claims), "utf-8")
    listed = scene.folder / "list.json"
    assert scene.run(f"packtrace filing status-list --out {listed} --server $SERVER").exit_code == 0
    with_list = [*given, "--list", str(listed)]
    assert CliRunner().invoke(command_line(with_list), with_list).exit_code == 0
    head, payload, signature = claims["token"].split(".")
    for bad in (f"{head}.{payload[:-4]}AAAA.{signature}", "", None):
        file.write_text(json.dumps({**claims, "token": bad}), "utf-8")
        assert CliRunner().invoke(command_line(given), given).exit_code == 1
    scene.run(f"packtrace filing unpublish $FILING --organisation {PACKS} --server $SERVER")
    assert scene.run("packtrace filing status-list --server $SERVER").stdout.strip() == publication
    file.write_text(json.dumps(claims), "utf-8")
    assert CliRunner().invoke(command_line(with_list), with_list).exit_code == 0, "by the list from before"
    listed.unlink()
    scene.run(f"packtrace filing status-list --out {listed} --server $SERVER")
    copy = CliRunner().invoke(command_line(with_list), with_list)
    assert (copy.exit_code, json.loads(copy.stdout)["verdict"]) == (1, "withdrawn"), copy.output
    # The copy says accepted, with a figure; by the list that holds no more.
    in_words = [one for one in with_list if one != "--json"]
    words = CliRunner().invoke(command_line(in_words), in_words)
    assert words.stdout.startswith("withdrawn: its owner doesn't publish it any more\n"), words.output
    assert (f"{claims['model']} of {PACKS}" in words.stdout, claims["figure"] in words.stdout) == (True, False)
    file.write_bytes(httpx2.get(address).content)
    withdrawn = CliRunner().invoke(command_line(given), given)
    assert (withdrawn.exit_code, json.loads(withdrawn.stdout)["verdict"]) == (1, "withdrawn")


# -- the page's tables -------------------------------------------------------------------------------------------------------


def tabled(heading: str) -> list[list[str]]:
    part = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.strip("|").split("|") for line in part.splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in row] for row in rows]


def test_the_page_s_steps_are_those_of_the_machine() -> None:
    rows = {row[0].strip("`"): row for row in tabled("The steps")}
    assert rows.keys() == STEPS.keys()
    for step, row in STEPS.items():
        party = {"the verifier it names": "verifier"}.get(rows[step][2], rows[step][2])
        assert party == row.party
        named = set(re.findall(r"`(\w+)`", rows[step][3]))
        assert named <= row.states or step == "withdraw", step


def test_the_page_s_triggers_are_those_of_the_rules() -> None:
    rules = load_duty()
    assert [(row[0].strip("`"), row[2].strip("`")) for row in tabled("Amendments")] == [
        (one.id, one.back_to) for one in rules.triggers
    ]
    assert str(rules.trial.until) in PAGE
    assert str(rules.regular.since) in PAGE


def test_the_page_s_engagement_is_that_of_the_machine_and_the_rules() -> None:
    part = ENGAGEMENT_PAGE.partition("## The steps\n")[2].partition("\n## ")[0]
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("| `")
    ]
    assert {row[0].strip("`"): (row[1], row[2]) for row in rows} == {
        step: (row.party, ", ".join(f"`{state}`" for state in sorted(row.states)))
        for step, row in ENGAGEMENT_STEPS.items()
    }
    for opinion, rule in load_rules().opinions.items():
        assert f"| `{opinion}` | {rule} |" in ENGAGEMENT_PAGE
