"""How the log gets its checkpoints cosigned: it asks the witnesses of its policy (C2SP tlog-witness, the client's side).

Only the addresses of the policy are asked, without redirects or proxies; an answer is read up to a length and a time. All are asked at
once, and whoever has not answered when the time is up is left out: no witness delays publication for longer than that, one that failed
is asked again after a growing pause, and appending never waits. Nothing that a witness says is believed but a cosignature that verifies
over the very checkpoint. Two things it may say without one:

- "my last size is N" (409) is tried, by a proof from there;
- where N is beyond all that the database has, either the witness lies, or this database was lost or restored from an older copy and
  signing on would fork the log. Nothing here can tell which, so nothing more is signed until the claim is gone.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx2
from sqlalchemy import Connection, Engine

from exchange.errors import SetupError
from exchange.outbound import AnswerTooLongError, outbound_client, post
from ledger import (
    SIZE_TYPE,
    LedgerError,
    LogBehindError,
    LogKey,
    PolicyWitness,
    WitnessKey,
    WitnessPolicy,
    format_request,
    note_text,
    parse_size,
    read_cosignature,
)
from ledger.store import (
    SignedCheckpoint,
    begin,
    consistency,
    latest_checkpoint,
    snapshot,
    store_cosignatures,
    witnessed_size,
    witnesses_of,
)

log = logging.getLogger("packtrace.witnesses")
MAX_PAUSE = timedelta(seconds=60)
#: A witness whose clock is further ahead than this would date a checkpoint into the future.
CLOCK_SKEW = timedelta(minutes=5)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_ROUNDS = 3  # others may have the same log cosigned meanwhile


class _NotCosignedError(Exception):
    """A witness gave no cosignature, for the reason in the text."""


class _AheadError(_NotCosignedError):
    """A witness says that it cosigned a size that the asker doesn't know."""

    def __init__(self, size: int) -> None:
        super().__init__(f"it says that it cosigned a checkpoint of size {size}")
        self.size = size


@dataclass
class _Standing:
    """What is known of one witness between two askings."""

    size: int = 0
    failures: int = 0
    ask_from: datetime = _LONG_AGO
    trouble: str = ""
    ahead: int | None = None


class Witnesses:
    """The witnesses of one log, asked by its publisher."""

    def __init__(self, engine: Engine, policy: WitnessPolicy, *, seconds: float, clock: Callable[[], datetime]) -> None:
        self.policy = policy
        self._engine = engine
        self._seconds = seconds
        self._clock = clock
        self._asked = [witness for witness in policy.witnesses if witness.url]
        self._standing = {witness.key: _Standing() for witness in self._asked}
        self._compared = False

    def compare(self) -> None:
        """Before anything is signed by this process, ask who follows the log whether they know more of it than the database.

        Witnesses that don't answer are passed over. Raises LogBehindError while one claims a larger checkpoint.
        """
        if self._asked and (not self._compared or any(one.ahead is not None for one in self._standing.values())):
            with snapshot(self._engine) as connection:
                latest = latest_checkpoint(connection)
            if latest is not None:
                # Stored also where nobody answers: kept cosignatures may make the quorum of a policy that is new.
                self._store(latest, self._ask_all(latest, self._due()))
            self._compared = True
        for witness in self._asked:
            if (size := self._standing[witness.key].ahead) is not None:
                raise LogBehindError(
                    f"the witness {witness.name} says that it cosigned a checkpoint of size {size}, which the database lacks",
                    where=witness.key.name,
                    remedy="restore the newest copy of the database; if it is complete, take the witness out of the policy",
                )

    def collect(self, signed: SignedCheckpoint) -> None:
        """Ask for the cosignatures of a checkpoint that are not kept yet, and store what comes in time.

        Raises nothing for whatever a witness does; SQLAlchemyError where the database fails.
        """
        if not (due := self._due()):
            return
        with snapshot(self._engine) as connection:
            kept = witnesses_of(connection, signed.size)
        if lines := self._ask_all(signed, [witness for witness in due if str(witness.key) not in kept]):
            self._store(signed, lines)

    def _store(self, signed: SignedCheckpoint, lines: Mapping[WitnessKey, str]) -> None:
        with begin(self._engine) as connection:
            store_cosignatures(connection, signed, lines, self.policy)

    def _due(self) -> list[PolicyWitness]:
        now = self._clock()
        return [witness for witness in self._asked if self._standing[witness.key].ask_from <= now]

    def _ask_all(self, signed: SignedCheckpoint, witnesses: Sequence[PolicyWitness]) -> dict[WitnessKey, str]:
        """The cosignature lines that came in time."""
        if not witnesses:
            return {}
        answers = asyncio.run(self._gather(signed, witnesses))
        lines: dict[WitnessKey, str] = {}
        for witness, answer in zip(witnesses, answers, strict=True):
            if isinstance(answer, str):
                lines[witness.key] = answer
                self._heard(witness, signed.size)
            else:
                self._failed(witness, answer)
        return lines

    async def _gather(
        self, signed: SignedCheckpoint, witnesses: Sequence[PolicyWitness]
    ) -> list[str | _NotCosignedError]:
        # One client, so that all are asked at once.
        async with outbound_client(self._seconds) as client:
            return await asyncio.gather(*(self._ask(client, signed, witness) for witness in witnesses))

    async def _ask(
        self, client: httpx2.AsyncClient, signed: SignedCheckpoint, witness: PolicyWitness
    ) -> str | _NotCosignedError:
        """The cosignature line, or why there is none."""
        try:
            # Over all: the client's own time limits start again with each byte that drips in.
            async with asyncio.timeout(self._seconds):
                return await self._cosigned(client, signed, witness)
        except _NotCosignedError as error:
            return error
        except AnswerTooLongError as error:
            return _NotCosignedError(str(error))
        except TimeoutError:
            return _NotCosignedError(f"no whole answer within {self._seconds:g} s")
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError) as error:
            return _NotCosignedError(f"no answer: {error or type(error).__name__}")
        except LedgerError as error:
            return _NotCosignedError(f"its answer is refused: {error.what}")

    async def _cosigned(self, client: httpx2.AsyncClient, signed: SignedCheckpoint, witness: PolicyWitness) -> str:
        old = min(self._standing[witness.key].size, signed.size)
        for _round in range(_ROUNDS):
            proof = self._proof(old, signed.size)
            address = f"{witness.url.rstrip('/')}/add-checkpoint"
            asked = format_request(old, proof, signed.cosigned)
            status, media, body = await post(client, address, asked, "text/plain; charset=utf-8")
            if status == httpx2.codes.OK:
                return self._checked(body, signed, witness)
            if status != httpx2.codes.CONFLICT or media != SIZE_TYPE:
                said = body[:200].decode("utf-8", "replace").strip()
                raise _NotCosignedError(f"it answered {status}: {said}")
            last = parse_size(body)
            if last > signed.size:
                raise _AheadError(last)
            if last == old:
                raise _NotCosignedError(f"it refuses size {old} and names the same")
            old = last
        raise _NotCosignedError("its last size changed with each question")

    def _proof(self, old: int, new: int) -> list[bytes]:
        if old == 0:
            return []
        with snapshot(self._engine) as connection:
            return consistency(connection, old, new)

    def _checked(self, body: bytes, signed: SignedCheckpoint, witness: PolicyWitness) -> str:
        line, found = read_cosignature(body, note_text(signed.note), witness.key)
        if found.time > (self._clock() + CLOCK_SKEW).timestamp():
            raise _NotCosignedError(f"its clock is ahead: it cosigned at {found.at}")
        return line

    def _heard(self, witness: PolicyWitness, size: int) -> None:
        if self._standing[witness.key].trouble:
            log.warning("witness %s cosigns again", _shown(witness.name))
        self._standing[witness.key] = _Standing(size=size)

    def _failed(self, witness: PolicyWitness, error: _NotCosignedError) -> None:
        """Remember the failure; said once, since it would repeat."""
        standing = self._standing[witness.key]
        standing.failures += 1
        standing.ask_from = self._clock() + min(MAX_PAUSE, timedelta(seconds=2 ** min(standing.failures, 10)))
        if isinstance(error, _AheadError):
            # Another process may have published meanwhile; then the database knows that size. A claim stands until the
            # witness takes it back: that it fell silent says nothing.
            standing.size = error.size
            standing.ahead = error.size if error.size > self._newest() else None
        if standing.trouble != str(error):
            standing.trouble = str(error)
            log.error("not cosigned by witness %s: %s", _shown(witness.name), _shown(standing.trouble))

    def _newest(self) -> int:
        with snapshot(self._engine) as connection:
            latest = latest_checkpoint(connection)
        return 0 if latest is None else latest.size


