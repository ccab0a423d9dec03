"""``packtrace bundle``, ``replay`` and ``verify`` of what they fetched, against a served exchange."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from exchange.cli.main import command_line
from exchange.kinds import ACTIVITY_DATA
from tests.exchange.stand import PASSPHRASE, Stand, standing
from tests.flow.world import activity, line

RULES = "everbatt-2023-cradle-to-gate"
MAKER = "https://maker.example"


@pytest.fixture(scope="module")
def stand(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stand]:
    with standing(tmp_path_factory.mktemp("replay")) as found:
        found.join(MAKER)
        yield found


def offline(*words: object) -> Result:
    """A command that asks nobody."""
    return CliRunner().invoke(command_line(), [*map(str, words)], env={"PACKTRACE_PASSPHRASE": PASSPHRASE})


def result(stand: Stand, part: str) -> tuple[str, str]:
    """A result of a part, and the leaf hash of what it was made from."""
    salt = line(name="salt", flow="nickel-sulfate", composition={"formula": "NiSO4"}) | {"amount": "2"}
    stated = stand.state(MAKER, ACTIVITY_DATA, activity(f"{MAKER}/{part}", salt))
    digest, _found = stand.client.footprint(f"{MAKER}/{part}", RULES, MAKER)
    return digest, str(stated["leaf_hash"])


def test_a_bundle_is_verified_and_its_result_replayed_offline(stand: Stand, tmp_path: Path) -> None:
    digest, _ = result(stand, "one")
    out, trust = tmp_path / "one.packtrace", stand.data / "trust"
    found = stand.found("bundle", digest, "--out", out, "--reader", MAKER)
    assert found == {
        "file": str(out),
        "reader": MAKER,
        "results": [digest],
        "bytes": out.stat().st_size,
        "encrypted": False,
    }
    assert offline("verify", out, "--trust", trust).exit_code == 0
    ran = offline("replay", digest, "--evidence", out, "--trust", trust)
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.startswith(f"result {digest}: computed again, ")
    assert "to the last byte" in ran.stdout
    assert ran.stdout.rstrip().endswith("verified")
    said = json.loads(offline("replay", digest, "--evidence", out, "--trust", trust, "--json").stdout)
    assert (said["verdict"], said["replay"]["identical"], said["replay"]["largest_difference"]) == ("verified", True, 0)
    assert said["replay"]["values"] > 50
    assert offline("replay", digest, "--evidence", out).exit_code == 3, "trust on first use"
    other = offline("replay", "0" * 64, "--evidence", out, "--trust", trust)
    assert (other.exit_code, "there is no result" in other.stderr) == (2, True)
    taken = stand.run("bundle", digest, "--out", out, "--reader", MAKER)
    assert taken.exit_code == 2
    assert "there" in taken.stderr


def test_a_changed_file_is_not_replayed(stand: Stand, tmp_path: Path) -> None:
    digest, _ = result(stand, "changed")
    out = tmp_path / "changed.packtrace"
    stand.found("bundle", digest, "--out", out, "--reader", MAKER)
    data = out.read_bytes().replace(b'"printed":"', b'"printed":"9', 1)
    out.write_bytes(data)
    assert offline("replay", digest, "--evidence", out, "--trust", stand.data / "trust").exit_code == 1


def test_an_encrypted_bundle_is_for_its_reader_s_key(stand: Stand, tmp_path: Path) -> None:
    digest, _ = result(stand, "sealed")
    out, trust = tmp_path / "sealed.packtrace", stand.data / "trust"
    assert stand.found("bundle", digest, "--out", out, "--reader", MAKER, "--encrypt")["encrypted"] is True
    assert b"PK" not in out.read_bytes()[:1000]
    assert MAKER.encode() not in out.read_bytes()
    assert offline("verify", out, "--trust", trust, "--key", stand.key_file(MAKER)).exit_code == 0
    ran = offline("replay", digest, "--evidence", out, "--trust", trust, "--key", stand.key_file(MAKER))
    assert ran.exit_code == 0, ran.output
    without = offline("verify", out, "--trust", trust)
    assert (without.exit_code, "name your key with --key" in without.stderr) == (2, True)
    stand.join("https://other.example")
    wrong = offline("verify", out, "--trust", trust, "--key", stand.key_file("https://other.example"))
    assert wrong.exit_code == 2, "nothing was said about the evidence"
    assert "was not sealed to this key" in wrong.stderr
    unknown = stand.run("bundle", digest, "--out", tmp_path / "x", "--reader", "https://nobody.example", "--encrypt")
    assert unknown.exit_code == 1
    assert not (tmp_path / "x").exists()


def test_a_result_is_replayed_from_the_exchange_until_its_inputs_are_erased(stand: Stand) -> None:
    digest, leaf = result(stand, "erased")
    assert stand.run("replay", digest, "--reader", MAKER, "--trust", stand.data / "trust").exit_code == 0
    index = stand.client.erase(leaf)
    ran = stand.run("replay", digest, "--reader", MAKER, "--trust", stand.data / "trust")
    assert ran.exit_code == 3, ran.output
    assert f"not decidable: inputs erased at {index}" in ran.stderr


def test_where_from_has_to_be_said_once(stand: Stand, tmp_path: Path) -> None:
    assert offline("replay", "0" * 64).exit_code == 2
    assert stand.run("replay", "0" * 64, "--evidence", tmp_path / "x").exit_code == 2
