"""What a kilogram of a formula holds, and what it is on another basis."""

from decimal import Decimal

import pytest

from bom_graph import Basis, CompositionError, hydrate_mistaken, mass_fractions, restate

# Molar masses by hand from the IUPAC weights: Ni 58.693, S 32.06, O 15.999, H 1.008.
NISO4 = 58.693 + 32.06 + 4 * 15.999
WATER = 2 * 1.008 + 15.999

UNREADABLE = {
    "empty": "",
    "brackets": "Ca(OH)2",
    "unknown element": "Xx2O3",
    "a middle dot": "NiSO4·6H2O",
    "small letters": "niso4",
    "a space": "Ni SO4",
    "a negative count": "Li-1O2",
    "a count without digits": "Li.O",
    "only water": ".6H2O",
    "no water counted": "NiSO4.0H2O",
    "an element counted zero times": "LiNi0O2",
    "other digits": "Li²O",
    "too long": "Li2O" * 17,
}


def test_nickel_in_anhydrous_sulfate_and_in_hexahydrate() -> None:
    anhydrous, hydrate = mass_fractions("NiSO4"), mass_fractions("NiSO4.6H2O")
    assert anhydrous["Ni"] == pytest.approx(58.693 / NISO4, rel=1e-12)
    assert hydrate["Ni"] == pytest.approx(58.693 / (NISO4 + 6 * WATER), rel=1e-12)
    assert hydrate["H"] == pytest.approx(12 * 1.008 / (NISO4 + 6 * WATER), rel=1e-12)
    assert anhydrous["Ni"] / hydrate["Ni"] == pytest.approx((NISO4 + 6 * WATER) / NISO4, rel=1e-12)


def test_hexahydrate_misread_as_anhydrous_is_worked_example_e() -> None:
    ratio = mass_fractions("NiSO4")["Ni"] / mass_fractions("NiSO4.6H2O")["Ni"]
    # The example's 1.627085 comes from molar masses of five digits, 262.85 and 154.75 g/mol; ours from atomic weights.
    assert 0.957928 * ratio == pytest.approx(1.627085, rel=4e-5)
    assert (0.957928 * ratio - 0.957928) * 7.569059 == pytest.approx(5.06444, rel=4e-6)


@pytest.mark.parametrize("formula", ["LiNi0.6Mn0.2Co0.2O2", "LiFePO4", "Li2CO3", "H3PO4", "NH4OH", "CaSO4.0.5H2O"])
def test_the_fractions_add_up_to_one(formula: str) -> None:
    assert sum(mass_fractions(formula).values()) == pytest.approx(1, rel=1e-12)


def test_hemihydrate_holds_half_a_water() -> None:
    """CaSO4.0.5H2O has two points; the second belongs to the count of water."""
    salt = 40.078 + 32.06 + 4 * 15.999
    assert mass_fractions("CaSO4.0.5H2O")["Ca"] == pytest.approx(40.078 / (salt + WATER / 2), rel=1e-12)


def test_a_hydrate_of_a_salt_with_broken_counts() -> None:
    parts = mass_fractions("LiNi0.5Mn1.5O4.2H2O")
    assert parts["Mn"] / parts["Ni"] == pytest.approx(3 * 54.938 / 58.693, rel=1e-12)
    assert parts["H"] / parts["Li"] == pytest.approx(4 * 1.008 / 6.94, rel=1e-12)


def test_an_element_that_stands_twice_counts_twice() -> None:
    assert mass_fractions("NH4NO3")["N"] == pytest.approx(28.014 / (28.014 + 4 * 1.008 + 3 * 15.999), rel=1e-12)


