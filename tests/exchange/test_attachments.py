"""Files that statements name as evidence: handed in, granted, read, and erased with what named them."""

from __future__ import annotations

import json
import secrets
import shutil
import subprocess
import threading
import tracemalloc
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from pathlib import Path
from typing import Any

import pytest
from anyio import run, sleep
from sqlalchemy import Engine, delete, func, select, update
from sqlmodel import Session, col

from exchange.access import Principal
from exchange.api import attachments as api
from exchange.attachment import check_attachment
from exchange.backup import back_up, put_back
from exchange.errors import AttachmentError, DamagedError, NotFoundError
from exchange.intake import blinded_evidence
from exchange.kinds import ACTIVITY_DATA
from exchange.sharing import AttachmentRow, Attachments
from exchange.sharing.attachments import OF_ONE_AT_ONCE, Receiving
from exchange.vault import DataKeyRow, SealedPartRow, hold
from exchange.vault.parts import PART_BYTES
from exchange.verification import verify_evidence
from ledger.store import begin, snapshot
from signer import join_presentation
from tests.evidence import read_evidence, write_evidence
from tests.exchange.test_vault import everything_in, rotated
from tests.flow.accounts import Company
from tests.flow.attachments import File, get, put, state_with, workbook
from tests.flow.test_bad_input import check_problem
from tests.flow.world import START, Exchange, activity, line
from tests.postgres import fresh_database, server

LONG = b"%PDF-" + bytes(range(256)) * (PART_BYTES // 128) + b"the end"


@dataclass(frozen=True)
class Companies:
    """An exchange with an owner, a customer and a verifier; all tests of a database share it."""

    exchange: Exchange
    owner: Company
    customer: Company
    verifier: Company

    @classmethod
    def join(cls, exchange: Exchange) -> Companies:
        roles = {"owner": "supplier", "customer": "pack_maker", "verifier": "verifier"}
        return cls(exchange, **{slug: Company.join(exchange, slug, roles=[role]) for slug, role in roles.items()})


class Stage:
    """A test's own statement about a product of its own, which names a file of its own."""

    def __init__(self, companies: Companies) -> None:
        self.exchange = companies.exchange
        self.owner, self.customer, self.verifier = companies.owner, companies.customer, companies.verifier
        self.product = self.owner.member.product(secrets.token_hex(4))
        self.name(b"%PDF-1.7 4711 kWh " + secrets.token_bytes(8))

    def name(self, content: bytes) -> File:
        """Let another statement name another file."""
        self.file = File(content, secrets.token_bytes(32))
        self.stated = state_with(self.owner, self.product, self.file)
        return self.file

    @property
    def leaf(self) -> str:
        found: str = self.stated["leaf_hash"]
        return found

    @property
    def engine(self) -> Engine:
        return self.exchange.services.installation.engine

    @property
    def attachments(self) -> Attachments:
        return self.exchange.services.attachments

    @property
    def signatory(self) -> Principal:
        return Principal(self.owner.uri, "member:1", frozenset({"statements:write", "data:read"}))

    def receiving(self, size: int | None = None) -> AbstractContextManager[Receiving]:
        length = len(self.file.content) + 32 if size is None else size
        return self.attachments.receiving(self.signatory, self.owner.uri, self.file.digest, length)

    def terms(self, reader: Company, *paths: str, **more: Any) -> dict[str, Any]:
        body = {"owner": self.owner.uri, "reader": reader.uri, "paths": list(paths), "purpose": "customer"}
        return body | ({} if "product" in more else {"leaf_hash": self.leaf}) | more

    def grant(self, reader: Company, *paths: str, by: Company | None = None, **more: Any) -> dict[str, Any]:
        answer = (by or self.owner).admin.post("/api/v1/grants", json=self.terms(reader, *paths, **more))
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def erase(self) -> Any:
        return self.owner.admin.post("/api/v1/erasures", json={"leaf_hash": self.leaf, "reason": "owner_request"})

    def row(self) -> AttachmentRow | None:
        """The row of the file."""
        name = blinded_evidence(self.exchange.services.installation.vault, self.file.digest)
        with snapshot(self.engine) as connection, Session(connection) as session:
            return session.scalar(select(AttachmentRow).where(col(AttachmentRow.name) == name))

    def parts(self) -> list[bytes]:
        """What rests of the file."""
        row = self.row()
        with snapshot(self.engine) as connection:
            query = select(col(SealedPartRow.data)).where(col(SealedPartRow.key) == (row.key if row else ""))
            return [bytes(one) for one in connection.scalars(query)]

    def log(self) -> list[tuple[str, str, list[str], int]]:
        found = self.owner.admin.get("/api/v1/access-log", params={"limit": 200}).json()
        return [
            (one["reader"], one["act"], one["paths"], one["count"]) for one in found if one["leaf_hash"] == self.leaf
        ]


def rows(stage: Stage, of: type[Any]) -> int:
    with snapshot(stage.engine) as connection:
        return connection.scalar(select(func.count()).select_from(of)) or 0


@pytest.fixture(scope="module")
def on_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Companies]:
    folder = tmp_path_factory.mktemp("attachments")
    opened = Exchange.open(folder / "data", f"sqlite:///{folder / 'exchange.sqlite'}")
    yield Companies.join(opened)
    opened.close()


