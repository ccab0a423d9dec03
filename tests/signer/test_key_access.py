"""Access to keys: addresses, passphrases, and new key files that never take another's place."""

from __future__ import annotations

import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from signer import KeyPair, KeyStoreError
from signer.key_access import create_key, key_path, open_signer, prompt, read_passphrase
from signer.keystore import load_key, save_key

SECRET = "correct horse 电池 staple"
VARIABLE = "PACKTRACE_PASSPHRASE"


@contextmanager
def descriptor(data: bytes) -> Iterator[int]:
    """A file descriptor from which `data` can be read."""
    reading, writing = os.pipe()
    try:
        os.write(writing, data)
        os.close(writing)
        yield reading
    finally:
        os.close(reading)


def nobody(_text: str) -> str:
    raise AssertionError("nobody is to be asked")


def refused(caught: pytest.ExceptionInfo[KeyStoreError]) -> str:
    """The error's code, once it is certain that neither it nor what caused it repeats the secret."""
    told = f"{caught.value!r} {caught.value} {caught.value.__cause__!r}"
    assert "horse" not in told
    return caught.value.code


# --- Addresses ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("file:keys/mine", "keys/mine"),
        ("file:/keys/mine", "/keys/mine"),
        ("file:///keys/mine", "/keys/mine"),
        ("file:keys/我的 key%20", "keys/我的 key%20"),
        ("file:a:b", "a:b"),
    ],
)
def test_a_key_has_an_address(address: str, path: str) -> None:
    assert key_path(address) == Path(path)


@pytest.mark.parametrize(
    "address", ["", "keys/mine", "file:", "file://", "file://host/key", "pkcs11:token=x", "FILE:x", "file:a\0b", ":x"]
)
def test_another_address_is_refused_before_anybody_is_asked(address: str) -> None:
    with pytest.raises(KeyStoreError) as caught:
        open_signer(address, lambda: nobody(""))
    assert refused(caught) == "key_address"


def test_a_signer_is_opened_by_its_address(maker: KeyPair, tmp_path: Path) -> None:
    save_key(tmp_path / "k", maker, SECRET)
    signer = open_signer(f"file:{tmp_path}/k", lambda: SECRET)
    assert (signer.thumbprint, signer.certificate) == (maker.thumbprint, maker.certificate)
    assert SECRET not in repr(signer)


def test_a_missing_key_is_named_before_anybody_is_asked(tmp_path: Path) -> None:
    with pytest.raises(KeyStoreError) as caught:
        open_signer(f"file:{tmp_path}/none", lambda: nobody(""))
    assert caught.value.where == f"{tmp_path}/none"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_an_exposed_key_is_refused_by_its_address(maker: KeyPair, tmp_path: Path, mode: int) -> None:
    save_key(tmp_path / "k", maker, SECRET)
    (tmp_path / "k").chmod(mode)
    with pytest.raises(KeyStoreError) as caught:
        open_signer(f"file:{tmp_path}/k", lambda: SECRET)
    assert refused(caught) == "key_file_exposed"


# --- New key files ------------------------------------------------------------------------------------------------


def test_a_new_key_is_whole_and_private(tmp_path: Path) -> None:
    pair = KeyPair.generate("Ed25519")
    create_key(tmp_path / "k", pair, SECRET)
    assert [one.name for one in tmp_path.iterdir()] == ["k"]
    assert stat.S_IMODE((tmp_path / "k").stat().st_mode) == 0o600
    assert load_key(tmp_path / "k", SECRET).thumbprint == pair.thumbprint


@pytest.mark.parametrize("taken", ["k", "k.crt"])
@pytest.mark.parametrize("by", ["file", "folder", "dangling link"])
def test_a_new_key_takes_nothings_place(tmp_path: Path, taken: str, by: str) -> None:
    there = tmp_path / taken
    match by:
        case "file":
            there.write_bytes(b"precious")
        case "folder":
            there.mkdir()
        case _:
            there.symlink_to(tmp_path / "nowhere")
    with pytest.raises(KeyStoreError) as caught:
        create_key(tmp_path / "k", KeyPair.generate("ES256"), SECRET)
    assert refused(caught) == "key_exists"
    assert [one.name for one in tmp_path.iterdir()] == [taken]
    assert by != "file" or there.read_bytes() == b"precious"


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KeyStoreError) as caught:
        create_key(tmp_path / "k", KeyPair.generate("ES256"), SECRET)
    assert "No space" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyStoreError) as caught:
        create_key(tmp_path / "none" / "k", KeyPair.generate("ES256"), SECRET)
    assert caught.value.where == str(tmp_path / "none" / "k")


