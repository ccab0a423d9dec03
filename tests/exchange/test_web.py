"""The pages: what they say of a result, that names can't do harm, and that a strict browser shows all of it."""

from __future__ import annotations

import http.client
import json
import os
import random
import re
import secrets
import shutil
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from hypothesis import given
from hypothesis import strategies as st

from bom_graph import load_rule_set
from exchange.app import create_app
from exchange.assembly import Demand
from exchange.database import engine_for
from exchange.identity import Application
from exchange.installation import open_installation
from exchange.kinds import ACTIVITY_DATA, BATTERY_MODEL, BILL_OF_MATERIALS, PRODUCT_FOOTPRINT, Kind
from exchange.server import bind, make_server
from exchange.services import Services, wire
from exchange.settings import Settings
from exchange.sharing import Terms
from exchange.web.figures import fixed, host, round_percent, short
from exchange.web.overview import overview
from exchange.web.result import LINES_SHOWN, result_view
from exchange.web.stages import bar_width, gap_slots, stage_bar, stage_names
from signer import KeyPair, issue, new_jti, proof_of_possession
from tests.exchange.browser import Browser

Claims = dict[str, Any]
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
CHINA, EVERBATT = "cn-miit-551-trial", "everbatt-2023-cradle-to-gate"
REFINER, PACKER = "https://refiner.example", "https://packer.example"
CATHODE, SECRET, PACK = f"{REFINER}/cathode", f"{REFINER}/secret-recipe", f"{PACKER}/pack"
BARE, CREDIT, ODD = f"{PACKER}/bare-pack", f"{REFINER}/credit", f"{REFINER}/odd-salt"
GASES = f"{REFINER}/gases"
HOSTILE_MODEL = "<script>alert('model')</script>"
HOSTILE_LINE = '"><img src=x onerror=alert(1)> {{ 7 * 7 }}'
STYLE = Path(__file__).parents[2] / "exchange" / "web" / "static" / "style.css"


def amount(value: str, unit: str = "kg", **members: Any) -> Claims:
    return {"amount": value, "unit": unit, "obtained": "modelled", **members}


@dataclass
class SmallExchange:
    """An exchange with a refiner, who seals its recipe, and a pack maker, and their results by name."""

    services: Services
    client: TestClient
    keys: dict[str, KeyPair]
    random: random.Random
    results: dict[str, str]

    def join(self, uri: str, role: str) -> None:
        """Enrol `uri` with a fresh key."""
        pair = KeyPair.generate("ES256")
        operator = self.services.installation.operator
        possession = proof_of_possession(pair, operator.origin, uri)
        enrolled = operator.enrol(Application(uri, f"{uri} Ltd", pair.csr(uri), possession, (role,)))
        self.keys[uri] = pair.with_certificate(enrolled.certificate)

    def state(self, issuer: str, kind: Kind, claims: Claims) -> str:
        """Sign and submit; return the leaf hash."""
        issued = issue(
            self.keys[issuer],
            kind.profile,
            issuer=issuer,
            audience=self.services.installation.trust.origin,
            jti=new_jti(NOW, self.random.randbytes),
            issued_at=NOW,
            claims=claims,
            random=self.random.randbytes,
        )
        return self.services.installation.intake.submit(issued.token, issued.disclosures).leaf_hash

    def page(self, name: str) -> str:
        """The page of a result."""
        return self.text(f"/results/{self.results[name]}")

    def text(self, path: str) -> str:
        answer = self.client.get(path)
        assert answer.status_code == 200, path
        return answer.text

    def document(self, name: str) -> Claims:
        """The stored result."""
        return self.services.calculation.result(self.services.standing_in, self.results[name])


@pytest.fixture(scope="module")
def showcase(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SmallExchange]:
    """The exchange, its log published; it stays as it is."""
    folder = tmp_path_factory.mktemp("exchange") / "data"
    source = random.Random(7)
    folder.mkdir(mode=0o700)
    engine = engine_for(f"sqlite:///{folder / 'exchange.sqlite'}")
    installation = open_installation(
        folder, engine, origin=None, passphrase="test", clock=lambda: NOW, random=source.randbytes
    )
    services = wire(installation, holder="test", clock=lambda: NOW, random=secrets.token_bytes)
    client = TestClient(
        create_app(services, checkpoint_seconds=60),
        base_url="http://127.0.0.1",
        headers={"Authorization": f"Bearer {installation.token}"},
    )
    showcase = SmallExchange(services, client, {}, source, {})
    play(showcase)
    services.publisher.tick()
    yield showcase
    engine.dispose()


