"""Explanation: rows add up to their parents, paths come by size, flows are conserved, bars make up the difference."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bom_graph import Burden, Explanation, Link, ProductSystem, TreeRow, solve, waterfall


def burden(process: int, kg: float, name: str, stage: str = "material", **origin: Any) -> Burden:
    return Burden(process, stage, kg, 0.0, 0.0, {"line": f"inputs/{name}", "name": name, **origin})


def by_factor(process: int, amount: float, value: str, name: str, *, row: str = "row", release: str = "r") -> Burden:
    factor = {"row": row, "value": value, "unit": "kg CO2e/kg", "release": release}
    return burden(process, amount * float(value), name, factor=factor)


def pack() -> ProductSystem:
    """A pack of 4 cells (each 2 kg cathode, 0.1 kg foil at 5) and a box; the cathode's maker signed 3 and 1 kg CO2e per kg."""
    return ProductSystem(
        ("pack", "cell", "cathode"),
        (Link(0, 1, 4.0), Link(1, 2, 2.0)),
        (
            by_factor(0, 1.5, "2", "box"),
            burden(0, 0.01, "screws"),
            burden(0, 0.02, "label"),
            by_factor(1, 0.1, "5", "foil"),
            burden(1, 2.5, "power", "manufacturing"),
            burden(2, 3.0, "", sealed=True),
            burden(2, 1.0, "", "manufacturing", sealed=True),
        ),
    )


TOTAL = 3 + 0.03 + 4 * (0.5 + 2.5 + 2 * 4)


def children(rows: Iterable[TreeRow], parent: TreeRow) -> list[TreeRow]:
    return [row for row in rows if row.parent == parent.number]


def check_sums(rows: tuple[TreeRow, ...], scale: float) -> None:
    for row in rows:
        if row.opened:
            parts = [child.total for child in children(rows, row)]
            assert math.fsum(parts) == pytest.approx(row.total, abs=1e-9 * scale)


def test_the_tree_of_a_pack() -> None:
    explained = Explanation(pack())
    assert explained.total == pytest.approx(TOTAL, rel=1e-12)
    rows = explained.tree(cut_off=0.01)
    check_sums(rows, TOTAL)
    shown = [(row.depth, row.kind, row.name, round(row.direct, 9), round(row.upstream, 9)) for row in rows]
    assert shown == [
        (0, "product", "pack", 3.03, 44.0),
        (1, "product", "cell", 12.0, 32.0),
        (2, "product", "cathode", 32.0, 0.0),
        (3, "line", "inputs/", 24.0, 0.0),
        (3, "line", "inputs/", 8.0, 0.0),
        (2, "line", "power", 10.0, 0.0),
        (2, "line", "foil", 2.0, 0.0),
        (1, "line", "box", 3.0, 0.0),
        (1, "rest", "2 more", 0.03, 0.0),
    ]
    assert [row.is_sealed for row in rows] == [False, False, True, True, True, False, False, False, False]
    assert rows[2].percent == pytest.approx(100 * 32 / TOTAL)
    assert rows[2].amount == 8


def test_a_single_branch_below_the_cut_off_is_shown_as_itself() -> None:
    system = ProductSystem(("p",), (), (burden(0, 9.99, "large"), burden(0, 0.01, "small")))
    assert [row.name for row in Explanation(system).tree(cut_off=0.5)] == ["p", "large", "small"]


def test_rows_are_limited_and_what_is_not_opened_keeps_its_total() -> None:
    rows = Explanation(pack()).tree(rows=2)
    assert [(row.name, row.opened) for row in rows if row.kind == "product"] == [("pack", True), ("cell", False)]
    assert rows[1].total == 44


def test_a_loop_is_one_row() -> None:
    """A cell takes 2 of cathode, a cathode 0.1 of a cell: cathode 3 kg, cell 1 kg of its own."""
    system = ProductSystem(
        ("cell", "cathode"), (Link(0, 1, 2.0), Link(1, 0, 0.1)), (burden(0, 1.0, "gas"), burden(1, 3.0, "salt"))
    )
    rows = Explanation(system).tree(cut_off=0)
    check_sums(rows, 10)
    assert [(row.name, row.is_loop) for row in rows] == [
        ("cell", False), ("cathode", False), ("salt", False), ("cell", True), ("gas", False),
    ]  # fmt: skip
    assert rows[0].total == pytest.approx(7 / 0.8)
    assert rows[3].total == pytest.approx(0.2 * 7 / 0.8)


def test_the_largest_paths_come_first() -> None:
    found = Explanation(pack()).paths(4)
    assert [(path.products[-1], path.kg_co2e) for path in found] == [
        ("cathode", 24.0), ("cell", 10.0), ("cathode", 8.0), ("pack", 3.0),
    ]  # fmt: skip
    assert found[0].products == ("pack", "cell", "cathode")
    assert found[0].percent == pytest.approx(100 * 24 / TOTAL)
    assert len(Explanation(pack()).paths(100)) == 7