@pytest.mark.parametrize("formula", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_unreadable_formula_is_refused(formula: str) -> None:
    with pytest.raises(CompositionError) as caught:
        mass_fractions(formula, where="inputs/a/composition")
    assert caught.value.where == "inputs/a/composition"


def test_the_fractions_cannot_be_changed_under_other_readers() -> None:
    with pytest.raises(TypeError):
        mass_fractions("NiSO4")["Ni"] = 1.0  # type: ignore[index]


# -- another basis -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stated", "wanted", "factor"),
    [
        (Basis("NiSO4"), "NiSO4", 1),
        (Basis("NiSO4.6H2O"), "NiSO4", NISO4 / (NISO4 + 6 * WATER)),
        (Basis("NiSO4"), "NiSO4.6H2O", (NISO4 + 6 * WATER) / NISO4),
        (Basis("NiSO4.7H2O"), "NiSO4.6H2O", (NISO4 + 6 * WATER) / (NISO4 + 7 * WATER)),
        (Basis("NiSO4", content_of="Ni"), "NiSO4", NISO4 / 58.693),
        (Basis("NiSO4.6H2O", content_of="Ni"), "NiSO4", NISO4 / 58.693),
        (Basis("NiSO4", moisture_percent=Decimal(12)), "NiSO4", 0.88),
        (Basis("NiSO4.6H2O", moisture_percent=Decimal("0.5")), "NiSO4", 0.995 * NISO4 / (NISO4 + 6 * WATER)),
    ],
)
def test_the_moles_of_salt_are_kept(stated: Basis, wanted: str, factor: float) -> None:
    found = restate(stated, wanted, where="inputs/a")
    assert found.factor == pytest.approx(factor, rel=1e-12)
    assert found.how.startswith(f"1 kg of {stated} is ")


def test_worked_example_e_in_both_directions() -> None:
    assert 0.957928 * restate(Basis("NiSO4"), "NiSO4.6H2O", where="e").factor == pytest.approx(1.627085, rel=4e-5)
    assert 1.627085 * restate(Basis("NiSO4.6H2O"), "NiSO4", where="e").factor == pytest.approx(0.957928, rel=4e-5)


@pytest.mark.parametrize(
    ("stated", "wanted"),
    [(Basis("NiSO4"), "CoSO4"), (Basis("LiOH"), "Li2CO3"), (Basis("NiSO4", content_of="Co"), "NiSO4")],
)
def test_another_substance_is_no_other_basis(stated: Basis, wanted: str) -> None:
    with pytest.raises(CompositionError) as caught:
        restate(stated, wanted, where="inputs/a")
    assert caught.value.where == "inputs/a"


@pytest.mark.parametrize(
    ("name", "formula", "waters"),
    [
        ("nickel sulfate hexahydrate", "NiSO4", "6"),
        ("Cobalt Sulphate Heptahydrate", "CoSO4.6H2O", "7"),
        ("NiSO4·6H2O, battery grade", "NiSO4", "6"),
        ("lithium hydroxide monohydrate", "LiOH", "1"),
        ("一水氢氧化锂", "LiOH", "1"),
        ("gypsum, hemihydrate", "CaSO4", "0.5"),
        ("Nickelsulfat-Heptahydrat", "NiSO4.6H2O", "7"),
        ("Nickelsulfatheptahydrat", "NiSO4", "7"),
        ("Lithiumhydroxid-Monohydrat", "LiOH", "1"),
        ("sulfate de nickel hexahydraté", "NiSO4", "6"),
        ("sulfato de níquel hexahidratado", "NiSO4", "6"),
    ],
)
def test_a_name_that_speaks_of_another_hydrate_is_found(name: str, formula: str, waters: str) -> None:
    what = hydrate_mistaken(name, formula, where="inputs/a")
    assert what is not None
    assert f"speaks of {waters} H2O" in what


@pytest.mark.parametrize(
    ("name", "formula"),
    [
        ("nickel sulfate hexahydrate", "NiSO4.6H2O"),
        ("nickel sulfate", "NiSO4.6H2O"),
        ("nickel sulfate", "NiSO4"),
        ("lithium hydroxide monohydrate", "LiOH.H2O"),
        ("carbohydrate", "C6H12O6"),
        ("aluminium sulfate octadecahydrate", "Al2S3O12"),
        ("Kohlenhydrat", "C6H12O6"),
        ("water H2O", "H2O"),
    ],
)
def test_a_name_that_says_the_same_or_nothing_is_left_alone(name: str, formula: str) -> None:
    assert hydrate_mistaken(name, formula, where="inputs/a") is None
