"""What a product holds and where it is used, as each reader may see it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from exchange.kinds import ACTIVITY_DATA, BILL_OF_MATERIALS, PRODUCT_FOOTPRINT, WITHDRAWALS, Kind
from signer import join_presentation
from tests.flow.accounts import Company
from tests.flow.world import Exchange, activity, bill, citation, line, signed_footprint


def state(company: Company, kind: Kind, claims: dict[str, Any]) -> dict[str, Any]:
    """Sign a statement and hand it in as the company; its citation."""
    issued = company.member.sign(kind, claims)
    body = {"statement": join_presentation(issued.token, issued.disclosures)}
    answer = company.admin.post("/api/v1/statements", json=body)
    assert answer.status_code == 201, answer.text
    return citation(answer.json())


def grant(owner: Company, cited: dict[str, Any], reader: Company, *paths: str) -> None:
    body = {"owner": owner.uri, "reader": reader.uri, "leaf_hash": cited["leaf_hash"], "paths": list(paths) or ["full"]}
    answer = owner.admin.post("/api/v1/grants", json=body | {"purpose": "customer"})
    assert answer.status_code == 201, answer.text


@pytest.fixture
def chain(sqlite_exchange: Exchange) -> dict[str, Any]:
    """A pack of two cells and copper; a cell by bill and activity data, of cathode (signed footprint), binder (nothing) and a casing."""
    packs, cells, cathodes = (Company.join(sqlite_exchange, slug) for slug in ("packs", "cells", "cathodes"))
    cathode = state(cathodes, PRODUCT_FOOTPRINT, signed_footprint(cathodes.member.product("cathode"), "manufacturing"))
    binder = f"{cathodes.uri}/products/binder"
    casing = cells.member.product("casing")
    state(cells, BILL_OF_MATERIALS, bill(casing))
    cell = cells.member.product("cell")
    cathode_line = line(name="cathode", product=cathodes.member.product("cathode"), citation=cathode) | {"amount": "3"}
    components = [
        cathode_line | {"id": "cathode", "yield": "0.75"},
        line(id="binder", name="binder", product=binder),
        line(id="casing", name="casing", product=casing),
    ]
    shares = [
        {"id": "one", "component": "binder", "product": binder, "share": "0.25"},
        {"id": "two", "component": "binder", "product": f"{binder}-2", "share": "0.75"},
    ]
    stated = {
        "bill": state(
            cells,
            BILL_OF_MATERIALS,
            bill(cell, per=line() | {"amount": "2"}, components=components, supplier_shares=shares),
        ),
        "activity": state(cells, ACTIVITY_DATA, activity(cell, cathode_line, line(name="salt", flow="nickel-sulfate"))),
    }
    pack = packs.member.product("pack")
    state(packs, BILL_OF_MATERIALS, bill(pack, cell, casing))
    return {
        "packs": packs,
        "cells": cells,
        "cathodes": cathodes,
        "pack": pack,
        "cell": cell,
        "casing": casing,
        "binder": binder,
        "cathode": cathode,
        **stated,
    }


def shown(company: Company, product: str) -> dict[str, dict[str, Any]]:
    answer = company.admin.get("/api/v1/bills", params={"product": product})
    assert answer.status_code == 200, answer.text
    return {one["product"]: one for one in answer.json()["products"]}


def used(company: Company, product: str) -> list[tuple[str, str]]:
    answer = company.admin.get("/api/v1/bills/uses", params={"product": product})
    assert answer.status_code == 200, answer.text
    return [(one["product"], one["consumer"]) for one in answer.json()["uses"]]


def test_a_maker_sees_its_own_bill_and_how_each_branch_is_known(chain: dict[str, Any]) -> None:
    found = shown(chain["cells"], chain["cell"])
    cell = found[chain["cell"]]
    assert (cell["supplier"], cell["known_by"]) == (chain["cells"].uri, "activity_data")
    assert [one["kind"].split(":")[2] for one in cell["statements"]] == ["activity-data", "bill-of-materials"]
    lines = {(one["path"].partition("/")[0], one["product"] or one["flow"]): one for one in cell["lines"]}
    cathode = lines["components", f"{chain['cathodes'].uri}/products/cathode"]
    # 3 kg at a yield of 0.75 for 2 kg.
    assert (Decimal(cathode["amount_per_unit"]), cathode["unit"], cathode["per"]) == (Decimal(2), "kg", "kg")
    assert cathode["citation"] == chain["cathode"]
    # The cited footprint was granted to nobody; and what the bill names already isn't there again from the activity data.
    assert (cathode["known_by"], cathode["why"]) == ("gap", "no statement about it is at hand")
    assert lines["inputs", "nickel-sulfate"]["known_by"] == "published_factor"
    assert [Decimal(lines["supplier_shares", name]["share"]) for name in (chain["binder"], f"{chain['binder']}-2")] == [
        Decimal("0.25"),
        Decimal("0.75"),
    ]
    casing = lines["components", chain["casing"]]
    assert (casing["known_by"], "no activity data" in casing["why"]) == ("bill_of_materials", True)
    assert len(lines) == len(cell["lines"]) == 5


def test_what_is_granted_shows_and_what_is_not_stays_sealed(chain: dict[str, Any]) -> None:
    packs, cells, cathodes = chain["packs"], chain["cells"], chain["cathodes"]
    found = shown(packs, chain["pack"])
    assert {one["product"]: one["known_by"] for one in found[chain["pack"]]["lines"]} == {
        chain["cell"]: "gap",
        chain["casing"]: "gap",
    }
    assert found[chain["cell"]]["statements"] == []
    grant(cathodes, chain["cathode"], packs)
    grant(cells, chain["bill"], packs, "contents", "sub", "per", "components/cathode")
    found = shown(packs, chain["pack"])
    cell = found[chain["cell"]]
    assert (cell["known_by"], cell["statements"][0]["sealed"]) == ("gap", ["components", "supplier_shares"])
    assert cell["why"] == f"components, supplier_shares of entry {chain['bill']['index']} sealed"
    assert [one["path"] for one in cell["lines"]] == ["components/cathode"]
    cathode = found[f"{cathodes.uri}/products/cathode"]
    assert (cathode["known_by"], cathode["supplier"], cathode["statements"][0]["total"]) == (
        "signed_footprint",
        cathodes.uri,
        "1",
    )
    # Its owner is told.
    log = cells.admin.get("/api/v1/access-log").json()
    assert {(one["reader"], one["leaf_hash"], one["act"]) for one in log} == {
        (packs.uri, chain["bill"]["leaf_hash"], "read")
    }


def test_where_used_goes_up_as_far_as_the_reader_sees(chain: dict[str, Any]) -> None:
    packs, cells = chain["packs"], chain["cells"]
    assert used(cells, chain["casing"]) == [(chain["casing"], chain["cell"])]
    assert used(packs, chain["casing"]) == [(chain["casing"], chain["pack"])]
    grant(cells, chain["bill"], packs)
    cathode = f"{chain['cathodes'].uri}/products/cathode"
    assert used(packs, cathode) == [(cathode, chain["cell"]), (chain["cell"], chain["pack"])]
    assert used(chain["cathodes"], cathode) == []


def test_what_was_taken_back_is_a_gap(chain: dict[str, Any]) -> None:
    cells = chain["cells"]
    for cited in (chain["bill"], chain["activity"]):
        state(cells, WITHDRAWALS, {"target": cited, "reason": "never made"})
    answer = chain["cells"].admin.get("/api/v1/bills", params={"product": chain["cell"]})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    state(cells, BILL_OF_MATERIALS, bill(cells.member.product("module"), chain["cell"]))
    (only,) = shown(cells, cells.member.product("module"))[cells.member.product("module")]["lines"]
    assert only["why"] == f"what was stated of it (entry {chain['activity']['index']}) was taken back"


def test_nobody_reads_for_another_nor_learns_that_there_is_something(chain: dict[str, Any]) -> None:
    rival = chain["cathodes"].admin
    for product in (chain["cell"], f"{chain['cells'].uri}/products/none"):
        answer = rival.get("/api/v1/bills", params={"product": product})
        assert (answer.status_code, answer.json()["where"]) == (404, "product")
    for path in ("/api/v1/bills", "/api/v1/bills/uses"):
        answer = rival.get(path, params={"product": chain["cell"], "reader": chain["cells"].uri})
        assert answer.status_code == 403, answer.text