def test_paths_are_in_order_though_credits_hide_them() -> None:
    """A supplier whose 50 kg are credited away carries 1 kg net, and still has the two largest paths."""
    system = ProductSystem(
        ("p", "s"), (Link(0, 1, 1.0),), (burden(0, 2.0, "own"), burden(1, 50.0, "burden"), burden(1, -49.0, "credit"))
    )
    assert [path.line for path in Explanation(system).paths()] == ["burden", "credit", "own"]


def test_rounds_of_a_loop_are_paths() -> None:
    system = ProductSystem(("p",), (Link(0, 0, 0.5),), (burden(0, 1.0, "gas"),))
    assert [path.kg_co2e for path in Explanation(system).paths(3)] == [1.0, 0.5, 0.25]


def test_what_flows_into_a_product_flows_out() -> None:
    found = Explanation(pack()).sankey(cut_off=0)
    into, out = dict[str, float](), dict[str, float]()
    for flow in found.flows:
        into[flow.target] = into.get(flow.target, 0.0) + flow.kg_co2e
        out[flow.source] = out.get(flow.source, 0.0) + flow.kg_co2e
    assert into["pack"] == pytest.approx(TOTAL)
    assert into["cell"] == pytest.approx(out["cell"])
    assert into["cathode"] == pytest.approx(out["cathode"])
    assert sum(kg for name, kg in out.items() if name.startswith("stage: ")) == pytest.approx(TOTAL)
    assert dict(found.nodes)["cell"] == pytest.approx(44)
    merged = Explanation(pack()).sankey(cut_off=0.8)
    assert {flow.target for flow in merged.flows} == {"pack", "cell", "other products"}


def test_a_waterfall_names_what_changed() -> None:
    """Cells 4 -> 5, box lighter, foil's factor 5 -> 6, screws gone, a lid added."""
    before = pack()
    changed = [by_factor(0, 1.0, "2", "box"), burden(0, 0.02, "label"), by_factor(1, 0.1, "6", "foil", release="r2")]
    after = ProductSystem(
        before.processes,
        (Link(0, 1, 5.0), Link(1, 2, 2.0)),
        (*changed, *before.burdens[4:], burden(0, 0.7, "lid")),
    )
    found = waterfall(Explanation(before), Explanation(after))
    assert found.after - found.before == pytest.approx(math.fsum(bar.amount for bar in found.bars), rel=1e-12)
    shown = {(bar.cause, bar.where, bar.what): bar.amount for bar in found.bars}
    assert shown == pytest.approx(
        {
            ("input", "pack", "cell"): 11.1,
            ("line", "pack", "box"): -1.0,
            ("factor", "cell", "foil"): 0.4,
            ("line removed", "pack", "screws"): -0.01,
            ("line added", "pack", "lid"): 0.7,
        }
    )
    assert found.largest(2)[1] == pytest.approx(0.7 + 0.4 - 0.01)
    factor = next(bar for bar in found.bars if bar.cause == "factor")
    assert (factor.before, factor.after) == ("5 kg CO2e/kg (r/row)", "6 kg CO2e/kg (r2/row)")


def test_other_rules_are_named_as_the_cause() -> None:
    before = ProductSystem(("p",), (), (by_factor(0, 2.0, "3", "power", row="grid-nation"),))
    after = ProductSystem(("p",), (), (by_factor(0, 2.0, "4", "power", row="grid-region"),))
    found = waterfall(Explanation(before), Explanation(after), units=(10.0, 5.0), same_rules=False)
    assert [bar.cause for bar in found.bars] == ["rule", "rule"]
    assert [bar.amount for bar in found.bars] == pytest.approx([0.8, 0.2])
    assert [found.before, found.after] == pytest.approx([0.6, 1.6])
    same = waterfall(Explanation(before), Explanation(after))
    assert [bar.cause for bar in same.bars] == ["factor"]


def test_lines_whose_path_is_new_are_matched_by_name() -> None:
    """Statements are signed anew with other line ids."""
    old = replace(by_factor(0, 2.0, "3", "salt"), origin={**by_factor(0, 2.0, "3", "salt").origin, "line": "inputs/x1"})
    new = replace(by_factor(0, 4.0, "3", "salt"), origin={**by_factor(0, 2.0, "3", "salt").origin, "line": "inputs/y7"})
    found = waterfall(Explanation(ProductSystem(("p",), (), (old,))), Explanation(ProductSystem(("p",), (), (new,))))
    assert [(bar.cause, bar.before, bar.after, bar.amount) for bar in found.bars] == [("line", "2", "4", 6.0)]


def test_packs_of_other_names_are_compared_as_one_product() -> None:
    other = replace(pack(), processes=("pack 2", "cell 2", "cathode"))
    found = waterfall(Explanation(pack()), Explanation(other, amount=2.0))
    # The cells have other names as well, and stand at the same place with the same lines.
    assert [(bar.cause, bar.what) for bar in found.bars] == [("demand", "amount")]
    assert math.fsum(bar.amount for bar in found.bars) == pytest.approx(TOTAL)


