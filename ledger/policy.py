"""Witness policies: which logs are accepted, and whose cosignatures a checkpoint needs (C2SP tlog-policy).

One thing is ours: a witness of the log's own operator is shown and never counts towards the quorum. It is known
by its key, when that is the log's, or by its name, when that is the log's origin or lies below it (`<origin>/...`).
Names are opaque octets; what is not UTF-8 is kept by surrogate escapes.
"""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Final, Self, TypeVar

from ledger.checkpoints import Checkpoint, parse_checkpoint
from ledger.cosignatures import Cosignature, WitnessKey, cosignatures
from ledger.errors import BadPolicyError, LedgerError, UnknownSignerError
from ledger.notes import LogKey, VerifierKey, open_note

MAX_POLICY: Final = 262_144
MAX_WITNESSES: Final = 64  # a note with a line of each is one that every reader takes
NONE: Final = "none"
_SPACE = re.compile("[ \t]+")
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f]")
Key = TypeVar("Key", bound=VerifierKey)


@dataclass(frozen=True)
class PolicyLog:
    """An accepted log; the key's name is its origin."""

    key: LogKey
    url: str = ""


@dataclass(frozen=True)
class PolicyWitness:
    """A witness under its name in the policy. `url` is where the log asks it: the prefix of `/add-checkpoint`."""

    name: str
    key: WitnessKey
    url: str = ""

    def is_own_of(self, log: LogKey) -> bool:
        """Whether the log's operator runs it, by its own showing: such a cosignature is `self-witnessed`."""
        below = self.key.name == log.name or self.key.name.startswith(f"{log.name}/")
        return below or self.key.public_key == log.public_key


@dataclass(frozen=True)
class PolicyGroup:
    """Has witnessed a checkpoint when at least `threshold` of its members have."""

    name: str
    threshold: int
    members: tuple[str, ...]

    @property
    def rule(self) -> str:
        """The threshold as it is written: `all`, `any` or a number."""
        if self.threshold == len(self.members):
            return "all"
        return "any" if self.threshold == 1 else str(self.threshold)


@dataclass(frozen=True)
class NamedCosignature:
    """A cosignature by a witness of the policy; `is_own` when it is the operator's and so never counts."""

    name: str
    cosignature: Cosignature
    is_own: bool

    def __str__(self) -> str:
        what = "self-witnessed" if self.is_own else "witnessed"
        return f"{what} by {self.name} ({self.cosignature.key.name}) at {self.cosignature.at}"


@dataclass(frozen=True)
class Evaluation:
    """A checkpoint of an accepted log, who of the policy's witnesses cosigned it, and whether that is enough."""

    checkpoint: Checkpoint
    cosignatures: tuple[NamedCosignature, ...]
    satisfied: bool


@dataclass(frozen=True)
class WitnessPolicy:
    """A policy as it was read; groups in the order of their definition. `quorum` is a name, or `none`."""

    logs: tuple[PolicyLog, ...]
    witnesses: tuple[PolicyWitness, ...]
    groups: tuple[PolicyGroup, ...]
    quorum: str

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a policy file. Raises BadPolicyError, whose `where` is the line."""
        if len(data) > MAX_POLICY:
            raise _bad(f"the policy is longer than {MAX_POLICY} bytes", "policy")
        parser = _Parser()
        for number, words in _lines(data):
            parser.take(number, words)
        if parser.quorum is None:
            raise _bad("the policy has no quorum line", "policy")
        return cls(tuple(parser.logs), tuple(parser.witnesses), tuple(parser.groups), parser.quorum)

    def document(self) -> bytes:
        """The policy as a file, without comments: logs, witnesses, groups, quorum."""
        lines = [f"log {log.key} {log.url}" for log in self.logs]
        lines += [f"witness {one.name} {one.key} {one.url}" for one in self.witnesses]
        lines += [f"group {one.name} {one.rule} {' '.join(one.members)}" for one in self.groups]
        text = "".join(f"{line.rstrip()}\n" for line in [*lines, f"quorum {self.quorum}"])
        return text.encode(errors="surrogateescape")

    @property
    def has_quorum(self) -> bool:
        """Whether anybody has to cosign for a checkpoint to be witnessed."""
        return self.quorum != NONE

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of what decides: keys, names, groups and quorum, without addresses."""
        bare = replace(
            self,
            logs=tuple(replace(log, url="") for log in self.logs),
            witnesses=tuple(replace(one, url="") for one in self.witnesses),
        )
        return sha256(bare.document()).hexdigest()

    def for_log(self, key: LogKey) -> "WitnessPolicy":
        """The policy for one log. Raises BadPolicyError where it names logs and not this one."""
        named = tuple(log for log in self.logs if log.key == key)
        if self.logs and not named:
            raise _bad(f"the policy is not for the log {key.name} with this key", "policy")
        return replace(self, logs=named or (PolicyLog(key),))

    def reached(self, names: Collection[str]) -> bool:
        """Whether cosignatures of these witnesses make the quorum."""
        have = set(names)
        for group in self.groups:
            if sum(member in have for member in group.members) >= group.threshold:
                have.add(group.name)
        return self.quorum == NONE or self.quorum in have

    def is_attainable(self, log: LogKey) -> bool:
        """Whether the quorum can be made without the witnesses that are the log's own."""
        return self.reached([one.name for one in self.witnesses if not one.is_own_of(log)])

    def evaluate(self, note: str | bytes) -> Evaluation:
        """What the policy says of a signed checkpoint.

        Cosignatures of other keys are ignored. Raises what `open_note` raises (a bad signature of any key of the
        policy refuses the note), UnknownSignerError unless an accepted log has signed, BadCheckpointError.
        """
        opened = open_note(note, [*(log.key for log in self.logs), *(one.key for one in self.witnesses)])
        checkpoint = parse_checkpoint(opened.text)
        log = next((key for key in opened.signers if _is_log(key, checkpoint.origin)), None)
        if not isinstance(log, LogKey):
            raise UnknownSignerError(
                "no log of the policy has signed the checkpoint",
                where="signed note",
                remedy="refuse the checkpoint, or use the policy of its log",
            )
        witnesses = {one.key: one for one in self.witnesses}
        found = tuple(
            NamedCosignature(witnesses[one.key].name, one, witnesses[one.key].is_own_of(log))
            for one in cosignatures(opened)
        )
        return Evaluation(checkpoint, found, self.reached([one.name for one in found if not one.is_own]))


