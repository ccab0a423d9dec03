"""The pages of filings, engagements and the authority: what they say to whom, and that nobody else finds them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest

from exchange.kinds import BATTERY_MODEL, FILING_EVENT
from exchange.web import filings as pages
from tests.exchange.test_engagement import Supplied, desk_of
from tests.exchange.test_web import HOSTILE_LINE, HOSTILE_MODEL, Page
from tests.flow.accounts import Company, browser
from tests.flow.engagement import accredited
from tests.flow.filing import Desk, Pack, model_claims, stated
from tests.flow.world import Exchange, Member

EVERYWHERE = (
    "/filings",
    "/filings/{filing}",
    "/engagements/{engagement}",
    "/authority",
    "/engagements/{engagement}/lines/0",
)


@dataclass
class Scene:
    """A filing whose verifier has found something, one that was returned, a model without one, a rival, and a maker without account."""

    desk: Supplied
    returned: Desk
    rival: Company
    unclaimed: Member

    def path(self, path: str) -> str:
        """An address about the filing that is verified."""
        return path.format(filing=self.desk.id, engagement=self.desk.work.id)

    def page(self, path: str, who: Company | None = None) -> Page:
        """A page as a company's admin sees it."""
        answer = (who or self.desk.maker).admin.get(self.path(path))
        assert answer.status_code == 200, (path, answer.text)
        return Page(answer.text)

    def text(self, path: str, who: Company | None = None) -> str:
        """The words of it."""
        return " ".join(self.page(path, who).text.split())

    @property
    def parties(self) -> dict[str, tuple[Company, tuple[str, ...]]]:
        """Who finds which pages."""
        desk = self.desk
        return {
            "filer": (desk.maker, EVERYWHERE[:3]),
            "verifier": (desk.verifier, (*EVERYWHERE[:3], EVERYWHERE[4])),
            "authority": (desk.authority, EVERYWHERE[:4]),
            "supplier": (desk.supplier, EVERYWHERE[:1]),
            "rival": (self.rival, EVERYWHERE[:1]),
        }


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    folder = tmp_path_factory.mktemp("pages")
    exchange = Exchange.open(folder / "data", f"sqlite:///{folder / 'exchange.sqlite'}")
    desk = desk_of(exchange)
    accredited(desk.verifier)
    returned = Desk(Pack(desk.maker, "p200").state(model=HOSTILE_MODEL), desk.verifier, desk.authority).reach("filed")
    remarks = [{"id": "r1", "to": "filer", "text": HOSTILE_LINE, "step": "plan"}]
    returned.take("review", outcome="returned", remarks=remarks)
    stated(desk.maker, "battery-model", model_claims(desk.maker.member.product("n622"), "NMC622"))
    desk.reach("under_verification")
    work = desk.work.reach("sampled")
    ask = {"leaf_hash": desk.pack.cited["sealed"]["leaf_hash"], "period": {"start": "2025-01-01", "end": "2025-12-31"}}
    deadline = (exchange.clock() + timedelta(days=14)).isoformat()
    asked = desk.verifier.admin.post(f"/api/v1/engagements/{work.id}/sights", json={**ask, "deadline": deadline})
    assert asked.status_code == 201, asked.text
    said = {"finding": "F1", "severity": "minor", "concerned": desk.maker.uri, "text": HOSTILE_LINE}
    work.take("find", None, **said)
    said = {
        "finding": "F2",
        "severity": "major",
        "concerned": desk.supplier.uri,
        "text": "7731 isn't what the bill says",
    }
    work.take("find", None, **said)
    other = exchange.member("other", "pack_maker")
    other.state(BATTERY_MODEL, model_claims(other.product("p9")))
    named = {"product": other.product("p9"), "organisation": other.uri}
    other.state(FILING_EVENT, exchange.http.get("/api/v1/filings/draft", params=named).json()["claims"])
    yield Scene(desk, returned, Company.join(exchange, "rival", roles=["pack_maker"]), other)
    exchange.close()


# -- what a page says --------------------------------------------------------------------------------------------------------


def test_a_maker_sees_what_is_missing_and_how_far_each_filing_has_come(scene: Scene) -> None:
    said, page = scene.text("/filings"), scene.page("/filings")
    duties = scene.desk.maker.admin.get("/api/v1/duties").json()
    assert len(duties["coverage"]["missing"]) == 3
    for missing in (*duties["coverage"]["missing"], *(one["why"] for one in duties["models"])):
        assert missing in said
    assert "under verification" in page.row("P100 LFP · Plant 1")
    assert {f"/filings/{one.id}" for one in (scene.desk, scene.returned)} <= set(page.links)
    assert "1 to answer" in said
    assert all(one["assumption"] in said for one in duties["unstated"])
    assert "/authority" not in page.links