def test_suppliers_of_other_names_are_the_same_where_only_one_can_be_meant() -> None:
    """Both suppliers are others; the cell is known by its foil, and the box by all of its lines."""
    before = ProductSystem(
        ("p", "box", "cell"),
        (Link(0, 1, 1.0), Link(0, 2, 4.0)),
        (by_factor(1, 1.0, "2", "power"), by_factor(2, 1.0, "2", "power"), by_factor(2, 3.0, "5", "foil")),
    )
    other = replace(
        before, processes=("q", "box 2", "cell 2"), burdens=(*before.burdens[:2], by_factor(2, 4.0, "5", "foil"))
    )
    found = waterfall(Explanation(before), Explanation(other))
    assert [(bar.cause, bar.where, bar.what, bar.amount) for bar in found.bars] == [("line", "cell", "foil", 20.0)]
    twins = ProductSystem(
        ("p", "a", "b"), before.links, (by_factor(1, 1.0, "2", "power"), by_factor(2, 1.0, "2", "power"))
    )
    found = waterfall(Explanation(twins), Explanation(replace(twins, processes=("p", "c", "d"))))
    assert {bar.cause for bar in found.bars} == {"input added", "input removed"}


def test_a_factor_in_another_unit_is_the_same_factor() -> None:
    per_t = {"row": "row", "value": "3000", "unit": "kg CO2e/t", "release": "r"}
    after = ProductSystem(("p",), (), (burden(0, 12.0, "salt", factor=per_t),))
    before = ProductSystem(("p",), (), (by_factor(0, 2.0, "3", "salt"),))
    (bar,) = waterfall(Explanation(before), Explanation(after)).bars
    assert (bar.cause, bar.before, bar.after) == ("line", "2", "4")
    assert bar.amount == pytest.approx(6.0)


@st.composite
def systems(draw: st.DrawFn, *, names: tuple[str, ...] = ("p", "q", "r", "s", "t")) -> ProductSystem:
    """A system over some of the names, with loops that leave something over, and with credits."""
    chosen = ("p", *draw(st.lists(st.sampled_from(names[1:]), unique=True)))
    pairs = st.tuples(st.integers(0, len(chosen) - 1), st.integers(0, len(chosen) - 1), st.floats(0.01, 0.15))
    links = [Link(*link) for link in draw(st.lists(pairs, max_size=6))]
    lines = st.tuples(st.integers(0, len(chosen) - 1), st.floats(-3, 9), st.sampled_from(["a", "b", "c"]))
    burdens = [
        by_factor(process, amount, draw(st.sampled_from(["1", "2.5"])), name)
        for process, amount, name in draw(st.lists(lines, max_size=8))
    ]
    return ProductSystem(chosen, tuple(links), tuple(burdens))


@settings(deadline=None)
@given(systems(), systems(), st.floats(0.5, 2), st.floats(0.5, 2))
def test_bars_add_up_to_the_difference(a: ProductSystem, b: ProductSystem, more: float, kwh: float) -> None:
    before, after = Explanation(a), Explanation(b, amount=more)
    found = waterfall(before, after, units=(1.0, kwh))
    scale = 1 + before.weight + after.weight
    assert math.fsum(bar.amount for bar in found.bars) == pytest.approx(found.after - found.before, abs=1e-9 * scale)


@settings(deadline=None)
@given(systems())
def test_every_opened_row_is_the_sum_of_its_children(system: ProductSystem) -> None:
    explained = Explanation(system)
    assert explained.total == pytest.approx(solve(system, {0: 1.0}).total, abs=1e-9 * (1 + explained.weight))
    check_sums(explained.tree(cut_off=0.02), 1 + explained.weight)


@settings(deadline=None)
@given(systems())
def test_all_paths_of_a_system_lead_to_its_total(system: ProductSystem) -> None:
    acyclic = replace(system, links=tuple(link for link in system.links if link.consumer < link.supplier))
    explained = Explanation(acyclic)
    paths = explained.paths(10_000)
    assert math.fsum(path.kg_co2e for path in paths) == pytest.approx(
        explained.total, abs=1e-9 * (1 + explained.weight)
    )
    sizes = [abs(path.kg_co2e) for path in paths]
    assert sizes == sorted(sizes, reverse=True)


def test_a_deep_chain_takes_no_stack() -> None:
    count = 3_000
    system = ProductSystem(
        tuple(f"p{n}" for n in range(count)),
        tuple(Link(n, n + 1, 1.0) for n in range(count - 1)),
        tuple(burden(n, 1.0, "gas") for n in range(count)),
    )
    assert len(Explanation(system).tree(rows=400)) >= 400
    assert len(Explanation(system).paths(5)) == 5
