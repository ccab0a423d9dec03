"""Published logs under verifiers that nobody here wrote: Go's sumdb and pymerkle (openssl: test_notes.py). What they refuse, we refuse.

Each defect is made in a sound case, and both programs, Go's and ours, have to refuse it for their own reason.
"""

from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from pathlib import Path

import pymerkle
import pytest

from ledger import (
    Checkpoint,
    LedgerError,
    NoteSigner,
    PublishedLog,
    leaf_hash,
    open_checkpoint,
    sign_checkpoint,
    sign_note,
)
from ledger.store import begin, create_log, metadata, sqlite_engine
from tests.ledger.cases import SIZES, TIME, WITNESSES, Case, fetch_from, make_case
from tests.ledger.go_verifier import GoVerifier, go_verifier
from tests.ledger.logs import ORIGIN, entry_bytes

MakeCase = Callable[[int], Case]


@pytest.fixture(scope="session")
def go() -> GoVerifier:
    return go_verifier()


@pytest.fixture(scope="session")
def sound(tmp_path_factory: pytest.TempPathFactory, signer: NoteSigner) -> Iterator[MakeCase]:
    """A sound case of a size, made once and never changed."""
    cases: dict[int, Case] = {}

    def make(size: int) -> Case:
        if size not in cases:
            folder = tmp_path_factory.mktemp(f"log{size}")
            engine = sqlite_engine(folder / "log.sqlite")
            metadata.create_all(engine)
            with begin(engine) as connection:
                create_log(connection, ORIGIN)
            cases[size] = make_case(folder, engine, signer, size)
        return cases[size]

    yield make
    for case in cases.values():
        case.engine.dispose()


@pytest.fixture
def case(sound: MakeCase, tmp_path: Path) -> Case:
    """A case of a thousand entries, to be damaged: three full tiles and a partial one."""
    return sound(1_000).copy(tmp_path / "case")


@pytest.mark.parametrize("size", SIZES)
def test_go_verifies_our_logs(sound: MakeCase, go: GoVerifier, size: int) -> None:
    words = go.verify(sound(size).folder).split()
    said = dict(zip(words[::2], words[1::2], strict=True))
    published = PublishedLog(fetch_from(sound(size).log), sound(size).key)
    assert int(said["size"]) == size
    assert b64decode(said["root"]) == published.checkpoint.root
    assert int(said["witnesses"]) == len(WITNESSES)
    assert min(int(said[name]) for name in ("tiles", "proven", "proofs")) > 0
    assert int(said["older"]) == min(size - 1, 3)


@pytest.mark.parametrize("size", SIZES)
def test_our_own_verification_agrees(sound: MakeCase, size: int) -> None:
    sound(size).check()


@pytest.mark.parametrize("size", SIZES)
def test_pymerkle_gives_the_same_root(sound: MakeCase, size: int) -> None:
    theirs = pymerkle.InmemoryTree(algorithm="sha256")
    for number in range(size):
        theirs.append_entry(entry_bytes(number))
    assert PublishedLog(fetch_from(sound(size).log), sound(size).key).checkpoint.root == theirs.get_root()


Change = Callable[[Case], object]


def flip(path: str, position: int = 40) -> Change:
    def change(case: Case) -> None:
        data = bytearray((case.folder / path).read_bytes())
        data[position] ^= 1
        (case.folder / path).write_bytes(data)

    return change


def cut(path: str) -> Change:
    return lambda case: (case.folder / path).write_bytes((case.folder / path).read_bytes()[:-1])


def remove(path: str) -> Change:
    return lambda case: (case.folder / path).unlink()


def swap(first: str, second: str) -> Change:
    def change(case: Case) -> None:
        one, other = (case.folder / first).read_bytes(), (case.folder / second).read_bytes()
        (case.folder / first).write_bytes(other)
        (case.folder / second).write_bytes(one)

    return change


def edit(path: str, old: str, new: str) -> Change:
    def change(case: Case) -> None:
        text = (case.folder / path).read_bytes().decode()
        assert old in text
        (case.folder / path).write_bytes(text.replace(old, new, 1).encode())

    return change


def edit_lines(path: str, change_lines: Callable[[list[str]], list[str]]) -> Change:
    def change(case: Case) -> None:
        lines = (case.folder / path).read_text().splitlines(keepends=True)
        (case.folder / path).write_text("".join(change_lines(lines)))

    return change


def resigned(make: Callable[[Checkpoint, NoteSigner], str], path: str = "log/checkpoint") -> Change:
    """Sign another text with the log's own key and the witnesses': the liar is the operator."""

    def change(case: Case) -> None:
        signer = NoteSigner(ORIGIN, bytes(range(32)))
        note = make(open_checkpoint((case.folder / path).read_bytes(), case.key), signer)
        text = note.rpartition("\n\n")[0] + "\n"
        (case.folder / path).write_text(note + "".join(witness.sign(text, TIME) for witness in WITNESSES))

    return change


def another_root(checkpoint: Checkpoint, signer: NoteSigner) -> str:
    return sign_checkpoint(Checkpoint(ORIGIN, checkpoint.size, leaf_hash(b"other")), signer)


def one_entry_less(checkpoint: Checkpoint, signer: NoteSigner) -> str:
    return sign_checkpoint(Checkpoint(ORIGIN, checkpoint.size - 1, checkpoint.root), signer)


