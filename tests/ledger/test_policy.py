"""Witness policies: read as C2SP tlog-policy says, refused by line, and a quorum that the operator can't make alone."""

from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import (
    BadPolicyError,
    BadSignatureError,
    Checkpoint,
    LogKey,
    NoteSigner,
    UnknownSignerError,
    WitnessPolicy,
    WitnessSigner,
    add_lines,
    leaf_hash,
    sign_checkpoint,
)
from tests.ledger.logs import ORIGIN

LOG = NoteSigner(ORIGIN, bytes(range(32)))
CHECKPOINT = Checkpoint(ORIGIN, 7, leaf_hash(b"root"))
NOTE = sign_checkpoint(CHECKPOINT, LOG)
NAMES = ("X1", "X2", "X3", "Y1", "Y2", "Y3")
WITNESSES = {
    name: WitnessSigner(f"{name.lower()}.example", bytes([number]) * 32) for number, name in enumerate(NAMES, start=1)
}
LINES = {name: witness.sign(CHECKPOINT.text, 1_700_000_000) for name, witness in WITNESSES.items()}
# The example of C2SP tlog-policy, with keys.
EXAMPLE = (
    f"log {LOG.log_key}\n\n"
    + "".join(f"witness {name} {WITNESSES[name].witness_key}\n" for name in NAMES)
    + """
# two of one organisation, and one of the other
group X-witnesses 2 X1 X2 X3
group Y-witnesses any Y1 Y2 Y3
  group\tX-and-Y  all X-witnesses Y-witnesses

quorum X-and-Y
"""
)
POLICY = WitnessPolicy.parse(EXAMPLE.encode())
X1 = str(WITNESSES["X1"].witness_key)


def note_by(*names: str) -> str:
    return add_lines(NOTE, [LINES[name] for name in names])


def test_the_specification_s_example_is_met_by_two_and_one() -> None:
    for count in range(len(NAMES) + 1):
        for names in combinations(NAMES, count):
            found = POLICY.evaluate(note_by(*names))
            due = sum(n[0] == "X" for n in names) >= 2 and any(n[0] == "Y" for n in names)
            assert found.satisfied is due, names
            assert tuple(one.name for one in found.cosignatures) == names
            assert found.checkpoint == CHECKPOINT


def test_a_policy_comes_back_from_its_own_text() -> None:
    text = (EXAMPLE.replace(X1, f"{X1} https://x1.example/witness")).encode()
    policy = WitnessPolicy.parse(text)
    assert WitnessPolicy.parse(policy.document()) == policy
    assert policy.witnesses[0].url == "https://x1.example/witness"
    assert policy.document() != POLICY.document()
    assert policy.digest == POLICY.digest, "an address decides nothing"
    assert WitnessPolicy.parse(EXAMPLE.replace("2 X1", "3 X1").encode()).digest != POLICY.digest


def test_names_are_octets() -> None:
    kelvin, broken = "\u212a", b"\xff\xfe"
    text = f"witness {kelvin} {X1}\n".encode() + b"group " + broken + b" all " + kelvin.encode() + b"\n"
    policy = WitnessPolicy.parse(text + b"quorum " + broken + b"\n")
    assert policy.reached([kelvin])
    assert not policy.reached(["K"])
    assert WitnessPolicy.parse(policy.document()) == policy


def test_without_a_quorum_of_witnesses_any_checkpoint_of_the_log_will_do() -> None:
    policy = WitnessPolicy.parse(f"log {LOG.log_key}\nquorum none\n".encode())
    assert policy.evaluate(NOTE).satisfied
    stranger = NoteSigner("other.example", bytes(32))
    with pytest.raises(UnknownSignerError):
        policy.evaluate(sign_checkpoint(Checkpoint("other.example", 7, leaf_hash(b"root")), stranger))


def test_witnesses_do_not_stand_in_for_the_log() -> None:
    unsigned = CHECKPOINT.text + "\n" + "".join(LINES.values())
    with pytest.raises(UnknownSignerError):
        POLICY.evaluate(unsigned)


def test_a_log_does_not_sign_for_another_of_the_policy() -> None:
    other = NoteSigner("other.example", bytes(32))
    policy = WitnessPolicy.parse(f"log {LOG.log_key}\nlog {other.log_key}\nquorum none\n".encode())
    text = CHECKPOINT.text
    with pytest.raises(UnknownSignerError):
        policy.evaluate(text + "\n" + other.sign(text))


def test_a_bad_cosignature_of_any_witness_of_the_policy_refuses_the_checkpoint() -> None:
    forged = WITNESSES["X3"].sign(CHECKPOINT.text.replace("\n7\n", "\n9\n"), 1_700_000_000)
    with pytest.raises(BadSignatureError):
        POLICY.evaluate(add_lines(note_by("X1", "X2", "Y1"), [forged]))


@pytest.mark.parametrize("name", [ORIGIN, f"{ORIGIN}/witness"])
def test_the_operator_s_own_witness_is_shown_and_never_counts(name: str) -> None:
    own = WitnessSigner(name, bytes([9]) * 32)
    text = f"log {LOG.log_key}\nwitness own {own.witness_key}\nwitness X1 {X1}\ngroup both any own X1\nquorum both\n"
    policy = WitnessPolicy.parse(text.encode())
    found = policy.evaluate(add_lines(NOTE, [own.sign(CHECKPOINT.text, 1_700_000_000)]))
    assert not found.satisfied
    assert [str(one) for one in found.cosignatures] == [f"self-witnessed by own ({name}) at 2023-11-14T22:13:20Z"]
    assert policy.evaluate(add_lines(note_by("X1"), [own.sign(CHECKPOINT.text, 1)])).satisfied
    assert policy.is_attainable(LOG.log_key)
    alone = WitnessPolicy.parse(text.replace("quorum both", "quorum own").encode())
    assert not alone.is_attainable(LOG.log_key)


