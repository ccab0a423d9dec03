"""The story: refiners -> cathode makers -> cell maker -> pack maker, NMC622 and LFP, the cell plant on four grids.

Figures: EverBatt 2023 (examples/everbatt). NMC622's cathode maker grants its recipe in full; LFP's seals it and signs a footprint per rule
set instead. Where a rule set refuses the LFP recipe, its maker signs the published factor, with the finding.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bom_graph import release_bytes
from connectors.everbatt import (
    CellPlant,
    Source,
    Tables,
    TablesError,
    battery_model,
    cathode_activity,
    cell_activity,
    cell_bill,
    factor_release,
    pack_activity,
    pack_bill,
    salt_activity,
)
from exchange.client import AnswerError, Receipt
from exchange.demo.company import Company, Desk
from exchange.errors import SetupError
from exchange.kinds import ACTIVITY_DATA, BATTERY_MODEL, BILL_OF_MATERIALS, PRODUCT_FOOTPRINT

CHEMISTRIES = ("NMC622", "LFP")
#: Name of the grid, country, geography code.
PLACES = (("US", "US", "US"), ("California", "US", "US-CA"), ("China", "CN", "CN"), ("Korea", "KR", "KR"))
FACTORS = "everbatt-2023"
#: The rule sets of the story: those whose figure is per kWh.
RULE_SETS = ("cn-miit-551-trial", "eu-cfb-draft-2024-partial", "everbatt-2023-cradle-to-gate")
CATHODES = ("published_factor", "recipe")
_US = {"name": "Plant", "country": "US", "grid": "US"}
_SALTS = (
    ("lithium", "lithium-carbonate", "Lithium carbonate", "Li2CO3"),
    ("lithium", "lithium-hydroxide", "Lithium hydroxide", "LiOH"),
    ("nickel", "nickel-sulfate", "Nickel sulfate", "NiSO4"),
    ("cobalt", "cobalt-sulfate", "Cobalt sulfate", "CoSO4"),
    ("manganese", "manganese-sulfate", "Manganese sulfate", "MnSO4"),
)
_COMPANIES = (
    ("lithium", "lithium-refining", "Example Lithium Refining", "supplier"),
    ("nickel", "nickel-refining", "Example Nickel Refining", "supplier"),
    ("cobalt", "cobalt-refining", "Example Cobalt Refining", "supplier"),
    ("manganese", "manganese-refining", "Example Manganese Refining", "supplier"),
    ("NMC622", "nmc-cathodes", "Example NMC Cathodes", "supplier"),
    ("LFP", "lfp-cathodes", "Example LFP Cathodes", "supplier"),
    ("cells", "cells", "Example Cells", "supplier"),
    ("packs", "packs", "Example Packs", "pack_maker"),
)
Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Pack:
    """One pack of the demo and its results: rule set -> (digest, document)."""

    model: str
    chemistry: str
    electricity: str
    cathode: str
    product: str
    results: dict[str, tuple[str, dict[str, Any]]]


@dataclass(frozen=True, slots=True)
class Refusal:
    """A rule set's refusal of a maker's own data, as that maker saw it."""

    maker: str
    product: str
    rule_set: str
    findings: list[dict[str, Any]]


@dataclass
class Played:
    """What a run did: packs with results, refusals, how many statements were new or there already.

    `differing` names the statements, and the factor release, that say something else than the tables do now.
    """

    reader: str = ""
    packs: list[Pack] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    receipts: list[Receipt] = field(default_factory=list)
    differing: list[str] = field(default_factory=list)

    @property
    def there_before(self) -> int:
        """How many statements an earlier run had submitted."""
        return sum(receipt.existed for receipt in self.receipts)


def play(desk: Desk, tables_folder: Path, tell: Told) -> Played:
    """Play the whole chain and compute every pack under every rule set. A second run finds everything there.

    Raises SetupError for tables that can't be read, AnswerError where the exchange refuses something.
    """
    try:
        tables = Tables.read(tables_folder)
        factors = factor_release(tables)
    except TablesError as error:
        remedy = "correct the table, or restore it as it was published"
        raise SetupError(str(error), where=str(tables_folder), remedy=remedy) from error
    story = _Story(desk, tables, tell)
    if factors != release_bytes(FACTORS):
        story.played.differing.append(f"factor release {FACTORS}")
    story.enrol()
    story.refine()
    story.make_cathodes()
    for chemistry in CHEMISTRIES:
        for cathode in CATHODES:
            for place in PLACES:
                story.make_pack(chemistry, cathode, place)
    story.calculate()
    return story.played


class _Story:
    """The chain as it is played; later tiers cite the receipts of earlier ones."""

    def __init__(self, desk: Desk, tables: Tables, tell: Told) -> None:
        self.desk = desk
        self.tables = tables
        self.tell = tell
        self.played = Played()
        self.companies: dict[str, Company] = {}
        self.salts: dict[str, Source] = {}
        self.cathodes: dict[str, Source] = {}
        self._masses = {row["chemistry"]: row["pack_mass_kg"] for row in tables.expected}

    def enrol(self) -> None:
        """Give each company a certificate and a role."""
        for key, slug, name, role in _COMPANIES:
            self.companies[key] = Company.join(self.desk, slug, name, role)
        before = sum(company.joined_before for company in self.companies.values())
        self.played.reader = self.companies["packs"].uri
        self.tell(f"{len(self.companies)} companies enrolled ({before} were there)")

    def refine(self) -> None:
        """The refiners state their salts and grant them down the chain."""
        readers = [self.companies[key] for key in ("NMC622", "LFP", "cells", "packs")]
        for key, flow, name, formula in _SALTS:
            company = self.companies[key]
            product = company.product(flow)
            receipt = self._state(
                company, flow, ACTIVITY_DATA, salt_activity(product, flow, name, formula, {**_US, "name": company.name})
            )
            company.grant(receipt, readers)
            self.salts[flow] = Source(product, receipt.citation)
        self.tell(f"{len(_SALTS)} salts stated and granted")

    def make_cathodes(self) -> None:
        """NMC622's maker grants its recipe; LFP's seals it and signs footprints."""
        for chemistry in CHEMISTRIES:
            company = self.companies[chemistry]
            product = company.product(f"cathode-{chemistry.lower()}")
            claims = cathode_activity(self.tables, chemistry, product, {**_US, "name": company.name}, self.salts)
            receipt = self._state(company, f"cathode-{chemistry}", ACTIVITY_DATA, claims)
            self.cathodes[chemistry] = Source(product, receipt.citation)
            if chemistry == "LFP":
                self._sign_footprints(company, product)
            else:
                company.grant(receipt, [self.companies["cells"], self.companies["packs"]])
        self.tell("cathode recipes stated: NMC622 granted in full, LFP sealed")

    def _sign_footprints(self, company: Company, product: str) -> None:
        """Sign the product's footprint under each rule set: of its own data, or where that is refused, of the published factor."""
        for rule_set in RULE_SETS:
            try:
                digest, found = self.desk.client.footprint(product, rule_set, company.uri)
            except AnswerError as error:
                if error.problem.get("code") != "refused":
                    raise
                self.played.refusals.append(Refusal(company.name, product, rule_set, error.problem["findings"]))
                digest, found = self.desk.client.footprint(product, rule_set, company.uri, flow="cathode-lfp")
            claims = footprint_claims(digest, found)
            receipt = self._state(company, f"footprint-lfp-{rule_set}", PRODUCT_FOOTPRINT, claims)
            company.grant(receipt, [self.companies["cells"], self.companies["packs"]])

    def make_pack(self, chemistry: str, cathode: str, place: tuple[str, str, str]) -> None:
        """The cell maker and the pack maker state one pack: bills of materials, plant data, battery model."""
        electricity, country, geography = place
        cells, packs = self.companies["cells"], self.companies["packs"]
        name = f"{chemistry}-100-{geography}{'-R' if cathode == 'recipe' else ''}"
        cell, pack = cells.product(f"cell-{name.lower()}"), packs.product(f"pack-{name.lower()}")
        source = self.cathodes[chemistry] if cathode == "recipe" else Source()
        plant = CellPlant(f"Cell plant, {electricity}", country, geography)
        made = [
            self._state(cells, f"{name}-cell-bill", BILL_OF_MATERIALS, cell_bill(self.tables, chemistry, cell, source)),
            self._state(cells, f"{name}-cell-data", ACTIVITY_DATA, cell_activity(self.tables, chemistry, cell, plant)),
        ]
        for receipt in made:
            cells.grant(receipt, [packs])
        site = {"name": "Pack plant", "country": country, "grid": geography}
        model = battery_model(self.tables, chemistry, pack, model=name, plant=site, mass_kg=self._masses[chemistry])
        bill = pack_bill(self.tables, chemistry, pack, Source(cell, made[0].citation))
        self._state(packs, f"{name}-pack-bill", BILL_OF_MATERIALS, bill)
        self._state(packs, f"{name}-pack-data", ACTIVITY_DATA, pack_activity(self.tables, pack, site))
        self._state(packs, f"{name}-model", BATTERY_MODEL, model)
        self.played.packs.append(Pack(name, chemistry, electricity, cathode, pack, {}))
        self.tell(f"pack {name} stated")

    def calculate(self) -> None:
        """The pack maker computes every pack under every rule set, from what it was granted."""
        for pack in self.played.packs:
            for rule_set in RULE_SETS:
                pack.results[rule_set] = self.desk.client.footprint(pack.product, rule_set, self.played.reader)
        self.tell(f"{len(self.played.packs) * len(RULE_SETS)} results computed")

    def _state(self, company: Company, label: str, kind: Any, claims: dict[str, Any]) -> Receipt:
        receipt, says = company.state(label, kind, claims)
        self.played.receipts.append(receipt)
        if not says:
            self.played.differing.append(label)
        return receipt


