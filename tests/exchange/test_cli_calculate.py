"""``packtrace footprint calculate|calculations|cancel|accept|keep`` and ``packtrace case``, against a served exchange."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from exchange.client import AnswerError, Client
from exchange.kinds import ACTIVITY_DATA, CERTIFICATE_RETIREMENT
from tests.exchange.stand import Stand, standing, until
from tests.flow.world import SITE, activity, line

RULES, OTHER_RULES = "everbatt-2023-cradle-to-gate", "iso-14067-cradle-to-gate"
MAKER = "https://maker.example"
PART = f"{MAKER}/part"


@pytest.fixture
def stand(tmp_path: Path) -> Iterator[Stand]:
    with standing(tmp_path) as found:
        found.join(MAKER)
        yield found


def stated(stand: Stand, amount: str, product: str = PART) -> dict[str, Any]:
    """State that a product takes so much nickel sulfate."""
    salt = line(name="salt", flow="nickel-sulfate", composition={"formula": "NiSO4"}) | {"amount": amount}
    return stand.state(MAKER, ACTIVITY_DATA, activity(product, salt))


def test_one_is_computed_at_once(stand: Stand) -> None:
    stated(stand, "2")
    ran = stand.run("footprint", "calculate", PART, "--rule-set", RULES, "--reader", MAKER)
    assert ran.exit_code == 0, ran.output
    first, headline, *_rest, last = ran.stdout.splitlines()
    assert first.startswith(f"{PART} under {RULES} ")
    assert "kg CO2e/kg, " in headline
    found = stand.found("footprint", "calculate", PART, "--rule-set", RULES, "--reader", MAKER)
    assert last == f"  result {found['digest']}"
    assert found["result"]["headline"]["printed"] in headline
    refused = stand.run("footprint", "calculate", f"{MAKER}/none", "--rule-set", RULES, "--reader", MAKER)
    assert refused.exit_code == 1
    assert "hard finding: no statement about this product is at hand" in refused.stderr
    wrong = stand.run("footprint", "calculate", PART, "--rule-set", "no-such-rules", "--reader", MAKER)
    assert (wrong.exit_code, wrong.stderr.count("\n")) == (1, 1)


def test_nothing_known_is_no_figure_and_not_decidable(stand: Stand) -> None:
    stand.state(MAKER, ACTIVITY_DATA, activity(PART, line(name="x", product=f"{MAKER}/unknown")))
    ran = stand.run("footprint", "calculate", PART, "--rule-set", RULES, "--reader", MAKER)
    assert ran.exit_code == 3, ran.output
    assert "missing: nothing is known of" in ran.stdout


def test_many_are_computed_in_the_background_and_followed_by_id(stand: Stand) -> None:
    products = [f"{MAKER}/{number}" for number in range(3)]
    for product in products[:2]:
        stated(stand, "1", product)
    rules = ["--rule-set", RULES, "--rule-set", OTHER_RULES, "--reader", MAKER]
    asked = stand.run("footprint", "calculate", *products[:2], *rules)
    assert asked.exit_code == 0, asked.output
    identity = asked.stdout.split()[1]
    assert f"packtrace footprint calculations {identity} --wait" in asked.stderr
    done = stand.found("footprint", "calculations", identity, "--wait")
    assert (done["state"], done["done"], done["total"], done["refused"]) == ("done", 4, 4, 0)
    assert [(one["product"], one["rule_set"]) for one in done["items"]] == [
        (product, rule) for product in products[:2] for rule in (RULES, OTHER_RULES)
    ]
    waited = stand.run("footprint", "calculate", *products, "--rule-set", RULES, "--reader", MAKER, "--wait")
    assert waited.exit_code == 1, waited.output
    assert "3 of 3, 1 refused" in waited.stdout
    assert f"{products[2]} under {RULES}: refused" in waited.stdout
    listed = stand.found("footprint", "calculations")["calculations"]
    assert [one["id"] for one in listed][1] == identity
    assert len(listed) == 2
    ended = stand.run("footprint", "cancel", identity)
    assert (ended.exit_code, ended.stderr.count("\n")) == (1, 1)
    assert "the calculation has ended" in ended.stderr


def test_a_calculation_that_waits_is_cancelled(stand: Stand) -> None:
    # So many that the first has no time to end before the second is asked for.
    stated(stand, "1")
    many = [PART, *(f"{MAKER}/{number}" for number in range(400))]
    identity = stand.client.calculate(many, [RULES, OTHER_RULES], MAKER)
    cancelled = stand.run("footprint", "cancel", identity)
    assert cancelled.exit_code == 0, cancelled.output
    assert "cancelled" in cancelled.stdout
    assert stand.found("footprint", "calculations", identity, "--wait", code=1)["state"] == "cancelled"


def test_an_interrupted_wait_says_how_to_go_on(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    stated(stand, "1")
    identity = stand.client.calculate([PART], [RULES], MAKER)

    def cut(*_given: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Client, "follow", cut)
    ran = stand.run("footprint", "calculations", identity, "--wait")
    assert (ran.exit_code, ran.stdout) == (130, "")
    assert ran.stderr.splitlines()[-1].endswith(f"packtrace footprint calculations {identity} --wait")
    monkeypatch.undo()
    assert stand.found("footprint", "calculations", identity, "--wait")["state"] == "done"


def stale_result(stand: Stand) -> str:
    stated(stand, "2")
    digest, _found = stand.client.footprint(PART, RULES, MAKER)
    stated(stand, "4")
    until(lambda: stand.client.stale(digest)["stale"])
    return digest


def test_the_effect_is_shown_before_a_stale_result_is_accepted(stand: Stand) -> None:
    digest = stale_result(stand)
    before = stand.client.stale(digest)["effect"]
    asked = stand.run("footprint", "accept", digest)
    assert asked.exit_code == 2, asked.output
    assert f"result {digest} is stale:" in asked.stderr
    assert "(+100 %)" in asked.stderr
    assert "--yes" in asked.stderr.splitlines()[-1]
    assert stand.client.stale(digest)["stale"]
    done = stand.run("footprint", "accept", digest, "--yes")
    assert done.exit_code == 0, done.output
    assert f"it was {before['before']['printed']}" in done.stderr
    assert f"recalculated today it is {before['after']['printed']}" in done.stderr
    successor = done.stdout.split()[2]
    (mark,) = stand.client.stale(digest)["causes"]
    assert (mark["decision"], mark["successor"]) == ("accepted", successor)
    again = stand.run("footprint", "accept", digest, "--yes")
    assert (again.exit_code, again.stderr.count("\n")) == (1, 1)


def test_a_stale_result_is_kept_for_a_reason(stand: Stand) -> None:
    digest = stale_result(stand)
    found = stand.found("footprint", "keep", digest, "--reason", "the year is closed", "--yes")
    assert (found["digest"], found["kept"], found["effect"]["percent"]) == (digest, "the year is closed", "100.00")
    (mark,) = stand.client.stale(digest)["causes"]
    assert (mark["decision"], mark["reason"]) == ("kept", "the year is closed")
    assert stand.run("footprint", "keep", digest, "--reason", "again", "--yes").exit_code == 1


def test_cases_are_listed_and_shown(stand: Stand) -> None:
    assert stand.run("case", "list").stdout == "no cases\n"
    assert stand.found("case", "list") == {"cases": []}
    missing = stand.run("case", "show", "00000000-0000-7000-8000-000000000000")
    assert (missing.exit_code, missing.stderr.count("\n")) == (1, 1)
    retired = {
        "registry": "GEC",
        "serials": [{"id": "s", "first": "W-1", "last": "W-9"}],
        "energy": {"amount": "9", "unit": "MWh", "obtained": "measured"},
        "month": "2025-01",
        "generation": "wind",
        "region": "CN",
        "site": SITE,
    }
    rival = stand.join("https://rival.example")
    stand.state(rival, CERTIFICATE_RETIREMENT, {"sub": f"{rival}/certificates", **retired})
    with pytest.raises(AnswerError, match="case"):
        stand.state(MAKER, CERTIFICATE_RETIREMENT, {"sub": f"{MAKER}/certificates", **retired})
    (one,) = stand.found("case", "list", "--open")["cases"]
    assert (one["about"], one["state"]) == ("certificates", "open")
    shown = stand.run("case", "show", one["id"])
    assert shown.exit_code == 0, shown.output
    assert shown.stdout.startswith(f"{one['id']}  open  certificates  since ")
    assert "to close it: supersede or withdraw the statement" in shown.stdout