def test_the_log_s_key_under_another_name_is_its_own_witness() -> None:
    own = WitnessSigner("independent.example", bytes(range(32)))
    text = f"log {LOG.log_key}\nwitness w {own.witness_key}\nquorum w\n"
    found = WitnessPolicy.parse(text.encode()).evaluate(add_lines(NOTE, [own.sign(CHECKPOINT.text, 1)]))
    assert not found.satisfied
    assert found.cosignatures[0].is_own


def test_a_name_that_only_begins_like_the_log_s_is_somebody_else_s() -> None:
    other = WitnessSigner(f"{ORIGIN}-witness", bytes([9]) * 32)
    text = f"log {LOG.log_key}\nwitness w {other.witness_key}\nquorum w\n"
    assert WitnessPolicy.parse(text.encode()).evaluate(add_lines(NOTE, [other.sign(CHECKPOINT.text, 1)])).satisfied


def test_a_policy_is_made_for_one_log() -> None:
    bare = WitnessPolicy.parse(f"witness X1 {X1}\nquorum X1\n".encode())
    made = bare.for_log(LOG.log_key)
    assert made.document().startswith(f"log {LOG.log_key}\n".encode())
    assert POLICY.for_log(LOG.log_key) == POLICY
    assert made.evaluate(note_by("X1")).satisfied
    with pytest.raises(BadPolicyError):
        POLICY.for_log(LogKey(ORIGIN, bytes(32)))


Y1 = str(WITNESSES["Y1"].witness_key)
BASE = f"log {LOG.log_key}\nwitness X1 {X1}\nwitness Y1 {Y1}\n"
DEFECTS: dict[str, tuple[str | bytes, str]] = {
    "empty": ("", "policy"),
    "no_quorum": (BASE, "policy"),
    "two_quorums": (BASE + "quorum X1\nquorum X1\n", "line 5"),
    "quorum_undefined": (BASE + "quorum Z\n", "line 4"),
    "quorum_of_two": (BASE + "quorum X1 Y1\n", "line 4"),
    "quorum_before_its_witness": (f"quorum X1\nwitness X1 {X1}\n", "line 1"),
    "unknown_word": (BASE + "mirror X1\nquorum none\n", "line 4"),
    "group_of_nobody": (BASE + "group g any\nquorum g\n", "line 4"),
    "group_of_itself": (BASE + "group g any g\nquorum g\n", "line 4"),
    "group_with_none": (BASE + "group g any none X1\nquorum g\n", "line 4"),
    "threshold_zero": (BASE + "group g 0 X1 Y1\nquorum g\n", "line 4"),
    "threshold_too_high": (BASE + "group g 3 X1 Y1\nquorum g\n", "line 4"),
    "threshold_leading_zero": (BASE + "group g 01 X1 Y1\nquorum g\n", "line 4"),
    "threshold_in_arabic_digits": (BASE + "group g ١ X1 Y1\nquorum g\n", "line 4"),
    "member_twice": (BASE + "group g any X1 X1\nquorum g\n", "line 4"),
    "member_of_two_groups": (BASE + "group g any X1\ngroup h any X1 Y1\nquorum h\n", "line 5"),
    "name_taken_by_a_witness": (BASE + "group X1 any Y1\nquorum X1\n", "line 4"),
    "name_none": (f"witness none {X1}\nquorum none\n", "line 1"),
    "witness_key_twice": (BASE + f"witness X2 {X1}\nquorum none\n", "line 4"),
    "log_key_twice": (f"log {LOG.log_key}\nlog {LOG.log_key}\nquorum none\n", "line 2"),
    "log_with_a_witness_key": (f"log {X1}\nquorum none\n", "line 1"),
    "witness_with_a_log_key": (f"witness X1 {LOG.log_key}\nquorum none\n", "line 1"),
    "witness_without_key": ("witness X1\nquorum none\n", "line 1"),
    "too_many_words": (f"log {LOG.log_key} https://a b\nquorum none\n", "line 1"),
    "crlf": (BASE.replace("\n", "\r\n") + "quorum none\r\n", "line 1"),
    "delete_character": (BASE + "quorum none\n# \x7f\n", "line 5"),
    "cut_in_the_last_line": (BASE + "quorum none", "policy"),
    "too_many_witnesses": (
        "".join(f"witness w{n} {WitnessSigner('w', bytes([n]) * 32).witness_key}\n" for n in range(65))
        + "quorum none\n",
        "line 65",
    ),
    "too_long": (b"#" * 300_000 + b"\n", "policy"),
}


@pytest.mark.parametrize("defect", DEFECTS)
def test_policy_refused_by_its_line(defect: str) -> None:
    text, where = DEFECTS[defect]
    with pytest.raises(BadPolicyError) as caught:
        WitnessPolicy.parse(text.encode() if isinstance(text, str) else text)
    assert caught.value.where.endswith(where)


@given(st.one_of(st.binary(), st.text(alphabet="logwitnesgrupqm \t\n#+12").map(str.encode)))
def test_any_bytes_give_a_policy_or_our_error(data: bytes) -> None:
    try:
        policy = WitnessPolicy.parse(data)
    except BadPolicyError:
        return
    assert WitnessPolicy.parse(policy.document()) == policy


def test_a_name_like_the_quorum_of_nobody_is_no_member() -> None:
    assert not WitnessPolicy.parse(BASE.encode() + b"quorum X1\n").reached(["none"])