@pytest.fixture(scope="module")
def on_postgresql(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Companies]:
    with fresh_database(server(pytestconfig)) as url:
        opened = Exchange.open(tmp_path_factory.mktemp("attachments") / "data", url)
        yield Companies.join(opened)
        opened.close()


@pytest.fixture
def stage(on_sqlite: Companies) -> Stage:
    """For what doesn't depend on the database."""
    return Stage(on_sqlite)


@pytest.fixture(params=["on_sqlite", "on_postgresql"])
def both(request: pytest.FixtureRequest) -> Stage:
    """On each of the two databases."""
    return Stage(request.getfixturevalue(request.param))


def test_what_was_handed_in_comes_out_for_its_owner(both: Stage) -> None:
    file, admin = both.name(LONG), both.owner.admin
    first, again = put(admin, file), put(admin, file)
    assert (first.status_code, again.status_code) == (201, 200), first.text
    told = first.json()
    assert (told["media_type"], told["bytes"], told["digest"]) == ("application/pdf", len(file.content), file.digest)
    assert again.json() == told | {"existed": True}
    answer = get(admin, file)
    assert answer.content == file.sent
    check_attachment(file.digest, answer.content)
    assert len(both.parts()) == 3
    assert file.digest in [one["digest"] for one in admin.get("/api/v1/attachments").json()]
    assert both.log() == []


def test_the_same_file_sent_twice_at_once_is_stored_once(both: Stage) -> None:
    ready, done = threading.Barrier(2), []

    def send() -> None:
        with both.receiving() as taken:
            taken.write(both.file.sent)
            ready.wait(10)
            done.append(taken.finish())

    threads = [threading.Thread(target=send) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)
    assert [one.digest for one in done] == [both.file.digest] * 2
    assert len(both.parts()) == 1
    assert get(both.owner.admin, both.file).content == both.file.sent


def test_it_is_never_shown_by_a_browser(stage: Stage) -> None:
    put(stage.owner.admin, stage.file)
    headers = get(stage.owner.admin, stage.file).headers
    assert headers["content-type"] == "application/octet-stream"
    assert headers["content-disposition"] == f'attachment; filename="{stage.file.digest}.bin"'
    assert headers["content-security-policy"] == "sandbox; default-src 'none'"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"


def test_openssl_tells_the_digest(stage: Stage, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    put(stage.owner.admin, stage.file)
    (tmp_path / "got").write_bytes(get(stage.owner.admin, stage.file).content)
    order = ["openssl", "dgst", "-sha256", "-r", str(tmp_path / "got")]
    told = subprocess.run(order, capture_output=True, text=True, check=True)
    assert told.stdout.split()[0] == stage.file.digest


# --- What is taken ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (b"%PDF-1.7 x", "application/pdf"),
        (b"\x89PNG\r\n\x1a\n\0\0", "image/png"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "image/jpeg"),
        (workbook(), "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (b"month,kWh\n2025-01,840\n", "text/plain"),
        ("\ufeffmonth;用电\n".encode(), "text/plain"),
        ("月份,用电量\n".encode("gb18030"), "text/plain"),
        (b"<0.5 % moisture", "text/plain"),
    ],
    ids=["pdf", "png", "jpeg", "xlsx", "csv", "utf8-bom", "gb18030", "less-than"],
)
def test_types_are_told_by_content(stage: Stage, content: bytes, media_type: str) -> None:
    answer = put(stage.owner.admin, stage.name(content))
    assert (answer.status_code, answer.json().get("media_type")) == (201, media_type), answer.text


