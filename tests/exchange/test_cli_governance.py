"""``packtrace factor`` and ``packtrace certificate`` against a served exchange: the commands of docs/governance.md, and the register."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from bom_graph import load_release, release_bytes
from exchange.cli.factor import _others
from exchange.cli.main import command_line
from exchange.client import Client
from exchange.kinds import ACTIVITY_DATA, CERTIFICATE_RETIREMENT, REVIEW, Kind
from exchange.server import Running, serving
from exchange.settings import Settings
from signer import KeyPair, issue, new_jti, proof_of_possession
from signer.keystore import save_key
from tests.flow.world import activity

PAGES = Path(__file__).parents[2] / "docs"
FACTORS, CELLS = "https://factors.example", "https://cells.example"
EXPERTS = tuple(f"https://expert-{n}.example" for n in range(3))
SECRET = "correct horse"


@dataclass
class Scene:
    """A running exchange and organisations without accounts; the maintainer's key is a file."""

    running: Running
    folder: Path
    client: Client
    keys: dict[str, KeyPair]

    def run(self, command: str, code: int = 0, *, proposal: str = "") -> Result:
        for name, value in {"SERVER": self.running.address, "PROPOSAL": proposal}.items():
            command = command.replace(f"${name}", value)
        arguments = shlex.split(command)[1:]
        arguments += [] if arguments[0] == "attest" else ["--data", str(self.folder / "data")]
        ran = CliRunner().invoke(command_line(), arguments, env={"PACKTRACE_PASSPHRASE": SECRET})
        assert ran.exit_code == code, ran.output
        return ran

    def state(self, issuer: str, kind: Kind, claims: dict[str, Any]) -> int:
        now = datetime.now(UTC)
        issued = issue(
            self.keys[issuer],
            kind.profile,
            issuer=issuer,
            audience=self.client.log()["origin"],
            jti=new_jti(now, secrets.token_bytes),
            issued_at=now,
            claims=claims,
            random=secrets.token_bytes,
        )
        return self.client.submit(issued.token, issued.disclosures).index


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with (
        serving(Settings(data=tmp_path / "data", port=0)) as running,
        Client(running.address, running.services.installation.token) as client,
    ):
        keys = {}
        roles = {FACTORS: "factor_maintainer", CELLS: "supplier", **dict.fromkeys(EXPERTS, "expert")}
        for uri, role in roles.items():
            key = KeyPair.generate("ES256")
            possession = proof_of_possession(key, client.log()["origin"], uri)
            keys[uri] = key.with_certificate(client.enrol(uri, uri, key.csr(uri), possession, [role]).certificate)
        save_key(tmp_path / "maintainer-key", keys[FACTORS], SECRET)
        save_key(tmp_path / "expert-key", keys[EXPERTS[0]], SECRET)
        yield Scene(running, tmp_path, client, keys)


def commands(page: str) -> list[str]:
    """The commands of a page's console block."""
    block = re.search(r"```console\n(.*?)```", (PAGES / page).read_text("utf-8"), re.DOTALL)
    assert block is not None
    return [line.removeprefix("$ ") for line in block[1].splitlines()]


