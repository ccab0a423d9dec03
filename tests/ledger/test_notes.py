"""Signed notes and checkpoints: known answers, defects by name, and openssl as second verifier."""

import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from ledger import (
    EMPTY_ROOT,
    BadCheckpointError,
    BadKeyError,
    BadNoteError,
    BadSignatureError,
    Checkpoint,
    LedgerError,
    LogKey,
    NoteSigner,
    WrongOriginError,
    chain_next,
    chain_start,
    leaf_hash,
    open_checkpoint,
    open_note,
    sign_checkpoint,
    sign_note,
)
from tests.ledger.logs import ORIGIN

# golang.org/x/mod/sumdb/note, example_test.go: made and signed by another implementation.
NEUMANN_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_PRIVATE = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
NEUMANN_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
    "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
CHECKPOINT = Checkpoint(ORIGIN, 7, leaf_hash(b"root"))
STRANGER = NoteSigner("witness.example", bytes(32))
SIGNER = NoteSigner(ORIGIN, bytes(range(32)))
NOTE = sign_checkpoint(CHECKPOINT, SIGNER)
LINE = NOTE.splitlines(keepends=True)[-1]


def signed(text: str) -> str:
    return sign_note(text, [SIGNER])


def with_signature(change: Callable[[bytes], bytes]) -> str:
    blob = b64decode(LINE.split(" ")[2])
    return NOTE.replace(LINE, f"— {ORIGIN} {b64encode(change(blob)).decode()}\n")


def loose_base64() -> str:
    """Another last character with the same bytes: the spare bits of the padding are not zero."""
    assert LINE.endswith("=\n")
    character = LINE[-3]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    other = alphabet[alphabet.index(character) ^ 1]
    return NOTE.replace(LINE, LINE[:-3] + other + "=\n")


def test_a_note_of_another_implementation_opens() -> None:
    key = LogKey.parse(NEUMANN_KEY)
    assert str(key) == NEUMANN_KEY
    note = open_note(NEUMANN_NOTE, [key])
    assert note.text.startswith("If you think")
    assert note.signers == (key,)


def test_a_note_is_signed_like_by_another_implementation() -> None:
    private = b64decode(NEUMANN_PRIVATE.split("+", 4)[4])[1:]
    text = NEUMANN_NOTE.rpartition("\n\n")[0] + "\n"
    assert sign_note(text, [NoteSigner("PeterNeumann", private)]) == NEUMANN_NOTE


def test_a_checkpoint_comes_back() -> None:
    assert open_checkpoint(NOTE, SIGNER.log_key) == CHECKPOINT
    assert open_checkpoint(NOTE.encode(), LogKey.parse(str(SIGNER.log_key))) == CHECKPOINT


def test_unknown_signatures_are_ignored() -> None:
    others = [NoteSigner(f"witness{n}.example", bytes([n]) * 32) for n in range(16)]
    note = sign_note(CHECKPOINT.text, [*others, SIGNER])
    assert open_checkpoint(note, SIGNER.log_key) == CHECKPOINT


def test_a_key_of_the_same_name_is_unknown_by_its_id() -> None:
    note = sign_note(CHECKPOINT.text, [NoteSigner(ORIGIN, bytes(32)), SIGNER])
    assert open_checkpoint(note, SIGNER.log_key) == CHECKPOINT


def test_one_bad_signature_of_a_known_key_refuses_the_note() -> None:
    forged = STRANGER.sign("another text\n")
    note = NOTE + forged
    assert open_note(note, [SIGNER.log_key]).signers == (SIGNER.log_key,)
    with pytest.raises(BadSignatureError):
        open_note(note, [SIGNER.log_key, STRANGER.log_key])


NOTE_DEFECTS: dict[str, tuple[str | bytes, type[LedgerError]]] = {
    "empty": ("", BadNoteError),
    "no_signature": (CHECKPOINT.text, BadNoteError),
    "blank_line_and_no_signature": (CHECKPOINT.text + "\n", BadNoteError),
    "no_text": ("\n\n" + LINE, BadNoteError),
    "stranger_only": (sign_note(CHECKPOINT.text, [STRANGER]), BadNoteError),
    "crlf": (NOTE.replace("\n", "\r\n"), BadNoteError),
    "control_character": (NOTE.replace("7\n", "7\t\n"), BadNoteError),
    "not_utf8": (NOTE.encode() + b"\xff\n", BadNoteError),
    "lone_surrogate": (NOTE.replace("7\n", "7\ud800\n"), BadNoteError),
    "no_final_newline": (NOTE[:-1], BadNoteError),
    "text_after_signature": (NOTE + "more\n", BadNoteError),
    "hyphen_for_dash": (NOTE.replace("—", "-"), BadNoteError),
    "two_spaces": (NOTE.replace("— ", "—  "), BadNoteError),
    "base64_with_spare_bits": (loose_base64(), BadNoteError),
    "base64_without_padding": (NOTE.replace("=\n", "\n"), BadNoteError),
    "base64_url_alphabet": (with_signature(lambda b: b).replace("+", "-").replace("/", "_"), BadNoteError),
    "signature_twice": (NOTE + LINE, BadNoteError),
    "too_many_signatures": (NOTE + "".join(f"— w{n} AAAAAAA=\n" for n in range(100)), BadNoteError),
    "too_long": ("x" * 1_000_001, BadNoteError),
    "key_id_only": (with_signature(lambda b: b[:4]), BadNoteError),
    "short_signature": (with_signature(lambda b: b[:-1]), BadSignatureError),
    "long_signature": (with_signature(lambda b: b + b"\0"), BadSignatureError),
    "flipped_signature": (with_signature(lambda b: b[:-1] + bytes([b[-1] ^ 1])), BadSignatureError),
    "changed_size": (NOTE.replace("\n7\n", "\n8\n"), BadSignatureError),
    "extension_line": (signed(CHECKPOINT.text + "extra\n"), BadCheckpointError),
    "missing_root": (signed(f"{ORIGIN}\n7\n"), BadCheckpointError),
    "leading_zero": (signed(CHECKPOINT.text.replace("\n7\n", "\n07\n")), BadCheckpointError),
    "negative_size": (signed(CHECKPOINT.text.replace("\n7\n", "\n-7\n")), BadCheckpointError),
    "empty_size": (signed(CHECKPOINT.text.replace("\n7\n", "\n\n")), BadCheckpointError),
    "arabic_digits": (signed(CHECKPOINT.text.replace("\n7\n", "\n٧\n")), BadCheckpointError),
    "size_beyond_all_logs": (
        signed(CHECKPOINT.text.replace("\n7\n", f"\n{2**63}\n")),
        BadCheckpointError,
    ),
    "short_root": (signed(f"{ORIGIN}\n7\nAAAA\n"), BadCheckpointError),
    "root_not_base64": (signed(f"{ORIGIN}\n7\n{'!' * 44}\n"), BadCheckpointError),
    "empty_tree_with_a_root": (signed(CHECKPOINT.text.replace("\n7\n", "\n0\n")), BadCheckpointError),
    "wrong_origin": (signed(CHECKPOINT.text.replace(ORIGIN, "other.example")), WrongOriginError),
}