def play(showcase: SmallExchange) -> None:
    """A cathode with a sealed recipe, a pack with 31 lines and a supplier nobody knows, and five results."""
    showcase.join(REFINER, "supplier")
    showcase.join(PACKER, "pack_maker")
    showcase.state(REFINER, ACTIVITY_DATA, activity(SECRET, inputs=[amount("2", name="copper", flow="copper")]))
    sealed = showcase.state(REFINER, PRODUCT_FOOTPRINT, footprint())
    terms = Terms(REFINER, PACKER, ("full",), "customer", sealed)
    showcase.services.grants.add(showcase.services.standing_in, terms)
    lines = [amount(f"{n}.5", name=f"sheet {n}", flow="copper") for n in range(1, 31)]
    lines.append(amount("0.25", "t", name=HOSTILE_LINE, flow="aluminium"))
    bought = [amount("3", name="cathode", product=CATHODE), amount("1", name="foil", product=f"{REFINER}/unknown")]
    showcase.state(PACKER, BILL_OF_MATERIALS, {"sub": PACK, "per": amount("1", "piece"), "components": lines + bought})
    power = [amount("36", "MJ", supply="grid", geography="CN")]
    emitted = [amount("500", "g", gas="CO2", origin="fossil")]
    made: Claims = {"process_class": "pack_assembly", "electricity": power, "direct_emissions": emitted}
    showcase.state(PACKER, ACTIVITY_DATA, activity(PACK, "piece", **made))
    showcase.state(PACKER, BATTERY_MODEL, battery_model())
    showcase.state(PACKER, ACTIVITY_DATA, activity(BARE, "piece", **made, inputs=[]))
    credit = {"sub": CREDIT, "total": "-3", "stages": [{"stage": "material_acquisition", "kg_co2e": "-3"}]}
    credit |= {"findings": [], "primary_data_share": "80"}
    showcase.state(REFINER, PRODUCT_FOOTPRINT, {**footprint(), **credit})
    mixed = [amount("1", name="credit", product=CREDIT), amount("1", name="copper", flow="copper")]
    showcase.state(REFINER, ACTIVITY_DATA, activity(f"{REFINER}/mix", inputs=mixed))
    salt: Claims = {"composition": {"formula": "Li2CO3"}}
    odd = activity(ODD, inputs=[amount("1", name="salt", flow="lithium-carbonate", **salt)])
    odd["outputs"][0]["composition"] = {"formula": "LiOH"}
    showcase.state(REFINER, ACTIVITY_DATA, odd)
    gases = [
        amount("10", "g", gas="SF6", origin="fossil"),
        amount("5", gas="CO2", origin="biogenic", removal=True),
    ]
    nickel = amount("2", name="salt", flow="nickel-sulfate", composition={"formula": "NiSO4.6H2O"})
    showcase.state(REFINER, ACTIVITY_DATA, activity(GASES, inputs=[nickel], direct_emissions=gases))
    for name, reader, demand, rule_set in (
        ("pack", PACKER, Demand(PACK), CHINA),
        ("pack, EverBatt", PACKER, Demand(PACK), EVERBATT),
        ("recipe", REFINER, Demand(SECRET), CHINA),
        ("published factor", REFINER, Demand(CATHODE, "copper"), EVERBATT),
        ("bare pack", PACKER, Demand(BARE), CHINA),
        ("mix", REFINER, Demand(f"{REFINER}/mix"), CHINA),
        ("odd salt", REFINER, Demand(ODD), EVERBATT),
        ("gases", REFINER, Demand(GASES), CHINA),
    ):
        showcase.results[name] = showcase.services.calculation.calculate(
            showcase.services.standing_in, reader, demand, rule_set
        )[0]