@pytest.mark.parametrize(
    "content",
    [
        b"MZ\x90\0\x03 a program",
        b"  <html><script>alert(1)</script>",
        b" " * 5000 + b"<svg onload=alert(1)>",
        b"#!/bin/sh\nrm -rf /\n",
        b"text with a \0 in it",
        workbook("[Content_Types].xml", "word/document.xml"),
        workbook("[Content_Types].xml", "xl/workbook.xml", "xl/vbaProject.bin"),
        workbook()[:200],
        b"\xff\xfe\x00\xd8 half characters",
        b"   \n",
    ],
    ids=["program", "html", "svg", "script", "nul", "docx", "macros", "cut-zip", "no-text", "blank"],
)
def test_other_files_are_refused_whatever_they_are_called(stage: Stage, content: bytes) -> None:
    before = rows(stage, SealedPartRow)
    answer = put(stage.owner.admin, stage.name(content))
    check_problem(answer, 400, "attachment")
    assert rows(stage, SealedPartRow) == before


def test_what_no_statement_of_ones_own_names_is_refused(stage: Stage) -> None:
    file = stage.file
    check_problem(put(stage.owner.admin, File(b"%PDF-other")), 404, "not_found")
    check_problem(put(stage.customer.admin, file), 404, "not_found")
    for_another = f"/api/v1/attachments/{stage.file.digest}?organisation={stage.owner.uri}"
    check_problem(stage.customer.admin.put(for_another, content=stage.file.sent), 403, "rights")
    check_problem(get(stage.owner.admin, file), 404, "not_found")


def test_what_a_withheld_statement_names_is_refused(stage: Stage) -> None:
    file = File(b"%PDF-", secrets.token_bytes(32))
    named = line(id="bill", name="salt", flow="nickel-sulfate", evidence=[file.digest])
    issued = stage.owner.member.sign(ACTIVITY_DATA, activity(stage.owner.member.product("y"), named))
    body = {"statement": join_presentation(issued.token, ()), "sealed": True}
    assert stage.owner.admin.post("/api/v1/statements", json=body).status_code == 201
    check_problem(put(stage.owner.admin, file), 404, "not_found")


def test_another_file_under_the_digest_is_refused(stage: Stage) -> None:
    file = stage.file
    for sent in (file.sent + b"x", file.salt[::-1] + file.content, file.content, file.salt):
        check_problem(put(stage.owner.admin, file, sent=sent), 400, "attachment")
    check_problem(get(stage.owner.admin, file), 404, "not_found")


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(stage: Stage) -> None:
    file = stage.file
    limit = stage.exchange.services.attachments.max_bytes
    answer = stage.owner.admin.put(
        f"/api/v1/attachments/{file.digest}", content=b"", headers={"Content-Length": str(limit + 1)}
    )
    check_problem(answer, 413, "too_large")
    # Bodies of other requests keep their own limit, and nothing comes in without a length.
    chunked = stage.owner.admin.put(f"/api/v1/attachments/{file.digest}", content=iter([file.sent]))
    check_problem(chunked, 411, "length_required")


def test_what_is_longer_or_shorter_than_announced_is_refused(stage: Stage) -> None:
    for size in (len(stage.file.sent) - 1, len(stage.file.sent) + 1):
        with stage.receiving(size) as taken:
            if size >= len(stage.file.sent):
                taken.write(stage.file.sent)
            with pytest.raises(AttachmentError, match="than was announced"):
                (taken.finish if size > len(stage.file.sent) else partial(taken.write, stage.file.sent))()


