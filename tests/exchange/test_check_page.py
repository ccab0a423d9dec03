"""The check page in a real browser: dropped files, the vectors, and that it asks nobody for anything."""

from __future__ import annotations

import base64
import io
import json
import os
import threading
import zipfile
from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from exchange.sealing import CHUNK
from exchange.web import STATIC
from exchange.web.check_page import check_page
from tests.exchange.browser import Browser
from tests.exchange.test_sealing import member, sealed
from tests.vectors.check.make import VECTORS

pytestmark = pytest.mark.long
PICTURE = "PACKTRACE_TEST_PICTURE"
#: Drops the files of each case, checks, and reads verdict and reason; in the page, since 136 cases by hand take long.
RUN = """(async (cases) => {
  const tick = () => new Promise((done) => setTimeout(done, 1));
  const byId = (id) => document.getElementById(id);
  const answers = {};
  for (const [name, files] of cases) {
    document.querySelector("button[type=reset]").click();
    await tick();
    const data = new DataTransfer();
    for (const [name, text] of files) data.items.add(new File([text], name));
    byId("drop").dispatchEvent(new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true }));
    while (!byId("trouble").textContent && byId("at-hand").querySelectorAll("li:not(.none)").length < files.length) await tick();
    if (byId("trouble").textContent) {
      answers[name] = ["trouble", byId("trouble").textContent];
      continue;
    }
    document.querySelector("button[type=submit]").click();
    await tick();
    while (byId("result").hidden && !byId("trouble").textContent) await tick();
    const said = byId("result").hidden ? "trouble" : byId("verdict").dataset.code;
    answers[name] = [said, byId("why").textContent];
  }
  return answers;
})"""