def load_policy(path: Path | None, key: LogKey, *others: LogKey) -> WitnessPolicy:
    """The witness policy of the log with these keys, from a file; without one, that which asks for no witness.

    Raises SetupError for a file that is none, is for another log, gives an unfit address, or asks for a quorum that the operator's own
    witnesses would have to make.
    """
    if path is None:
        return WitnessPolicy((), (), (), "none").for_log(key, *others)
    try:
        policy = WitnessPolicy.parse(path.read_bytes()).for_log(key, *others)
    except OSError as error:
        raise _unfit(error.strerror or "it can't be read", path) from None
    except LedgerError as error:
        raise _unfit(f"{error.what} ({error.where})", path) from None
    for witness in policy.witnesses:
        _check_address(witness, path)
    if not policy.is_attainable(key, *others):
        raise _unfit("its quorum needs a witness of the log's own operator, which never counts", path)
    return policy


def describe_witnesses(connection: Connection, policy: WitnessPolicy) -> str:
    """How far the log is witnessed under its policy, in a sentence for people."""
    if policy.quorum == "none":
        return "no witness is required: that all are shown the same log rests on the operator's word"
    latest, witnessed = latest_checkpoint(connection), witnessed_size(connection, policy)
    if witnessed is None:
        return f"not witnessed yet: no checkpoint has the cosignatures of the quorum {_shown(policy.quorum)}"
    size = witnessed if latest is None else latest.size
    return f"witnessed up to size {witnessed} of {size}, by the quorum {_shown(policy.quorum)}"


def _shown(text: str) -> str:
    """One line of printable text: witnesses wrote parts of it, and names are octets."""
    return "".join(one if one.isprintable() else "?" for one in text)


def _check_address(witness: PolicyWitness, path: Path) -> None:
    try:
        url = httpx2.URL(witness.url)
        fit = not witness.url or (url.scheme in ("https", "http") and url.host and not url.userinfo and not url.query)
    except (httpx2.InvalidURL, ValueError):
        fit = False
    if not fit:
        raise _unfit(f"the address of {witness.name} is not an http or https URL without user and query", path)


def _unfit(what: str, path: Path) -> SetupError:
    return SetupError(f"the witness policy can't be used: {what}", where=str(path), remedy="see docs/formats/policy.md")
