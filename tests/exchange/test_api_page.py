"""docs/api.md is true: its example runs against a real server, it knows every operation, and every code that a refusal has."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from exchange.api.problems import _STATUS, MEDIA_TYPE
from exchange.server import serving
from exchange.settings import Settings
from ledger import leaf_hash
from signer import leaf_bytes, peek
from tests.flow.test_bad_input import REQUESTS, STATEMENTS
from tests.flow.world import Exchange

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text("utf-8")
FORMATS = "\n".join(page.read_text("utf-8") for page in (ROOT / "docs" / "formats").glob("*.md"))


@pytest.fixture
def document(sqlite_exchange: Exchange) -> dict[str, dict[str, dict[str, dict[str, object]]]]:
    """The operations of the OpenAPI document, by path and method."""
    paths: dict[str, dict[str, dict[str, dict[str, object]]]] = sqlite_exchange.http.get("/api/v1/openapi.json").json()[
        "paths"
    ]
    return paths


def test_the_example_runs(tmp_path: Path) -> None:
    example = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert example is not None
    with serving(Settings(data=tmp_path / "data", port=0)) as running:
        arguments = [running.address, running.services.installation.token]
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", example[1], *arguments],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert run.returncode == 0, run.stderr
    admitted, refused = run.stdout.splitlines()
    assert re.fullmatch(r"entry \d+ by https://salts\.example, leaf hash [0-9a-f]{64}", admitted)
    assert re.fullmatch(r"400 [a-z_]+ at .+ - .+", refused)


def test_every_operation_is_on_the_page(document: dict[str, dict[str, dict[str, object]]]) -> None:
    served = {f"{method.upper()} {path}" for path, methods in document.items() for method in methods}
    listed = set(re.findall(r"^\| `([A-Z]+ /[^`]+)` \|", PAGE, re.MULTILINE))
    assert listed == served


def test_every_code_of_a_refusal_is_on_the_page_or_on_a_format_s() -> None:
    codes = {code for _send, _status, code in (*STATEMENTS.values(), *REQUESTS.values())}
    assert len(codes) > 30
    assert [code for code in sorted(codes) if f"`{code}`" not in PAGE + FORMATS] == []


def test_every_status_of_a_refusal_is_on_the_page() -> None:
    rows = dict(re.findall(r"^\| (\d{3}(?:, \d{3})*) \| (.+) \|$", PAGE, re.MULTILINE))
    listed = {int(status): text for statuses, text in rows.items() for status in statuses.split(", ")}
    for error, status in _STATUS:
        assert f"`{error.code}`" in listed[status], error  # type: ignore[attr-defined]
    for _send, status, code in REQUESTS.values():
        assert status == 400 or f"`{code}`" in listed[status], code


def test_every_operation_documents_its_refusals(document: dict[str, dict[str, dict[str, dict[str, object]]]]) -> None:
    for path, methods in document.items():
        for method, operation in methods.items():
            refusals = {status for status in operation["responses"] if not status.startswith("2")}
            # OAuth has a form of its own for refusals.
            assert refusals == ({"400", "401", "default"} if path == "/oauth/token" else {"default"}), (
                f"{method} {path}"
            )
            refusal = "default"
            content = operation["responses"][refusal]["content"]  # type: ignore[index]
            assert content.keys() == {MEDIA_TYPE}
            members = content[MEDIA_TYPE]["schema"]["required"]
            assert {"type", "title", "status", "detail", "code", "where", "remedy"} == set(members)


@pytest.mark.parametrize(
    ("path", "served"),
    [
        ("/api/v1/log", "/api/v1/log"),
        ("/api/v1/checkpoint", "/api/v1/checkpoint"),
        ("/api/v1/proofs/inclusion", "/api/v1/proofs/inclusion?index=0"),
        ("/ledger/{path}", "/ledger/checkpoint"),
        ("/ledger/{path}", "/ledger/tile/entries/000.p/1"),
    ],
)
def test_an_answer_is_of_the_documented_sort(
    sqlite_exchange: Exchange, document: dict[str, dict[str, dict[str, dict[str, object]]]], path: str, served: str
) -> None:
    sqlite_exchange.publish()
    (size,) = re.findall(r"covers (\d+) entries", sqlite_exchange.http.get("/").text)
    answer = sqlite_exchange.http.get(served.replace(".p/1", f".p/{size}"))
    assert answer.status_code == 200
    content = document[path]["get"]["responses"]["200"]["content"]  # type: ignore[index]
    assert answer.headers["content-type"].partition(";")[0] in content


def test_the_documented_form_is_the_answered_one(sqlite_exchange: Exchange) -> None:
    answered = sqlite_exchange.http.get("/api/v1/entries/99").json()
    operation = sqlite_exchange.http.get("/api/v1/openapi.json").json()["paths"]["/api/v1/entries/{index}"]["get"]
    schema = operation["responses"]["default"]["content"][MEDIA_TYPE]["schema"]
    assert answered.keys() == set(schema["required"])
    assert schema["properties"].keys() - answered.keys() == {"findings"}


def test_an_entry_is_what_the_page_says(sqlite_exchange: Exchange) -> None:
    entry = sqlite_exchange.http.get("/api/v1/entries/0").json()
    members = re.search(r"An entry is what everybody may see of a statement: (.*?)\. To check", PAGE, re.DOTALL)
    assert members is not None
    assert set(re.findall(r"`(\w+)`", members[1])) == entry.keys()
    assert leaf_hash(leaf_bytes(entry["token"])).hex() == entry["leaf_hash"]
    assert peek(entry["token"]).issuer == entry["issuer"]