def test_a_filing_shows_its_figure_its_chain_and_what_comes_next(scene: Scene) -> None:
    found, page = scene.desk.show(scene.desk.maker), scene.page("/filings/{filing}")
    said = " ".join(page.text.split())
    assert found["figure"].startswith(re.findall(r"of this filing ([0-9.]+) kg CO₂e/kWh", said)[0][:-1])
    assert "Next: verify, by the verifier." in said
    for one in found["steps"]:
        assert f"/entries/{one['index']}" in page.links, "its own statements, all of them"
        assert one["state"].replace("_", " ") in page.row(one["step"])
    assert f"/results/{found['result']}" in page.links
    assert f"/engagements/{scene.desk.work.id}" in page.links
    assert page.row("total").endswith("agrees")
    again = " ".join(Page(scene.desk.maker.admin.get(f"/filings/{scene.returned.id}").text).text.split())
    assert "Next: plan, by the filer." in again
    assert (
        f"To the filer, about the step plan, entry {scene.returned.show(scene.desk.maker)['steps'][-1]['index']}"
        in again
    )


def test_a_stale_filing_says_why(sqlite_exchange: Exchange) -> None:
    maker = Company.join(sqlite_exchange, "maker", roles=["supplier", "pack_maker"])
    desk = Desk(Pack(maker).state(), maker, maker).reach("exported")
    stated(maker, "withdrawal", {"target": desk.pack.cited["activity"], "reason": "the meter was wrong"})
    (why,) = desk.show(maker)["stale"]
    text = Page(maker.admin.get(f"/filings/{desk.id}").text).text
    assert why in text
    assert "The platform's result isn't stated yet" in text


def test_the_verifier_at_work_sees_lines_and_what_they_weigh_and_the_filer_neither(scene: Scene) -> None:
    work, desk = scene.desk.work, scene.desk
    page, lines = scene.page("/engagements/{engagement}", desk.verifier), work.get("/lines").json()
    for one in lines["lines"]:
        row = page.row(f"{one['name']} side by side")
        assert row.endswith(f"{one['signer'].removeprefix('https://')} agrees")
        assert f"/engagements/{work.id}/lines/{one['item'].partition('/')[2]}" in page.links
    said = " ".join(page.text.split())
    weighing = work.get("/weighing").json()
    assert all(why in said for one in weighing["opinions"].values() for why in one["against"])
    assert work.show()["plan"]["seed"] in said
    assert "7731 isn't what the bill says" in said
    filer = scene.text("/engagements/{engagement}", desk.maker)
    for kept in (work.show()["plan"]["seed"], "7731", desk.supplier.uri, "cathodes.example", "Against materiality"):
        assert kept not in filer
    assert "It concerns a supplier, who alone reads it and answers it." in filer
    assert "asked, not given yet" in filer


def test_a_line_stands_side_by_side(scene: Scene) -> None:
    work = scene.desk.work
    for one in work.get("/lines").json()["lines"]:
        part = f"/lines/{one['item'].partition('/')[2]}"
        found, page = work.get(part).json(), scene.page("/engagements/{engagement}" + part, scene.desk.verifier)
        said = " ".join(page.text.split())
        again = found["recalculation"]
        for told in (again["formula"], f"{again['kg_co2e']} kg CO₂e", "computed anew, agrees"):
            assert told in said
        if found["factor"]:
            assert found["factor"]["source"] in said
        if found["stated"]:
            assert json.dumps(found["stated"], ensure_ascii=False, indent=1) in page.text
        assert (f"/entries/{found['entry']}" in page.links) == (found["entry"] is not None)


def test_a_supplier_reads_the_finding_about_its_data_and_not_whose_result_it_is_in(scene: Scene) -> None:
    said = scene.text("/filings", scene.desk.supplier)
    assert "7731 isn't what the bill says" in said
    assert scene.desk.maker.uri not in said
    assert "maker.example" not in said


