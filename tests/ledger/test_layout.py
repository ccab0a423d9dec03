"""Tile paths, entry bundles and proof files."""

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger import (
    MAX_ENTRY,
    BadBundleError,
    BadProofError,
    BadProofFileError,
    BadTilePathError,
    Checkpoint,
    EntryRefusedError,
    LogKey,
    NoteSigner,
    OutOfRangeError,
    TilePlace,
    decode_bundle,
    encode_bundle,
    entries_path,
    format_proof,
    inclusion_proof,
    leaf_hash,
    nodes_of,
    parse_path,
    parse_proof,
    root,
    sign_checkpoint,
    tile_path,
    tiles_of,
    verify_proof,
)
from tests.ledger.logs import ORIGIN, entry_bytes

LEAVES = [leaf_hash(entry_bytes(n)) for n in range(11)]


@pytest.fixture(scope="module")
def proof_text() -> str:
    signer = NoteSigner(ORIGIN, bytes(range(32)))
    note = sign_checkpoint(Checkpoint(ORIGIN, 11, root(LEAVES)), signer)
    return format_proof(6, inclusion_proof(nodes_of(LEAVES), 6, 11), note)


def test_paths_of_the_specification() -> None:
    """The examples of C2SP tlog-tiles."""
    assert tile_path(0, 1234067) == "tile/0/x001/x234/067"
    assert tile_path(1, 1, 17) == "tile/1/001.p/17"
    assert entries_path(273, 112) == "tile/entries/273.p/112"
    assert list(tiles_of(70_000)) == [(0, 273, 112), (1, 1, 17), (2, 0, 1)]
    assert list(tiles_of(256)) == [(0, 1, 0), (1, 0, 1)]
    assert list(tiles_of(0)) == []


@given(st.none() | st.integers(0, 63), st.integers(0, 2**55), st.integers(1, 256))
def test_a_path_names_its_tile(level: int | None, number: int, width: int) -> None:
    place = TilePlace(level, number, width)
    assert parse_path(place.path) == place


@pytest.mark.parametrize(
    "path",
    [
        "",
        "checkpoint",
        "/tile/0/000",
        "tile/0/0",
        "tile/00/000",
        "tile/64/000",
        "tile/-1/000",
        "tile/0/001/000",
        "tile/0/x000/000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/07",
        "tile/0/000.tmp",
        "tile/0/000\n",
        "tile/0/../0/000",
        "tile/data/000",
        "tile/0/٠٠٠",
        "tile/0/" + "x999/" * 9 + "999",
    ],
)
def test_path_refused(path: str) -> None:
    with pytest.raises(BadTilePathError):
        parse_path(path)


@given(st.text())
def test_any_path_raises_only_our_error(path: str) -> None:
    with pytest.raises(BadTilePathError):
        parse_path("tile/" + path + "!")


@pytest.mark.parametrize(("level", "number", "width"), [(64, 0, 1), (-1, 0, 1), (0, -1, 1), (0, 0, 0), (0, 0, 257)])
def test_no_tile_out_of_range(level: int, number: int, width: int) -> None:
    with pytest.raises(OutOfRangeError):
        tile_path(level, number, width)


@given(st.lists(st.binary(min_size=1, max_size=300), max_size=20))
def test_a_bundle_comes_back(entries: list[bytes]) -> None:
    assert decode_bundle(encode_bundle(entries), len(entries)) == entries


def test_the_largest_entry_fits_a_bundle() -> None:
    assert decode_bundle(encode_bundle([bytes(MAX_ENTRY)]), 1) == [bytes(MAX_ENTRY)]


@pytest.mark.parametrize("entry", [b"", bytes(MAX_ENTRY + 1)], ids=["empty", "too_long"])
def test_entry_refused(entry: bytes) -> None:
    with pytest.raises(EntryRefusedError):
        encode_bundle([entry])


@pytest.mark.parametrize(
    ("data", "width"),
    {
        "cut_entry": (b"\x00\x02a", 1),
        "cut_length": (b"\x00\x01a\x00", 2),
        "empty_entry": (b"\x00\x00", 1),
        "entry_too_few": (b"\x00\x01a", 2),
        "entry_too_many": (b"\x00\x01a\x00\x01b", 1),
        "bytes_left_over": (b"\x00\x01ab", 1),
    }.values(),
    ids=["cut_entry", "cut_length", "empty_entry", "entry_too_few", "entry_too_many", "bytes_left_over"],
)
def test_bundle_refused(data: bytes, width: int) -> None:
    with pytest.raises(BadBundleError):
        decode_bundle(data, width)


def test_a_proof_file_proves(proof_text: str, signer: NoteSigner) -> None:
    proof_file = parse_proof(proof_text.encode())
    assert verify_proof(proof_file, LEAVES[6], signer.log_key).size == 11
    assert format_proof(proof_file.index, proof_file.proof, proof_file.checkpoint) == proof_text
    with pytest.raises(BadProofError):
        verify_proof(proof_file, LEAVES[5], signer.log_key)


def test_the_extra_line_is_read(proof_text: str) -> None:
    extra = b64encode(b"context").decode()
    assert parse_proof(proof_text.replace("index", f"extra {extra}\nindex", 1)).extra == b"context"
    assert parse_proof(proof_text).extra is None


def test_a_tree_of_one_has_an_empty_proof(signer: NoteSigner) -> None:
    note = sign_checkpoint(Checkpoint(ORIGIN, 1, LEAVES[0]), signer)
    text = format_proof(0, [], note)
    assert text.startswith("c2sp.org/tlog-proof@v1\nindex 0\n\n" + ORIGIN)
    verify_proof(parse_proof(text), LEAVES[0], signer.log_key)


@pytest.mark.parametrize(
    ("old", "new"),
    {
        "other_version": ("@v1", "@v2"),
        "no_index": ("index 6\n", ""),
        "leading_zero": ("index 6", "index 06"),
        "negative_index": ("index 6", "index -6"),
        "crlf": ("\n", "\r\n"),
        "extra_after_index": ("index 6\n", "index 6\nextra AAAA\n"),
        "extra_twice": ("index 6\n", "extra AAAA\nextra AAAA\nindex 6\n"),
        "short_hash": ("index 6\n", "index 6\nAAAA\n"),
        "loose_base64": ("=\n", "\n"),
        "no_blank_line": ("\n\n", "\n"),
        "too_many_hashes": ("index 6\n", "index 6\n" + ("A" * 43 + "=\n") * 64),
    }.items(),
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_proof_file_refused(proof_text: str, old: str, new: tuple[str, str]) -> None:
    changed = proof_text.replace(*new)
    assert changed != proof_text
    with pytest.raises(BadProofFileError):
        parse_proof(changed)


@given(st.text() | st.binary())
def test_any_proof_file_raises_only_our_error(text: str | bytes) -> None:
    with pytest.raises(BadProofFileError):
        parse_proof(text)


def test_index_outside_the_checkpoint_is_refused(proof_text: str, signer: NoteSigner) -> None:
    key: LogKey = signer.log_key
    with pytest.raises(BadProofError):
        verify_proof(parse_proof(proof_text.replace("index 6", "index 11")), LEAVES[6], key)
