"""``packtrace attachment``: from the salt on a supplier's machine to the file on its reader's, on a real server."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from exchange.cli.main import command_line
from exchange.kinds import ACTIVITY_DATA
from tests.exchange.test_cli_grant import address
from tests.flow.attachments import PDF
from tests.flow.world import Exchange, activity, line

__all__ = ["address"]


def run(*words: str, code: int = 0) -> str:
    done = CliRunner().invoke(command_line(), ["attachment", *words])
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture
def bill(tmp_path: Path) -> Path:
    file = tmp_path / "bill.pdf"
    file.write_bytes(PDF)
    return file


def digest_of(bill: Path) -> str:
    found: dict[str, Any] = json.loads(
        CliRunner().invoke(command_line(), ["attachment", "digest", str(bill), "--json"]).stdout
    )
    return str(found["files"][0]["digest"])


def test_a_file_s_salt_is_made_once_and_kept(bill: Path) -> None:
    told = run("digest", str(bill))
    salt = bill.with_name("bill.pdf.salt")
    assert (len(salt.read_bytes()), salt.stat().st_mode & 0o777) == (32, 0o600)
    digest = hashlib.sha256(salt.read_bytes() + PDF).hexdigest()
    assert f"{digest}  {bill}" in told
    assert digest_of(bill) == digest
    run("check", digest, str(bill))
    bill.write_bytes(PDF + b"one more line")
    assert "not what this digest names" in run("check", digest, str(bill), code=1)
    salt.write_bytes(b"short")
    assert "not a salt" in run("check", digest, str(bill), code=2)


def test_a_changed_file_is_not_put_under_the_salt_of_the_one_before(bill: Path) -> None:
    """Whoever was given the one file, and its salt, could try guesses at the other."""
    first = digest_of(bill)
    salt, record = (bill.with_name(f"bill.pdf.{name}") for name in ("salt", "digest"))
    kept = salt.read_bytes()
    assert (record.read_text(), record.stat().st_mode & 0o777) == (f"{first}\n", 0o600)
    bill.write_bytes(PDF + b"one more line")
    told = run("digest", str(bill), code=2)
    assert "a changed file needs a salt of its own" in told
    assert hashlib.sha256(kept + bill.read_bytes()).hexdigest() not in told
    for file in (salt, record):
        file.rename(file.with_name(f"first-{file.name}"))
    assert digest_of(bill) != first
    assert salt.read_bytes() != kept
    # A lost salt is not made anew behind one's back.
    salt.unlink()
    assert "put back what was there" in run("digest", str(bill), code=2)
    assert not salt.exists()


def test_of_a_salt_that_came_with_its_file_nobody_knows_whether_it_fits(bill: Path) -> None:
    bill.with_name("bill.pdf.salt").write_bytes(b"s" * 32)
    assert "was there before" in run("digest", str(bill))
    assert "was there before" not in run("digest", str(bill))


def test_a_file_that_no_exchange_takes_gets_no_salt(tmp_path: Path) -> None:
    (tmp_path / "page.pdf").write_bytes(b"<html>")
    assert "not taken" in run("digest", str(tmp_path / "page.pdf"), code=1)
    assert [one.name for one in tmp_path.iterdir()] == ["page.pdf"]


def test_a_file_goes_to_the_exchange_and_to_its_reader(
    sqlite_exchange: Exchange, address: str, bill: Path, tmp_path: Path
) -> None:
    owner, reader = sqlite_exchange.member("owner"), sqlite_exchange.member("reader")
    server = ["--server", address, "--data", str(sqlite_exchange.services.installation.folder)]
    digest = digest_of(bill)
    as_owner, as_reader = ["--organisation", owner.uri], ["--reader", reader.uri]
    assert "names this digest" in run("add", str(bill), *as_owner, *server, code=1)
    named = line(id="bill", name="salt", flow="nickel-sulfate", composition={"formula": "NiSO4"}, evidence=[digest])
    stated = owner.state(ACTIVITY_DATA, activity(owner.product("x"), named))
    of_statement = ["--statement", stated["leaf_hash"], "--reader", owner.uri]
    assert run("list", *of_statement, *server) == f"inputs/bill: {digest}  not handed in\n"
    assert "is stored" in run("add", str(bill), *as_owner, *server)
    assert "was there before" in run("add", str(bill), *as_owner, *server)
    assert f"inputs/bill: {digest}  application/pdf, {len(PDF)} bytes" in run("list", *of_statement, *server)
    assert digest in run("list", "--reader", owner.uri, *server)

    got = tmp_path / "got.pdf"
    assert "no such file" in run("get", digest, "--out", str(got), *as_reader, *server, code=1)
    assert not got.exists()
    terms = ["inputs/bill+evidence", "--owner", owner.uri, "--reader", reader.uri, "--statement", stated["leaf_hash"]]
    previewed = CliRunner().invoke(command_line(), ["grant", "preview", *terms, *server])
    assert f"  inputs/bill+evidence: the file {digest}, {len(PDF)} bytes\n" in previewed.output
    assert owner.grant(stated, reader, "inputs/bill+evidence").status_code == 201
    run("get", digest, "--out", str(got), *as_reader, *server)
    assert got.read_bytes() == PDF
    run("check", digest, str(got))
    assert "there is a file of that name" in run("get", digest, "--out", str(got), *as_reader, *server, code=2)
    # As the exchange answers it, and as an evidence file holds it.
    whole = tmp_path / digest
    whole.write_bytes(got.with_name("got.pdf.salt").read_bytes() + PDF)
    run("check", digest, str(whole))
    run("remove", digest, *as_owner, *server)
    assert run("list", "--reader", owner.uri, *server) == "no files\n"
