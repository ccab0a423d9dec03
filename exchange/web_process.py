"""The data folder of web processes: what they need of the worker's, and none of the keys that sign.

It holds the trust file, the key of access tokens, the master keys, and a passphrase of its own, so that whoever reads it can't open a copy
of the worker's keys. All web processes of one exchange use one such folder, or copies of it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path

from sqlalchemy import Engine

from exchange.database import has_log, place, require_newest
from exchange.errors import SetupError
from exchange.installation import (
    ACCESS,
    TRUST,
    Installation,
    alone,
    copy_key,
    kept_passphrase,
    kept_secret,
    make_intake,
    make_private_folder,
    write_private,
)
from exchange.intake import MAX_WAITING, Admissions
from exchange.kinds import load_policy
from exchange.trust import TrustFile
from exchange.vault import MASTER, load_masters, open_vault
from ledger.store import head, snapshot
from signer import KeyPair, SignerError
from signer.keystore import load_key


def open_web(
    folder: Path,
    engine: Engine,
    *,
    origin: str | None,
    passphrase: str | None,
    clock: Callable[[], datetime],
    random: Callable[[int], bytes],
    max_waiting: int = MAX_WAITING,
) -> Installation:
    """Open the data folder of a web process, which `split` made: trust file, master keys, key of access tokens. No other key is read.

    Raises SetupError where one of those is missing, or the worker hasn't brought the database to this version.
    """
    with alone(folder):
        if not has_log(engine):
            raise SetupError("the database holds no log yet", where=place(engine.url), remedy="start the worker first")
        require_newest(engine)
        trust_file = _trust_of(folder, engine, origin)
        secret = passphrase or kept_passphrase(folder, random)
        access_key = _web_key(folder / "keys" / ACCESS, secret)
        vault = open_vault(engine, partial(load_masters, folder / "keys", secret), random, clock())
        token = kept_secret(folder / "token", random)
    trust, policy = trust_file.signers, load_policy()
    admissions = Admissions(trust, policy)
    with snapshot(engine) as connection:
        operator = admissions.current(connection)[0].keys.operator
    if operator is None:
        raise SetupError("the log has no first entry yet", where=place(engine.url), remedy="start the worker first")
    intake = make_intake(engine, vault, admissions, operator, clock=clock, random=random, max_waiting=max_waiting)
    return Installation(
        folder, engine, operator, admissions, intake, policy, trust, trust_file, token, access_key, vault
    )


def split(folder: Path, passphrase: str | None, target: Path, random: Callable[[int], bytes]) -> tuple[str, ...]:
    """Make or bring up to date the data folder of web processes: what they need of `folder`, under a passphrase of its own.

    Return the names of the keys that are in it, never one of the worker's. A passphrase that is there is kept. Raises SetupError.
    """
    trust = folder / TRUST
    if not trust.exists():
        raise SetupError("there is no exchange in this folder yet", where=str(trust), remedy="start it once")
    make_private_folder(target)
    with alone(folder):
        secret = passphrase or kept_passphrase(folder, random)
        names = sorted(path.name for path in (folder / "keys").glob(f"{MASTER}*"))
        if not names and not list((target / "keys").glob(f"{MASTER}*")):
            raise SetupError(
                "this folder holds no master key",
                where=str(folder / "keys"),
                remedy="bring a folder of web processes up to date that has it, or copy one",
            )
        write_private(target / TRUST, trust.read_bytes(), mode=0o644)
        fresh = kept_secret(target / "passphrase", random)
        make_private_folder(target / "keys")
        for name in (ACCESS, *names):
            copy_key(folder / "keys" / name, secret, target / "keys", fresh)
    return ACCESS, *names


def _trust_of(folder: Path, engine: Engine, origin: str | None) -> TrustFile:
    """Return the trust file that the worker wrote, which has to be of this database's log."""
    path = folder / TRUST
    if not path.exists():
        raise SetupError(
            "the trust file is missing",
            where=str(path),
            remedy="make this folder with `packtrace split`, at the worker",
        )
    found = TrustFile.read(path.read_bytes(), where=str(path))
    with snapshot(engine) as connection:
        held = head(connection).origin
    if found.origin != held or origin not in (None, held):
        raise SetupError(
            f"the database's log is {held}, not {found.origin if found.origin != held else origin}",
            where=str(path) if found.origin != held else "PACKTRACE_ORIGIN",
            remedy="use the folder that `packtrace split` made for this database's log",
        )
    return found


def _web_key(path: Path, secret: str) -> KeyPair:
    try:
        return load_key(path, secret)
    except SignerError as error:
        raise SetupError(error.what, where=error.where, remedy="make this folder with `packtrace split`") from error