def _is_log(key: VerifierKey, origin: str) -> bool:
    return isinstance(key, LogKey) and key.name == origin


class _Parser:
    """Takes a policy line by line; each line may use the names of those before it."""

    def __init__(self) -> None:
        self.logs: list[PolicyLog] = []
        self.witnesses: list[PolicyWitness] = []
        self.groups: list[PolicyGroup] = []
        self.quorum: str | None = None
        self._names: set[str] = set()
        self._members: set[str] = set()
        self._keys: dict[type[VerifierKey], set[bytes]] = {LogKey: set(), WitnessKey: set()}

    def take(self, number: int, words: list[str]) -> None:
        """Add a line. Raises BadPolicyError."""
        kind, *rest = words
        take = {"log": self._log, "witness": self._witness, "group": self._group, "quorum": self._quorum}.get(kind)
        try:
            if take is None:
                raise ValueError(f"no line begins with {kind!r}")
            take(rest)
        except ValueError as error:
            raise _bad(str(error), f"policy line {number}") from None
        except LedgerError as error:
            raise _bad(error.what, f"policy line {number}") from None

    def _log(self, words: list[str]) -> None:
        if len(words) not in (1, 2):
            raise ValueError("a log line is `log <vkey> [<url>]`")
        self.logs.append(PolicyLog(self._key(LogKey, words[0]), *words[1:]))

    def _witness(self, words: list[str]) -> None:
        if len(words) not in (2, 3):
            raise ValueError("a witness line is `witness <name> <vkey> [<url>]`")
        if len(self.witnesses) == MAX_WITNESSES:
            raise ValueError(f"the policy has more than {MAX_WITNESSES} witnesses")
        self._define(words[0])
        self.witnesses.append(PolicyWitness(words[0], self._key(WitnessKey, words[1]), *words[2:]))

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise ValueError("a group line is `group <name> <k|any|all> <member>...`")
        name, rule, *members = words
        for member in members:
            self._require_defined(member)
            if member in self._members:
                raise ValueError(f"{member} is a member twice")
            self._members.add(member)
        self._define(name)
        self.groups.append(PolicyGroup(name, _threshold(rule, len(members)), tuple(members)))

    def _quorum(self, words: list[str]) -> None:
        if len(words) != 1 or self.quorum is not None:
            raise ValueError("there is one quorum line, `quorum <name|none>`")
        if words[0] != NONE:
            self._require_defined(words[0])
        self.quorum = words[0]

    def _define(self, name: str) -> None:
        if name == NONE or name in self._names:
            raise ValueError(f"the name {name} is taken")
        self._names.add(name)

    def _require_defined(self, name: str) -> None:
        if name not in self._names:
            raise ValueError(f"{name} is not defined on a line before")

    def _key(self, kind: type[Key], vkey: str) -> Key:
        key = kind.parse(vkey)
        if key.public_key in self._keys[kind]:
            raise ValueError("the key stands on another line already")
        self._keys[kind].add(key.public_key)
        return key


def _lines(data: bytes) -> Iterator[tuple[int, list[str]]]:
    """The lines that say something, as words, with their numbers from 1."""
    text = data.decode(errors="surrogateescape")
    if text and not text.endswith("\n"):
        raise _bad("the last line does not end in a newline: the file may be cut", "policy")
    for number, line in enumerate(text.split("\n"), start=1):
        if _FORBIDDEN.search(line):
            raise _bad("the line holds a control character", f"policy line {number}")
        words = [word for word in _SPACE.split(line) if word]
        if words and not words[0].startswith("#"):
            yield number, words


def _threshold(rule: str, members: int) -> int:
    if rule in ("any", "all"):
        return 1 if rule == "any" else members
    if not re.fullmatch("[1-9][0-9]{0,5}", rule, re.ASCII) or int(rule) > members:
        raise ValueError(f"a threshold is any, all or a number from 1 to {members}")
    return int(rule)


def _bad(what: str, where: str) -> BadPolicyError:
    return BadPolicyError(what, where=where, remedy="see C2SP tlog-policy, or docs/formats/policy.md")
