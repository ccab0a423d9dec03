"""A server killed in mid-stream: what was answered is there, nothing is there twice or half, and the stream goes on by sending it again."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from exchange.client import Receipt
from exchange.partner import Outcome, Partner
from signer import join_presentation
from tests.faults.test_killed_server import Site

STATEMENTS = 300


class _EnoughError(Exception):
    """Ends a push that would try on."""


def push_through_kills(folder: Path, url: str, kills: int) -> None:
    site = Site(folder, url)
    site.join()
    start = site.check()
    issued = {f"n{number}": site.sign() for number in range(STATEMENTS)}
    items = [(name, join_presentation(one.token, one.disclosures)) for name, one in issued.items()]
    journal = folder / "journal"

    def settle(outcome: Outcome) -> None:
        assert outcome.verdict["accepted"], outcome
        verdict = outcome.verdict
        receipt = Receipt(verdict["origin"], verdict["index"], verdict["leaf_hash"], verdict["existed"], "sequenced")
        site.answered[issued[outcome.name].token] = receipt

    def give_up(_seconds: float) -> None:
        raise _EnoughError

    for kill in range(kills):
        with site.serving() as (client, process):
            address, token = str(client._http.base_url), client._http.headers["authorization"].split()[1]
            before = len(site.answered)

            def end(before: int = before, process: object = process, wanted: int = 5 + 20 * kill) -> None:
                while len(site.answered) < before + wanted and process.poll() is None:  # type: ignore[attr-defined]
                    time.sleep(0.001)
                process.kill()  # type: ignore[attr-defined]

            killer = threading.Thread(target=end)
            killer.start()
            with pytest.raises(_EnoughError), Partner(address, token, sleep=give_up) as partner:
                partner.push(items, journal=journal, told=settle)
            killer.join()
        assert site.check() >= start + len(site.answered)
    assert 0 < len(site.answered) < STATEMENTS
    with site.serving() as (client, _process):
        address, token = str(client._http.base_url), client._http.headers["authorization"].split()[1]
        with Partner(address, token) as partner:
            known = len(site.answered)
            pushed = partner.push(items, journal=journal, told=settle)
    assert (pushed.skipped, pushed.accepted, pushed.refused) == (known, STATEMENTS - known, [])
    assert site.check() == start + STATEMENTS
    assert len(journal.read_text().splitlines()) == STATEMENTS + 1


def test_a_stream_goes_on_after_kills_on_sqlite(tmp_path: Path) -> None:
    push_through_kills(tmp_path / "data", f"sqlite:///{tmp_path / 'exchange.sqlite'}", kills=2)


def test_a_stream_goes_on_after_kills_on_postgresql(tmp_path: Path, postgres_url: str) -> None:
    push_through_kills(tmp_path / "data", postgres_url, kills=2)