def activity(product: str, unit: str = "kg", **more: Any) -> Claims:
    return {
        "sub": product,
        "process_class": "material_production",
        "period": {"start": "2026-01-01", "end": "2026-01-31"},
        "outputs": [amount("1", unit, product=product)],
        "electricity": [],
        **more,
    }


def footprint() -> Claims:
    rule_set = load_rule_set(CHINA)
    return {
        "sub": CATHODE,
        "rule_set": {"id": rule_set.id, "version": rule_set.version, "digest": rule_set.digest},
        "declared_unit": amount("1"),
        "total": "12345.678",
        "stages": [{"stage": "material_acquisition", "kg_co2e": "12345.678"}],
        "obtained": "calculated",
        "complete": True,
        "basis": "activity_data",
        "findings": [{"gate": "element_balance", "level": "hard", "what": "outside the limit (figures sealed)"}],
    }


def battery_model() -> Claims:
    points = [{"cycles": "0", "retention": "1"}, {"cycles": "1000", "retention": "0.8"}]
    return {
        "sub": PACK,
        "model": HOSTILE_MODEL,
        "plant": {"name": "plant", "country": "CN"},
        "chemistry": "NMC622",
        "rated_energy": amount("100", "kWh"),
        "cycle_points": points,
    }


class Page(HTMLParser):
    """A page taken apart: tags with attributes, links, and the text of each table row."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[str] = []
        self._in_row = False
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " "
        if tag == "tr":
            self.rows.append("")
            self._in_row = True

    def handle_endtag(self, tag: str) -> None:
        if tag == "tr":
            self._in_row = False

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._in_row:
            self.rows[-1] += f" {data.strip()}" if data.strip() else ""

    @property
    def links(self) -> list[str]:
        return [str(a[key]) for _, a in self.tags for key in ("href", "src") if a.get(key) is not None]

    def row(self, start: str) -> str:
        """The one row that begins so."""
        found = [row.strip() for row in self.rows if row.strip().startswith(start)]
        assert len(found) == 1, found
        return found[0]


def everywhere(showcase: SmallExchange) -> list[str]:
    """The path of one page of each kind, and of every result."""
    return ["/", *(f"/results/{digest}" for digest in showcase.results.values()), "/entries/0", "/entries/11"]


# -- what a page says -------------------------------------------------------------------------------------------------


def test_the_overview_has_a_row_for_each_product_and_a_column_for_each_rule_set(showcase: SmallExchange) -> None:
    page = Page(showcase.text("/"))
    row = page.row(HOSTILE_MODEL)
    for name in ("pack", "pack, EverBatt"):
        assert showcase.document(name)["headline"]["printed"] in row.replace("\u202f", "")
    assert row.count("kg CO₂e/kWh ,") == 2
    assert "secret-recipe" in page.row("secret-recipe")
    assert showcase.services.installation.trust_file.fingerprint in page.text
    assert f"covers {size_of(showcase)} entries" in page.text


def test_the_overview_has_pages_that_part_no_product(showcase: SmallExchange, monkeypatch: pytest.MonkeyPatch) -> None:
    def rows(text: str) -> list[str]:
        return re.findall(r'<th role="rowheader".*?</tr>', text, re.DOTALL)

    def cells(text: str) -> dict[str, list[str]]:
        return {row.partition("</th>")[0]: re.findall(r'href="(/results/\w+)"', row) for row in rows(text)}

    whole = cells(showcase.text("/"))
    assert "on this page" not in showcase.text("/")
    for size in (2, 3, 5):  # a product has two results at most
        monkeypatch.setattr("exchange.web.pages.RESULTS", size)
        monkeypatch.setattr("exchange.web.overview.RESULTS", size)
        found, paths, path = dict[str, list[str]](), list[str](), "/"
        while path:
            text = showcase.text(path)
            assert "on this page" in text
            assert sum(map(len, cells(text).values())) <= size
            assert not cells(text).keys() & found.keys()
            found |= cells(text)
            paths.append(path)
            path = next(iter(re.findall(r'href="([^"]*)" rel="next"', text)), "")
        assert found == whole
        assert len(paths) >= len(showcase.results) / size
    assert showcase.client.get("/?after=nothing").status_code == 404
    assert showcase.client.get(f"/?after={'ab' * 32}").status_code == 404


def size_of(showcase: SmallExchange) -> int:
    return int(showcase.client.get("/api/v1/checkpoint").text.splitlines()[1])


def test_a_product_without_a_result_under_a_rule_set_says_so(showcase: SmallExchange) -> None:
    assert Page(showcase.text("/")).row("cathode").count("no result") == 1


def test_badges_stand_beside_the_figure(showcase: SmallExchange) -> None:
    for page in (showcase.text("/"), showcase.page("pack")):
        for badge in ("partial: 2 of 4 stages, 1 branch missing", "sealed 9", "2 hard findings"):
            assert badge in Page(page).text
        assert re.search("modelled [0-9.<]+\u202f%", Page(page).text)


def test_the_page_says_where_factors_came_from(showcase: SmallExchange) -> None:
    """What was published through governance is in tests/flow/test_closed_loop.py."""
    assert "everbatt-2023, version 1, came with the software" in Page(showcase.page("pack")).text


def badges_of(text: str) -> dict[str, str]:
    """The badges beside the headline: text -> tone."""
    (shown,) = re.findall(r'<ul class="badges".*?</ul>', text, re.DOTALL)
    return {said: tone for tone, said in re.findall(r'<li class="badge (\w+)">(.*?)</li>', shown)}


def test_a_pack_without_battery_model_is_said_not_to_be_per_kwh(showcase: SmallExchange) -> None:
    badges = badges_of(showcase.page("bare pack"))
    assert badges["per piece, not per kWh"] == "hard"
    assert badges["partial: 1 of 4 stages, no battery model"] == "partial"
    text = " ".join(Page(showcase.page("bare pack")).text.split())
    assert "not divided: no battery model is readable" in text
    assert "battery model: no battery model is readable: the figure is per piece, not per 1 kWh" in text
    assert '<span class="unit">kg CO₂e/piece</span>' in showcase.page("bare pack")
    packs = showcase.text("/").partition('aria-labelledby="intermediates"')[0]
    assert "per piece, not per kWh" in Page(packs).row("bare-pack")


def test_a_bar_is_to_the_scale_of_its_own_unit(showcase: SmallExchange) -> None:
    """A pack's kilograms by the piece would leave nothing of the bars per kWh."""
    (row,) = [
        row for row in overview([(n, showcase.document(n)) for n in ("pack", "bare pack")])[0].rows if row.chemistry
    ]
    known = [
        float(piece.width.rstrip("%")) for cell in row.cells if cell for piece in cell.bar.segments if not piece.gap
    ]
    assert sum(known) == pytest.approx(100 - 3 * 13, abs=0.1)


