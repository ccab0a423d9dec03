"""An exchange as it runs in service: two web processes without the worker's keys, workers without the master key, one PostgreSQL."""

from __future__ import annotations

import base64
import secrets
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from sqlalchemy import Engine
from sqlmodel import Session, col, select

from exchange.kinds import ACTIVITY_DATA
from exchange.lease import LeaseRow
from exchange.services import utc_now
from exchange.trust import TrustFile
from ledger import PublicationBusyError
from ledger.audit import audit
from ledger.store import engine_for, entries, head, snapshot
from signer import Issued, KeyPair, issue, join_presentation, leaf_bytes, new_jti, proof_of_possession
from tests.exchange.receivers import Receiver, receiving, until
from tests.flow.accounts import PASSWORD
from tests.flow.process import PACKTRACE, ROOT, environment, packtrace
from tests.flow.world import activity
from tests.witnesses import witness_process

pytestmark = pytest.mark.long
CLIENTS, EACH = 8, 6
ACCREDITATION = {
    "body": "National accreditation service",
    "number": "L-0815",
    "chemistry_groups": ["LFP"],
    "rule_sets": ["cn-miit-551-trial"],
    "since": "2026-01-01",
    "until": "2028-12-31",
}


@dataclass
class Answered:
    """What clients were answered, token by token, from several threads."""

    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)


