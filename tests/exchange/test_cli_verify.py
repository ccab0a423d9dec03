"""``packtrace verify`` as people call it: exit codes, text and JSON, the base install alone, no network."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from exchange.cli.verify import Check, run
from exchange.evidence_file import MAX_FILE_BYTES
from exchange.screen import shown
from exchange.trust import TrustFile
from tests.evidence import read_evidence, write_evidence

#: The server's half of the install; the verifier must do without.
SERVER = (
    *(
        "alembic",
        "apscheduler",
        "fastapi",
        "httpx2",
        "jinja2",
        "psycopg",
        "pydantic_settings",
        "sqlalchemy",
        "sqlmodel",
    ),
    *("starlette", "uvicorn", "exchange.database", "exchange.settings", "ledger.store", "signer.keystore"),
)
#: Calls the command as its script does, with sockets shut, and tells on standard error what it imported.
#: Where compiled modules are kept, if the environment says so: nothing else of it is handed on.
BYTECODE = {name: value for name, value in os.environ.items() if name == "PYTHONPYCACHEPREFIX"}
COMMAND = f"""
import socket, sys

def shut(*_, **__):
    raise AssertionError("a socket was opened")

socket.socket = socket.create_connection = socket.getaddrinfo = shut
from exchange.cli import main
try:
    main()
finally:
    print("server modules:", sorted(sys.modules.keys() & set({SERVER!r})), file=sys.stderr)
    print("modules:", *sorted(sys.modules), file=sys.stderr)