def test_a_complete_result_with_a_hard_finding_is_not_just_complete(showcase: SmallExchange) -> None:
    assert showcase.document("odd salt")["complete"]
    badges = badges_of(showcase.page("odd salt"))
    assert badges["complete, with 1 hard finding"] == "hard"
    assert "complete" not in badges
    assert "ok" not in badges.values()


def test_a_published_factor_is_no_data_of_the_maker(showcase: SmallExchange) -> None:
    assert "published factor, not the maker's data" in badges_of(
        showcase.page("published factor").replace("&#39;", "'")
    )


def test_a_sealed_credit_has_its_share_and_its_declared_data_is_not_counted(showcase: SmallExchange) -> None:
    page = Page(showcase.page("mix").replace("\u202f", ""))
    (branch,) = showcase.document("mix")["sealed"]
    assert 39 < float(branch["percent"]) < 41
    assert f"sealed {float(branch['percent']):.1f}%" in page.text
    assert "declares 80% primary data, which is not counted" in page.text
    assert "0% of emissions by activity data" in page.text


def test_a_result_shows_headline_denominator_and_total(showcase: SmallExchange) -> None:
    found, text = showcase.document("pack"), Page(showcase.page("pack")).text.replace("\u202f", "")
    kwh = f"{Decimal(found['denominator']['kwh']):f}"
    for expected in (found["headline"]["printed"], f"÷ {kwh} kWh", found["denominator"]["formula"], "kg CO₂e/piece"):
        assert expected in " ".join(text.split())