@dataclass
class Site:
    """The folders and the database, and what runs on them. `settings` go to every process."""

    folder: Path
    url: str
    settings: dict[str, str]
    stack: ExitStack
    receiver: Receiver
    web: list[httpx2.Client] = field(default_factory=list)
    servers: list[subprocess.Popen[str]] = field(default_factory=list)
    workers: list[subprocess.Popen[str]] = field(default_factory=list)
    answered: Answered = field(default_factory=Answered)
    key: KeyPair = field(default_factory=lambda: KeyPair.generate("ES256"))

    @property
    def trust(self) -> TrustFile:
        """The trust file."""
        return TrustFile.read((self.folder / "worker" / "trust").read_bytes())

    def start(self, process: str, folder: str, **more: str) -> subprocess.Popen[str]:
        """Start a process of one role; it is ended with the test."""
        settings = {**self.settings, "process": process, "data": str(self.folder / folder), **more}
        errors = (self.folder / f"{process}.{len(self.servers) + len(self.workers)}.log").open("w")
        self.stack.callback(errors.close)
        started = subprocess.Popen(
            [*PACKTRACE, "serve"],
            cwd=ROOT,
            env={**environment(**settings), "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
        self.stack.callback(end, started)
        return started

    def start_worker(self) -> subprocess.Popen[str]:
        """Start a worker and wait until it works."""
        worker = self.start("worker", "worker")
        assert worker.stdout is not None
        line = worker.stdout.readline()
        assert line.startswith("working for "), self.told()
        self.workers.append(worker)
        return worker

    def start_web(self) -> httpx2.Client:
        """Start a web process; return a client with the folder's token."""
        server = self.start("web", "web", port="0")
        assert server.stdout is not None
        address, _, token = server.stdout.readline().strip().partition("/?token=")
        assert token, self.told()
        bearer = {"Authorization": f"Bearer {token}"}
        client = self.stack.enter_context(httpx2.Client(base_url=address, headers=bearer, timeout=60, trust_env=False))
        self.servers.append(server)
        self.web.append(client)
        return client

    def told(self) -> str:
        """What the processes wrote."""
        return "\n".join(log.read_text() for log in sorted(self.folder.glob("*.log")))

    def sign(self) -> Issued:
        """A fresh statement of the supplier."""
        now = utc_now()
        return issue(
            self.key,
            ACTIVITY_DATA.profile,
            issuer="https://maker.example",
            audience=self.trust.origin,
            jti=new_jti(now, secrets.token_bytes),
            issued_at=now,
            claims=activity("https://maker.example/products/x"),
            random=secrets.token_bytes,
        )

    def submit(self, client: httpx2.Client, issued: Issued, wait: str = "") -> httpx2.Response:
        """Submit a statement; what is answered is kept."""
        body = {"statement": join_presentation(issued.token, issued.disclosures)}
        answer = client.post("/api/v1/statements", json=body, params={"wait": wait} if wait else None)
        if answer.status_code in {200, 201}:
            with self.answered.lock:
                self.answered.receipts[issued.token] = answer.json()
        return answer

    def check(self) -> int:
        """Every answer holds, the indices have no gap, and all checkpoints are of one tree; return the size."""
        engine = engine_for(self.url)
        try:
            size, stored = self.audited(engine)
        finally:
            engine.dispose()
        assert size == len(stored) == len(set(stored))
        for token, receipt in self.answered.receipts.items():
            assert stored[receipt["index"]] == leaf_bytes(token)
        return size

    def audited(self, engine: Engine) -> tuple[int, list[bytes]]:
        """The size that the audit found, and the entries. A worker that publishes meanwhile is waited for."""
        for _time in range(200):
            try:
                with snapshot(engine) as connection:
                    stored = [entry.data for entry in entries(connection, 0, head(connection).size)]
                    return audit(connection, self.trust.key, self.folder / "worker" / "log").size, stored
            except PublicationBusyError:
                time.sleep(0.05)
        raise AssertionError("publication never ends")

    def lease(self) -> str:
        """Which process publishes."""
        engine = engine_for(self.url)
        try:
            with Session(engine) as session:
                return session.exec(select(LeaseRow.holder).where(col(LeaseRow.job) == "publish-checkpoint")).one()
        finally:
            engine.dispose()


def end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@contextmanager
def founded(folder: Path, url: str) -> Iterator[Site]:
    """A worker that holds no master key, and what two web processes need beside it, witnessed."""
    with ExitStack() as stack, receiving(Receiver()) as receiver:
        settings = {"database_url": url, "checkpoint_seconds": "0.2", "webhook_hosts": receiver.address}
        site = Site(folder, url, settings, stack, receiver)
        end(site.start_worker())
        site.workers.clear()
        made = packtrace("split", str(folder / "web"), "--data", str(folder / "worker"), database_url=url)
        assert made.returncode == 0, made.stderr
        for key in (folder / "worker" / "keys").glob("vault.*"):
            key.unlink()
        witness = stack.enter_context(witness_process(folder / "witness", site.trust.keys, "witness.example/w1"))
        policy = folder / "policy"
        policy.write_text(f"log {site.trust.key}\n{witness.line('w')}quorum w\n")
        site.settings["witness_policy"] = str(policy)
        yield site


@pytest.fixture
def site(tmp_path: Path, postgres_url: str) -> Iterator[Site]:
    """Two web processes and a worker; the supplier is enrolled through a web process, by the worker's hand."""
    with founded(tmp_path, postgres_url) as found:
        with ThreadPoolExecutor(3) as pool:
            for started in [pool.submit(one) for one in (found.start_worker, found.start_web, found.start_web)]:
                started.result()
        answer = found.web[1].post("/api/v1/organisations", json=enrolment(found, found.key))
        assert answer.status_code == 201, answer.text
        found.key = found.key.with_certificate(base64.b64decode(answer.json()["certificate"]))
        yield found


def enrolment(site: Site, key: KeyPair, uri: str = "https://maker.example") -> dict[str, Any]:
    return {
        "uri": uri,
        "name": "Maker",
        "csr": base64.b64encode(key.csr(uri)).decode(),
        "possession": proof_of_possession(key, site.trust.origin, uri),
        "roles": ["supplier"],
    }


def names(folder: Path) -> Sequence[str]:
    return sorted(path.name.partition(".")[0] for path in folder.iterdir())


def test_two_web_processes_and_a_worker_are_one_exchange(site: Site) -> None:
    """Concurrent senders at both: no gap, nothing lost, one chain of checkpoints; waiting, erasing, sessions and events go across."""
    assert names(site.folder / "web" / "keys") == ["access", "vault"]
    assert "vault" not in names(site.folder / "worker" / "keys")
    before = site.check()

    def sender(number: int) -> None:
        for _time in range(EACH):
            assert site.submit(site.web[number % 2], site.sign()).status_code == 201

    with ThreadPoolExecutor(CLIENTS) as pool:
        list(pool.map(sender, range(CLIENTS)))
    size = site.check()
    indices = {receipt["index"] for receipt in site.answered.receipts.values()}
    assert indices == set(range(before, before + CLIENTS * EACH))
    assert size == before + CLIENTS * EACH

    for client in site.web:
        for wait in ("published", "witnessed"):
            answer = site.submit(client, site.sign(), wait)
            assert answer.status_code == 201, answer.text
            # A witnessed entry is published; which of the two is seen first isn't fixed.
            assert answer.json()["state"] in {wait, "witnessed"}, site.told()
            assert answer.json()["proof"]
        served = [client.get(f"/ledger/{path}") for path in ("checkpoint", "tile/0/000.p/2", "tile/entries/000.p/2")]
        assert [one.status_code for one in served] == [200, 200, 200]
    assert site.web[0].get("/ledger/tile/0/000.p/2").content == site.web[1].get("/ledger/tile/0/000.p/2").content

    keys = [client.get("/api/v1/webhook-key").json() for client in site.web]
    assert keys[0] == keys[1]
    assert keys[0]["public_key"].startswith("whpk_")

    calculation = {
        "reader": "https://maker.example",
        "demands": [{"product": "https://maker.example/products/x"}],
        "rule_sets": ["everbatt-2023-cradle-to-gate"],
    }
    asked = site.web[0].post("/api/v1/calculations", json=calculation).json()["id"]
    time.sleep(2)
    state = site.web[1].get(f"/api/v1/calculations/{asked}").json()["state"]
    assert state == "waiting", "the worker has no master key"
    site.start("calculator", "web")
    until(lambda: site.web[1].get(f"/api/v1/calculations/{asked}").json()["state"] == "done", 60)

    erased = site.web[0].post(
        "/api/v1/erasures",
        json={"leaf_hash": answer.json()["leaf_hash"], "reason": "unlawful_content"},
    )
    assert erased.status_code == 201, erased.text
    again = site.web[1].post(
        "/api/v1/erasures", json={"leaf_hash": answer.json()["leaf_hash"], "reason": "unlawful_content"}
    )
    assert again.json() == {"index": erased.json()["index"], "existed": True}
    verifier = enrolment(site, KeyPair.generate("ES256"), "https://verifier.example") | {"roles": ["verifier"]}
    assert site.web[0].post("/api/v1/organisations", json=verifier).status_code == 201
    accredited = {"verifier": verifier["uri"], "accreditations": [ACCREDITATION]}
    stated = [client.put("/api/v1/accreditations", json=accredited).json() for client in site.web]
    assert stated[0] == stated[1], "stated once, whichever process was asked"
    refused = site.web[0].post(
        "/api/v1/organisations", json=enrolment(site, KeyPair.generate("ES256")) | {"roles": ["x"]}
    )
    assert refused.status_code in {400, 422}, refused.text
    site.check()


def test_what_is_done_at_one_web_process_holds_at_the_other(site: Site) -> None:
    first, second = site.web
    key, uri = KeyPair.generate("ES256"), "https://shop.example"
    asked = {
        **enrolment(site, key, uri),
        "country": "CN",
        "identifiers": {"register": "shop"},
        "admin": "Ada",
        "email": "ada@shop.example",
        "password": PASSWORD,
        "sites": [],
    }
    applied = first.post("/api/v1/registrations", json=asked)
    assert applied.status_code == 202, applied.text
    decided = second.post(f"/api/v1/registrations/{applied.json()['id']}/decision", json={"approve": True})
    assert decided.json()["state"] == "approved"
    until(lambda: uri in first.get("/api/v1/organisations").text)

    def anonymous(client: httpx2.Client, **more: Any) -> httpx2.Client:
        headers = {"Sec-Fetch-Site": "same-origin"}
        made = httpx2.Client(base_url=client.base_url, headers=headers, timeout=60, trust_env=False, **more)
        return site.stack.enter_context(made)

    here = anonymous(first)
    log_in = {"email": "ada@shop.example", "password": PASSWORD}
    time.sleep(1)  # its first member is there a moment after its key
    assert here.post("/api/v1/sessions", json=log_in).status_code == 201
    there = anonymous(second, cookies=here.cookies)
    assert there.get("/api/v1/me").status_code == 200

    subscription = there.post(
        "/api/v1/subscriptions", json={"organisation": uri, "target": f"{site.receiver.address}/h"}
    )
    assert subscription.status_code == 201, subscription.text
    events = [
        client.post(f"/api/v1/subscriptions/{subscription.json()['id']}/test", json={"organisation": uri}).json()
        for client in (here, there)
    ]
    until(lambda: len(site.receiver.ids) >= len(events))
    time.sleep(2.5)  # two ticks more of every process
    assert len(site.receiver.ids) == len(set(site.receiver.ids)) == len(events)

    made = here.post("/api/v1/clients", json={"name": "job", "scopes": ["data:read"]}).json()
    form = {"grant_type": "client_credentials"}
    token = anonymous(first).post("/oauth/token", data=form, auth=(made["id"], made["secret"])).json()["access_token"]
    program = anonymous(second)
    program.headers["Authorization"] = f"Bearer {token}"
    assert program.get("/api/v1/grants").status_code == 200

    assert there.delete("/api/v1/sessions").status_code == 204
    assert here.get("/api/v1/me").status_code == 401


def test_a_web_process_killed_under_load_loses_nothing_that_it_acknowledged(site: Site) -> None:
    stop = threading.Event()

    def sender(number: int) -> None:
        while not stop.is_set():
            try:
                site.submit(site.web[number % 2], site.sign())
            except httpx2.HTTPError:
                assert number % 2 == 0, "the other process goes on"
                return

    with ThreadPoolExecutor(CLIENTS) as pool:
        running = [pool.submit(sender, number) for number in range(CLIENTS)]
        until(lambda: len(site.answered.receipts) > CLIENTS)
        site.servers[0].kill()
        answered = len(site.answered.receipts)
        until(lambda: len(site.answered.receipts) > answered + CLIENTS)
        stop.set()
        for one in running:
            one.result()
    assert site.check() >= len(site.answered.receipts)
    fresh = site.start_web()
    for token in list(site.answered.receipts)[:5]:
        found = fresh.get(f"/api/v1/entries/{site.answered.receipts[token]['index']}").json()
        assert found["token"] == token


def test_a_second_worker_takes_over_from_one_that_was_killed(site: Site) -> None:
    first = site.workers[0]
    assert site.submit(site.web[0], site.sign(), "published").json()["state"] != "sequenced"
    held = site.lease()
    assert held.startswith(f"{first.pid}-")
    second = site.start_worker()
    assert site.lease() == held, "one that works keeps the lease"
    first.kill()
    began = time.monotonic()
    waiting = site.submit(site.web[1], site.sign()).json()
    until(lambda: site.web[1].get(f"/api/v1/entries/{waiting['index']}").json()["state"] != "sequenced", 40)
    assert time.monotonic() - began < 25, "a lease lasts 15 seconds"
    assert site.lease().startswith(f"{second.pid}-")
    key, uri = KeyPair.generate("ES256"), "https://late.example"
    answer = site.web[0].post("/api/v1/organisations", json=enrolment(site, key, uri))
    assert answer.status_code == 201, answer.text
    site.check()


def test_without_a_worker_what_needs_its_keys_is_ordered_and_done_later(site: Site) -> None:
    end(site.workers[0])
    issued = site.sign()
    answer = site.submit(site.web[0], issued)
    assert answer.json()["state"] == "sequenced"
    key, uri = KeyPair.generate("ES256"), "https://late.example"
    asked = enrolment(site, key, uri)
    waited = site.web[0].post("/api/v1/organisations", json=asked)
    assert (waited.status_code, waited.json()["code"]) == (503, "waiting")
    assert waited.headers["retry-after"] == "5"
    site.start_worker()
    again = site.web[1].post("/api/v1/organisations", json=asked)
    assert again.status_code in {200, 201}, again.text
    until(lambda: site.web[0].get(f"/api/v1/entries/{answer.json()['index']}").json()["state"] != "sequenced")


def test_a_web_process_reads_no_key_of_the_workers(tmp_path: Path, postgres_url: str) -> None:
    """Also where one folder holds them all, and they may not be read."""
    with founded(tmp_path, postgres_url) as site:
        web = site.folder / "web" / "keys"
        for name in ("log", "authority", "authority.crt", "operator", "operator.crt", "root.crt", "webhook"):
            shutil.copy(site.folder / "worker" / "keys" / name, web / name)
            (web / name).write_bytes(b"not a key")
            (web / name).chmod(0)
        assert site.start_web().get("/healthz").status_code == 200


def test_a_web_process_that_lacks_what_it_needs_says_so(tmp_path: Path, postgres_url: str) -> None:
    settings = {"database_url": postgres_url, "process": "web"}
    alone = packtrace("serve", data=str(tmp_path / "alone"), **settings)
    assert alone.returncode == 2
    assert "start the worker first" in alone.stderr
    with founded(tmp_path, postgres_url) as site:
        for missing, word in (
            ("trust", "packtrace split"),
            ("keys/access", "packtrace split"),
            ("keys/vault.*", "vault"),
        ):
            copy = tmp_path / "copy"
            shutil.copytree(site.folder / "web", copy)
            for file in copy.glob(missing):
                file.unlink()
            refused = packtrace("serve", data=str(copy), **settings)
            assert refused.returncode == 2, missing
            assert word in refused.stderr
            assert len(refused.stderr.splitlines()) == 1
            shutil.rmtree(copy)
