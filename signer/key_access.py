"""Access to private keys: a door, since it reads files, file descriptors, the environment and the terminal.

A key is addressed by a URI, so that callers need not know what holds it; `file:PATH` is an encrypted key file of
`signer.keystore`. A passphrase comes from a file descriptor, the environment or a prompt, never from an argument of a
command, which every user of the machine can see. It is part of no error.
"""

from __future__ import annotations

import getpass
import os
import tempfile
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from signer.errors import KeyAddressError, KeyExistsError, KeyStoreError, PassphraseError
from signer.keys import KeyPair, Signer
from signer.keystore import load_key, save_key

__all__ = ["PASSPHRASE_VARIABLE", "create_key", "key_path", "open_key", "open_signer", "prompt", "read_passphrase"]

PASSPHRASE_VARIABLE = "PACKTRACE_PASSPHRASE"  # noqa: S105 - a name
MIN_PASSPHRASE = 8
_MAX_PASSPHRASE = 1000

#: Asks a person for a secret without showing it: text to print -> secret.
Prompt = Callable[[str], str]


def open_signer(address: str, passphrase: Callable[[], str]) -> Signer:
    """The key at `address`, ready to sign. `passphrase` is called once, and only after the address was understood.

    Raises KeyAddressError, PassphraseError, or what `signer.keystore.load_key` raises.
    """
    return open_key(key_path(address), passphrase)


def open_key(path: Path, passphrase: Callable[[], str]) -> KeyPair:
    """The key pair in a file that is its owner's alone; raises what `signer.keystore.load_key` raises."""
    # Before anybody is asked for a passphrase: a typing mistake in the path is the more likely trouble.
    if not os.path.lexists(path):
        raise KeyStoreError("there is no such key file", where=str(path), remedy="check path and rights")
    return load_key(path, passphrase())


def key_path(address: str) -> Path:
    """The path in `file:PATH` (relative or absolute, as the shell gave it; no percent-escapes). Raises KeyAddressError."""
    scheme, colon, rest = address.partition(":")
    if scheme != "file" or not colon:
        raise _bad_address("keys are read from files only", address)
    if rest.startswith("//"):
        # file:///path (RFC 8089) is a path on this machine; file://name/path would be one on another.
        rest = rest[2:]
        if not rest.startswith("/"):
            raise _bad_address("the address names another machine", address)
    if not rest or "\0" in rest:
        raise _bad_address("the address names no file", address)
    return Path(rest)


def create_key(path: Path, key_pair: KeyPair, passphrase: str) -> None:
    """Write a new key file (mode 0600), whole or not at all. Raises KeyExistsError where anything has that name.

    The name is given by a hard link, which the system refuses if it is taken, so that no race can lose a key.
    """
    if os.path.lexists(certificate := path.with_name(path.name + ".crt")):
        raise _exists(certificate)
    try:
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
            fresh = Path(folder) / "key"
            save_key(fresh, key_pair, passphrase)
            path.hardlink_to(fresh)
        _flush(path.parent)
    except FileExistsError:
        raise _exists(path) from None
    except OSError as error:
        what = error.strerror or "output failed"
        raise KeyStoreError(what, where=str(path), remedy="check folder, rights and space") from error


def read_passphrase(
    *, descriptor: int | None, environment: Mapping[str, str], ask: Prompt | None, new: bool = False
) -> str:
    """The passphrase: from `descriptor` if given, else PACKTRACE_PASSPHRASE, else `ask` (None: nobody to ask).

    `new`, for a key that is made now: a person types it twice, and it has `MIN_PASSPHRASE` characters at least (NIST SP 800-63B).
    One line feed at the end of a descriptor's text is no part of it.
    Raises PassphraseError.
    """
    if descriptor is not None:
        return _checked(_from_descriptor(descriptor), f"file descriptor {descriptor}", new=new)
    if PASSPHRASE_VARIABLE in environment:
        return _checked(environment[PASSPHRASE_VARIABLE], PASSPHRASE_VARIABLE, new=new)
    if ask is None:
        remedy = f"run it on a terminal, or give --passphrase-fd or {PASSPHRASE_VARIABLE}"
        raise PassphraseError("no passphrase, and nobody to ask", where="passphrase", remedy=remedy)
    passphrase = _checked(ask("Passphrase of the key: "), "prompt", new=new)
    if new and ask("The same again: ") != passphrase:
        raise PassphraseError("the two are not the same", where="prompt", remedy="try again")
    return passphrase


def prompt(text: str) -> str:
    """Ask on the terminal without showing what is typed. Raises PassphraseError where it can't be hidden."""
    try:
        with warnings.catch_warnings():
            # Without a terminal it would warn and show what is typed.
            warnings.simplefilter("error", getpass.GetPassWarning)
            return getpass.getpass(text)
    except (getpass.GetPassWarning, EOFError, OSError):
        remedy = f"give --passphrase-fd or {PASSPHRASE_VARIABLE}"
        raise PassphraseError("there is no terminal to ask on", where="prompt", remedy=remedy) from None


def _from_descriptor(descriptor: int) -> str:
    found = b""
    try:
        while len(found) <= _MAX_PASSPHRASE and (part := os.read(descriptor, _MAX_PASSPHRASE + 2)):
            found += part
        text = found.decode("utf-8")
    except OSError as error:
        what, remedy = error.strerror or "input failed", "open it in the shell, for instance 3<FILE"
        raise PassphraseError(what, where=f"file descriptor {descriptor}", remedy=remedy) from None
    except UnicodeDecodeError:
        # Not chained: the decoder's error carries the bytes.
        raise PassphraseError("not UTF-8", where=f"file descriptor {descriptor}", remedy="use UTF-8") from None
    return text.removesuffix("\n").removesuffix("\r")


def _checked(passphrase: str, where: str, *, new: bool) -> str:
    if not passphrase:
        raise PassphraseError("an empty passphrase", where=where, remedy="choose a passphrase")
    if new and len(passphrase) < MIN_PASSPHRASE:
        what = f"shorter than {MIN_PASSPHRASE} characters"
        raise PassphraseError(what, where=where, remedy="choose a longer one, some words for instance")
    try:
        size = len(passphrase.encode("utf-8"))
    except UnicodeEncodeError:
        raise PassphraseError("not UTF-8", where=where, remedy="use UTF-8") from None
    if size > _MAX_PASSPHRASE:
        raise PassphraseError(f"longer than {_MAX_PASSPHRASE} bytes", where=where, remedy="choose a shorter one")
    return passphrase


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _exists(path: Path) -> KeyExistsError:
    remedy = "choose another name, or move it away; a lost key can't be made again"
    return KeyExistsError("there is a file of that name", where=str(path), remedy=remedy)


def _bad_address(what: str, address: str) -> KeyAddressError:
    return KeyAddressError(what, where=ascii(address[:200]), remedy="write file:PATH")