@pytest.mark.parametrize("stage", ["distribution 分销运输", "recycling 回收利用"])
def test_a_missing_stage_is_a_gap_and_never_a_number(showcase: SmallExchange, stage: str) -> None:
    row = Page(showcase.page("pack")).row(stage)
    assert "gap" in row
    assert "no statement covers this stage" in row
    assert not re.search("[0-9]", row)


@pytest.mark.parametrize("path", ["/", "pack"])
def test_a_drawing_hatches_gaps_and_says_them(showcase: SmallExchange, path: str) -> None:
    page = Page(showcase.text(path) if path == "/" else showcase.page(path))
    drawn = [attrs for tag, attrs in page.tags if tag == "svg" and attrs.get("role") == "img"]
    assert "recycling: gap, not known, not zero" in str(drawn[0]["aria-label"])
    assert sum(attrs.get("class") == "gap" and attrs.get("y") == "0" for _, attrs in page.tags) >= 2


def test_a_missing_branch_is_listed_among_the_gaps(showcase: SmallExchange) -> None:
    assert f"nothing is known of {REFINER}/unknown under this rule set" in Page(showcase.page("pack")).text


def test_the_tree_opens_products_but_no_sealed_one(showcase: SmallExchange) -> None:
    """The pack's products with what they carry; of the sealed recipe's product the figure alone."""
    found = showcase.document("pack")
    tree = result_view("", found).tree
    assert tree[0].name == "pack"
    assert tree[0].percent == "100.00\u202f%"
    assert {row.note for row in tree if row.upstream.strip("0.") == ""} >= {"sealed"}
    page = Page(showcase.page("pack"))
    assert any(row.strip().startswith("pack") for row in page.rows)
    assert "Data quality" in page.text


def test_each_line_multiplies_out_to_its_kilograms(showcase: SmallExchange) -> None:
    view = result_view("", showcase.document("pack"))
    lines = [line for line in (*view.lines, *(view.rest.lines if view.rest else ())) if line.per_made]
    assert len(lines) == 33
    for line in lines:
        factor = "1" if line.factor.startswith("none") else line.factor
        product = first_figure(line.per_made) * first_figure(line.used) * first_figure(factor)
        assert float(product) == pytest.approx(float(first_figure(line.kg)), rel=1e-5, abs=0.006)


def first_figure(text: str) -> Decimal:
    found = re.search("[0-9.]+", text.replace("\u202f", ""))
    assert found is not None
    return Decimal(found.group())


def test_the_lines_beyond_the_first_are_summed_up_and_can_be_opened(showcase: SmallExchange) -> None:
    found, page = showcase.document("pack"), Page(showcase.page("pack"))
    rest = len(found["contributions"]) - LINES_SHOWN
    smallest = sorted(float(part["kg_co2e"]) for part in found["contributions"])[:rest]
    row = page.row(f"{rest} more lines")
    assert float(first_figure(row.removeprefix(f"{rest} more lines"))) == pytest.approx(sum(smallest), abs=0.006)
    assert sum(tag == "summary" for tag, _ in page.tags) == 1
    assert {int(n) for n in re.findall(r"sheet (\d+)", page.text)} == set(range(1, 31))


def test_a_sealed_line_names_its_signer_and_shows_no_recipe(showcase: SmallExchange) -> None:
    row = Page(showcase.page("pack")).row("signed footprint")
    assert "sealed" in row
    assert "refiner.example" in row
    assert "the maker's own figure, unverified" in row
    assert "secret" not in showcase.page("pack")


def test_a_published_factor_says_that_nobody_signed_it(showcase: SmallExchange) -> None:
    page = Page(showcase.page("published factor"))
    assert "nobody: a published factor" in page.row("copper")
    assert "none of the maker's own data is in this figure" in page.text


def test_what_the_rule_set_leaves_open_is_printed(showcase: SmallExchange) -> None:
    rule_set, text = load_rule_set(CHINA), " ".join(Page(showcase.page("pack")).text.split())
    for item in rule_set.unstated:
        assert item.what in text
        assert item.assumption in text
    for line in (*rule_set.not_implemented, *rule_set.assumptions):
        assert line in text


