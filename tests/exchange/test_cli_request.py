"""docs/requests.md is true: its commands and its nightly job run against a real server, and wrong calls end in a line."""

from __future__ import annotations

import json
import re
import secrets
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from exchange.cli.main import command_line
from exchange.client import Client
from exchange.kinds import PRODUCT_FOOTPRINT
from exchange.server import Running, serving
from exchange.settings import Settings
from signer import KeyPair, issue, new_jti, proof_of_possession
from tests.flow.world import signed_footprint

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "requests.md").read_text("utf-8")
PACKS, CELLS = "https://packs.example", "https://cells.example"
CELL = f"{CELLS}/products/cell"


@dataclass
class Scene:
    """A running exchange, two organisations without accounts, and the leaf hash of a footprint of the cell."""

    running: Running
    data: Path
    client: Client
    leaf_hash: str

    @property
    def token(self) -> str:
        """The data folder's token."""
        return self.running.services.installation.token

    def run(self, command: str, **values: str) -> Result:
        """Run a command of the page with its variables filled in."""
        for name, value in {"SERVER": self.running.address, "LEAF": self.leaf_hash, **values}.items():
            command = command.replace(f"${name}", value)
        return CliRunner().invoke(command_line(), [*shlex.split(command)[1:], "--data", str(self.data)])


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    data = tmp_path / "data"
    with (
        serving(Settings(data=data, port=0)) as running,
        Client(running.address, running.services.installation.token) as client,
    ):
        origin = client.log()["origin"]
        for uri in (PACKS, CELLS):
            key = KeyPair.generate("ES256")
            enrolled = client.enrol(uri, uri, key.csr(uri), proof_of_possession(key, origin, uri), ["supplier"])
        now = datetime.now(UTC)
        issued = issue(
            key.with_certificate(enrolled.certificate),
            PRODUCT_FOOTPRINT.profile,
            issuer=CELLS,
            audience=origin,
            jti=new_jti(now, secrets.token_bytes),
            issued_at=now,
            claims=signed_footprint(CELL, "material_acquisition"),
            random=secrets.token_bytes,
        )
        receipt = client.submit(issued.token, issued.disclosures)
        yield Scene(running, data, client, receipt.leaf_hash)


def commands() -> list[str]:
    block = re.search(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    return block[1].replace("\\\n", "").splitlines()


def soon(days: float = 3) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).isoformat()


def test_the_commands_of_the_page(scene: Scene) -> None:
    create, listing, answering, board = commands()
    deadline = soon()
    made = [scene.run(f"{create} --json", DEADLINE=deadline) for _time in range(2)]
    assert [one.exit_code for one in made] == [0, 0], made[0].output
    request, again = (json.loads(one.stdout)["id"] for one in made)
    assert request == again
    assert f"{request}  open, 2 days left" in scene.run(listing).stdout
    assert scene.run(board).stdout.startswith("1 pending, 0 overdue, 1 due within a week")
    answered = scene.run(answering, REQUEST=request)
    assert answered.exit_code == 0, answered.output
    assert f"answered by {scene.leaf_hash}: complete contents declared_unit" in answered.stdout
    assert json.loads(scene.run(f"{board} --json").stdout)["counts"] == {"pending": 0, "overdue": 0, "due_soon": 0}


def test_the_other_commands(scene: Scene) -> None:
    create = commands()[0].replace("--id pack-7:cell", "")
    first, second = (json.loads(scene.run(f"{create} --json", DEADLINE=soon()).stdout)["id"] for _time in range(2))
    reminded = scene.run(f"packtrace request remind {first} --server $SERVER")
    assert (reminded.exit_code, "reminded" in reminded.stdout) == (0, True)
    too_often = scene.run(f"packtrace request remind {first} --server $SERVER")
    assert (too_often.exit_code, too_often.stderr.count("\n")) == (1, 1)
    passed_on = scene.run(
        f"packtrace request delegate {first} --server $SERVER --to {PACKS} --product {PACKS}/products/x"
    )
    assert (passed_on.exit_code, "circle" in passed_on.stderr) == (1, True)
    scene.run(f"packtrace request decline {second} --server $SERVER --reason 'not made any more'")
    shown = scene.run(f"packtrace request show {second} --server $SERVER").stdout
    assert "reason: not made any more" in shown


