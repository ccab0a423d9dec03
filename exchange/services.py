"""The use cases of one exchange, wired together: what api, web and the clock are given, and what the worker does besides."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Engine

from bom_graph import load_average_rules
from exchange.access import Principal
from exchange.attachment import MAX_FILE_BYTES
from exchange.calculation import (
    Batches,
    Bills,
    Calculation,
    Decisions,
    Drafts,
    Exporter,
    SideBySide,
    Watch,
    stored_document,
)
from exchange.cases import Balances, Cases
from exchange.cosigning import Witnesses, load_policy
from exchange.engagement import Engagements, Known, check_named, load_rules
from exchange.erasing import Eraser, Erasures
from exchange.errors import SetupError
from exchange.events import Channels, Dispatcher, Inbox, MailServer, Retention, Subscriptions, make_known
from exchange.filing import Authority, Filings, Publications, Stored, VerifiedFootprints, is_filed, load_duty
from exchange.governance import Averages, Effects, FactorReleases, load_review_rules
from exchange.identity import Accounts, ApiClients, Application, Directory, Enrolled, Operator, Registrations, Snapshots
from exchange.installation import Installation, engagements_taking
from exchange.jobs import Job, Publisher, start_clock
from exchange.kinds import Accreditation
from exchange.orders import Document, Orders
from exchange.progress import Progress
from exchange.public_status import STATUS, STATUS_LIST
from exchange.published import PublishedLog
from exchange.requests import Answers, Boards, Catalogue, Requests
from exchange.retirements import Register
from exchange.sharing import AccessLog, Attachments, Endings, Grants, Sharing
from exchange.stamping import Stamping, TimeAuthority
from ledger import WitnessPolicy
from ledger.store import begin, snapshot, witnessed_size
from signer import Profile

WITNESS_SECONDS = 5.0
DISPATCH_SECONDS = 1.0
ENROL_SECONDS = 1.0
OVERDUE_SECONDS = 60.0
RETENTION_SECONDS = 3600.0
ORDER_SECONDS = 0.25
STAMP_SECONDS = 60.0
EVENT_DAYS = 365
CALCULATE_SECONDS = 0.5
WATCH_SECONDS = 1.0
TRUST_SECONDS = 10.0
SNAPSHOT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Worker:
    """What the worker does on the clock, with keys that no web process holds."""

    publisher: Publisher
    snapshots: Snapshots
    dispatcher: Dispatcher
    witnesses: Witnesses
    registrations: Registrations
    requests: Requests
    endings: Endings
    retention: Retention
    orders: Orders
    deeds: Mapping[str, Callable[[Document], Document]]
    stamping: Stamping | None
    keep_trust_file: Callable[[], None]

    def jobs(self, checkpoint_seconds: float) -> tuple[Job, ...]:
        """The clock's jobs that need those keys."""
        return (
            Job(self.publisher.tick, checkpoint_seconds, "publishing", "checkpoint not published"),
            Job(self.snapshots.tick, SNAPSHOT_SECONDS, "stating", "status not stated"),
            Job(self.dispatcher.tick, DISPATCH_SECONDS, "dispatching", "events not sent"),
            Job(self.registrations.tick, ENROL_SECONDS, "enrolling", "approved organisations not enrolled"),
            Job(self.requests.tell_overdue, OVERDUE_SECONDS, "telling", "overdue requests not told"),
            Job(self.endings.tick, OVERDUE_SECONDS, "telling", "ended grants not told"),
            Job(self.retention.tick, RETENTION_SECONDS, "removing", "old events not removed"),
            Job(self.keep_trust_file, TRUST_SECONDS, "keeping", "trust file not written"),
            Job(partial(self.orders.tick, self.deeds), ORDER_SECONDS, "carrying out", "orders not carried out"),
            *self._stamping(),
        )

    def _stamping(self) -> tuple[Job, ...]:
        if self.stamping is None:
            return ()
        return (Job(self.stamping.tick, STAMP_SECONDS, "timestamping", "checkpoint not timestamped"),)

    def stop(self) -> None:
        """Give the leases back."""
        self.publisher.stop()
        self.snapshots.stop()
        self.dispatcher.stop()


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
    attachments: Attachments
    access_log: AccessLog
    catalogue: Catalogue
    requests: Requests
    boards: Boards
    calculation: Calculation
    decisions: Decisions
    drafts: Drafts
    side_by_side: SideBySide
    batches: Batches
    bills: Bills
    cases: Cases
    balances: Balances
    watch: Watch
    exporting: Callable[..., Exporter]
    filings: Filings
    authority: Authority
    publications: Publications
    engagements: Engagements
    erasures: Erasures
    enrol: Callable[[Application], Enrolled]
    accredit: Callable[[str, Sequence[Accreditation]], int]
    witness_policy: WitnessPolicy
    published: PublishedLog
    progress: Progress
    inbox: Inbox
    subscriptions: Subscriptions
    worker: Worker | None
    factor_releases: FactorReleases
    effects: Effects
    averages: Averages
    register: Register

    @property
    def exporter(self) -> Exporter:
        """What makes evidence files, which suggest the trust file of now."""
        return self.exporting(trust_file=self.installation.trust_file)

    @property
    def standing_in(self) -> Principal:
        """Who holds the data folder's token."""
        return Principal.standing_in(self.installation.operator_uri)

    @contextmanager
    def at_work(self, checkpoint_seconds: float) -> Iterator[None]:
        """Let the clock tick while the block runs, for all that this process has the keys for; then give the leases back.

        What signs needs the worker's, what calculates the master key.
        """
        calculates = self.installation.vault.is_open
        signing = () if self.worker is None else self.worker.jobs(checkpoint_seconds)
        clock = start_clock(*signing, *(self._calculating() if calculates else ()))
        try:
            yield
        finally:
            self.batches.end_soon()
            clock.shutdown()
            if self.worker is not None:
                self.worker.stop()
            for one in (self.batches, self.watch, self.balances) if calculates else ():
                one.stop()

    def _calculating(self) -> tuple[Job, ...]:
        return (
            Job(self.batches.tick, CALCULATE_SECONDS, "calculating", "calculations not worked on"),
            Job(self.balances.tick, WATCH_SECONDS, "balancing", "trades not compared"),
            Job(self.watch.tick, WATCH_SECONDS, "watching", "stale results not found"),
        )

    @property
    def publisher(self) -> Publisher:
        """What publishes. SetupError in a web process."""
        return self._worker.publisher

    @property
    def snapshots(self) -> Snapshots:
        """What states daily what counts no more. SetupError in a web process."""
        return self._worker.snapshots

    @property
    def dispatcher(self) -> Dispatcher:
        """What sends events. SetupError in a web process."""
        return self._worker.dispatcher

    @property
    def witnesses(self) -> Witnesses:
        """What asks the witnesses. SetupError in a web process."""
        return self._worker.witnesses

    @property
    def _worker(self) -> Worker:
        if self.worker is None:
            raise SetupError(
                "this process is no worker",
                where="PACKTRACE_PROCESS",
                remedy="do this in the worker, or with its folder",
            )
        return self.worker


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
    event_days: int = EVENT_DAYS,
    time_authority: TimeAuthority | None = None,
    max_attachment_bytes: int = MAX_FILE_BYTES,
) -> Services:
    """Return the services on an opened installation; `holder` names this process in leases.

    `witness_policy` is the file of the witnesses to ask, each checkpoint for `witness_seconds`. Raises SetupError where it can't be used.
    `webhook_hosts` are origins that webhooks may go to beside public ones; without `mail` no mail is sent. Events
    that were seen are removed after `event_days`. Without `time_authority` no checkpoint is timestamped. A file that a statement names has
    at most `max_attachment_bytes`.
    """
    engine = installation.engine
    accounts = Accounts(engine, clock, random)
    clients = ApiClients(engine, installation.access_key, installation.trust.origin, clock, random)
    vault = installation.vault
    sharing = Sharing(engine, accounts, installation.trust, installation.policy, clock, random=random, vault=vault)
    grants = Grants(engine, vault, accounts, clock, random)
    attachments = Attachments(
        engine, vault, accounts, sharing, clock=clock, random=random, max_file_bytes=max_attachment_bytes
    )
    catalogue = Catalogue(engine, accounts, clock, random)
    answers = Answers(sharing, grants, installation.admissions)
    requests = Requests(engine, accounts, answers, clock, random)
    boards = Boards(engine, accounts, clock)
    calculation = Calculation(engine, sharing, accounts, installation.policy, clock, vault=vault, relied_on=is_filed)
    directory = Directory(engine, clock)
    decisions = Decisions(engine, calculation, sharing, accounts, clock)
    batches = Batches(engine, calculation, sharing, accounts, holder=holder, clock=clock, random=random, vault=vault)
    watch = Watch(engine, vault, sharing, stored_document, is_filed, holder=holder, clock=clock)
    admissions = installation.admissions
    balances = Balances(engine, vault, admissions, holder=holder, clock=clock, random=random)
    exporting = partial(Exporter, engine, calculation, sharing, attachments, clock=clock)
    policy = load_policy(witness_policy, *installation.trust_file.keys)
    published = PublishedLog(engine)
    progress = Progress(published.size, _witnessed(engine, policy))
    orders = Orders(engine, clock, random, holder)
    enrol, erase, accredit = _hands(installation, orders, clock)
    stored, origin = Stored(vault, installation.admissions), installation.trust.origin
    filings = Filings(engine, stored, load_duty(), accounts, sharing, clock, random)
    publications = Publications(engine, filings, load_duty(), origin, _vouch(installation, orders), clock, random)
    taking = engagements_taking(vault, admissions, clock)
    known = Known(stored, load_duty())
    engagements = Engagements(engine, taking, known, load_rules(), accounts, sharing, requests, clock, random)
    registrations = Registrations(
        engine, installation.operator_uri, installation.trust.origin, enrol, clock, random, holder
    )
    channels = Channels(None if installation.hand is None else installation.webhook_key, webhook_hosts, mail)
    worker = None
    if installation.hand is not None:
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
        with begin(engine) as connection:
            make_known(connection, installation.webhook_key.public_keys, clock(), random)
        origin = installation.trust_file.origin
        dispatcher = Dispatcher(engine, channels, origin, holder=holder, clock=clock, random=random)
        snapshots = Snapshots(engine, installation.operator, holder, clock)
        deeds: dict[str, Callable[[Document], Document]] = {
            "enrol": lambda document: enrol(Application.read(document)).document(),
            "erase": lambda document: {"index": erase(document)},
            "accredit": lambda document: {"index": accredit(document["verifier"], _read_accreditations(document))},
            "vouch": partial(_vouched, installation.operator),
        }
        told = Endings(engine, clock, random, holder), Retention(engine, event_days, holder=holder, clock=clock)
        stamping = None if time_authority is None else Stamping(engine, time_authority, holder, clock)
        worker = Worker(
            publisher,
            snapshots,
            dispatcher,
            witnesses,
            registrations,
            requests,
            *told,
            orders,
            deeds,
            stamping,
            installation.keep_trust_file,
        )
    releases = FactorReleases(engine, vault, accounts, load_review_rules(), installation.operator_uri, clock, random)
    effects = Effects(engine, vault, accounts, sharing, calculation, releases)
    verified = VerifiedFootprints(engine, stored, load_duty())
    averages = Averages(engine, vault, load_average_rules(), verified.of, clock)
    return Services(
        installation,
        accounts,
        clients,
        directory,
        registrations,
        sharing,
        grants,
        attachments,
        AccessLog(engine),
        catalogue,
        requests,
        boards,
        calculation,
        decisions,
        Drafts(calculation, sharing),
        SideBySide(engine, calculation, sharing, directory),
        batches,
        Bills(engine, sharing, accounts),
        Cases(engine),
        balances,
        watch,
        exporting,
        filings,
        Authority(filings),
        publications,
        engagements,
        Erasures(engine, accounts, erase),
        enrol,
        accredit,
        policy,
        published,
        progress,
        Inbox(engine, clock),
        Subscriptions(engine, channels, clock=clock, random=random),
        worker,
        releases,
        effects,
        averages,
        Register(engine, accounts, sharing, clock),
    )


