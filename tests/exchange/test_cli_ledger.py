"""``packtrace ledger proof|consistency``: from the database, a folder or an address the same proofs, verified, or one line."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from exchange.cli.ledger import Source, run_consistency, run_proof
from exchange.client import AnswerError, is_here
from exchange.log_client import fetching
from exchange.server import serving
from exchange.settings import Settings
from ledger import (
    CHECKPOINT_PATH,
    Checkpoint,
    NoteSigner,
    open_checkpoint,
    parse_proof,
    sign_checkpoint,
    tile_path,
    verify_consistency,
    verify_proof,
)
from ledger.store import checkpoint_at, snapshot
from tests.exchange.test_cli_server import one_line
from tests.flow.world import PASSPHRASE, Exchange, salt


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """An exchange with two published checkpoints, that the tests only read."""
    folder = tmp_path_factory.mktemp("ledger")
    opened = Exchange.open(folder / "data", f"sqlite:///{folder / 'exchange.sqlite'}")
    for name in ("first", "second"):
        salt(opened.member("maker"), name)
        opened.clock.advance(1)
        opened.publish()
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def settings(exchange: Exchange, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The exchange's, by variables."""
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setenv("PACKTRACE_DATA", str(exchange.services.installation.folder))
    monkeypatch.setenv("PACKTRACE_DATABASE_URL", exchange.url)
    return Settings(port=0, passphrase=SecretStr(PASSPHRASE))


@pytest.fixture
def published(exchange: Exchange) -> Path:
    return exchange.services.installation.published


@pytest.fixture
def trust(exchange: Exchange) -> Path:
    return exchange.services.installation.folder / "trust"


DATABASE = Source(None, None, None)
OTHER = sign_checkpoint(Checkpoint("other.example", 1, bytes(32)), NoteSigner("other.example", bytes(32)))


@pytest.fixture(params=["database", "folder", "folder and trust file", "address"])
def source(request: pytest.FixtureRequest, settings: Settings, published: Path, trust: Path) -> Iterator[Source]:
    if request.param == "address":
        with serving(settings) as running:
            yield Source(f"{running.address}/ledger", None, None)
        return
    yield {
        "database": DATABASE,
        "folder": Source(str(published), None, None),
        "folder and trust file": Source(str(published), trust, Path("/nowhere")),
    }[request.param]