# --- Passphrases --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_a_descriptor_comes_first(end: bytes) -> None:
    with descriptor(SECRET.encode() + end) as number:
        assert read_passphrase(descriptor=number, environment={VARIABLE: "other"}, ask=nobody) == SECRET


def test_spaces_and_further_lines_are_part_of_it() -> None:
    with descriptor(b" a \n\n") as number:
        assert read_passphrase(descriptor=number, environment={}, ask=None) == " a \n"


def test_a_descriptor_that_comes_in_parts_is_read_to_its_end() -> None:
    reading, writing = os.pipe()

    def write() -> None:
        for part in (b"correct ", b"horse\n"):
            os.write(writing, part)
            time.sleep(0.01)
        os.close(writing)

    writer = threading.Thread(target=write)
    writer.start()
    assert read_passphrase(descriptor=reading, environment={}, ask=None) == "correct horse"
    writer.join()
    os.close(reading)


def test_the_environment_comes_before_a_prompt() -> None:
    assert read_passphrase(descriptor=None, environment={VARIABLE: SECRET}, ask=nobody) == SECRET


def test_a_person_is_asked_last_and_twice_for_a_new_key() -> None:
    asked: list[str] = []

    def ask(text: str) -> str:
        asked.append(text)
        return SECRET

    assert read_passphrase(descriptor=None, environment={}, ask=ask) == SECRET
    assert read_passphrase(descriptor=None, environment={}, ask=ask, new=True) == SECRET
    assert len(asked) == 3


def test_two_passphrases_that_differ_are_refused() -> None:
    answers = iter([SECRET, "correct house"])
    with pytest.raises(KeyStoreError) as caught:
        read_passphrase(descriptor=None, environment={}, ask=lambda _text: next(answers), new=True)
    assert refused(caught) == "passphrase"
    assert "house" not in str(caught.value)


def test_without_anybody_to_ask_the_ways_are_named() -> None:
    with pytest.raises(KeyStoreError) as caught:
        read_passphrase(descriptor=None, environment={}, ask=None)
    assert refused(caught) == "passphrase"
    assert "--passphrase-fd" in caught.value.remedy
    assert VARIABLE in caught.value.remedy


@pytest.mark.parametrize(
    "data",
    [b"", b"\n", b"\xff\xfe horse", b"horse " * 200, b"horse " * 100_000],
    ids=["empty", "blank", "bytes", "long", "endless"],
)
def test_a_bad_passphrase_from_a_descriptor_is_refused_and_not_repeated(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "secret").write_bytes(data)
    number = os.open(tmp_path / "secret", os.O_RDONLY)
    try:
        with pytest.raises(KeyStoreError) as caught:
            read_passphrase(descriptor=number, environment={}, ask=None)
    finally:
        os.close(number)
    assert refused(caught) == "passphrase"


@pytest.mark.parametrize("text", ["", "horse " * 200, "horse \udcff"], ids=["empty", "long", "bytes"])
def test_a_bad_passphrase_from_the_environment_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(KeyStoreError) as caught:
        read_passphrase(descriptor=None, environment={VARIABLE: text}, ask=None)
    assert refused(caught) == "passphrase"


def test_a_descriptor_that_is_not_open_is_named() -> None:
    with pytest.raises(KeyStoreError) as caught:
        read_passphrase(descriptor=987, environment={}, ask=None)
    assert refused(caught) == "passphrase"
    assert "987" in caught.value.where


def test_a_prompt_without_a_terminal_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where what is typed could not be hidden, nothing is asked."""

    def no_terminal(*_args: object) -> int:
        raise OSError(6, "No such device or address")

    monkeypatch.setattr(os, "open", no_terminal)
    with open(os.devnull) as nothing:  # noqa: PTH123 - Path.open would go through what is patched
        monkeypatch.setattr("sys.stdin", nothing)
        with pytest.raises(KeyStoreError) as caught:
            prompt("Passphrase: ")
    assert refused(caught) == "passphrase"