@pytest.fixture(scope="module")
def vectors() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(VECTORS.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser with the page as it was saved to a disk."""
    folder = tmp_path_factory.mktemp("check")
    (folder / "check.html").write_bytes(check_page().html)
    with Browser(folder / "profile") as browser:
        browser.open(f"file://{folder / 'check.html'}")
        yield browser


def case_files(vectors: dict[str, Any], case: dict[str, Any]) -> list[tuple[str, str]]:
    trust = None if case["trust"] is None else vectors["trusts"][case["trust"]]
    given = (("statement", case["presentation"]), ("a.tlog-proof", case["proof"]), ("trust.json", trust))
    return [(name, text) for name, text in given if text is not None]


def test_the_saved_page_answers_the_vectors_as_they_say(browser: Browser, vectors: dict[str, Any]) -> None:
    cases = [(case["name"], case_files(vectors, case)) for case in vectors["cases"]]
    said = browser.run(f"{RUN}({json.dumps(cases)})")
    # What doesn't even begin like a proof never comes as far as a verdict.
    due = {case["name"]: case["verdict"] for case in vectors["cases"]} | {"empty_proof": "trouble"}
    assert {name: verdict for name, (verdict, _why) in said.items()} == due
    for case in vectors["cases"]:
        if case["error"] and case["verdict"] != "unreadable" and case["name"] != "empty_proof":
            assert f"({case['error']}, at " in said[case["name"]][1]
    assert [address for address in browser.requests if not address.startswith("file:///")] == []
    assert browser.complaints == []


def test_dropped_files_are_checked_and_shown_as_text(browser: Browser, vectors: dict[str, Any], tmp_path: Path) -> None:
    case = next(case for case in vectors["cases"] if case["name"] == "one_witness")
    files = []
    for name, text in case_files(vectors, case):
        files.append(tmp_path / name)
        files[-1].write_text(text, encoding="utf-8")
    browser.run("document.querySelector('button[type=reset]').click()")
    browser.drop("#drop", *files)
    browser.wait("document.querySelectorAll('#at-hand li:not(.none)').length === 3")
    browser.run("document.querySelector('button[type=submit]').click()")
    browser.wait("!document.getElementById('result').hidden")
    if os.environ.get(PICTURE):
        browser.screenshot(Path(os.environ[PICTURE]))
    shown = browser.run("document.getElementById('result').innerText")
    assert shown.startswith("Verified")
    for expected in (
        "witnessed by w1 (south.example/w)",
        "certified directly by an authority",
        "no claim is hidden",
        "https://cells.example",
    ):
        assert expected in shown
    # Markup is text, and a change of direction is spelt out.
    assert "氢氧化锂 <b>" in shown
    assert "nickel sulphate\\u202e" in shown
    assert browser.run("document.querySelectorAll('#claims b').length") == 0
    assert browser.run("document.activeElement.id") == "verdict"


def test_an_entry_of_an_evidence_file_is_trust_on_first_use(
    browser: Browser, vectors: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "a.packtrace").write_bytes(base64.b64decode(vectors["archive"]["file"]))
    (tmp_path / "trust").write_text(vectors["archive"]["trust"])
    browser.run("document.querySelector('button[type=reset]').click()")
    for files, verdict in (([tmp_path / "a.packtrace"], "Trust on first use"), ([tmp_path / "trust"], "Verified")):
        browser.run("window.scrollTo(0, 0)")
        browser.drop("#drop", *files)
        browser.wait(f"document.getElementById('at-hand').innerText.includes('{files[0].name}')")
        assert browser.run("[...document.getElementById('entry').options].map((one) => one.value)") == [
            "0",
            "1",
            "2",
            "3",
        ]
        browser.run(
            "document.getElementById('entry').value = '3'; document.querySelector('button[type=submit]').click()"
        )
        browser.wait("!document.getElementById('result').hidden")
        assert browser.run("document.getElementById('verdict').innerText").startswith(verdict)
    assert "urn:packtrace:activity-data:1" in browser.run("document.getElementById('facts').innerText")


def test_a_verdict_goes_when_what_is_at_hand_changes(browser: Browser, vectors: dict[str, Any], tmp_path: Path) -> None:
    archive, trust, other = (tmp_path / name for name in ("a.packtrace", "trust", "photo.jpg"))
    archive.write_bytes(base64.b64decode(vectors["archive"]["file"]))
    trust.write_text(vectors["archive"]["trust"])
    other.write_bytes(b"\xff\xd8 not ours")
    is_hidden = "document.getElementById('result').hidden"

    def check() -> str:
        browser.run("document.querySelector('button[type=submit]').click()")
        browser.wait(f"!{is_hidden}")
        return str(browser.run("document.getElementById('checked').textContent"))

    browser.run("document.querySelector('button[type=reset]').click()")
    browser.run("window.scrollTo(0, 0)")
    browser.drop("#drop", archive, trust)
    browser.wait("document.querySelectorAll('#at-hand li:not(.none)').length === 2")
    browser.run("document.getElementById('entry').value = '3'")
    checked = check()
    for expected in ("a.packtrace", "trust", "entry 条目 3"):
        assert expected in checked
    # Another entry, a text, and a file, whether it is taken or not.
    for id_, value in (("entry", "2"), ("pasted", "e30.e30.AA")):
        browser.run(
            f"((one) => {{ one.value = '{value}'; one.dispatchEvent(new Event('input')); }})(document.getElementById('{id_}'))"
        )
        assert browser.run(is_hidden), id_
        browser.run("document.getElementById('pasted').value = ''")
        assert "entry 条目 2" in check()
    for file in (archive, other):
        browser.run("window.scrollTo(0, 0)")
        browser.drop("#drop", file)
        browser.wait(is_hidden)
        check()
    # One that is still under way when something changes never comes to be shown.
    browser.run(
        """(() => {
          const verify = SubtleCrypto.prototype.verify;
          SubtleCrypto.prototype.verify = async function (...given) {
            SubtleCrypto.prototype.verify = verify;
            document.getElementById("entry").dispatchEvent(new Event("input"));
            globalThis.settled = new Promise((done) => setTimeout(() => done(true), 300));
            return verify.apply(this, given);
          };
          document.querySelector("button[type=submit]").click();
        })()"""
    )
    browser.wait("globalThis.settled")
    assert browser.run(is_hidden)
    check()


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ('[["photo.jpg", "\\u00ff\\u00d8 not ours"]]', "photo.jpg: not a statement"),
        ('[["large", "A".repeat(33 * 2 ** 20)]]', "large: more than 32 MiB"),
        ('Array(17).fill(["many", "e30.e30.AA"])', "more than 16 files"),
        ('[["cut.packtrace", "PK\\u0003\\u0004"]]', "not an evidence file: it has no directory"),
    ],
    ids=["no part", "too large", "too many", "cut archive"],
)
def test_what_is_no_part_is_said_and_the_rest_is_taken(browser: Browser, files: str, said: str) -> None:
    browser.run("document.querySelector('button[type=reset]').click()")
    given = f'{files}.concat([["good", "e30.e30.AA"]])'
    browser.run(
        f"""(() => {{
          const data = new DataTransfer();
          for (const [name, text] of {given}) data.items.add(new File([text], name));
          const dropped = new DragEvent("drop", {{ dataTransfer: data, bubbles: true, cancelable: true }});
          document.getElementById("drop").dispatchEvent(dropped);
        }})()"""
    )
    browser.wait("document.getElementById('trouble').textContent !== ''")
    assert said in browser.run("document.getElementById('trouble').textContent")
    at_hand = browser.run("document.getElementById('at-hand').innerText")
    assert ("good" in at_hand) == (said != "more than 16 files")


def sealed_file() -> bytes:
    """What is encrypted to a reader, and larger than one chunk."""
    return sealed(bytes(2 * CHUNK), member())


def other_zip() -> bytes:
    """A zip as others make them: two files, compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("statement", "e30.e30.AA" * 50)
    return buffer.getvalue()


def stored_zip() -> bytes:
    """The same, not compressed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("statement", "e30.e30.AA")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "made", "said"),
    [
        (
            "a.packtrace",
            sealed_file,
            (
                "a.packtrace: an evidence file that is encrypted to its reader. This page takes no keys: check it with "
                "packtrace verify FILE --key KEY --trust TRUST"
            ),
        ),
        (
            "all.zip",
            other_zip,
            (
                "all.zip: a zip, and not an evidence file: a member is compressed; an evidence file as a whole is checked by "
                "packtrace verify FILE --trust TRUST"
            ),
        ),
        (
            "stored.zip",
            stored_zip,
            "stored.zip: a zip, and not an evidence file: no entry is in it; drop the files that are in it by themselves",
        ),
    ],
    ids=["encrypted", "compressed", "stored"],
)
def test_of_what_it_can_t_check_the_page_says_what_it_is_and_what_to_do(
    browser: Browser, tmp_path: Path, name: str, made: Callable[[], bytes], said: str
) -> None:
    (tmp_path / name).write_bytes(made())
    browser.run("document.querySelector('button[type=reset]').click()")
    browser.drop("#drop", tmp_path / name)
    browser.wait("document.getElementById('trouble').textContent !== ''")
    assert browser.run("document.getElementById('trouble').textContent") == said


def test_beside_the_entries_of_an_evidence_file_stands_what_checks_all_of_it(
    browser: Browser, vectors: dict[str, Any], tmp_path: Path
) -> None:
    (tmp_path / "a.packtrace").write_bytes(base64.b64decode(vectors["archive"]["file"]))
    browser.run("document.querySelector('button[type=reset]').click()")
    assert "packtrace verify" not in browser.run("document.getElementById('given').innerText")
    browser.drop("#drop", tmp_path / "a.packtrace")
    browser.wait("!document.getElementById('which').hidden")
    assert "packtrace verify FILE --trust TRUST" in browser.run("document.getElementById('given').innerText")


def test_the_page_may_open_no_connection(browser: Browser) -> None:
    assert browser.run("fetch('https://elsewhere.example').then(() => 'fetched', () => 'refused')") == "refused"
    assert any("connect-src" in complaint for complaint in browser.complaints)
    browser.complaints.clear()
    assert (
        browser.run("(() => { try { document.body.innerHTML = '<b>'; return 'set'; } catch { return 'refused'; } })()")
        == "refused"
    )
    browser.complaints.clear()


def test_the_folder_is_a_page_on_any_web_server(browser: Browser, vectors: dict[str, Any]) -> None:
    """With its modules as files, and no server of ours; comes last, since the browser leaves the saved page."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=STATIC.directory))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    browser.open(f"{address}/check/index.html")
    browser.wait("document.getElementById('asleep').hidden")
    case = next(case for case in vectors["cases"] if case["name"] == "ed25519_all")
    said = browser.run(f"{RUN}({json.dumps([(case['name'], case_files(vectors, case))])})")
    assert said[case["name"]][0] == "verified"
    assert browser.complaints == []
    assert {address.rpartition("/")[2] for address in browser.requests} >= {
        "page.js",
        "check.js",
        "kinds.js",
        "style.css",
    }
    assert all(one.startswith(f"{address}/") for one in browser.requests)
    server.shutdown()
    server.server_close()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_told: object) -> None:
        """Nothing."""