def test_an_entry_shows_its_open_claims_and_no_disclosure(showcase: SmallExchange) -> None:
    document = showcase.document("pack")
    index = document["sealed"][0]["entry"]
    page = Page(showcase.text(f"/entries/{index}"))
    for expected in ("product footprint", "urn:packtrace:product-footprint:1", REFINER, "2026-06-01 12:00:00 UTC"):
        assert expected in page.text
    leaf_hash = next(part["leaf_hash"] for part in document["contributions"] if part.get("entry") == index)
    assert leaf_hash in page.text
    for hidden in (CATHODE, "12345.678", CHINA):
        assert hidden not in page.text
    assert f"/api/v1/proofs/inclusion?index={index}" in page.links


# -- what a page may not do ---------------------------------------------------------------------------------------------


def test_hostile_names_are_text(showcase: SmallExchange) -> None:
    for path in everywhere(showcase):
        page = Page(showcase.text(path))
        assert not [tag for tag, _ in page.tags if tag in ("script", "img")]
    assert HOSTILE_MODEL in Page(showcase.text("/")).text
    assert HOSTILE_LINE in Page(showcase.page("pack")).text


def test_no_page_needs_more_than_the_policy_allows(showcase: SmallExchange) -> None:
    for path in [*everywhere(showcase), "/results/unknown"]:
        answer = showcase.client.get(path)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        for tag, attrs in Page(answer.text).tags:
            assert tag not in ("script", "style", "iframe", "object", "base", "form")
            assert "style" not in attrs
            assert not [name for name in attrs if name.startswith("on")]


def test_every_link_is_ours_and_answers(showcase: SmallExchange) -> None:
    waiting, seen = ["/"], set[str]()
    while waiting:
        path = waiting.pop()
        seen.add(path)
        answer = showcase.client.get(path)
        assert answer.status_code == 200, path
        if answer.headers["content-type"].startswith("text/html"):
            # The check page holds its own icon.
            links = [link for link in Page(answer.text).links if not link.startswith("data:")]
            assert all(link.startswith(("/", "#")) and not link.startswith("//") for link in links), links
            waiting += {link for link in links if link.startswith("/")} - seen - set(waiting)
    assert {f"/results/{digest}" for digest in showcase.results.values()} <= seen
    assert len([path for path in seen if path.startswith("/entries/")]) == size_of(showcase)


@pytest.mark.parametrize(
    "path", ["/results/" + "0" * 64, "/results/nonsense", "/entries/99999", "/entries/-1", "/entries/x"]
)
def test_what_is_not_there_is_a_page_with_a_way_home(showcase: SmallExchange, path: str) -> None:
    answer = showcase.client.get(path)
    assert answer.status_code == 404
    assert "/" in Page(answer.text).links
    assert path in Page(answer.text).text


@pytest.mark.parametrize("path", ["/", "/entries/0", "/entries/99999"])
def test_every_page_says_who_sees_what(showcase: SmallExchange, path: str) -> None:
    assert "the results of all organisations that have no accounts here" in Page(showcase.client.get(path).text).text


def test_pages_need_the_token(showcase: SmallExchange) -> None:
    stranger = TestClient(showcase.client.app, base_url="http://127.0.0.1")
    for path in everywhere(showcase):
        assert stranger.get(path).status_code == 401
    assert stranger.get(f"/?token={showcase.services.installation.token}").status_code == 200


def test_an_exchange_without_results_says_what_to_do(tmp_path: Path) -> None:
    engine = engine_for(f"sqlite:///{tmp_path / 'exchange.sqlite'}")
    (tmp_path / "data").mkdir(mode=0o700)
    installation = open_installation(
        tmp_path / "data", engine, origin=None, passphrase="test", clock=lambda: NOW, random=os.urandom
    )
    app = create_app(
        wire(installation, holder="test", clock=lambda: NOW, random=secrets.token_bytes), checkpoint_seconds=60
    )
    client = TestClient(app, base_url="http://127.0.0.1", headers={"Authorization": f"Bearer {installation.token}"})
    text = Page(client.get("/").text).text
    assert "No pack has a result yet" in text
    assert "none is published yet" in text
    assert "not yet: no published checkpoint covers this entry" in Page(client.get("/entries/0").text).text
    engine.dispose()