def cosigned_later(lines: list[str]) -> list[str]:
    """The witness's line with another time under the same signature."""
    return [*lines[:-1], flip_blob(lines[-1], 11)]


def flip_blob(line: str, position: int) -> str:
    """A signature line with a bit changed in what is base64."""
    start, _, encoded = line.rpartition(" ")
    blob = bytearray(b64decode(encoded))
    blob[position] ^= 1
    return f"{start} {b64encode(blob).decode()}\n"


def crlf(path: str) -> Change:
    return lambda case: (case.folder / path).write_bytes((case.folder / path).read_bytes().replace(b"\n", b"\r\n"))


CHECKPOINT, BUNDLE, TILE = "log/checkpoint", "log/tile/entries/000", "log/tile/0/001"
UPPER, PARTIAL = "log/tile/1/000.p/3", "log/tile/0/003.p/232"
PROOF, OLD = "proofs/256.tlog-proof", "old/334.proof"

DEFECTS: dict[str, tuple[Change, str]] = {
    "flipped_entry": (flip(BUNDLE), "audit_difference"),
    "flipped_entry_length": (flip(BUNDLE, 1), "audit_difference"),
    "flipped_tile": (flip(TILE), "audit_difference"),
    "flipped_upper_tile": (flip(UPPER), "audit_difference"),
    "flipped_partial_tile": (flip(PARTIAL), "audit_difference"),
    "changed_size": (edit(CHECKPOINT, "\n1000\n", "\n1001\n"), "bad_signature"),
    "changed_root": (edit_lines(CHECKPOINT, lambda ls: [*ls[:2], "A" * 43 + "=\n", *ls[3:]]), "bad_signature"),
    "changed_origin": (edit(CHECKPOINT, ORIGIN, "other.example/packs"), "bad_signature"),
    "another_log_s_origin": (
        resigned(lambda c, s: sign_note(c.text.replace(ORIGIN, "other.example"), [s])),
        "wrong_origin",
    ),
    "crlf_checkpoint": (crlf(CHECKPOINT), "bad_note"),
    "extension_line": (resigned(lambda c, s: sign_note(c.text + "extra\n", [s])), "bad_checkpoint"),
    "leading_zero": (resigned(lambda c, s: sign_note(c.text.replace("1000", "01000"), [s])), "bad_checkpoint"),
    "signed_false_root": (resigned(another_root), "audit_difference"),
    "signed_false_size": (resigned(one_entry_less), "audit_difference"),
    "log_s_signature_missing": (edit_lines(CHECKPOINT, lambda ls: [*ls[:4], *ls[5:]]), "unknown_signer"),
    "log_s_signature_flipped": (
        edit_lines(CHECKPOINT, lambda ls: [*ls[:4], flip_blob(ls[4], -1), *ls[5:]]),
        "bad_signature",
    ),
    "witness_missing": (edit_lines(CHECKPOINT, lambda ls: ls[:-1]), "bad_note"),
    "witness_time_changed": (edit_lines(CHECKPOINT, cosigned_later), "bad_signature"),
    "wrong_index": (edit(PROOF, "index 256", "index 257"), "bad_proof"),
    "index_beyond_the_log": (edit(PROOF, "index 256", "index 1000"), "bad_proof"),
    "cut_proof": (edit_lines(PROOF, lambda ls: [*ls[:2], *ls[3:]]), "bad_proof"),
    "hash_too_many": (edit_lines(PROOF, lambda ls: [*ls[:3], *ls[2:]]), "bad_proof"),
    "swapped_hashes": (edit_lines(PROOF, lambda ls: [*ls[:2], ls[3], ls[2], *ls[4:]]), "bad_proof"),
    "crlf_proof": (crlf(PROOF), "bad_proof_file"),
    "proof_of_another_entry": (swap("proofs/255.entry", "proofs/256.entry"), "bad_proof"),
    "cut_bundle": (cut(BUNDLE), "audit_difference"),
    "cut_tile": (cut(TILE), "audit_difference"),
    "missing_tile": (remove(TILE), "audit_difference"),
    "missing_partial_tile": (remove(PARTIAL), "audit_difference"),
    "missing_bundle": (remove(BUNDLE), "audit_difference"),
    "missing_checkpoint": (remove(CHECKPOINT), "published_file"),
    "swapped_bundles": (swap(BUNDLE, "log/tile/entries/001"), "audit_difference"),
    "swapped_tiles": (swap("log/tile/0/000", TILE), "audit_difference"),
    "cut_consistency": (edit_lines(OLD, lambda ls: ls[:-1]), "bad_proof"),
    "consistency_hash_too_many": (edit_lines(OLD, lambda ls: [*ls, ls[-1]]), "bad_proof"),
    "consistency_backwards": (edit_lines(OLD, lambda ls: ls[::-1]), "bad_proof"),
    "older_checkpoint_of_a_fork": (resigned(another_root, "old/334.checkpoint"), "bad_proof"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_go_refuses(case: Case, go: GoVerifier, defect: str) -> None:
    DEFECTS[defect][0](case)
    done = go.run(case.folder)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stderr


@pytest.mark.parametrize("defect", DEFECTS)
def test_we_refuse(case: Case, defect: str) -> None:
    change, code = DEFECTS[defect]
    change(case)
    with pytest.raises(LedgerError) as caught:
        case.check()
    assert caught.value.code == code
    assert caught.value.where
    assert caught.value.remedy
