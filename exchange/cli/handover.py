"""``packtrace statement seal|open``: hand disclosures to one reader beside the exchange. No network."""

from __future__ import annotations

from pathlib import Path

from exchange.cli.files import check_new, read_up_to, write_new
from exchange.cli.guard import guarded
from exchange.cli.key import passphrase
from exchange.cli.output import DONE, USAGE, fail, say, tell
from exchange.cli.statement import MAX_STATEMENT_BYTES


def run_seal(file: Path, reader: Path, out: Path) -> int:
    """Encrypt a statement with its disclosures to the key of a reader's certificate."""

    def command() -> int:
        try:
            from exchange.handover import seal_for
        except ModuleNotFoundError as error:
            return _lacking(error)
        from signer.keystore import load_certificate

        check_new(out)
        certificate = load_certificate(reader.with_suffix("")) if reader.suffix == ".crt" else load_certificate(reader)
        statement = read_up_to(file, MAX_STATEMENT_BYTES).decode("ascii", "replace").strip()
        write_new(out, f"{seal_for(statement, certificate)}\n".encode(), mode=0o644)
        say(f"{out} is sealed to the key of {reader}")
        tell("what was handed over can't be taken back")
        return DONE

    return guarded(command)


def run_open(file: Path, key: Path, out: Path, passphrase_fd: int | None) -> int:
    """Decrypt a statement that was sealed to one's own key."""

    def command() -> int:
        try:
            from exchange.handover import MAX_BYTES, open_sealed
        except ModuleNotFoundError as error:
            return _lacking(error)
        from signer.key_access import open_key

        check_new(out)
        pair = open_key(key, lambda: passphrase(passphrase_fd))
        sealed = read_up_to(file, MAX_BYTES).decode("ascii", "replace")
        write_new(out, f"{open_sealed(sealed, pair)}\n".encode("ascii"), mode=0o600)
        say(f"{out} holds the statement; verify it: packtrace statement verify {out} --trust FILE")
        return DONE

    return guarded(command)


def _lacking(error: ModuleNotFoundError) -> int:
    return fail(
        f"this command needs the server's half of the install (at {error.name}); install packtrace[server]", USAGE
    )