# -- figures and colours ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        ("0.0714535151976", 6, "0.071454"),
        ("6430.81636779", 3, "6\u202f430.816"),
        ("0", 3, "0.000"),
        ("0.00004", 3, "<0.001"),
        ("-0.00004", 3, "0.000"),
        ("-1234.5", 1, "-1\u202f234.5"),
        ("1E+3", 0, "1\u202f000"),
        ("2.5", 0, "2"),
    ],
)
def test_a_column_of_figures_has_one_number_of_decimals(value: str, decimals: int, text: str) -> None:
    assert fixed(value, decimals) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("115.948767924390152", "115.9488"),
        ("0.000012345678", "0.00001234568"),
        ("90000", "90\u202f000"),
        ("100", "100"),
        ("0", "0"),
        ("12345678.9", "12\u202f345\u202f679"),
    ],
)
def test_a_figure_is_shortened_to_seven_digits(value: str, text: str) -> None:
    assert short(value) == text


def test_percentages_are_whole_where_they_are_whole() -> None:
    assert [round_percent(value) for value in ("100", "32.4516", "0.01")] == [
        "100\u202f%",
        "32.5\u202f%",
        "<0.1\u202f%",
    ]


def test_an_address_that_cannot_be_read_is_shown_as_it_is() -> None:
    assert host("https://[not-an-address/x") == "https://[not-an-address/x"
    assert host("urn:maker:7") == "urn:maker:7"


@given(st.lists(st.none() | st.floats(-10, 1e6), min_size=1, max_size=9))
def test_a_drawing_stays_within_its_frame(values: list[float | None]) -> None:
    stages = [
        {"id": str(n), "name": "", "name_zh": "", "status": "", "unit": "kg", "value": None if v is None else repr(v)}
        for n, v in enumerate(values)
    ]
    document = {"stages": stages, "headline": {"printed": "0.0"}}
    drawn = stage_bar(document, stage_names([document]), bar_width([document]), gap_slots([document]))
    ends = [float(piece.x.rstrip("%")) + float(piece.width.rstrip("%")) for piece in drawn.segments]
    assert max(ends) <= 100.01
    assert all(float(piece.width.rstrip("%")) >= (6 if piece.gap else 0) for piece in drawn.segments)
    assert [piece.gap for piece in drawn.segments].count(True) == values.count(None)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_text_has_the_contrast_of_wcag_aa(theme: int) -> None:
    blocks = re.findall(r":root \{(.*?)\}", STYLE.read_text("utf-8"), flags=re.DOTALL)
    colours = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", blocks[theme]))
    text = [(ink, ground) for ink in ("ink", "quiet", "accent", "partial-ink") for ground in ("ground", "sheet")]
    text += [("ok-ink", "ok"), ("partial-ink", "partial"), ("hard-ink", "hard"), ("ink", "plain")]
    drawn = [(name, "sheet") for name in ("s0", "s1", "s2", "s3", "s4", "s5", "sealed")]
    for pairs, least in ((text, 4.5), (drawn, 3.0)):
        for ink, ground in pairs:
            assert contrast(colours[ink], colours[ground]) >= least, (ink, ground)