def footprint_claims(digest: str, found: dict[str, Any]) -> dict[str, Any]:
    """Return the claims of a signed footprint from the maker's own result. Findings are passed on without the figures that they show."""
    stages = [
        {"stage": stage["id"], "kg_co2e": stage["total_kg_co2e"]}
        for stage in found["stages"]
        if stage["total_kg_co2e"] is not None
    ]
    claims: dict[str, Any] = {
        "sub": found["demand"]["product"],
        "rule_set": found["rule_set"],
        "declared_unit": {"amount": "1", "unit": found["demand"]["declared_unit"].split()[1], "obtained": "modelled"},
        "total": found["total"]["value"],
        "stages": stages,
        "complete": found["complete"],
        "primary_data_share": found["primary_data_share"]["activity_percent"],
        "obtained": "modelled",
        "basis": "published_factor" if found["demand"]["flow"] else "activity_data",
        "result_digest": digest,
    }
    instead = "the published factor is used instead" if found["demand"]["flow"] else "reported, not refused"
    if found["findings"]:
        claims["findings"] = [
            {"gate": item["gate"], "level": item["level"], "what": f"{_without_figures(item)}; {instead}"}
            for item in found["findings"]
        ]
    return claims


def _without_figures(finding: dict[str, Any]) -> str:
    return f"the {finding['gate'].replace('_', ' ')} of its own data is outside the {finding['level']} limit (figures sealed)"
