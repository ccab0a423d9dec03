"""Cosignatures: a witness's line says what C2SP tlog-cosignature lets it say, and nothing else passes for one."""

import shutil
import struct
import subprocess
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from ledger import (
    BadKeyError,
    BadSignatureError,
    Checkpoint,
    LogKey,
    NoteSigner,
    UnknownSignerError,
    WitnessKey,
    WitnessSigner,
    add_lines,
    cosignatures,
    leaf_hash,
    open_checkpoint,
    open_note,
    sign_checkpoint,
)
from tests.ledger.logs import ORIGIN

CHECKPOINT = Checkpoint(ORIGIN, 7, leaf_hash(b"root"))
LOG = NoteSigner(ORIGIN, bytes(range(32)))
WITNESS = WitnessSigner("witness.example/w1", bytes(31) + b"\1")
NOTE = sign_checkpoint(CHECKPOINT, LOG)
TIME = 1679315147
LINE = WITNESS.sign(CHECKPOINT.text, TIME)
COSIGNED = add_lines(NOTE, [LINE])


def blob(line: str) -> bytes:
    return b64decode(line.split(" ")[2])


def with_blob(changed: bytes) -> str:
    return NOTE + f"— {WITNESS.witness_key.name} {b64encode(changed).decode()}\n"


def test_a_cosigned_checkpoint_opens_with_both_keys_and_says_when() -> None:
    note = open_note(COSIGNED, [LOG.log_key, WITNESS.witness_key])
    assert note.text == CHECKPOINT.text
    (found,) = cosignatures(note)
    assert (found.key, found.time, found.at) == (WITNESS.witness_key, TIME, "2023-03-20T12:25:47Z")


def test_a_reader_without_the_witness_s_key_ignores_its_line() -> None:
    assert open_checkpoint(COSIGNED, LOG.log_key) == CHECKPOINT
    assert cosignatures(open_note(COSIGNED, [LOG.log_key])) == ()


def test_a_witness_alone_does_not_speak_for_the_log() -> None:
    with pytest.raises(UnknownSignerError):
        open_checkpoint(CHECKPOINT.text + "\n" + LINE, LOG.log_key)


def test_the_line_is_laid_out_as_the_specification_says() -> None:
    name, key = WITNESS.witness_key.name, WITNESS.witness_key.public_key
    key_id, time = blob(LINE)[:4], blob(LINE)[4:12]
    assert key_id == sha256(name.encode() + b"\n\x04" + key).digest()[:4]
    assert struct.unpack(">Q", time) == (TIME,)
    assert len(blob(LINE)) == 4 + 8 + 64
    message = f"cosignature/v1\ntime {TIME}\n{CHECKPOINT.text}".encode()
    Ed25519PublicKey.from_public_bytes(key).verify(blob(LINE)[12:], message)


def test_openssl_verifies_a_cosignature(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: the second verifier of cosignatures did not run")
    public = Ed25519PublicKey.from_public_bytes(WITNESS.witness_key.public_key)
    (tmp_path / "key").write_bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "signature").write_bytes(blob(LINE)[12:])
    command = "openssl pkeyutl -verify -pubin -inkey key -keyform DER -rawin -in text -sigfile signature"
    codes = []
    for time in (TIME, TIME + 1):
        (tmp_path / "text").write_bytes(f"cosignature/v1\ntime {time}\n{CHECKPOINT.text}".encode())
        codes.append(subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False).returncode)
    assert codes[0] == 0
    assert codes[1] != 0


BAD_BLOBS = {
    "flipped_signature": blob(LINE)[:-1] + bytes([blob(LINE)[-1] ^ 1]),
    "flipped_time": blob(LINE)[:11] + bytes([blob(LINE)[11] ^ 1]) + blob(LINE)[12:],
    "cut": blob(LINE)[:-1],
    "longer": blob(LINE) + b"\0",
    "without_time": blob(LINE)[:4] + blob(LINE)[12:],
    "time_above_two_to_63": blob(WITNESS.sign(CHECKPOINT.text, 2**63)),
    "of_another_checkpoint": blob(WITNESS.sign(CHECKPOINT.text.replace("\n7\n", "\n8\n"), TIME)),
    "the_bare_text_signed": WITNESS.witness_key.key_id
    + struct.pack(">Q", TIME)
    + blob(NoteSigner(WITNESS.witness_key.name, bytes(31) + b"\1").sign(CHECKPOINT.text))[4:],
}


@pytest.mark.parametrize("defect", BAD_BLOBS)
def test_a_bad_cosignature_of_a_known_witness_refuses_the_note(defect: str) -> None:
    note = with_blob(BAD_BLOBS[defect])
    assert open_checkpoint(note, LOG.log_key) == CHECKPOINT, "to whom the witness is unknown it says nothing"
    with pytest.raises(BadSignatureError):
        open_note(note, [LOG.log_key, WITNESS.witness_key])


def test_a_key_is_of_one_type() -> None:
    vkey = str(WITNESS.witness_key)
    assert WitnessKey.parse(vkey) == WITNESS.witness_key
    with pytest.raises(BadKeyError, match="0x01"):
        LogKey.parse(vkey)
    with pytest.raises(BadKeyError, match="0x04"):
        WitnessKey.parse(str(LOG.log_key))
    assert LogKey(ORIGIN, bytes(32)).key_id != WitnessKey(ORIGIN, bytes(32)).key_id


def test_lines_are_added_once() -> None:
    other = WITNESS.sign(CHECKPOINT.text, TIME + 1)
    assert add_lines(COSIGNED, [LINE, other, other]) == NOTE + LINE + other


def test_the_private_key_of_a_witness_shows_nowhere() -> None:
    private = bytes(31) + b"\1"
    assert private.hex() not in repr(WITNESS)
    with pytest.raises(BadKeyError):
        WitnessSigner("witness.example/w1", private[:31])
