"""Names that people write: which read as one, which are nearly one, and which can't be read; codes of places."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bom_graph import (
    LIFE_CYCLE,
    ActivityData,
    MissingFactorError,
    NearNames,
    RecordError,
    load_release,
    look_up,
    name_key,
    nation_of,
    nearly_same,
)
from bom_graph.naming import unreadable
from bom_graph.records import Site
from bom_graph.records.trade import CertificateRetirement, SerialRange

CYRILLIC_R = "\u0440"


@pytest.mark.parametrize(
    "other",
    [
        "Plant  1",
        "plant-1",
        "plant\u20111",
        "plant\u00a01",
        "\uff50lant 1",
        f"{CYRILLIC_R}lant 1",
        "plant\u200b 1",
        "plant\u00ad 1",
    ],
)
def test_names_that_read_the_same_are_one(other: str) -> None:
    assert name_key(other) == name_key("plant 1")
    assert not nearly_same("plant 1", other)


@pytest.mark.parametrize("other", ["plant 1a", "plant 1 north", "plamt 1", "plannt 1", "plant1b", "pant 1"])
def test_names_that_are_nearly_one(other: str) -> None:
    assert nearly_same("plant 1", other)
    assert nearly_same(other, "plant 1")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("plant 1", "plant 2"),
        ("plant 1", "plant 10"),
        ("hall A", "hall B"),
        ("Ningde", "Ningde 2"),
        ("Ulm", "Uim"),
        ("宁德一厂", "宁德二厂"),
    ],
)
def test_other_names(one: str, other: str) -> None:
    assert name_key(one) != name_key(other)
    assert not nearly_same(one, other)


@pytest.mark.parametrize(
    "name", ["宁德 CATL 1号", "10 µm hall", "Werk Süd", "α-Werk", "Завод 1", "خانه\u200cها", "Łódź"]
)
def test_honest_names_can_be_read(name: str) -> None:
    assert unreadable(name) is None
    assert Site(name=name, country="CN").name == name


@pytest.mark.parametrize(
    "name", ["plant\u200b 1", "plant\u2060 1", "pla\u200dnt 1", "plant\u3164 1", f"{CYRILLIC_R}lant 1", "Pl\u03b1nt"]
)
def test_a_name_that_reads_as_another_is_refused(name: str) -> None:
    claims = {"sub": "https://a.example/r", "registry": name}
    with pytest.raises(RecordError, match="it would read as another name") as caught:
        CertificateRetirement.read(claims, None)
    assert (caught.value.code, caught.value.where) == ("text", "registry")


@pytest.mark.parametrize(
    "first", ["a-000001", "\uff21-000001", "A000001", "A-0000001", "A - 000001", "A.000001", "A_000001", "A/000001"]
)
def test_serials_are_compared_without_case_width_separators_and_leading_zeros(first: str) -> None:
    assert SerialRange(id="s", first=first).span == SerialRange(id="s", first="A-000001").span


def test_serials_that_differ() -> None:
    spans = [SerialRange(id="s", first=first).span for first in ("A-1-0001", "A-10001", "B-1-0001", "A-10-0001")]
    assert len(set(spans)) == 4
    # Beyond eighteen digits the number's head belongs to the series; leading zeros still don't count.
    assert SerialRange(id="s", first="A-00" + "1" * 18).span == SerialRange(id="s", first="A-" + "1" * 18).span
    assert SerialRange(id="s", first="A-10" + "1" * 18).span != SerialRange(id="s", first="A-1" + "1" * 18).span
    assert SerialRange(id="s", first="A-10000001", last="A-20000000").count == 10_000_000
    with pytest.raises(ValueError, match="10,000,000 certificates at most"):
        SerialRange(id="s", first="A-10000001", last="A-20000001")
    with pytest.raises(ValueError, match="one prefix and one length"):
        SerialRange(id="s", first="A-0001", last="B-0005")


@pytest.mark.parametrize(("registry", "same"), [("gec", True), ("G.E.C.", True), ("\uff27EC", True), ("I-REC", False)])
def test_registries(registry: str, same: bool) -> None:
    keys = {CertificateRetirement(registry=one).registry_key for one in ("GEC", registry)}
    assert len(keys) == (1 if same else 2)


@pytest.mark.parametrize(
    ("place", "nation"),
    [("CN", "CN"), ("GLO", "GLO"), ("CN-XJ", "CN"), ("CN-GRID-NORTHWEST", "CN"), ("US-CA", "US"), ("LU-LU", "LU")],
)
def test_the_nation_of_a_place(place: str, nation: str) -> None:
    assert nation_of(place) == nation
    assert Site(name="plant 1", country="CN", grid=place).grid == place


@pytest.mark.parametrize("place", ["CN-", "-CN", "CN-CN-CN", "cn-xj", "CN--XJ", "CN-XJ-"])
def test_what_is_no_code_has_no_nation(place: str) -> None:
    assert nation_of(place) is None
    line = {"amount": "1", "unit": "kWh", "obtained": "measured", "supply": "grid", "geography": place}
    with pytest.raises(RecordError, match="a region is written as CN-XJ"):
        ActivityData.draft({"sub": "https://a.example/p", "electricity": [line]})
    with pytest.raises(MissingFactorError):
        look_up([load_release("authorities-2026")], "electricity", place, LIFE_CYCLE, year=2024, where="here")


_SITES = st.lists(
    st.lists(
        st.sampled_from(["plant", "plants", "plnat", "works", "1", "2", "10", "宁德", "-", "east"]),
        min_size=1,
        max_size=4,
    )
    .map(" ".join)
    .filter(lambda name: name.strip("- ")),
    max_size=12,
)


@given(_SITES)
def test_near_names_are_found_without_comparing_all(names: list[str]) -> None:
    near = NearNames(names)
    for name in names:
        assert near.of(name) == {other for other in names if nearly_same(name, other)}