@pytest.mark.parametrize("how", ["silent", "gone", "slow"])
def test_an_upload_that_stalls_leaves_nothing(stage: Stage, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "IDLE_SECONDS", 0.1 if how == "silent" else 10)
    monkeypatch.setattr(api, "UPLOAD_SECONDS", 0.3 if how == "slow" else 10)
    pieces, answers = iter([b"s"] * 3 if how != "slow" else repeat(b"")), list[Any]()

    async def receive() -> Any:
        piece = next(pieces, None)
        if piece is None and how == "gone":
            return {"type": "http.disconnect"}
        await sleep(30 if piece is None else 0.02)
        return {"type": "http.request", "body": piece, "more_body": True}

    async def send(message: Any) -> None:
        answers.append(message)

    headers = {"host": "127.0.0.1", "sec-fetch-site": "same-origin", "content-length": str(len(stage.file.sent))}
    headers["cookie"] = "; ".join(f"{name}={value}" for name, value in stage.owner.admin.cookies.items())
    scope = {"type": "http", "method": "PUT", "path": f"/api/v1/attachments/{stage.file.digest}", "query_string": b""}
    scope["headers"] = [(name.encode(), value.encode()) for name, value in headers.items()]
    run(stage.exchange.http.app, scope, receive, send)
    assert (answers[0]["status"], json.loads(answers[1]["body"])["detail"]) == (400, "the upload was cut")
    assert not stage.attachments._coming.total(), "its room is free again"
    assert put(stage.owner.admin, stage.file).status_code == 201


def test_one_owner_cannot_take_all_the_room(stage: Stage) -> None:
    with ExitStack() as stack:
        for _ in range(OF_ONE_AT_ONCE):
            stack.enter_context(stage.receiving())
        check_problem(put(stage.owner.admin, stage.file), 503, "waiting")
    assert put(stage.owner.admin, stage.file).status_code == 201


def test_memory_stays_flat(stage: Stage) -> None:
    """A file of 16 MiB comes in and goes out in less than 3 MiB."""
    piece = bytes(65_536)
    assert put(stage.owner.admin, stage.name(b"%PDF-" + piece * 256)).status_code == 201  # imports what it needs
    stage.owner.admin.delete(f"/api/v1/attachments/{stage.file.digest}")
    tracemalloc.start()
    try:
        with stage.receiving() as taken:
            taken.write(stage.file.salt + b"%PDF-")
            for _ in range(256):
                taken.write(piece)
            taken.finish()
        fetched = stage.attachments.fetch(stage.signatory, stage.file.digest)
        assert sum(map(len, fetched.parts)) == 32 + 5 + 256 * 65_536
        _now, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 3 * 1024 * 1024


# --- Who may have it ----------------------------------------------------------------------------------------------


def test_neither_the_line_nor_the_whole_statement_gives_the_file(stage: Stage) -> None:
    put(stage.owner.admin, stage.file)
    stage.grant(stage.customer, "full", "inputs", "inputs/bill", purpose="verification")
    check_problem(get(stage.customer.admin, stage.file), 404, "not_found")
    check_problem(get(stage.customer.admin, File(b"%PDF-unknown")), 404, "not_found")
    assert stage.customer.admin.get(f"/api/v1/statements/{stage.leaf}/attachments").json() == []


@pytest.mark.parametrize("path", ["inputs/bill+evidence", "inputs+evidence", "full+evidence"])
def test_its_own_path_gives_line_and_file_and_the_owner_is_told(both: Stage, path: str) -> None:
    put(both.owner.admin, both.file)
    made = both.grant(both.customer, path)
    assert get(both.customer.admin, both.file).content == both.file.sent
    assert get(both.customer.admin, both.file).status_code == 200
    assert both.log() == [(both.customer.uri, "attachment", ["inputs/bill+evidence"], 2)]
    (listed,) = both.customer.admin.get(f"/api/v1/statements/{both.leaf}/attachments").json()
    assert (listed["path"], listed["digest"]) == ("inputs/bill", both.file.digest)
    assert listed["attachment"]["bytes"] == len(both.file.content)
    line_too = both.customer.admin.get(f"/api/v1/statements/{both.leaf}").json()["disclosures"]
    assert len(line_too) >= 2
    check_problem(get(both.verifier.admin, both.file), 404, "not_found")
    withdrawn = both.owner.admin.delete(f"/api/v1/grants/{made['id']}").json()
    assert ("attachment", 2) in [(one["act"], one["count"]) for one in withdrawn["copies"]]
    check_problem(get(both.customer.admin, both.file), 404, "not_found")


def test_a_grant_of_the_product_gives_the_files_to_come(stage: Stage) -> None:
    product = stage.product
    stage.grant(stage.customer, "inputs+evidence", product=product, kind=ACTIVITY_DATA.vct)
    later = File(b"%PDF-later", secrets.token_bytes(32))
    state_with(stage.owner, stage.product, later)
    put(stage.owner.admin, later)
    assert get(stage.customer.admin, later).content == later.sent