"""


@dataclass(frozen=True)
class Files:
    """Evidence and trust on disk, and a folder for more."""

    folder: Path
    evidence: Path
    trust: Path


@pytest.fixture
def files(tmp_path: Path, small_file: bytes, small_trust: TrustFile) -> Files:
    evidence, trust = tmp_path / "good.packtrace", tmp_path / "trust"
    evidence.write_bytes(small_file)
    trust.write_bytes(small_trust.document())
    return Files(tmp_path, evidence, trust)


def packtrace(*arguments: str | Path, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", COMMAND, *map(str, arguments)],
        capture_output=True,
        check=False,
        encoding=encoding,
        env={"PYTHONIOENCODING": encoding, "PATH": "", "PYTHONPATH": str(Path(__file__).parents[2]), **BYTECODE},
        timeout=60,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_what_cannot_be_told_is_no_verdict(files: Files) -> None:
    """A full disk, or a reader who went away, must not look like `rejected`."""
    command = [sys.executable, "-c", COMMAND, "verify", str(files.evidence), "--trust", str(files.trust)]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, check=False, encoding="utf-8", timeout=60)
    assert done.returncode == 2
    assert "error: No space left on device (at standard output); make room" in done.stderr
    reading, writing = os.pipe()
    os.close(reading)
    gone = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False, encoding="utf-8", timeout=60)
    os.close(writing)
    assert (gone.returncode, "Traceback" in gone.stderr) == (141, False)


def test_text_of_a_verified_file(files: Files) -> None:
    done = packtrace("verify", files.evidence, "--trust", files.trust)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[:11]] == [
        *(
            "ok 1. file",
            "ok 2. anchors",
            "ok 3. ledger",
            "ok 4. time",
            "ok 5. statements",
            "ok 6. rights",
            "ok 7. rules",
            "ok 8. results",
            "ok 9. graph",
            "ok 10. gates",
            "ok 11. report",
        )
    ]
    assert "https://lithium.example/salt under everbatt-2023-cradle-to-gate" in lines[11]
    assert "(complete)" in lines[11]
    assert lines[12].strip() == "of the ledger at size 4, data of 2026-01-01 to 2026-01-31"
    assert any("none known at size 4, on the operator's word" in line for line in lines)
    assert lines[-1] == "verified"
    assert "step 1: file ..." in done.stderr
    assert "server modules: []" in done.stderr


def test_json_of_a_verified_file(files: Files) -> None:
    done = packtrace("verify", files.evidence, "--trust", files.trust, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["verdict"], found["exit_code"], found["where"]) == ("verified", 0, None)
    assert [step["number"] for step in found["steps"]] == list(range(1, 12))
    assert found["results"][0]["rule_set"] == "everbatt-2023-cradle-to-gate"
    days = {"start": "2026-01-01", "end": "2026-01-31", "percent": "100.0"}
    assert (found["results"][0]["ledger_size"], found["results"][0]["data_period"]) == (4, days)
    assert len(found["limits"]) >= 5
    assert "step 1" not in done.stderr


def test_help_imports_nothing_heavy() -> None:
    done = packtrace("verify", "--help")
    assert done.returncode == 0
    assert "--trust" in done.stdout
    modules = set(done.stderr.rpartition("modules:")[2].split())
    assert modules.isdisjoint(
        {*SERVER, "pydantic", "numpy", "scipy", "networkx", "cryptography", "signer", "bom_graph"}
    )


@pytest.mark.parametrize(
    ("arguments", "what"), [([], "Missing argument"), (["a", "b"], "unexpected"), (["a", "--x"], "--x")]
)
def test_wrong_use_is_exit_2(arguments: list[str], what: str) -> None:
    done = packtrace("verify", *arguments)
    assert done.returncode == 2
    assert what in done.stderr


def test_a_screen_without_the_characters_still_gets_its_verdict(files: Files) -> None:
    _, members = read_evidence(files.evidence.read_bytes())
    about = {"origin": "log.packtrace.example/test", "reader": "https://例え.example", "size": 4}
    files.evidence.write_bytes(write_evidence(members, about))
    for more in ((), ("--json",)):
        done = packtrace("verify", files.evidence, "--trust", files.trust, *more, encoding="latin-1")
        assert done.returncode == 0, done.stderr
        assert "\\u4f8b\\u3048" in done.stdout


# -- in this process -------------------------------------------------------------------------------------------------


def answer(capsys: pytest.CaptureFixture[str], *, as_json: bool = False, **paths: Any) -> tuple[int, str, str]:
    code = run(Check(paths["file"], paths.get("trust")), as_json=as_json)
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("as_json", [False, True])
def test_a_changed_byte_is_exit_1_and_names_the_place(
    files: Files, capsys: pytest.CaptureFixture[str], as_json: bool
) -> None:
    data = bytearray(files.evidence.read_bytes())
    data[data.index(b"index 3")] ^= 1
    files.evidence.write_bytes(data)
    code, out, _ = answer(capsys, file=files.evidence, trust=files.trust, as_json=as_json)
    assert code == 1
    assert "entries/000000000003/proof" in out
    if as_json:
        found = json.loads(out)
        assert (found["verdict"], found["where"], found["exit_code"]) == ("rejected", "entries/000000000003/proof", 1)
        assert found["remedy"]
    else:
        assert out.startswith("rejected: ")
        assert len(out.splitlines()) == 1


def test_without_trust_the_exit_code_is_3(
    files: Files, small_trust: TrustFile, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = answer(capsys, file=files.evidence)
    assert code == 3
    assert out.splitlines()[-1].startswith("trust on first use")
    assert small_trust.fingerprint in out


def test_what_is_sealed_stands_with_the_verdict_and_the_result(
    files: Files, good_file: bytes, trust: TrustFile, capsys: pytest.CaptureFixture[str]
) -> None:
    files.evidence.write_bytes(good_file)
    files.trust.write_bytes(trust.document())
    code, out, _ = answer(capsys, file=files.evidence, trust=files.trust)
    assert code == 0
    assert out.splitlines()[-1].startswith("verified except sealed: up to 34.3 %")
    assert out.count("(partial: 2 of 4 stages, sealed 3") == 3
    assert out.count("sealed: https://lfp-cathodes.example/cathode by https://lfp-cathodes.example, ") == 3
    assert out.count("(partial: 2 of 4 stages)") == 6


BAD_FILES: dict[str, tuple[Callable[[Files], Path], str]] = {
    "missing": (lambda files: files.folder / "none", "No such file"),
    # As a trust file it would be the folder of accepted ones.
    "a folder": (lambda files: files.folder, "Is a directory|no trust file was accepted in this folder"),
    "below a file": (lambda files: files.evidence / "x", "Not a directory"),
}


@pytest.mark.parametrize("case", BAD_FILES)
@pytest.mark.parametrize("which", ["file", "trust"])
def test_a_file_that_can_t_be_read_is_exit_2(
    files: Files, capsys: pytest.CaptureFixture[str], case: str, which: str
) -> None:
    make, what = BAD_FILES[case]
    paths: dict[str, Any] = {"file": files.evidence, "trust": files.trust, which: make(files)}
    code, out, err = answer(capsys, **paths)
    assert (code, out) == (2, "")
    assert re.search(what, err)
    assert "name a file that" in err
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff\xfe", b'{"format": "\\u001b[2J\\nverified"}'])
def test_a_trust_file_that_is_none_is_exit_2(files: Files, capsys: pytest.CaptureFixture[str], data: bytes) -> None:
    """Nothing was said about the evidence, so that nobody may take it for a rejection."""
    files.trust.write_bytes(data)
    code, out, err = answer(capsys, file=files.evidence, trust=files.trust)
    assert (code, out) == (2, "")
    assert f"at {files.trust}" in err
    assert len(err.splitlines()) == 1


def test_a_file_without_end_is_not_read_to_its_end(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    with files.evidence.open("wb") as file:
        file.truncate(MAX_FILE_BYTES * 1000)
    code, _, err = answer(capsys, file=files.evidence, trust=Path("/dev/zero"))
    assert code == 2
    assert "larger than" in err


def test_nobody_writes_on_the_reader_s_screen(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    """The reader's name in a manifest is whatever the file's maker wrote."""
    _, members = read_evidence(files.evidence.read_bytes())
    reader = "x\x1b[2J\x1b[H\nverified\r\x07\u202e\x9b"
    about = {"origin": "log.packtrace.example/test", "reader": reader, "size": 4}
    files.evidence.write_bytes(write_evidence(members, about))
    code, out, _ = answer(capsys, file=files.evidence, trust=files.trust)
    assert code == 0
    assert all(line.isprintable() for line in out.split("\n"))
    assert out.count("\nverified\n") == 1
    assert out.endswith("\nverified\n")
    assert shown(reader) in out
    _, out, _ = answer(capsys, file=files.evidence, trust=files.trust, as_json=True)
    assert all(line.isprintable() for line in out.split("\n"))
    assert reader in json.loads(out)["steps"][0]["evidence"]


def test_shown_text_keeps_every_language() -> None:
    assert shown("动力电池 kg CO₂e/kWh – Lithium") == "动力电池 kg CO₂e/kWh – Lithium"
    assert shown("a\u0085b\x00") == "a\\u0085b\\u0000"