def contrast(one: str, other: str) -> float:
    """WCAG 2.2, contrast ratio."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: str) -> float:
    """WCAG 2.2, relative luminance."""
    channels = [int(colour[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


# -- a real browser -----------------------------------------------------------------------------------------------------


@pytest.fixture
def served(showcase: SmallExchange, tmp_path: Path) -> Iterator[str]:
    """The address of the exchange, served as in operation."""
    listener = bind("127.0.0.1", 0, or_free=False)
    server, running = make_server(showcase.services, Settings(data=tmp_path, checkpoint_seconds=60), listener)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield running.address
    server.should_exit = True
    thread.join(timeout=30)
    listener.close()


@pytest.mark.long
@pytest.mark.parametrize("page", ["overview", "result", "filings"])
def test_a_browser_shows_the_page_without_complaint_and_fetches_nothing_elsewhere(
    showcase: SmallExchange, served: str, tmp_path: Path, page: str
) -> None:
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no chromium to look at the pages with (Debian: apt-get install chromium)")
    path = {
        "overview": "/?",
        "result": f"/results/{showcase.results['pack']}?",
        "filings": f"/filings?organisation={PACKER}&",
    }[page]
    net_log = tmp_path / "net.json"
    options = (
        *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run"),
        *("--disable-background-networking", "--disable-component-update", "--disable-sync", "--dump-dom"),
        *("--disable-default-apps", "--disable-extensions", "--no-default-browser-check", "--enable-logging=stderr"),
        *("--proxy-server=direct://", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"),
        *(f"--user-data-dir={tmp_path / 'profile'}", f"--log-net-log={net_log}"),
    )
    address = f"{served}{path}token={showcase.services.installation.token}"
    shown = subprocess.run([program, *options, address], capture_output=True, text=True, timeout=120, check=True)
    assert HOSTILE_MODEL in Page(shown.stdout).text
    assert "CONSOLE" not in shown.stderr
    requested = requests_of(served, net_log)
    assert f"{served}/static/style.css" in requested
    assert not [url for url in requested if not url.startswith(f"{served}/")]


def test_what_is_served_to_head_has_no_body(served: str) -> None:
    """On one connection: a body would be taken for the next answer."""
    connection = http.client.HTTPConnection(served.removeprefix("http://"), timeout=10)
    for method in ("HEAD", "HEAD", "GET"):
        connection.request(method, "/check")
        answer = connection.getresponse()
        size = len(answer.read())
        assert (answer.status, size) == (200, 0 if method == "HEAD" else int(answer.headers["content-length"]))
    connection.close()


@pytest.mark.long
def test_the_served_check_page_runs_and_asks_for_nothing_more(served: str, tmp_path: Path) -> None:
    with Browser(tmp_path / "profile") as browser:
        browser.open(f"{served}/check")
        browser.wait("document.getElementById('asleep').hidden && !document.getElementById('given').hidden")
        assert browser.complaints == []
        assert [address for address in browser.requests if not address.startswith("data:")] == [f"{served}/check"]


def test_the_check_page_is_for_everybody_and_one_file(showcase: SmallExchange) -> None:
    nobody = TestClient(showcase.client.app, base_url="http://127.0.0.1")
    answer = nobody.get("/check")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    for rule in ("connect-src 'none'", "frame-ancestors 'none'", "form-action 'none'"):
        assert rule in policy
    # All that it needs is in it, and a saved copy says the same of itself.
    page = Page(answer.text)
    assert [link for link in page.links if not link.startswith(("#", "data:"))] == []
    said = next(a["content"] for tag, a in page.tags if tag == "meta" and a.get("http-equiv"))
    assert policy == f"{said}; frame-ancestors 'none'"
    for word in ("import {", "export ", "innerHTML", "fetch("):
        assert word not in answer.text


def requests_of(origin: str, net_log: Path) -> set[str]:
    """What the pages of `origin` asked for, by a browser's network log; requests of the browser itself have no initiator."""
    parameters = [event.get("params", {}) for event in json.loads(net_log.read_text("utf-8"))["events"]]
    return {found["url"] for found in parameters if found.get("initiator") == origin}


def test_a_page_shows_alternative_columns_warming_potential_and_another_basis(showcase: SmallExchange) -> None:
    pack, gases = showcase.page("pack"), showcase.page("gases")
    (alternative,) = showcase.document("pack")["alternatives"]
    assert f'<span class="figure">{float(alternative["value"]):.6f}</span>' in pack
    assert "Alternative, not the headline" in pack
    assert "Alternative, not the headline" not in gases
    assert "25200 kg CO2e/kg (AR6)" in gases
    assert "Biogenic removals" in gases
    assert '<span class="figure">-5</span> beside the total' in gases
    assert "1 kg of NiSO4.6H2O is 0.58876 kg of NiSO4" in gases
