"""A portfolio after a factor release: what a plain solution gives for each product, and what can't be re-rolled."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from bom_graph import (
    Burden,
    FactorError,
    FactorRelease,
    Link,
    LoopError,
    Portfolio,
    ProductSystem,
    load_release,
    release_bytes,
    solve,
)

RELEASE = load_release("everbatt-2023")
VALUES = {row.id: row for row in RELEASE.rows}


def burden(process: int, amount: float, row: str) -> Burden:
    factor = {"release": RELEASE.id, "row": row, "value": str(VALUES[row].value), "unit": f"kg CO2e/{VALUES[row].per}"}
    return Burden(process, "s", amount * float(VALUES[row].value), 0.0, 0.0, {"factor": factor})


def system() -> ProductSystem:
    """Two packs of one cell, whose scrap returns into its cathode; the first pack also has a process emission."""
    return ProductSystem(
        ("pack 1", "pack 2", "cell", "cathode"),
        (Link(0, 2, 4.0), Link(1, 2, 6.0), Link(2, 3, 2.0), Link(3, 2, 0.01)),
        (
            burden(0, 1.0, "steel"),
            Burden(0, "s", 3.0, 0.0, 0.0, {"gas": "CO2"}),
            burden(1, 2.0, "steel"),
            burden(2, 0.5, "copper"),
            burden(3, 1.0, "nickel-sulfate"),
        ),
    )


def newer(**values: str) -> FactorRelease:
    members: dict[str, Any] = json.loads(release_bytes(RELEASE.id))
    for row in members["rows"]:
        row["value"] = values.get(row["id"].replace("-", "_"), row["value"])
    return FactorRelease.read(json.dumps({**members, "version": "2"}).encode())


def test_every_product_comes_out_as_if_it_were_solved_alone() -> None:
    given = system()
    release = newer(copper="9.5", nickel_sulfate="1")
    rows = {row.id: float(row.value) for row in release.rows}

    def again(line: Burden) -> Burden:
        factor: Any = line.origin.get("factor")
        return (
            line
            if factor is None
            else replace(line, kg_co2e=line.kg_co2e / float(factor["value"]) * rows[factor["row"]])
        )

    after = replace(given, burdens=tuple(map(again, given.burdens)))
    found = list(Portfolio(given, [0, 1]).after([release]))
    assert [change.product for change in found] == ["pack 1", "pack 2"]
    for number, change in enumerate(found):
        assert change.before == pytest.approx(solve(given, {number: 1.0}).total, rel=1e-12)
        assert change.after == pytest.approx(solve(after, {number: 1.0}).total, rel=1e-12)
        assert change.after != change.before
    assert Portfolio(given, [1]).footprints == {"pack 2": found[1].before}


def test_the_same_release_changes_nothing() -> None:
    assert all(change.before == change.after for change in Portfolio(system(), [0, 1]).after([RELEASE]))


def test_what_cannot_be_rolled_up_again_is_refused_by_name() -> None:
    portfolio = Portfolio(system(), [0])
    members = json.loads(release_bytes(RELEASE.id))
    without = {**members, "rows": [row for row in members["rows"] if row["id"] != "copper"]}
    per_tonne = {**members, "rows": [{**row, "per": "t"} if row["id"] == "copper" else row for row in members["rows"]]}
    for changed, said in ((without, "no row 'copper' any more"), (per_tonne, "row 'copper' is per t")):
        with pytest.raises(FactorError, match=said) as caught:
            next(portfolio.after([FactorRelease.read(json.dumps(changed).encode())]))
        assert caught.value.remedy


def test_a_loop_that_makes_nothing_is_refused() -> None:
    with pytest.raises(LoopError):
        Portfolio(ProductSystem(("a",), (Link(0, 0, 1.0),), ()), [0])