def test_the_page_s_commands_lead_from_a_file_to_a_withdrawn_release(scene: Scene) -> None:
    product = f"{CELLS}/products/salt"
    scene.state(CELLS, ACTIVITY_DATA, activity(product))
    scene.client.footprint(product, "everbatt-2023-cradle-to-gate", CELLS)
    found = json.loads(release_bytes("everbatt-2023")) | {"version": "2"}
    for row in found["rows"]:
        if row["id"] == "nickel-sulfate":
            row["value"] = "9"
    file = scene.folder / "release.json"
    file.write_text(json.dumps(found))
    propose, diff, effect, review, show, publish, file_of, withdraw = commands("governance.md")
    proposed = scene.run(propose.replace("release.json", str(file)))
    proposal = proposed.output.split()[0]
    assert (
        "changed: nickel-sulfate: 7.56905866629409 -> 9 kg/kg (+18.91%); differing: value"
        in scene.run(diff, proposal=proposal).output
    )
    copy = scene.folder / "copy.json"
    scene.run(f"packtrace factor file {proposal} --out {copy} --server $SERVER")
    assert copy.read_bytes() == file.read_bytes()
    taken = scene.run(f"packtrace factor file {proposal} --out {copy} --server $SERVER", 2)
    assert "there is a file of that name" in taken.output
    moved = scene.run(effect, proposal=proposal).output
    assert f"{product} (everbatt-2023-cradle-to-gate): " in moved
    assert "1 of your results use a changed row, of 1 that were looked at" in moved
    assert "lacks 3 more of 3 reviews that count: there are 0" in scene.run(show, proposal=proposal).output
    publish = publish.replace("file:maintainer-key", f"file:{scene.folder / 'maintainer-key'}")
    refused = scene.run(publish, 1, proposal=proposal)
    assert "3 more of 3 reviews that count" in refused.output
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    form = scene.folder / "review.yaml"
    filled = scene.run("packtrace attest --template review").output
    for name, value in (("digest", digest), ("outcome", "accepted"), ("conflicts", "[]")):
        filled = re.sub(f"^{name}:.*(\n +.*|\n  - .*)*", f"{name}: {value}", filled, count=1, flags=re.MULTILINE)
    form.write_text(filled, "utf-8")
    attest, push = review.split(" && ")
    attest = attest.replace("review.yaml", str(form)).replace("file:expert-key", f"file:{scene.folder / 'expert-key'}")
    scene.run(attest.replace("$LOG", scene.client.log()["origin"]) + " --yes")
    scene.run(push.replace("review.sd-jwt", str(form.with_suffix(".sd-jwt"))))
    for expert in EXPERTS[1:]:
        scene.state(expert, REVIEW, {"digest": digest, "outcome": "accepted", "conflicts": []})
    published = scene.run(publish, proposal=proposal).output
    assert published.startswith("entry ")
    calculate = f"packtrace footprint calculate {product} --rule-set everbatt-2023-cradle-to-gate --reader {CELLS} --server $SERVER"
    said = f"with factor release everbatt-2023 2, published at entry {published.split()[1].strip(',:')}"
    assert said in scene.run(calculate).output
    older = f"{calculate} --release {load_release('everbatt-2023').digest}"
    assert "published at entry" not in scene.run(older).output
    assert "no factor release with this digest" in scene.run(f"{calculate} --release {'0' * 64}", 1).output
    many = scene.run(older.replace(product, f"{product} {product}-2"), 2)
    assert "named for one result at a time" in many.output
    copy = scene.folder / "published.json"
    file_of = file_of.replace("published.json", str(copy))
    assert f"SHA-256 {digest}" in scene.run(file_of, proposal=proposal).output
    assert copy.read_bytes() == file.read_bytes()
    scene.run(file_of, 2, proposal=proposal)
    withdraw = withdraw.replace("file:maintainer-key", f"file:{scene.folder / 'maintainer-key'}")
    scene.run(withdraw, proposal=proposal)
    shown = scene.run(show, proposal=proposal).output
    assert ": the source erred" in shown
    assert shown.count("; counts") == 3
    (listed,) = json.loads(scene.run("packtrace factor list --server $SERVER --json").output)
    assert (listed["state"], listed["reason"]) == ("withdrawn", "the source erred")


def test_a_broken_file_is_refused_before_it_is_sent(scene: Scene) -> None:
    file = scene.folder / "release.json"
    file.write_bytes(b"{}")
    refused = scene.run(f"packtrace factor propose {file} --server $SERVER", 1)
    assert "the factor release can't be read" in refused.output


def test_an_average_is_withheld_with_its_reason(scene: Scene) -> None:
    withheld = scene.run("packtrace factor average traction-battery-LFP CN 2024 --server $SERVER", 1)
    assert withheld.output == "withheld: fewer than 5 corporate groups contribute\n"
    assert scene.run("packtrace factor averages --server $SERVER").output == ""


def test_certificates_are_listed_covered_and_digested(scene: Scene) -> None:
    claims = {
        "sub": f"{CELLS}/retirements/a",
        "registry": "GEC",
        "serials": [{"first": "GEC-000001", "last": "GEC-000003"}],
        "energy": {"amount": "3", "unit": "MWh", "obtained": "measured"},
        "month": "2026-01",
        "generation": "wind",
        "region": "CN-NM",
        "site": {"name": "Plant 1", "country": "CN", "grid": "CN"},
    }
    index = scene.state(CELLS, CERTIFICATE_RETIREMENT, claims)
    listed = scene.run("packtrace certificate list --server $SERVER").output
    assert listed == f"entry {index}: counts; 3 MWh wind for Plant 1 2026-01; GEC GEC-000001 to GEC-000003\n"
    uncovered = scene.run(f"packtrace certificate cover --organisation {CELLS} --server $SERVER", 1).output
    assert "Plant 1 2026-01: 3 MWh retired, 0 MWh from the grid" in uncovered
    assert "nothing was taken from the grid in that month" in uncovered
    register = scene.run("packtrace certificate register --server $SERVER").output
    assert re.fullmatch(rf"[0-9a-f]{{64}}  1 retirements count at size {index + 1}\n", register)


def test_what_is_told_of_others_is_said_in_words() -> None:
    told = {"groups_at_least": 10, "refused_at_least": 5, "rise_at_least": "0.05", "fall_at_least": None}
    assert _others(told) == (
        "others: results of at least 10 corporate groups use a changed row; of at least 5 some would be refused; "
        "several groups' results rise by 5% or more"
    )