@pytest.mark.parametrize(
    "wrong",
    ["--statement $LEAF", "--statement $LEAF:", "--statement $LEAF:sub --verification 00:sub"],
    ids=["no paths", "empty paths", "a statement for the verifier alone"],
)
def test_a_wrong_call_ends_in_a_line(scene: Scene, wrong: str) -> None:
    request = json.loads(scene.run(f"{commands()[0]} --json", DEADLINE=soon()).stdout)["id"]
    found = scene.run(f"packtrace request answer {request} --server $SERVER {wrong}")
    assert (found.exit_code, found.stderr.count("\n")) == (2, 1), found.output
    assert found.stderr.startswith("error: ")


def test_the_nightly_job(scene: Scene) -> None:
    job = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert job is not None
    assert scene.run(commands()[0], DEADLINE=soon()).exit_code == 0
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", job[1], scene.running.address, scene.token, CELLS],
        cwd=ROOT,
        input=json.dumps({CELL: scene.leaf_hash}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    answered, counts = run.stdout.splitlines()
    assert answered.endswith(" is answered")
    assert counts == "{'pending': 0, 'overdue': 0, 'due_soon': 0}"


def test_the_client_goes_through_pages_and_parts(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exchange.client._PAGE", 2)
    body: dict[str, Any] = {
        "organisation": PACKS,
        "asked": CELLS,
        "product": CELL,
        "deadline": soon(),
        "wanted": ["activity-data"],
    }
    body["period"] = {"start": "2025-01-01", "end": "2025-12-31"}
    made = [scene.client.ask(body)["id"] for _number in range(5)]
    assert sorted(one["id"] for one in scene.client.requests("outbox", PACKS)) == sorted(made)
    assert list(scene.client.parts("customer", PACKS)) == []
    assert list(scene.client.products(CELLS)) == []
    assert scene.client.accept(made[0])["state"] == "accepted"
    assert scene.client.withdraw(made[0])["state"] == "withdrawn"
    assert scene.client.board("asker", PACKS)["counts"]["pending"] == 4


def test_products_and_parts_are_stated_mapped_and_ended_by_commands(scene: Scene) -> None:
    def ran(command: str) -> Any:
        done = scene.run(f"packtrace {command} --server $SERVER --json")
        assert done.exit_code == 0, done.output
        return json.loads(done.stdout)

    stated = ran(f"product put {CELL} --name 'Cell 5' --unit piece --kind cell --organisation {CELLS}")
    assert ran(f"product list --organisation {CELLS}") == [stated]
    proposed = ran(f"part propose P-7 {CELL} --customer {PACKS} --supplier {CELLS} --organisation {PACKS}")
    assert proposed["state"] == "proposed"
    assert ran(f"part decide {proposed['id']} --confirm")["state"] == "confirmed"
    assert [one["part"] for one in ran(f"part list --side supplier --organisation {CELLS}")] == ["P-7"]
    assert ran(f"part end {proposed['id']}")["state"] == "ended"
    plain = scene.run(f"packtrace product list --server $SERVER --organisation {CELLS}")
    assert plain.stdout == f"{CELL}  cell per piece  Cell 5\n"
    wrong = scene.run(f"packtrace part decide {proposed['id']} --refuse --server $SERVER")
    assert wrong.exit_code == 1


def test_a_statement_is_erased_by_a_command_that_asks_before(scene: Scene) -> None:
    asked = scene.run("packtrace erase $LEAF --server $SERVER")
    assert asked.exit_code == 1
    assert "for good" in asked.output
    done = scene.run("packtrace erase $LEAF --server $SERVER --yes --json")
    assert done.exit_code == 0, done.output
    again = scene.run("packtrace erase $LEAF --server $SERVER --yes --json")
    assert json.loads(again.stdout) == json.loads(done.stdout)
    assert scene.run(f"packtrace erase {'0' * 64} --server $SERVER --yes").exit_code == 1