def test_a_proof_by_index_and_by_leaf_hash(
    exchange: Exchange, source: Source, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    key = exchange.services.installation.trust_file.key
    assert run_proof(source, "3", None, None, as_json=False) == 0
    printed = capfdbinary.readouterr().out
    assert run_proof(source, "3", None, None, as_json=True) == 0
    found = json.loads(capfdbinary.readouterr().out)
    assert found["proof"].encode() == printed
    checkpoint = verify_proof(parse_proof(printed), bytes.fromhex(found["leaf_hash"]), key)
    assert (found["size"], found["root"], found["index"]) == (checkpoint.size, checkpoint.root.hex(), 3)
    assert checkpoint.size == exchange.size
    assert run_proof(source, found["leaf_hash"], None, None, as_json=True) == 0
    assert json.loads(capfdbinary.readouterr().out) == found


def test_a_proof_goes_into_a_new_file(
    source: Source, tmp_path: Path, exchange: Exchange, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "3.tlog-proof"
    assert run_proof(source, "3", None, out, as_json=False) == 0
    assert str(out) in capsys.readouterr().out
    written = out.read_bytes()
    assert parse_proof(written).index == 3
    assert run_proof(source, "4", None, out, as_json=False) == 2
    assert "3.tlog-proof" in one_line(capsys)
    assert out.read_bytes() == written


def test_consistency_of_two_published_sizes(
    exchange: Exchange, source: Source, capsys: pytest.CaptureFixture[str]
) -> None:
    new = exchange.size
    assert run_consistency(source, new - 1, new, as_json=True) == 0
    found = json.loads(capsys.readouterr().out)
    key, roots = exchange.services.installation.trust_file.key, []
    with snapshot(exchange.services.installation.engine) as connection:
        for size in (new - 1, new):
            signed = checkpoint_at(connection, size)
            assert signed is not None
            roots.append(open_checkpoint(signed.note, key).root)
    assert [base64.b64decode(found[name]) for name in ("old_root", "new_root")] == roots
    verify_consistency(new - 1, new, roots[0], roots[1], [base64.b64decode(value) for value in found["proof"]])
    assert run_consistency(source, new - 1, new, as_json=False) == 0
    assert capsys.readouterr().out.splitlines()[3:] == found["proof"]


def test_a_proof_to_an_older_published_size(
    exchange: Exchange, published: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    older = exchange.size - 1
    assert run_proof(DATABASE, "3", older, None, as_json=True) == 0
    assert json.loads(capsys.readouterr().out)["size"] == older
    assert run_proof(DATABASE, "3", 2, None, as_json=True) == 1
    assert "no checkpoint of size 2" in one_line(capsys)
    assert run_proof(Source(str(published), None, None), "3", older, None, as_json=True) == 1
    assert "--size" in one_line(capsys)


@pytest.mark.parametrize("entry", ["", "-1", "03", "x", "1.0", "0" * 63, "AB" * 32, "1" * 20, "٣"])
def test_what_names_no_entry_is_a_usage_error(source: Source, entry: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_proof(source, entry, None, None, as_json=False) == 2
    assert "ENTRY" in one_line(capsys)


@pytest.mark.parametrize("entry", ["999", "00" * 32])
def test_an_entry_that_is_not_there_is_refused(
    source: Source, entry: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_proof(source, entry, None, tmp_path / "out", as_json=False) == 1
    one_line(capsys)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("old", "new"), [(5, 4), (0, 5), (5, 999), (999, 999)])
def test_sizes_that_no_proof_joins_are_refused(
    source: Source, old: int, new: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_consistency(source, old, new, as_json=False) == 1
    one_line(capsys)


@pytest.mark.parametrize("new", [999, 10**30])
@pytest.mark.parametrize("old", [2, 999])
def test_a_new_size_that_is_not_published_is_named(
    source: Source, old: int, new: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_consistency(source, old, new, as_json=False) == 1
    line = one_line(capsys)
    assert f"size {new} " in line
    assert "(at new size)" in line


@pytest.mark.parametrize("harm", ["missing", "spoilt", "of_another"])
@pytest.mark.parametrize("with_trust", [True, False])
def test_an_error_of_a_published_log_names_its_folder(
    published: Path, trust: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], *, with_trust: bool, harm: str
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(published, copy)
    if harm == "missing":
        (copy / "checkpoint").unlink()
    else:
        (copy / "checkpoint").write_text("spoilt" if harm == "spoilt" else OTHER)
    source = Source(str(copy), trust if with_trust else None, None)
    assert run_proof(source, "0", None, None, as_json=False) == 1
    assert f"(at {copy}: " in one_line(capsys)
    assert run_consistency(source, 1, 2, as_json=False) == 1
    assert f"(at {copy}: " in one_line(capsys)


def test_a_changed_tile_gives_no_proof(
    published: Path, trust: Path, exchange: Exchange, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = shutil.copytree(published, tmp_path / "copy")
    tile = copy / tile_path(0, 0, exchange.size)
    tile.write_bytes(bytes(32) + tile.read_bytes()[32:])
    for entry in ("0", "3"):
        assert run_proof(Source(str(copy), trust, None), entry, None, None, as_json=False) == 1
        assert "do not lead to the signed root" in one_line(capsys)


@pytest.mark.parametrize(
    "case", ["no folder", "no trust file", "trust file for the database", "nobody there", "no log"]
)
def test_a_source_that_cannot_be_read(
    case: str, published: Path, trust: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, code = {
        "no folder": (Source("/nowhere", trust, None), 1),
        "no trust file": (Source(str(published), Path("/nowhere"), None), 2),
        "trust file for the database": (Source(None, trust, None), 2),
        "nobody there": (Source("http://127.0.0.1:1/ledger", None, None), 1),
        "no log": (Source("http://[", None, None), 2),
    }[case]
    assert run_proof(source, "0", None, None, as_json=False) == code
    one_line(capsys)


@pytest.mark.parametrize("here", [True, False])
def test_the_token_is_sent_to_this_machine_only(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, here: bool
) -> None:
    """Bundles of entries are for auditors: they come for the token, which doesn't go to other machines."""
    with serving(settings) as running:
        running.services.publisher.tick()
        monkeypatch.setattr("exchange.log_client.is_here", lambda _address: here)
        with fetching(f"{running.address}/ledger", settings.data / "token") as fetch:
            size = (fetch(CHECKPOINT_PATH, 65_536) or b"").split(b"\n")[1].decode()
            bundle = f"tile/entries/000.p/{size}"
            if here:
                assert fetch(bundle, 1_000_000)
            else:
                with pytest.raises(AnswerError, match="auditors"):
                    fetch(bundle, 1_000_000)


@pytest.mark.parametrize(
    ("address", "here"),
    [
        ("http://127.0.0.1:8551/ledger", True),
        ("http://[::1]/", True),
        ("http://localhost/", True),
        ("https://example.org/", False),
        ("http://127.0.0.1.example.org/", False),
        ("http://127.0.0.1@example.org/", False),
    ],
)
def test_which_address_is_this_machine(address: str, here: bool) -> None:

    assert is_here(address) is here
