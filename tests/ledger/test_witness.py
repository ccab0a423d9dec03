"""A witness's rules: what it cosigns is signed by a log it knows and extends what it cosigned before."""

from base64 import b64encode
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import (
    EMPTY_ROOT,
    BadCheckpointError,
    BadNoteError,
    BadProofError,
    BadRequestError,
    BadSignatureError,
    Checkpoint,
    LedgerError,
    NoteSigner,
    Seen,
    SizeConflictError,
    UnknownLogError,
    UnknownSignerError,
    WitnessSigner,
    authenticate,
    consistency_proof,
    format_request,
    format_size,
    judge,
    leaf_hash,
    nodes_of,
    parse_request,
    parse_size,
    root,
    sign_checkpoint,
    sign_note,
)
from tests.ledger.logs import ORIGIN, entry_bytes

LOG = NoteSigner(ORIGIN, bytes(range(32)))
IMPOSTOR = NoteSigner(ORIGIN, bytes(32))
LEAVES = [leaf_hash(entry_bytes(n)) for n in range(300)]
FORK = [*LEAVES[:5], leaf_hash(b"another"), *LEAVES[6:]]


def note_at(size: int, leaves: Sequence[bytes] = LEAVES, signer: NoteSigner = LOG) -> str:
    return sign_checkpoint(Checkpoint(ORIGIN, size, root(leaves[:size])), signer)


def proof(old: int, new: int, leaves: Sequence[bytes] = LEAVES) -> list[bytes]:
    return consistency_proof(nodes_of(leaves), old, new) if old else []


def body(old: int, new: int, leaves: Sequence[bytes] = LEAVES) -> bytes:
    return format_request(old, proof(old, new, leaves), note_at(new, leaves))


def seen_at(size: int, leaves: Sequence[bytes] = LEAVES) -> Seen:
    return Seen(ORIGIN, size, root(leaves[:size]))


def ask(data: bytes, last: Seen | None) -> Seen:
    request = parse_request(data)
    submitted = authenticate(request, [LOG.log_key])
    judge(request, submitted.seen, last)
    return submitted.seen


@pytest.mark.parametrize("old", [0, 1, 2, 7, 8, 255, 256, 299])
@pytest.mark.parametrize("new", [0, 1, 8, 255, 256, 257, 300])
def test_whatever_extends_the_last_is_taken(old: int, new: int) -> None:
    if old > new:
        with pytest.raises(BadRequestError):
            ask(format_request(old, [], note_at(new)), seen_at(old))
    else:
        assert ask(body(old, new), seen_at(old) if old else None) == seen_at(new)


def test_the_first_checkpoint_needs_no_proof_and_takes_none() -> None:
    assert ask(body(0, 300), None) == seen_at(300)
    assert ask(body(0, 300), Seen(ORIGIN, 0, EMPTY_ROOT)) == seen_at(300)
    with pytest.raises(BadProofError):
        ask(format_request(0, [LEAVES[0]], note_at(300)), None)


@pytest.mark.parametrize(("old", "last"), [(0, 7), (6, 7), (8, 7), (7, 0)])
def test_a_proof_from_another_size_names_the_last(old: int, last: int) -> None:
    with pytest.raises(SizeConflictError) as caught:
        ask(body(old, 300), seen_at(last) if last else None)
    assert caught.value.size == last


def test_a_fork_is_not_cosigned() -> None:
    last = seen_at(10)
    for data in (
        body(10, 300, FORK),
        format_request(10, proof(10, 300), note_at(300, FORK)),
        format_request(10, [], note_at(10, FORK)),
    ):
        with pytest.raises(BadProofError):
            ask(data, last)


def test_the_same_checkpoint_again_is_cosigned_again() -> None:
    assert ask(body(10, 10), seen_at(10)) == seen_at(10)
    with pytest.raises(BadProofError):
        ask(format_request(10, [LEAVES[0]], note_at(10)), seen_at(10))


@pytest.mark.parametrize("change", ["cut", "longer", "flipped", "swapped", "none"])
def test_a_wrong_proof(change: str) -> None:
    good = proof(7, 300)
    changed = {
        "cut": good[:-1],
        "longer": [*good, good[0]],
        "flipped": [bytes([good[0][0] ^ 1]) + good[0][1:], *good[1:]],
        "swapped": [good[1], good[0], *good[2:]],
        "none": [],
    }[change]
    with pytest.raises(BadProofError):
        ask(format_request(7, changed, note_at(300)), seen_at(7))


def test_only_a_trusted_key_of_the_log_s_own_name_counts() -> None:
    other = NoteSigner("other.example", bytes(range(32)))
    with pytest.raises(UnknownLogError):
        authenticate(parse_request(format_request(0, [], note_at(1).replace(ORIGIN, "else.example"))), [LOG.log_key])
    with pytest.raises(UnknownSignerError):
        ask(format_request(0, [], note_at(1, signer=IMPOSTOR)), None)
    text = Checkpoint(ORIGIN, 1, root(LEAVES[:1])).text
    request = parse_request(format_request(0, [], sign_note(text, [other])))
    with pytest.raises(UnknownSignerError):
        authenticate(request, [LOG.log_key, other.log_key])