def test_only_what_names_a_file_is_granted_with_its_files(stage: Stage) -> None:
    for path in ("inputs/other+evidence", "note+evidence", "nothing+evidence"):
        answer = stage.owner.admin.post("/api/v1/grants", json=stage.terms(stage.customer, path))
        check_problem(answer, 400, "unknown_path")


def test_files_are_passed_on_only_where_they_were_granted(stage: Stage) -> None:
    put(stage.owner.admin, stage.file)
    bare = stage.grant(stage.customer, "full", onward="any")
    for path in ("inputs/bill+evidence", "full+evidence"):
        terms = stage.terms(stage.verifier, path, source=bare["id"])
        check_problem(stage.customer.admin.post("/api/v1/grants", json=terms), 403, "rights")
        check_problem(stage.customer.admin.post("/api/v1/grants/preview", json=terms), 403, "rights")
    rich = stage.grant(stage.customer, "inputs+evidence", onward="any")
    stage.grant(stage.verifier, "inputs/bill+evidence", source=rich["id"], by=stage.customer)
    assert get(stage.verifier.admin, stage.file).content == stage.file.sent


def test_the_preview_tells_which_files_the_reader_would_have(stage: Stage) -> None:
    without = stage.owner.admin.post("/api/v1/grants/preview", json=stage.terms(stage.customer, "full")).json()
    assert without["statements"][0]["files"] == []
    assert without["statements"][0]["sealed"] == ["inputs/bill+evidence"]
    terms = stage.terms(stage.customer, "inputs/bill+evidence")
    for size in (None, len(stage.file.content)):
        (seen,) = stage.owner.admin.post("/api/v1/grants/preview", json=terms).json()["statements"]
        assert seen["files"] == [
            {"path": "inputs/bill+evidence", "digest": stage.file.digest, "had": False, "bytes": size}
        ]
        assert "inputs/bill" in [one["path"] for one in seen["sees"]]
        assert "inputs/bill+evidence" not in seen["sealed"]
        put(stage.owner.admin, stage.file)


def test_naming_another_s_digest_opens_nothing(stage: Stage) -> None:
    """Who is shown the line knows the digest, and may sign it: neither it nor its own readers come to the file by that."""
    put(stage.owner.admin, stage.file)
    stage.grant(stage.customer, "full")
    own = line(id="bill", name="copper", flow="copper", evidence=[stage.file.digest])
    issued = stage.customer.member.sign(ACTIVITY_DATA, activity(stage.customer.member.product("y"), own))
    body = {"statement": join_presentation(issued.token, issued.disclosures)}
    stated = stage.customer.admin.post("/api/v1/statements", json=body).json()
    terms = {"owner": stage.customer.uri, "leaf_hash": stated["leaf_hash"]}
    stage.grant(stage.verifier, "full+evidence", by=stage.customer, **terms)
    for reader in (stage.customer, stage.verifier):
        check_problem(get(reader.admin, stage.file), 404, "not_found")
    given = stage.exchange.services.attachments
    with snapshot(stage.engine) as connection:
        leaves = [stage.leaf, stated["leaf_hash"]]
        for readers in ([stage.customer.uri], [stage.verifier.uri]):
            assert list(given.attachments_for(connection, readers, leaves)) == []


# --- For the evidence file ----------------------------------------------------------------------------------------


def test_the_evidence_file_gets_what_all_its_readers_may_have(stage: Stage) -> None:
    leaves, files = [stage.leaf], []  # the first one's file was never handed in
    for _ in range(2):
        first = stage.stated
        files.append(stage.name(b"%PDF-" + secrets.token_bytes(8)))
        leaves.append(stage.leaf)
        put(stage.owner.admin, stage.file)
        stage.grant(stage.customer, "full+evidence")
    stage.grant(stage.verifier, "inputs/bill+evidence")

    def found(*readers: Company) -> list[tuple[str, int, bytes]]:
        with snapshot(stage.engine) as connection:
            held = stage.attachments.attachments_for(connection, [one.uri for one in readers], leaves)
            return [(digest, size, b"".join(parts)) for digest, size, parts in held]

    all_of_them = sorted((one.digest, len(one.sent), one.sent) for one in files)
    assert found(stage.owner) == found(stage.customer) == found(stage.owner, stage.customer) == all_of_them
    assert found(stage.verifier) == found(stage.customer, stage.verifier)
    assert [digest for digest, _size, _sent in found(stage.verifier)] == [files[1].digest]
    with begin(stage.engine) as connection:
        stage.attachments.took(connection, [stage.customer.uri, stage.verifier.uri], leaves)
    logged = [(one.uri, "export", ["inputs/bill+evidence"], 1) for one in (stage.customer, stage.verifier)]
    assert sorted(stage.log()) == logged
    stage.stated = first
    assert stage.log() == [], "the verifier may not have it, so that the file for both doesn't hold it"


