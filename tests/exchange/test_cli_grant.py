"""``packtrace grant``: from the preview to the log, on a real server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from exchange.cli.main import command_line
from exchange.server import bind, make_server
from exchange.settings import Settings
from tests.flow.world import Exchange, salt


@pytest.fixture
def address(sqlite_exchange: Exchange) -> Iterator[str]:
    """The exchange, served on a port."""
    listener = bind("127.0.0.1", 0, or_free=False)
    settings = Settings(data=sqlite_exchange.services.installation.folder, checkpoint_seconds=60)
    server, running = make_server(sqlite_exchange.services, settings, listener)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        assert thread.is_alive()
        thread.join(0.02)
    yield running.address
    server.should_exit = True
    thread.join(10)
    listener.close()


def test_a_grant_from_preview_to_withdrawal(sqlite_exchange: Exchange, address: str) -> None:
    owner, reader = sqlite_exchange.member("owner"), sqlite_exchange.member("reader")
    stated = salt(owner)["leaf_hash"]
    data = str(sqlite_exchange.services.installation.folder)

    def run(*words: str, code: int = 0) -> str:
        done = CliRunner().invoke(command_line(), ["grant", *words, "--server", address, "--data", data])
        assert done.exit_code == code, done.output
        return done.output

    terms = ["--owner", owner.uri, "--reader", reader.uri, "--statement", stated, "--until", "2026-02-01"]
    previewed = run("preview", "sub", "contents", *terms)
    assert f"  sub: {owner.product('salt')}\n" in previewed
    assert "  follows: inputs: not complete, 1 of 1 lines are sealed" in previewed
    assert "reaches no copy" in previewed
    assert run("list") == "no grants given\n"
    made = json.loads(run("add", "sub", "contents", *terms, "--json"))
    assert (made["paths"], made["valid_until"], made["existed"]) == (["contents", "sub"], "2026-02-01", False)
    assert made["id"] in run("add", "sub", "contents", *terms)
    assert [one["id"] for one in json.loads(run("list", "--received", "--json"))["grants"]] == [made["id"]]
    assert run("log") == "nobody took anything\n"
    sqlite_exchange.http.get(f"/api/v1/statements/{stated}", params={"reader": reader.uri})
    assert f"{reader.uri}, read of {stated}, 1 times: contents sub" in run("log")
    ended = run("withdraw", made["id"])
    assert f"a copy stays: {reader.uri}, read of {stated}, 1 times" in ended
    assert "no such grant" in run("withdraw", "01890a5d-ac96-774b-bcce-b302099a8057", code=1)
    assert "no disclosure at this path" in run("add", "total", *terms, code=1)
    about = [
        "--owner",
        owner.uri,
        "--reader",
        reader.uri,
        "--product",
        owner.product("salt"),
        "--kind",
        "activity-data",
    ]
    assert f"every activity-data of {owner.product('salt')}" in run("add", "note", *about)
