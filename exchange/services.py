"""The use cases of one exchange, wired together: what api, web and the clock are given."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from exchange.calculation import Calculation, Exporter
from exchange.installation import Installation
from exchange.jobs import Publisher
from exchange.sharing import Sharing


@dataclass(frozen=True, slots=True)
class Services:
    """One exchange, ready to serve."""

    installation: Installation
    sharing: Sharing
    calculation: Calculation
    exporter: Exporter
    publisher: Publisher


def utc_now() -> datetime:
    """The wall clock, for the doors that need it."""
    return datetime.now(UTC)


def wire(installation: Installation, *, holder: str, clock: Callable[[], datetime]) -> Services:
    """Return the services on an opened installation; `holder` names this process in leases."""
    engine = installation.engine
    sharing = Sharing(engine, installation.trust, installation.policy, clock)
    calculation = Calculation(engine, sharing, installation.policy, clock)
    exporter = Exporter(engine, calculation, sharing, installation.trust_file, clock)
    publisher = Publisher(
        engine,
        installation.note_signer,
        installation.published,
        last_signed=installation.last_signed,
        holder=holder,
        clock=clock,
    )
    return Services(installation, sharing, calculation, exporter, publisher)
