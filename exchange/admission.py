"""Admission: the one way a token becomes an entry, for intake, for reading the ledger back, and for offline verification.

Rules kept here:
1. Entries are admitted in index order; entry 0 enrols the operator.
2. A token is verified strictly: signature, certificate, claim layout, disclosures (signer).
3. Its key counts at its index (key register), and one of its organisation's roles may sign its kind (policy). An organisation's URI
   has the one spelling, and lies neither above nor below another's: a product below both would have two owners.
4. Its record can be read; what it states of itself adds up; it speaks of its issuer's own products.
5. It cites smaller indices of this log only, or entries of the log's named predecessor (signer.citations).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType

from exchange.errors import RightsError, StatementError
from exchange.evidence import Entry
from exchange.kinds import (
    ERASURE,
    ROLE_GRANT,
    Erasure,
    Policy,
    RoleGrant,
    check_spelling,
    kind_of,
    read_open,
    read_record,
)
from ledger import leaf_hash
from signer import (
    KEY_EVENT,
    RETRACTIONS,
    CitableLog,
    Citation,
    KeyRegister,
    Statement,
    Trust,
    carried_chain,
    check_citation,
    check_vouched,
    citations_of,
    leaf_bytes,
    peek,
    read_citation,
    read_key_event,
    read_retraction,
    verify,
)

#: Kinds whose entries change who may sign what; admission has to see every one of them.
GOVERNING_KINDS = (KEY_EVENT.vct, ROLE_GRANT.vct)


class Admission:
    """What governs the next entry: the keys and roles after the entries seen so far."""

    def __init__(self, trust: Trust, policy: Policy, *, predecessor: CitableLog | None = None) -> None:
        self.trust = trust
        self.policy = policy
        self.log = CitableLog(trust.origin, predecessor=predecessor)
        self.keys = KeyRegister.empty()
        self._roles: dict[str, RoleGrant] = {}
        self._organisations: set[str] = set()
        #: What lies above an organisation, with the organisation.
        self._above: dict[str, str] = {}

    @property
    def roles(self) -> Mapping[str, RoleGrant]:
        """The newest grant of roles by organisation URI; the operator's comes with entry 0."""
        return MappingProxyType(self._roles)

    def check(self, index: int, token: str, disclosures: Sequence[str], *, at: datetime | None) -> Entry:
        """Return the entry that `token` makes at `index`; nothing changes here yet.

        `at` is the time of admission, for certificate validity and `iat`; None: the time the issuer claims, for a token that the ledger
        holds already. Raises SignerError, StatementError or a BomGraphError, each naming the place.
        """
        seen = peek(token)
        kind = kind_of(seen.vct)
        # The intermediates that came with the key's enrolment lead to the trust file's authorities, and count for nothing else.
        trust = self.keys.trusting(self.trust, seen.thumbprint)
        if index == 0:
            # The first key comes with this very entry, and so do its intermediates.
            trust = trust.with_intermediates(carried_chain(token, index))
        statement = verify(token, disclosures, profile=kind.profile, trust=trust, at=at or seen.issued_at)
        self._check_rights(index, statement, at or statement.issued_at)
        if at is not None and statement.vct == KEY_EVENT.vct:
            # A key that nobody vouches for would lock its organisation out: refused when it comes in, not when it is used.
            event = read_key_event(index, statement)
            check_vouched(event, self.keys.trusting(self.trust, event.thumbprint), at)
        self._check_citations(index, statement)
        if statement.vct == ERASURE.vct:
            _check_erases(index, statement)
        record = read_record(statement)
        return Entry(index, leaf_hash(leaf_bytes(token)).hex(), statement, record)

    def take(self, entry: Entry) -> None:
        """Let an entry govern what follows it. Raises where a key event contradicts the ones before it."""
        statement = entry.statement
        if statement.vct == KEY_EVENT.vct:
            self.keys = self.keys.apply(entry.index, statement)
            organisation = str(statement.claims["organisation"])
            self._organisations.add(organisation)
            self._above |= dict.fromkeys(_places_above(organisation), organisation)
            if entry.index == 0:
                self._roles[statement.issuer] = RoleGrant(organisation=statement.issuer, roles=("operator",))
        elif statement.vct == ROLE_GRANT.vct:
            grant: RoleGrant = read_open(statement, RoleGrant)
            self._roles[grant.organisation] = grant

    def admit(self, index: int, token: str, disclosures: Sequence[str], *, at: datetime | None) -> Entry:
        """`check` and `take` in one: the way to read entries back in order."""
        entry = self.check(index, token, disclosures, at=at)
        self.take(entry)
        return entry

    def reread(self, index: int, token: str, disclosures: Sequence[str]) -> Entry:
        """Return the entry at `index`, which `token` was admitted as, with `disclosures`, which are checked against it.

        Whether its signer had the right was judged then, by the entries before it: a key revoked or a role taken since changes nothing.
        Raises what `check` raises for the rest.
        """
        seen = peek(token)
        trust = self.keys.trusting(self.trust, seen.thumbprint)
        statement = verify(token, disclosures, profile=kind_of(seen.vct).profile, trust=trust, at=seen.issued_at)
        self._check_citations(index, statement)
        return Entry(index, leaf_hash(leaf_bytes(token)).hex(), statement, read_record(statement))

    def seen_with(self, entry: Entry, disclosures: Sequence[str]) -> Entry:
        """Return an entry that was admitted as somebody sees it who holds `disclosures` of it, and no others."""
        return self.reread(entry.index, entry.statement.token, disclosures)

    def check_alone(self, organisation: str) -> None:
        """Check that an organisation, enrolled or not, has a URI of its own, in the one spelling: products lie below their owner's.

        Raises StatementError, or RightsError where another organisation lies above or below.
        """
        check_spelling(organisation)
        above = [place for place in _places_above(organisation) if place in self._organisations]
        other = above[0] if above else self._above.get(organisation)
        if other is not None:
            raise RightsError(
                f"the URI lies above or below another organisation's, so that a product could have two owners: {other}",
                where="uri",
                remedy="apply for a URI of your own",
            )

    def _check_citations(self, index: int, statement: Statement) -> None:
        for path, citation in citations(statement):
            check_citation(citation, log=self.log, index=index, where=path)

    def _check_rights(self, index: int, statement: Statement, when: datetime) -> None:
        if index == 0 and statement.vct != KEY_EVENT.vct:
            raise StatementError(
                "entry 0 doesn't enrol the operator",
                where="entry 0",
                remedy="start the log with its operator's key event",
            )
        if statement.vct == KEY_EVENT.vct:
            # The register judges key events: the operator's, and an organisation's about keys of its own.
            self.keys.apply(index, statement)
            self.check_alone(str(statement.claims["organisation"]))
            return
        self.keys.admit(index, statement)
        grant = self._roles.get(statement.issuer)
        roles = frozenset[str]() if grant is None else grant.on(when.astimezone(UTC).date())
        self.policy.may_sign(statement.vct, roles, issuer=statement.issuer)


def _places_above(uri: str) -> list[str]:
    """Return what ends before a slash of `uri`: whatever owns one of these owns what lies below it."""
    return [uri[:place] for place, one in enumerate(uri) if one == "/"]


def _check_erases(index: int, statement: Statement) -> None:
    erasure: Erasure = read_open(statement, Erasure)
    if erasure.index >= index:
        raise StatementError(
            "it erases an entry that doesn't come before it", where="index", remedy="name an entry of this log"
        )


def citations(statement: Statement) -> Iterator[tuple[str, Citation]]:
    """Yield path and citation of each line and claim that cites, and of what is taken back, as far as disclosed.

    Raises MalformedCitationError.
    """
    if statement.vct in RETRACTIONS:
        retraction = read_retraction(statement)
        yield "target", retraction.target
        if retraction.replacement is not None:
            yield "replacement", retraction.replacement
    kind = kind_of(statement.vct)
    for name in sorted(kind.cites & statement.claims.keys()):
        yield name, read_citation(statement.claims[name], name)
    yield from citations_of(statement.claims, kind.profile.lists)
