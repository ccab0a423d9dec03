"""The use cases of one exchange, wired together: what api, web and the clock are given."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Engine

from exchange.access import Principal
from exchange.calculation import Batches, Calculation, Decisions, Drafts, Exporter, Watch, stored_document
from exchange.cases import Balances, Cases
from exchange.cosigning import Witnesses, load_policy
from exchange.erasing import Erasures
from exchange.events import Channels, Dispatcher, Inbox, MailServer, Subscriptions
from exchange.filing import Authority, Filings, Publications, Stored, load_duty
from exchange.identity import Accounts, ApiClients, Directory, Registrations, Snapshots
from exchange.installation import Installation
from exchange.jobs import Publisher
from exchange.progress import Progress
from exchange.requests import Answers, Boards, Catalogue, Requests
from exchange.sharing import AccessLog, Grants, Sharing
from ledger import LedgerError, WitnessPolicy
from ledger.store import published_checkpoint, snapshot, witnessed_size

WITNESS_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Services:
    """One exchange, ready to serve."""

    installation: Installation
    accounts: Accounts
    clients: ApiClients
    directory: Directory
    registrations: Registrations
    sharing: Sharing
    grants: Grants
    access_log: AccessLog
    catalogue: Catalogue
    requests: Requests
    boards: Boards
    calculation: Calculation
    decisions: Decisions
    drafts: Drafts
    batches: Batches
    cases: Cases
    balances: Balances
    watch: Watch
    exporter: Exporter
    filings: Filings
    authority: Authority
    publications: Publications
    erasures: Erasures
    witnesses: Witnesses
    publisher: Publisher
    snapshots: Snapshots
    progress: Progress
    inbox: Inbox
    subscriptions: Subscriptions
    dispatcher: Dispatcher

    @property
    def standing_in(self) -> Principal:
        """Who holds the data folder's token."""
        return Principal.standing_in(self.installation.operator.uri)


def utc_now() -> datetime:
    """The wall clock, for the doors that need it."""
    return datetime.now(UTC)


def wire(
    installation: Installation,
    *,
    holder: str,
    clock: Callable[[], datetime],
    random: Callable[[int], bytes],
    witness_policy: Path | None = None,
    witness_seconds: float = WITNESS_SECONDS,
    webhook_hosts: Iterable[str] = (),
    mail: MailServer | None = None,
) -> Services:
    """Return the services on an opened installation; `holder` names this process in leases.

    `witness_policy` is the file of the witnesses to ask, each checkpoint for `witness_seconds`. Raises SetupError where it can't be used.
    `webhook_hosts` are origins that webhooks may go to beside public ones; without `mail` no mail is sent.
    """
    engine = installation.engine
    accounts = Accounts(engine, clock, random)
    clients = ApiClients(engine, installation.access_key, installation.trust.origin, clock, random)
    registrations = Registrations(engine, installation.operator, clock, random, holder)
    vault = installation.vault
    sharing = Sharing(engine, accounts, installation.trust, installation.policy, clock, random=random, vault=vault)
    grants = Grants(engine, vault, accounts, clock, random)
    catalogue = Catalogue(engine, accounts, clock, random)
    answers = Answers(sharing, grants, installation.operator.admissions)
    requests = Requests(engine, accounts, answers, clock, random)
    boards = Boards(engine, accounts, clock)
    calculation = Calculation(engine, sharing, accounts, installation.policy, clock, vault=vault)
    decisions = Decisions(engine, calculation, sharing, accounts, clock)
    batches = Batches(engine, calculation, sharing, accounts, holder=holder, clock=clock, random=random, vault=vault)
    watch = Watch(engine, vault, sharing, stored_document, holder=holder, clock=clock)
    admissions = installation.operator.admissions
    balances = Balances(engine, vault, admissions, holder=holder, clock=clock, random=random)
    exporter = Exporter(engine, calculation, sharing, installation.trust_file, clock)
    stored = Stored(vault, installation.operator.admissions)
    filings = Filings(engine, stored, load_duty(), accounts, sharing, clock, random)
    publications = Publications(engine, filings, load_duty(), installation.operator, clock, random)
    erasures = Erasures(engine, vault, accounts, installation.operator, clock)
    policy = load_policy(witness_policy, *installation.note_signer.log_keys)
    witnesses = Witnesses(engine, policy, seconds=witness_seconds, clock=clock)
    publisher = Publisher(
        engine,
        installation.note_signer,
        installation.published,
        witnesses,
        last_signed=installation.last_signed,
        holder=holder,
        clock=clock,
    )
    progress = Progress(lambda: _published_size(installation), _witnessed(engine, policy))
    directory = Directory(engine, clock)
    channels = Channels(installation.webhook_key, webhook_hosts, mail)
    subscriptions = Subscriptions(engine, channels, clock=clock, random=random)
    origin = installation.trust_file.origin
    dispatcher = Dispatcher(engine, channels, origin, holder=holder, clock=clock, random=random)
    return Services(
        installation,
        accounts,
        clients,
        directory,
        registrations,
        sharing,
        grants,
        AccessLog(engine),
        catalogue,
        requests,
        boards,
        calculation,
        decisions,
        Drafts(calculation, sharing),
        batches,
        Cases(engine),
        balances,
        watch,
        exporter,
        filings,
        Authority(filings),
        publications,
        erasures,
        witnesses,
        publisher,
        Snapshots(engine, installation.operator, holder, clock),
        progress,
        Inbox(engine, clock),
        subscriptions,
        dispatcher,
    )


def _published_size(installation: Installation) -> int:
    try:
        found = published_checkpoint(installation.published, installation.note_signer.log_keys)
    except (LedgerError, OSError):
        return 0  # nothing there that a reader could use; the publisher stops at it and says why
    return 0 if found is None else found.size


def _witnessed(engine: Engine, policy: WitnessPolicy) -> Callable[[], int] | None:
    """Return what tells the size of the newest witnessed checkpoint; None for a log whose policy asks for no quorum."""
    if not policy.has_quorum:
        return None

    def size() -> int:
        with snapshot(engine) as connection:
            return witnessed_size(connection, policy) or 0

    return size