def _hands(
    installation: Installation, orders: Orders, clock: Callable[[], datetime]
) -> tuple[Callable[[Application], Enrolled], Callable[[Document], int], Callable[[str, Sequence[Accreditation]], int]]:
    """Return what enrols, what erases and what accredits: the operator's own hand, or orders to the worker."""
    if installation.hand is not None:
        operator = installation.operator
        eraser = Eraser(installation.engine, installation.vault, operator, clock)
        return operator.enrol, eraser.carry_out, partial(_accredit, operator.accredit)
    return (
        lambda application: Enrolled.read(orders.place("enrol", application.document())),
        lambda claims: int(orders.place("erase", claims)["index"]),
        partial(
            _accredit,
            lambda verifier, held: int(
                orders.place(
                    "accredit",
                    {"verifier": verifier, "accreditations": [one.model_dump(mode="json") for one in held]},
                )["index"]
            ),
        ),
    )


def _accredit(
    state: Callable[[str, Sequence[Accreditation]], int], verifier: str, held: Sequence[Accreditation]
) -> int:
    check_named(held, load_duty().group_of)
    return state(verifier, held)


def _read_accreditations(document: Document) -> tuple[Accreditation, ...]:
    return tuple(Accreditation.model_validate(one) for one in document["accreditations"])


def _vouch(installation: Installation, orders: Orders) -> Callable[[Profile, dict[str, Any]], str]:
    """Return what signs a public status: the operator's own hand, or orders to the worker."""
    if installation.hand is not None:
        return installation.operator.vouch
    return lambda profile, claims: str(orders.place("vouch", {"type": profile.vct, "claims": claims})["token"])


def _vouched(operator: Operator, document: Document) -> Document:
    """Sign what a web process ordered: a status or the list of those withdrawn, and nothing else."""
    profiles = {profile.vct: profile for profile in (STATUS, STATUS_LIST)}
    return {"token": operator.vouch(profiles[document["type"]], document["claims"])}


def _witnessed(engine: Engine, policy: WitnessPolicy) -> Callable[[], int] | None:
    """Return what tells the size of the newest witnessed checkpoint; None for a log whose policy asks for no quorum."""
    if not policy.has_quorum:
        return None

    def size() -> int:
        with snapshot(engine) as connection:
            return witnessed_size(connection, policy) or 0

    return size