@pytest.mark.parametrize("defect", NOTE_DEFECTS)
def test_note_refused(defect: str) -> None:
    note, error = NOTE_DEFECTS[defect]
    assert note != NOTE
    with pytest.raises(error):
        open_checkpoint(note, SIGNER.log_key)


@pytest.mark.parametrize(
    "vkey",
    {
        "no_plus": "ledger.example",
        "no_name": NEUMANN_KEY.removeprefix("PeterNeumann"),
        "space_in_name": NEUMANN_KEY.replace("Peter", "Peter "),
        "wrong_id": NEUMANN_KEY.replace("c74f20a3", "c74f20a4"),
        "upper_case_id": NEUMANN_KEY.replace("c74f20a3", "C74F20A3"),
        "other_type": NEUMANN_KEY.replace("ARpc", "BBpc"),
        "cut_key": NEUMANN_KEY[:-4],
        "not_base64": NEUMANN_KEY[:-1] + "!",
        "not_ascii": NEUMANN_KEY[:-1] + "é",
    }.items(),
    ids=lambda item: item[0],
)
def test_verifier_key_refused(vkey: tuple[str, str]) -> None:
    with pytest.raises(BadKeyError):
        LogKey.parse(vkey[1])


@given(st.one_of(st.text(), st.binary(), st.text(alphabet="—\n ab+=17").map(lambda t: NOTE[:60] + t)))
def test_any_bytes_raise_only_our_errors(note: str | bytes) -> None:
    with pytest.raises(LedgerError):
        open_checkpoint(note, SIGNER.log_key)
    with pytest.raises(BadKeyError):
        LogKey.parse(str(note))


@given(st.integers(0, len(NOTE.encode()) - 1), st.integers(1, 255))
def test_no_changed_byte_gives_another_checkpoint(position: int, flip: int) -> None:
    changed = bytearray(NOTE.encode())
    changed[position] ^= flip
    with pytest.raises(LedgerError):
        open_checkpoint(bytes(changed), SIGNER.log_key)


def test_a_signer_speaks_for_its_own_log_only() -> None:
    with pytest.raises(WrongOriginError):
        sign_checkpoint(CHECKPOINT, STRANGER)


@pytest.mark.parametrize("text", ["no newline", "a\tb\n", "a\r\n", ""])
def test_text_that_no_note_carries_is_not_signed(text: str) -> None:
    with pytest.raises(BadNoteError):
        signed(text)


def test_the_private_key_shows_nowhere() -> None:
    private = bytes(range(32))
    shown = repr(SIGNER) + str(SIGNER)
    assert private.hex() not in shown
    assert b64encode(private).decode()[:8] not in shown
    with pytest.raises(BadKeyError) as caught:
        NoteSigner(ORIGIN, private[:31])
    assert private[:31].hex() not in str(caught.value)


def test_an_empty_log_has_a_checkpoint() -> None:
    empty = Checkpoint(ORIGIN, 0, EMPTY_ROOT)
    assert open_checkpoint(sign_checkpoint(empty, SIGNER), SIGNER.log_key) == empty


def test_the_chain_commits_to_order_and_origin() -> None:
    first, second = leaf_hash(b"a"), leaf_hash(b"b")
    start = chain_start(ORIGIN)
    one_way = chain_next(chain_next(start, first), second)
    assert one_way != chain_next(chain_next(start, second), first)
    assert start != chain_start(ORIGIN + "2")
    with pytest.raises(BadKeyError), suppress(UnicodeError):
        chain_start("\ud800")


def test_openssl_verifies_a_checkpoint(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: the second verifier of checkpoints did not run")
    text, _, line = NOTE.rpartition("\n\n")
    public = Ed25519PublicKey.from_public_bytes(SIGNER.log_key.public_key)
    (tmp_path / "key").write_bytes(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    (tmp_path / "text").write_bytes(f"{text}\n".encode())
    (tmp_path / "signature").write_bytes(b64decode(line.split(" ")[2])[4:])
    command = "openssl pkeyutl -verify -pubin -inkey key -keyform DER -rawin -in text -sigfile signature"
    accepted = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    assert accepted.returncode == 0, accepted.stderr
    (tmp_path / "text").write_bytes(f"{text}8\n".encode())
    refused = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    assert refused.returncode != 0