# --- At rest ------------------------------------------------------------------------------------------------------


def test_a_stolen_database_shows_neither_file_nor_digest(stage: Stage, tmp_path: Path) -> None:
    put(stage.owner.admin, stage.file)
    data = everything_in(stage.exchange, tmp_path / "copy")
    assert stage.leaf.encode() in data
    for secret in (stage.file.salt, b"4711 kWh", stage.file.digest.encode(), b"application/pdf"):
        assert secret not in data


def damage(stage: Stage, how: str) -> None:
    row, first = stage.row(), stage.parts()[0]
    assert row is not None
    of, number = col(SealedPartRow.key) == row.key, col(SealedPartRow.number)
    with begin(stage.engine) as connection:
        if how == "cut":
            connection.execute(delete(SealedPartRow).where(of, number == 2))
        else:
            data = first if how == "moved" else stage.parts()[1][:-1] + b"!"
            connection.execute(update(SealedPartRow).where(of, number == 1).values(data=data))


@pytest.mark.parametrize("how", ["cut", "moved", "changed"])
def test_a_part_that_was_cut_moved_or_changed_is_noticed_and_healed(stage: Stage, how: str) -> None:
    file = stage.name(LONG)
    put(stage.owner.admin, file)
    damage(stage, how)
    with pytest.raises(DamagedError, match="exchange_sealed_part"):
        list(stage.attachments.fetch(stage.signatory, file.digest).parts)
    broken = get(stage.owner.admin, file)
    assert len(broken.content) < int(broken.headers["content-length"]), "the answer breaks off"
    again = put(stage.owner.admin, file)
    assert (again.status_code, again.json()["existed"]) == (201, False)
    assert get(stage.owner.admin, file).content == file.sent
    assert len(stage.parts()) == 3


def test_it_outlives_another_master_key_and_a_restore(stage: Stage, tmp_path: Path) -> None:
    file = stage.name(LONG)
    put(stage.owner.admin, file)
    rotated(stage.exchange)
    back_up(stage.exchange.services.installation.folder, stage.exchange.url, tmp_path / "copy", START)
    url = f"sqlite:///{tmp_path / 'back.sqlite'}"
    put_back(tmp_path / "copy", tmp_path / "data", url)
    again = Exchange.open(tmp_path / "data", url)
    try:
        found = again.services.attachments.fetch(stage.signatory, file.digest)
        assert b"".join(found.parts) == file.sent
    finally:
        again.close()
    assert get(stage.owner.admin, file).content == file.sent


# --- Erasure ------------------------------------------------------------------------------------------------------


def test_what_named_it_is_erased_and_nothing_of_the_file_is_left(both: Stage, tmp_path: Path) -> None:
    put(both.owner.admin, both.file)
    both.grant(both.customer, "full+evidence")
    (part,), row = both.parts(), both.row()
    assert part[:64] in everything_in(both.exchange, tmp_path / "before")
    assert both.erase().status_code == 201
    assert part[:64] not in everything_in(both.exchange, tmp_path / "after")
    assert row is not None
    with snapshot(both.engine) as connection:
        assert connection.scalar(select(col(DataKeyRow.id)).where(col(DataKeyRow.id) == row.key)) is None
    for reader in (both.owner, both.customer):
        check_problem(get(reader.admin, both.file), 404, "not_found")
    check_problem(put(both.owner.admin, both.file), 404, "not_found")


def test_it_stays_while_another_statement_names_it(both: Stage) -> None:
    put(both.owner.admin, both.file)
    other = state_with(both.owner, both.product, both.file, note="again")
    assert both.erase().status_code == 201
    assert get(both.owner.admin, both.file).content == both.file.sent
    both.stated = other
    assert both.erase().status_code == 201
    check_problem(get(both.owner.admin, both.file), 404, "not_found")


