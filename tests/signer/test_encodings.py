"""base64url in one spelling, and JSON that reads one way."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signer import BadBase64Error, BadClaimError, BadJsonError, DuplicateMemberError, SignerError, TooDeepError
from signer.base64url import decode, decode_padded, encode, encode_each, encode_padded
from signer.strict_json import MAX_DEPTH, parse, parse_object, serialise, serialise_each


@given(st.binary())
def test_bytes_survive(data: bytes) -> None:
    assert decode(encode(data), "here") == data
    assert decode_padded(encode_padded(data), "here") == data


@given(st.text(alphabet="AQgwB-_+/= \n.é", max_size=9))
def test_a_spelling_is_refused_or_the_canonical_one(text: str) -> None:
    try:
        data = decode(text, "here")
    except BadBase64Error:
        return
    assert encode(data) == text


@pytest.mark.parametrize(
    "text",
    ["QQ==", "QR", "Q", "Q Q", "QQ\n", "+/+/", "QUI=", "QQ=", "é", "====", "QQ.QQ"],
    ids=["padded", "spare_bits", "one_character", "space", "newline", "standard_alphabet", "padding", "half_padded", "not_ascii",
         "only_padding", "dot"],
)  # fmt: skip
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(BadBase64Error):
        decode(text, "here")


@pytest.mark.parametrize("text", ["QQ", "QR==", "QQ==\n", "-_-_", "é"])
def test_other_padded_spellings_are_refused(text: str) -> None:
    with pytest.raises(BadBase64Error):
        decode_padded(text, "here")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b'{"a":1,"a":2}', DuplicateMemberError),
        (b'[{"b":{"a":1,"\\u0061":2}}]', DuplicateMemberError),
        (b"[NaN]", BadJsonError),
        (b"[-Infinity]", BadJsonError),
        (b"[1e999]", BadJsonError),
        (b"[" + b"9" * 5000 + b"]", BadJsonError),
        (b'["\\ud800"]', BadJsonError),
        (b'["\\udc00\\ud800"]', BadJsonError),
        (b'["\xff"]', BadJsonError),
        (b"\xef\xbb\xbf[]", BadJsonError),
        ('["é"]'.encode("utf-16"), BadJsonError),
        (b"[1,]", BadJsonError),
        (b"[] []", BadJsonError),
        (b'["a\nb"]', BadJsonError),
        (b"", BadJsonError),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), TooDeepError),
        (b"[" * 100_000 + b"]" * 100_000, TooDeepError),
        (b'{"a":' * 100_000, SignerError),
    ],
    ids=lambda value: ascii(value[:24]) if isinstance(value, bytes) else "",
)
def test_ambiguous_json_is_refused(data: bytes, error: type[SignerError]) -> None:
    with pytest.raises(error) as caught:
        parse(data, "here")
    assert caught.value.where == "here"


def test_the_deepest_json_is_read() -> None:
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, "here") is not None


def test_white_space_and_escaped_pairs_are_json() -> None:
    assert parse(b' {"a" : "\\ud83d\\ude00"} ', "here") == {"a": "\N{GRINNING FACE}"}


def test_an_object_is_no_list() -> None:
    with pytest.raises(BadJsonError, match="not a JSON object"):
        parse_object(b"[]", "here")


@pytest.mark.parametrize("value", [float("nan"), b"bytes", "\ud800"], ids=["nan", "bytes", "surrogate"])
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(BadClaimError):
        serialise(value, "here")  # type: ignore[arg-type]


SAYABLE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=40,
)


@given(st.lists(SAYABLE, max_size=6))
def test_many_values_are_spelt_as_each_alone(values: list[object]) -> None:
    try:
        alone = [serialise(value, "here") for value in values]  # type: ignore[arg-type]
        read = [parse(data, "here") for data in alone]
    except SignerError as error:
        with pytest.raises(type(error)):
            serialise_each(values, ["here"] * len(values))  # type: ignore[arg-type]
        return
    assert serialise_each(values, ["here"] * len(values)) == alone  # type: ignore[arg-type]
    assert read == values


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (float("inf"), BadClaimError),
        ("\ud800", BadClaimError),
        ({1, 2}, BadClaimError),
        ([[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]], TooDeepError),
    ],
    ids=["infinite", "surrogate", "set", "deep"],
)
def test_one_of_many_values_is_refused_by_its_place(value: object, error: type[SignerError]) -> None:
    with pytest.raises(error) as caught:
        serialise_each(["[{", value, {"a": 1}], ["first", "second", "third"])  # type: ignore[list-item]
    assert caught.value.where == "second"


def test_an_error_does_not_carry_the_secret_text() -> None:
    with pytest.raises(BadJsonError) as caught:
        parse(b'["salt","amount",4711', "disclosure 0")
    assert caught.value.__cause__ is None
    assert "4711" not in repr(caught.value)


@given(st.binary(max_size=200))
def test_any_bytes_end_in_a_value_or_our_error(data: bytes) -> None:
    with contextlib.suppress(BadJsonError):
        parse(data, "here")


@given(size=st.integers(1, 40), count=st.integers(0, 5), data=st.data())
def test_many_pieces_are_spelt_as_each_alone(size: int, count: int, data: st.DataObject) -> None:
    pieces = data.draw(st.lists(st.binary(min_size=size, max_size=size), min_size=count, max_size=count))
    assert encode_each(pieces, size) == [encode(piece) for piece in pieces]
