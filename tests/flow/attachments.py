"""Files that figures rest on, for tests: small ones of every type that is taken, named and handed in."""

from __future__ import annotations

import hashlib
import io
import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import httpx2
from fastapi.testclient import TestClient

from exchange.kinds import ACTIVITY_DATA
from tests.flow.accounts import Company
from tests.flow.world import activity, line

PDF = b"%PDF-1.7\nmeter 7731, 4711 kWh\n%%EOF\n"


def workbook(*names: str) -> bytes:
    """A zip with files of these names, a workbook's unless stated."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name in names or ("[Content_Types].xml", "xl/workbook.xml", "xl/worksheets/sheet1.xml"):
            archive.writestr(name, "<x/>" * 50)
    return held.getvalue()


@dataclass(frozen=True)
class File:
    """A file with its salt."""

    content: bytes = PDF
    salt: bytes = b"s" * 32

    @property
    def sent(self) -> bytes:
        """As it travels."""
        return self.salt + self.content

    @cached_property
    def digest(self) -> str:
        """As a line names it."""
        return hashlib.sha256(self.sent).hexdigest()


def state_with(owner: Company, product: str, *files: File, **claims: Any) -> dict[str, Any]:
    """Submit activity data whose line `bill` names these files; another line, `other`, names none. Return the receipt."""
    named = {"evidence": [file.digest for file in files]} if files else {}
    lines = (
        line(id="bill", name="salt", flow="nickel-sulfate", composition={"formula": "NiSO4"}, **named),
        line(id="other", name="copper", flow="copper"),
    )
    issued = owner.member.sign(ACTIVITY_DATA, activity(product, *lines, **claims))
    answer = owner.admin.post(
        "/api/v1/statements", json={"statement": "~".join([issued.token, *issued.disclosures, ""])}
    )
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def put(client: TestClient, file: File, *, digest: str | None = None, sent: bytes | None = None) -> httpx2.Response:
    """Hand a file in."""
    content = file.sent if sent is None else sent
    return client.put(f"/api/v1/attachments/{digest or file.digest}", content=content)


def get(client: TestClient, file: File) -> httpx2.Response:
    """Ask for a file."""
    return client.get(f"/api/v1/attachments/{file.digest}")