def test_what_is_held_keeps_its_files(stage: Stage) -> None:
    put(stage.owner.admin, stage.file)
    with begin(stage.engine) as connection, Session(connection) as session:
        hold(session, stage.leaf, "a filing", None)
        session.commit()
    for answer in (stage.erase(), stage.owner.admin.delete(f"/api/v1/attachments/{stage.file.digest}")):
        check_problem(answer, 409, "held")
    assert get(stage.owner.admin, stage.file).status_code == 200


def test_an_owner_removes_a_file_and_hands_it_in_again(stage: Stage) -> None:
    file, before = stage.file, rows(stage, SealedPartRow)
    put(stage.owner.admin, file)
    path = f"/api/v1/attachments/{file.digest}"
    check_problem(stage.customer.admin.delete(path), 404, "not_found")
    assert stage.owner.admin.delete(path).json() == {"digest": file.digest, "removed": True}
    assert rows(stage, SealedPartRow) == before
    check_problem(get(stage.owner.admin, file), 404, "not_found")
    assert put(stage.owner.admin, file).json()["existed"] is False


def test_a_file_whose_statement_is_erased_while_it_comes_is_not_kept(both: Stage) -> None:
    """The check before the body is made again when it is stored."""
    with both.receiving() as taken:
        taken.write(both.file.sent)
        assert both.erase().status_code == 201
        with pytest.raises(NotFoundError):
            taken.finish()
    assert both.row() is None


# -- in evidence files -------------------------------------------------------------------------------------------------


def evidence_for(stage: Stage, reader: Company, *, attachments: bool = True) -> bytes:
    """The evidence file of the owner's result of its product, made for `reader`."""
    by = stage.owner.admin
    asked = {"product": stage.product, "rule_set": "everbatt-2023-cradle-to-gate", "reader": stage.owner.uri}
    digest = by.post("/api/v1/footprints", json=asked).json()["digest"]
    stage.exchange.publish()
    answer = by.post("/api/v1/evidence", json={"reader": reader.uri, "results": [digest], "attachments": attachments})
    assert answer.status_code == 200, answer.text
    return answer.content


def test_evidence_carries_the_files_that_its_reader_was_granted(stage: Stage) -> None:
    put(stage.owner.admin, stage.file)
    name, anchors = f"attachments/{stage.file.digest}", stage.exchange.services.installation.trust_file
    own = evidence_for(stage, stage.owner)
    assert read_evidence(own)[1][name] == stage.file.sent
    verdict = verify_evidence(own, anchors)
    assert verdict.code == "verified", (verdict.text, verdict.where)
    assert any("1 of 1 files that they name" in step.evidence for step in verdict.steps)
    assert name not in read_evidence(evidence_for(stage, stage.owner, attachments=False))[1]
    stage.grant(stage.verifier, "full")
    assert name not in read_evidence(evidence_for(stage, stage.verifier))[1], "the line isn't the file"
    stage.grant(stage.verifier, "full+evidence")
    given = evidence_for(stage, stage.verifier)
    assert read_evidence(given)[1][name] == stage.file.sent
    assert (stage.verifier.uri, "export", ["inputs/bill+evidence"], 1) in stage.log()


def test_a_file_in_evidence_that_nobody_names_or_that_was_changed_is_refused(stage: Stage) -> None:
    put(stage.owner.admin, stage.file)
    name, anchors = f"attachments/{stage.file.digest}", stage.exchange.services.installation.trust_file
    manifest, members = read_evidence(evidence_for(stage, stage.owner))
    about = {key: manifest[key] for key in ("origin", "reader", "size")}
    other = f"attachments/{'0' * 64}"
    for changed, where in (
        ({**members, name: members[name] + b"0"}, name),
        ({**members, other: members[name]}, other),
    ):
        verdict = verify_evidence(write_evidence(changed, about), anchors)
        assert (verdict.code, where in str(verdict.where)) == ("rejected", True)
    del members[name]
    verdict = verify_evidence(write_evidence(members, about), anchors)
    assert verdict.code == "verified", "harmless: the statement stands without the file, and the step counts it"
    assert any("0 of 1 files that they name" in step.evidence for step in verdict.steps)