def test_a_wrong_signature_of_a_trusted_key_refuses_whatever_else_is_right() -> None:
    forged = LOG.sign("another text\n")
    note = note_at(1, signer=IMPOSTOR) + forged
    with pytest.raises(BadSignatureError):
        ask(format_request(0, [], note), None)
    with pytest.raises(BadSignatureError):
        authenticate(parse_request(format_request(0, [], note)), [LOG.log_key, IMPOSTOR.log_key])


def test_signatures_of_others_are_ignored() -> None:
    line = WitnessSigner("witness.example/w", bytes(32)).sign("something else\n", 1)
    assert ask(format_request(0, [], note_at(1) + line), None) == seen_at(1)


def test_extension_lines_are_signed_and_not_vouched_for() -> None:
    text = Checkpoint(ORIGIN, 1, root(LEAVES[:1])).text + "extension\n"
    submitted = authenticate(parse_request(format_request(0, [], sign_note(text, [LOG]))), [LOG.log_key])
    assert (submitted.text, submitted.seen) == (text, seen_at(1))


def test_an_empty_tree_has_one_root() -> None:
    text = f"{ORIGIN}\n0\n{b64encode(LEAVES[0]).decode()}\n"
    with pytest.raises(BadProofError):
        ask(format_request(0, [], sign_note(text, [LOG])), None)


GOOD = body(7, 300)
MALFORMED: dict[str, bytes] = {
    "empty": b"",
    "no_old_line": GOOD.partition(b"\n")[2],
    "no_empty_line": GOOD.replace(b"\n\n", b"\n"),
    "upper_case_old": GOOD.replace(b"old", b"Old"),
    "two_spaces": GOOD.replace(b"old 7", b"old  7"),
    "leading_zero": GOOD.replace(b"old 7", b"old 07"),
    "negative": GOOD.replace(b"old 7", b"old -7"),
    "no_number": GOOD.replace(b"old 7", b"old "),
    "beyond_all_sizes": GOOD.replace(b"old 7", b"old 9223372036854775808"),
    "crlf_in_the_head": GOOD.replace(b"old 7\n", b"old 7\r\n"),
    "not_utf8": GOOD + b"\xff",
    "short_hash": GOOD.replace(b"old 7\n", b"old 7\nAAAA\n"),
    "not_base64": GOOD.replace(b"old 7\n", b"old 7\n!\n"),
    "too_many_hashes": format_request(7, [LEAVES[0]] * 64, note_at(300)),
    "too_long": GOOD + b" " * 200_000,
    "old_above_the_checkpoint": format_request(301, [], note_at(300)),
}
MALFORMED_CHECKPOINTS = {
    "no_signature": b"old 0\n\n" + f"{ORIGIN}\n1\nAAAA\n".encode(),
    "no_checkpoint": b"old 0\n\n",
    "root_missing": format_request(0, [], sign_note(f"{ORIGIN}\n1\n", [LOG])),
    "size_not_canonical": format_request(0, [], sign_note(f"{ORIGIN}\n01\n{'A' * 43}=\n", [LOG])),
    "short_root": format_request(0, [], sign_note(f"{ORIGIN}\n1\nAAAA\n", [LOG])),
    "empty_extension": format_request(0, [], sign_note(f"{ORIGIN}\n1\n{'A' * 43}=\n\nx\n", [LOG])),
}


@pytest.mark.parametrize("defect", MALFORMED)
def test_malformed_request(defect: str) -> None:
    assert MALFORMED[defect] != GOOD
    with pytest.raises(BadRequestError):
        ask(MALFORMED[defect], seen_at(7))


@pytest.mark.parametrize("defect", MALFORMED_CHECKPOINTS)
def test_malformed_checkpoint(defect: str) -> None:
    with pytest.raises((BadNoteError, BadCheckpointError)) as caught:
        ask(MALFORMED_CHECKPOINTS[defect], None)
    assert not isinstance(caught.value, UnknownSignerError)


@given(st.one_of(st.binary(), st.text().map(lambda t: b"old 0\n\n" + t.encode("utf-8", "replace"))))
def test_any_bytes_raise_only_our_errors(data: bytes) -> None:
    with pytest.raises(LedgerError):
        ask(data, None)
    try:
        parse_size(data)
    except BadRequestError:
        return
    assert format_size(parse_size(data)) == data


@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40), st.booleans()), max_size=12))
def test_no_order_of_requests_leaves_one_history(asked: list[tuple[int, int, bool]]) -> None:
    last: Seen | None = None
    history: list[Seen] = []
    for old, new, honest in asked:
        leaves = LEAVES if honest else FORK
        try:
            last = ask(body(old, new, leaves) if old <= new else format_request(old, [], note_at(new)), last)
        except LedgerError:
            continue
        history.append(last)
    assert [one.size for one in history] == sorted(one.size for one in history)
    assert any(all(one == seen_at(one.size, leaves) for one in history) for leaves in (LEAVES, FORK))