def test_an_authority_sees_all_makers_and_looks_through_filings(scene: Scene) -> None:
    desk, page = scene.desk, scene.page("/authority", scene.desk.authority)
    said = " ".join(page.text.split())
    assert "3 filings of 2 makers" in said
    assert page.row("registered").startswith("registered 2")
    missing = desk.maker.admin.get("/api/v1/duties").json()["coverage"]["missing"]
    assert all(one in page.row("maker.example") for one in missing)
    chosen = scene.page("/authority?state=under_verification&chemistry=LFP", desk.authority)
    assert f"/filings/{desk.id}" in chosen.links
    assert f"/filings/{scene.returned.id}" not in chosen.links
    assert "There is none of these." in scene.text("/authority?maker=https://nobody.example", desk.authority)
    assert HOSTILE_LINE in page.text, "remarks without an answer"
    assert "/authority" in scene.page("/filings", desk.authority).links


def test_lists_go_on_where_they_end(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "SHOWN", 1)
    monkeypatch.setattr(pages, "MAKERS_SHOWN", 1)
    for first, who in (("/filings", scene.desk.maker), ("/authority", scene.desk.authority)):
        path, found = first, list[str]()
        while path:
            page = scene.page(path, who)
            found += [link for link in page.links if link.startswith("/filings/")]
            path = next((link for link in page.links if re.search(r"[?&]after=", link)), "")
        assert len(found) == len(set(found)) == (2 if who is scene.desk.maker else 3)
        assert {f"/filings/{one.id}" for one in (scene.desk, scene.returned)} <= set(found), first
    assert any("finding_after=" in link for link in scene.page("/filings", scene.desk.supplier).links)
    assert any("engagement_after=" in link for link in scene.page("/filings", scene.desk.verifier).links)
    assert any("maker_after=" in link for link in scene.page("/authority", scene.desk.authority).links)


# -- who sees what -----------------------------------------------------------------------------------------------------------


def test_who_isn_t_a_party_finds_a_page_that_says_so(scene: Scene, subtests: pytest.Subtests) -> None:
    for name, (who, found) in scene.parties.items():
        for path in EVERYWHERE:
            with subtests.test(f"{name}: {path}"):
                answer = who.admin.get(scene.path(path))
                assert answer.status_code == (200 if path in found else 404)
                if path not in found:
                    assert "There is nothing here" in answer.text
    for path in EVERYWHERE:
        assert browser(scene.desk.maker.exchange).get(scene.path(path)).status_code == 401
        other = scene.rival.admin.get(scene.path(path), params={"organisation": scene.desk.maker.uri})
        assert other.status_code == 404, "nobody speaks for others"
        assert "P100" not in other.text


@pytest.mark.parametrize(
    "path",
    ["/filings/x", "/filings/" + "0" * 36, "/engagements/" + "0" * 64, "/engagements/x", "/authority?state=nonsense"],
)
def test_what_is_not_there_is_a_page(scene: Scene, path: str) -> None:
    assert scene.desk.authority.admin.get(path).status_code == 404


def test_the_operator_stands_in_for_who_has_no_account(scene: Scene) -> None:
    exchange = scene.desk.maker.exchange
    page = Page(exchange.http.get("/filings", params={"organisation": scene.unclaimed.uri}).text)
    (link,) = [link for link in page.links if link.startswith("/filings/")]
    assert "P9" in Page(exchange.http.get(link).text).text
    assert exchange.http.get(link.partition("?")[0]).status_code == 404, "for whom it asks is in the address"
    assert exchange.http.get("/filings", params={"organisation": scene.rival.uri}).status_code == 404


# -- what a page may not do ----------------------------------------------------------------------------------------------------


def test_names_are_text_and_nothing_needs_more_than_the_policy_allows(scene: Scene) -> None:
    shown = ""
    for who, found in scene.parties.values():
        for path in (*found, *([f"/filings/{scene.returned.id}"] if "/filings/{filing}" in found else [])):
            answer = who.admin.get(scene.path(path))
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            page = Page(answer.text)
            shown += page.text
            for tag, attributes in page.tags:
                assert tag not in ("script", "style", "iframe", "object", "base", "form", "img"), path
                assert not [name for name in attributes if name == "style" or name.startswith("on")]
    assert HOSTILE_MODEL in shown
    assert HOSTILE_LINE in shown


def test_every_link_is_ours_and_answers_to_whom_it_is_shown(scene: Scene, subtests: pytest.Subtests) -> None:
    for name, (who, found) in scene.parties.items():
        links = {link for path in found for link in scene.page(path, who).links}
        for link in sorted(links):
            with subtests.test(f"{name}: {link}"):
                assert link.startswith(("/", "#"))
                assert not link.startswith("//")
                assert link.startswith("#") or who.admin.get(link).status_code == 200
