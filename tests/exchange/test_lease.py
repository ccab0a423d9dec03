"""One process does a job on the clock, and a clock that ran ahead doesn't stop it."""

from __future__ import annotations

from datetime import timedelta

from exchange.lease import LEASE, release_lease, take_lease
from ledger.store import begin
from tests.flow.world import Exchange


def test_one_process_at_a_time_has_a_job(exchange: Exchange) -> None:
    now = exchange.clock.now
    with begin(exchange.services.registrations.engine) as connection:
        assert take_lease(connection, "job", "first", now)
        assert not take_lease(connection, "job", "second", now + LEASE / 2)
        assert take_lease(connection, "job", "first", now + LEASE / 2)
        assert take_lease(connection, "job", "second", now + 2 * LEASE)
        release_lease(connection, "job", "second", now + 2 * LEASE)
        assert take_lease(connection, "job", "first", now + 2 * LEASE)


def test_a_lease_of_a_clock_that_ran_ahead_is_nobodys(exchange: Exchange) -> None:
    now = exchange.clock.now
    with begin(exchange.services.registrations.engine) as connection:
        assert take_lease(connection, "job", "ahead", now + timedelta(days=1))
        assert take_lease(connection, "job", "right", now)
        # What clocks may differ by is left to whoever has the job.
        assert take_lease(connection, "job", "a minute ahead", now + timedelta(minutes=1))
        assert not take_lease(connection, "job", "right", now)
