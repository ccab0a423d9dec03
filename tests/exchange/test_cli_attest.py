"""``packtrace attest``: from a filled form to a statement that the ledger takes in, without a developer."""

from __future__ import annotations

import json
import re
import stat
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args

import pytest
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import load_der_x509_certificate, load_pem_x509_csr
from hypothesis import given
from hypothesis import settings as effort
from hypothesis import strategies as st
from pydantic import BaseModel

from bom_graph import ActivityData, release_bytes
from exchange.attestation import FORM_KINDS, draft, grants, template
from exchange.client import Client
from exchange.errors import FormError
from exchange.form import MAX_DEPTH, MAX_FORM_BYTES, read_form
from exchange.kinds import ACTIVITY_DATA
from exchange.server import serving
from exchange.settings import Settings
from signer import disclose, split_presentation, verify
from tests.exchange.desk import CATHODES, EXAMPLES, ROOT, SECRET, Desk, Ran
from tests.simulator import ORIGIN

CATHODE = EXAMPLES / "cathode-activity.yaml"
SMALL = """\
kind: activity-data
sub: https://cathodes.example/x
process_class: material_production
period: {start: 2026-01-01, end: 2026-01-31}
outputs:
  - product: https://cathodes.example/x
    amount: 12.50
    unit: t
    obtained: measured
"""


def random(count: int) -> bytes:
    return bytes(range(count))


# --- The whole way ------------------------------------------------------------------------------------------------


def test_from_a_new_key_to_the_ledger(desk: Desk) -> None:
    """key new, request, certificate, enrolment, form, statement, verification, admission; citing a real entry."""
    nickel = desk.key("nickel", "https://nickel.example")
    desk.join(nickel, "https://nickel.example")
    cited = desk.admit(desk.attest(EXAMPLES / "nickel-activity.json", nickel, "n"))
    key = desk.key()
    desk.join(key)
    text = re.sub(r"index: \d+", f"index: {cited.index}", CATHODE.read_text("utf-8"))
    form = desk.form(re.sub(r"leaf_hash: \w+", f"leaf_hash: {cited.leaf_hash}", text))
    statement = desk.attest(form, key)
    assert stat.S_IMODE(statement.stat().st_mode) == 0o600
    assert desk.run("statement", "verify", statement, "--trust", desk.trust()).code == 0
    entry = desk.admit(statement)
    assert isinstance(entry.record, ActivityData)
    assert entry.record.is_whole
    assert entry.statement.claims["electricity"][0]["amount"] == "840.0"  # type: ignore[index,call-overload]
    assert entry.statement.claims["inputs"]
    assert entry.statement.issuer == CATHODES


def test_a_real_exchange_takes_it_in(desk: Desk) -> None:
    """Over HTTP, with nothing but what the commands print and write; a citation of another entry is refused there."""
    settings = Settings(data=desk.folder / "exchange", port=0)
    with serving(settings) as running:
        ledger, token = running.services.installation.trust.origin, running.services.installation.token
        key = desk.folder / "key"
        assert desk.run("key", "new", key, "--organisation", CATHODES).code == 0
        printed = desk.run("key", "csr", key, "--organisation", CATHODES, "--audience", ledger).out
        request, _, possession = printed.partition("proof of possession for ")
        csr = load_pem_x509_csr(request.encode()).public_bytes(Encoding.DER)
        with Client(running.address, token) as client:
            proof = possession.split(": ")[1].strip()
            leaf = client.enrol(CATHODES, "Cathodes", csr, proof, ["supplier"]).certificate
        key.with_name("key.crt").write_bytes(load_der_x509_certificate(leaf).public_bytes(Encoding.PEM))

        def push(text: str, name: str) -> Ran:
            form, statement = desk.form(text, f"{name}.yaml"), desk.folder / f"{name}.sd-jwt"
            signed = desk.run("attest", form, "--key", f"file:{key}", "--audience", ledger, "--yes")
            assert signed.code == 0, signed.err
            assert desk.run("statement", "verify", statement, "--trust", settings.data / "trust").code == 0
            return desk.run("push", statement, "--server", running.address, "--data", settings.data, "--json")

        pushed = push(SMALL, "first")
        assert pushed.code == 0, pushed.err
        (receipt,) = pushed.json["statements"]
        citing = (
            f"inputs: [{{name: part, product: '{CATHODES}/x', amount: 1, unit: t, obtained: measured, "
            f"citation: {{origin: '{ledger}', index: INDEX, leaf_hash: {receipt['leaf_hash']}}}}}]\n"
        )
        other = SMALL.replace("/x", "/y")
        assert push(other + citing.replace("INDEX", str(receipt["index"])), "second").code == 0
        for number, index in (("third", "0"), ("fourth", "900")):
            refused = push(other + citing.replace("INDEX", index), number)
            assert refused.code == 1
            (verdict,) = refused.json["statements"]
            assert "/citation" in verdict["where"]


@pytest.mark.parametrize("path", sorted(EXAMPLES.iterdir()), ids=lambda path: path.name)
def test_every_example_is_signed_and_verified(desk: Desk, path: Path) -> None:
    slug = re.search(r"https://(\w+)\.example/", path.read_text("utf-8"))
    assert slug is not None
    key = desk.key(organisation=f"https://{slug[1]}.example")
    ran = desk.run("statement", "verify", desk.attest(path, key), "--trust", desk.trust(), "--json")
    assert (ran.code, ran.json["whole"]) == (0, True)


@pytest.mark.parametrize("algorithm", ["ES256", "Ed25519"])
def test_both_algorithms_sign(desk: Desk, algorithm: str) -> None:
    desk.run("key", "new", desk.folder / "k", "--organisation", CATHODES, "--algorithm", algorithm)
    desk.certify(desk.folder / "k")
    statement = desk.attest(CATHODE, desk.folder / "k")
    assert desk.run("statement", "show", statement, "--json").json["header"]["alg"] == algorithm


def test_figures_are_signed_as_they_are_written(desk: Desk) -> None:
    """Neither rounded nor respelled, with quotes or without, in YAML or JSON."""
    key = desk.key()
    spellings = ["12.50", '"12.50"', "'12.50'"]
    forms = [desk.form(SMALL.replace("12.50", text), f"{n}.yaml") for n, text in enumerate(spellings)]
    for form in forms:
        shown = desk.run("statement", "show", desk.attest(form, key, form.stem), "--json").json
        assert shown["disclosed"]["outputs"][0]["amount"] == "12.50"
    nickel = desk.key("n", "https://nickel.example")
    shown = desk.run("statement", "show", desk.attest(EXAMPLES / "nickel-activity.json", nickel, "j"), "--json").json
    assert shown["disclosed"]["outputs"][0]["amount"] == "1500.250"


def test_a_figure_beyond_binary_numbers_survives(desk: Desk) -> None:
    long = "123456789012345678901234567890.12345"
    statement = desk.attest(desk.form(SMALL.replace("12.50", long)), desk.key())
    assert desk.run("statement", "show", statement, "--json").json["disclosed"]["outputs"][0]["amount"] == long


def test_norway_stays_a_country(desk: Desk) -> None:
    form = desk.form(SMALL + "site: {name: on, country: NO}\n")
    shown = desk.run("statement", "show", desk.attest(form, desk.key()), "--json").json
    assert shown["disclosed"]["site"] == {"name": "on", "country": "NO"}


def test_a_form_saved_by_windows_is_read(desk: Desk) -> None:
    path = desk.folder / "windows.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    desk.attest(path, desk.key())


# --- What is shown before signing ---------------------------------------------------------------------------------


def test_the_preview_tells_what_is_open_and_what_each_grant_shows(desk: Desk) -> None:
    ran = desk.run(
        "attest", CATHODE, "--key", f"file:{desk.key()}", "--audience", ORIGIN, "--out", desk.folder / "s", "--yes"
    )
    shown = ran.err
    before, _, after = shown.partition("hidden, unless you grant it")
    opened = [line.split()[0] for line in before.splitlines() if line.startswith("  ")]
    assert opened == ["iss", "aud", "iat", "vct", "jti"]
    assert "nickel" not in before
    assert re.search(r"\n  inputs/[\w-]{22}: name nickel sulfate, product https://nickel.example/sulfate, ", after)
    assert "\n  period: start 2026-01-01, end 2026-01-31" in after
    assert "\n  full: all of the above" in after


def test_what_is_open_in_the_token_is_what_the_preview_names(desk: Desk) -> None:
    shown = desk.run("statement", "show", desk.attest(CATHODE, desk.key()), "--json").json
    assert set(shown["open"]) == {"iss", "aud", "iat", "vct", "jti"}


def test_a_grant_shows_what_the_preview_said(desk: Desk) -> None:
    """Path by path: what is disclosed for it is the claim and line that the preview printed, and nothing else."""
    key = desk.key()
    ran = desk.run("attest", CATHODE, "--key", f"file:{key}", "--audience", ORIGIN, "--out", desk.folder / "s", "--yes")
    paths = re.findall(r"^  ([\w/-]+): ", ran.err.partition("hidden, unless")[2], re.MULTILINE)
    token, disclosures = split_presentation((desk.folder / "s").read_text())
    assert {"sub", "inputs", "contents", "full"} < set(paths)
    assert sum(path.startswith("inputs/") for path in paths) == 2
    for path in set(paths) - {"note"}:
        given = disclose(token, disclosures, [path])
        statement = verify(token, given, profile=ACTIVITY_DATA.profile, trust=desk.ledger.trust, at=datetime.now(UTC))
        hidden = set(statement.claims) - {"iss", "aud", "iat", "vct", "jti"}
        if path not in ("full", "contents"):
            name, _, line = path.partition("/")
            assert hidden == {name}
            assert not line or [one["id"] for one in statement.claims[name]] == [line]  # type: ignore[index,union-attr,call-overload]
    assert set(disclose(token, disclosures, ["full"])) == set(disclosures)


def test_every_disclosure_has_a_path_in_the_preview(desk: Desk) -> None:
    checked = draft(read_form(CATHODE.read_bytes(), "form"), kind=None, random=desk.ledger.random)
    _token, disclosures = split_presentation(desk.attest(CATHODE, desk.key()).read_text())
    assert len(list(grants(checked))) == len(disclosures) + 1  # `full` is no disclosure of its own


def test_a_flow_of_a_published_release_is_signed_with_its_file(desk: Desk) -> None:
    release = json.loads(release_bytes("everbatt-2023")) | {"version": "2"}
    row = next(one for one in release["rows"] if one["id"] == "copper")
    release["rows"].append(row | {"id": "foil-of-tomorrow", "flow": "foil-of-tomorrow"})
    file = desk.folder / "published.json"
    file.write_text(json.dumps(release))
    form = desk.form(
        f"{SMALL}inputs:\n  - {{name: foil, flow: foil-of-tomorrow, amount: 1, unit: kg, obtained: measured}}\n"
    )
    words = ("attest", form, "--key", f"file:{desk.key()}", "--audience", ORIGIN, "--yes")
    assert "no factor for flow 'foil-of-tomorrow'" in desk.run(*words).error
    assert desk.run(*words, "--factors", file).code == 0


def test_a_typing_mistake_is_pointed_out(desk: Desk) -> None:
    form = desk.form(
        SMALL.replace("    unit: t\n", "    unit: t\n    compositon: {formula: NiSO4}\n") + "electrcity_total: 3\n"
    )
    ran = desk.run("attest", form, "--key", f"file:{desk.key()}", "--audience", ORIGIN, "--yes")
    assert ran.code == 0
    assert "form.yaml line 9: outputs[1]/compositon is no name of this kind" in ran.err
    assert "form.yaml line 11: electrcity_total is no name of this kind" in ran.err


def test_a_citation_of_another_ledger_is_pointed_out(desk: Desk) -> None:
    ran = desk.run(
        "attest",
        CATHODE,
        "--key",
        f"file:{desk.key()}",
        "--audience",
        "log.example/x",
        "--out",
        desk.folder / "s",
        "--yes",
    )
    assert "cathode-activity.yaml line 32: inputs[1]/citation cites another ledger" in ran.err


@pytest.mark.parametrize(("answer", "code"), [("y", 0), ("yes", 0), ("n", 1), ("", 1), ("sure", 1)])
def test_on_a_terminal_a_person_decides(desk: Desk, answer: str, code: int) -> None:
    key, out = desk.key(), desk.folder / "s"
    answers = {"Passphrase of the key: ": SECRET, "[y/N]": answer}
    command = ("attest", CATHODE, "--key", f"file:{key}", "--audience", ORIGIN, "--out", out)
    found, shown = desk.on_terminal(answers, *command)
    assert (found, out.exists()) == (code, code == 0), shown
    assert "horse" not in shown
    assert shown.index("hidden, unless you grant it") < shown.index("[y/N]")


def test_without_terminal_and_yes_nothing_is_signed(desk: Desk) -> None:
    ran = desk.run(
        "attest", CATHODE, "--key", f"file:{desk.key()}", "--audience", ORIGIN, "--out", desk.folder / "s", typed="y\n"
    )
    assert ran.code == 2
    assert "--yes" in ran.error
    assert not (desk.folder / "s").exists()


def test_a_value_cannot_draw_on_the_terminal(desk: Desk) -> None:
    """A text that the kind knows may not hold such characters; what it doesn't know is signed as written, and shown escaped."""
    key = f"file:{desk.key()}"
    for name, code, said in (
        ("note", 1, "the text holds the character U+001B"),
        ("remark", 0, "remark: a\\u001b[2J\\u000a"),
    ):
        form = desk.form(SMALL + f'{name}: "a\\e[2J\\nfull: nothing at all"\n')
        ran = desk.run("attest", form, "--key", key, "--audience", ORIGIN, "--yes")
        assert ran.code == code
        assert said in ran.err
        assert "\x1b" not in ran.err
        assert "\nfull: nothing" not in ran.err


# --- Templates ----------------------------------------------------------------------------------------------------


def members(model: type[BaseModel]) -> set[str]:
    """Every name that a record's form can have: its fields, those of its parts, and of its lines."""
    found: set[str] = set()
    waiting: list[type[BaseModel]] = [model, *getattr(model, "lists", {}).values()]
    while waiting:
        part = waiting.pop()
        found |= {field.alias or name for name, field in part.model_fields.items()}
        for field in part.model_fields.values():
            kinds = [field.annotation, *get_args(field.annotation)]
            waiting += [one for one in kinds if isinstance(one, type) and issubclass(one, BaseModel)]
    return found


@pytest.mark.parametrize("name", FORM_KINDS)
def test_a_template_has_every_name_of_its_kind(desk: Desk, name: str) -> None:
    ran = desk.run("attest", "--template", name)
    assert ran.code == 0
    named = set(re.findall(r"^[ -]*(\w+):", ran.out, re.MULTILINE))
    record = FORM_KINDS[name].record
    assert record is not None
    # A line may have an id; only those that other lines speak of need one.
    assert named | {"id"} == members(record) | {"kind", "id"}


@pytest.mark.parametrize("name", FORM_KINDS)
def test_an_unfilled_template_is_refused_at_what_it_lacks(name: str) -> None:
    with pytest.raises(FormError) as caught:
        draft(read_form(template(name).encode(), "form.yaml"), kind=None, random=random)
    assert caught.value.what.endswith("is missing")
    assert min(FORM_KINDS[name].record.required) in caught.value.what  # type: ignore[union-attr]


def test_a_filled_template_leaves_out_what_is_blank(desk: Desk) -> None:
    filled = template("activity-data")
    for name, value in (
        ("sub", "https://cathodes.example/x"),
        ("process_class", "material_production"),
        ("start", "2026-01-01"),
        ("end", "2026-01-31"),
        ("- product", "https://cathodes.example/x"),
        ("amount", "1"),
        ("unit", "t"),
        ("obtained", "measured"),
    ):
        filled = re.sub(rf"^( *{name}:).*", rf"\1 {value}", filled, count=1, flags=re.MULTILINE)
    checked = draft(read_form(filled.encode(), "form.yaml"), kind=None, random=random)
    assert set(checked.claims) == {"sub", "process_class", "period", "outputs"}
    assert [set(line) for line in checked.claims["outputs"]] == [{"id", "product", "amount", "unit", "obtained"}]
    desk.attest(desk.form(filled), desk.key())


def test_an_empty_list_is_stated(desk: Desk) -> None:
    """`inputs: []` says that there are none; a blank `inputs:` says nothing."""
    checked = draft(read_form((SMALL + "inputs: []\nfuels:\n").encode(), "form"), kind=None, random=random)
    assert checked.claims["inputs"] == []
    assert "fuels" not in checked.claims


DELIVERY = """kind: delivery
sub: https://cathodes.example/nmc622
batch: B-17
quantity:
  amount: 24.50
  unit: t
  obtained: measured
composition:
buyer: https://cells.example
date: 2026-01-17
"""


def test_a_delivery_is_signed_from_its_form(desk: Desk) -> None:
    shown = desk.run("statement", "show", desk.attest(desk.form(DELIVERY), desk.key()), "--json").json["disclosed"]
    assert shown["quantity"] == {"amount": "24.50", "unit": "t", "obtained": "measured"}
    assert shown["date"] == "2026-01-17"
    assert "composition" not in shown


def test_a_buyer_is_spelled_as_organisations_are(desk: Desk) -> None:
    form = desk.form(DELIVERY.replace("cells.example", "cells.example/"))
    ran = desk.run("attest", form, "--key", f"file:{desk.key()}", "--audience", ORIGIN, "--yes")
    assert ran.code == 1
    assert "form.yaml line 9: buyer" in ran.error


# --- Bad forms, by name -------------------------------------------------------------------------------------------

OUTPUT = "outputs[1]"
BAD_FORMS: dict[str, tuple[str, str, str]] = {
    "no kind": (SMALL.replace("kind: activity-data\n", ""), "names no kind", "form: kind"),
    "unknown kind": (SMALL.replace("activity-data", "horoscope"), "no kind that is filled in", "form line 1: kind"),
    "a kind of the operator": (SMALL.replace("activity-data", "role-grant"), "no kind that", "form line 1: kind"),
    "a name twice": (SMALL + "sub: https://cathodes.example/y\n", "'sub' is given twice", "form line 10"),
    "a name twice in a line": (SMALL + "    unit: kg\n", "'unit' is given twice", "form line 10"),
    "a blank name twice": (SMALL + "note:\nnote:\n", "'note' is given twice", "form line 11"),
    "a separator of thousands": (
        SMALL.replace("12.50", "1,250.5"),
        "not a decimal string",
        f"form line 7: {OUTPUT}/amount",
    ),
    "a decimal comma": (SMALL.replace("12.50", "12,50"), "not a decimal string", f"form line 7: {OUTPUT}/amount"),
    "full-width digits": (SMALL.replace("12.50", "１２"), "not a decimal string", f"form line 7: {OUTPUT}/amount"),
    "an underscore": (SMALL.replace("12.50", "1_000"), "not a decimal string", f"form line 7: {OUTPUT}/amount"),
    "a hexadecimal": (SMALL.replace("12.50", "0x10"), "not a decimal string", f"form line 7: {OUTPUT}/amount"),
    "no number": (SMALL.replace("12.50", ".nan"), "not a decimal string", f"form line 7: {OUTPUT}/amount"),
    "a truth value": (SMALL.replace("12.50", "yes"), "not a decimal string", f"form line 7: {OUTPUT}/amount"),
    "amount and unit in one": (
        SMALL.replace("12.50", "12.50 t"),
        "not a decimal string",
        f"form line 7: {OUTPUT}/amount",
    ),
    "a negative amount": (SMALL.replace("12.50", "-1"), "can't be negative", f"form line 6: {OUTPUT}"),
    "no amount": (SMALL.replace("12.50", ""), "missing", f"form line 7: {OUTPUT}/amount"),
    "an unknown unit": (SMALL.replace("unit: t", "unit: tonne"), "unknown unit 'tonne'", f"form line 8: {OUTPUT}/unit"),
    "how obtained is unknown": (
        SMALL.replace("measured", "guessed"),
        "none of 'measured', 'calculated', ",
        f"form line 9: {OUTPUT}/obtained",
    ),
    "an impossible day": (SMALL.replace("2026-01-31", "2026-02-31"), "", "form line 4: period/end"),
    "a day in another order": (
        SMALL.replace("2026-01-31", "31.01.2026"),
        "a day is written",
        "form line 4: period/end",
    ),
    "a period that ends before it starts": (
        SMALL.replace("2026-01-31", "2025-01-31"),
        "ends before",
        "form line 4: period",
    ),
    "another product's output": (
        SMALL.replace("product: https://cathodes.example/x", "product: https://cathodes.example/y"),
        "no output is the statement's product",
        f"form line 6: {OUTPUT}/product",
    ),
    "no outputs": (SMALL.partition("outputs:")[0], "outputs is missing", "form: outputs"),
    "outputs that are no list": (SMALL.replace("  - product", "    product"), "list of lines", "form line 5: outputs"),
    "a line that is a text": (SMALL + "inputs:\n  - soda\n", "list of lines", "form line 10: inputs"),
    "a formula that can't be read": (
        SMALL + "    composition: {formula: Ni(SO4)}\n",
        "can't be read",
        f"form line 10: {OUTPUT}/composition",
    ),
    "electricity in kilograms": (
        SMALL + "electricity:\n  - {amount: 1, unit: kg, obtained: measured, supply: grid, geography: CN}\n",
        "kg is mass",
        "form line 11: electricity[1]/unit",
    ),
    "a sum that is wrong": (
        SMALL
        + "electricity:\n  - {amount: 1, unit: MWh, obtained: measured, supply: grid, geography: CN}\n"
        + "electricity_total: {amount: 1001, unit: kWh, obtained: measured}\n",
        "the parts add up to",
        "form line 12: electricity_total",
    ),
    "an input of nowhere": (
        SMALL + "inputs:\n  - {name: soda, amount: 1, unit: kg, obtained: measured}\n",
        "either a supplier's product or a background flow",
        "form line 11: inputs[1]",
    ),
    "a citation without hash": (
        SMALL
        + "inputs:\n  - {name: soda, amount: 1, unit: kg, obtained: measured, product: 'urn:x:y', citation: {origin: a, index: 1}}\n",
        "leaf_hash",
        "form line 11: inputs[1]/citation",
    ),
    "two lines with one id": (
        SMALL + "fuels:\n" + "  - {id: a, flow: gas, amount: 1, unit: MJ, obtained: measured}\n" * 2,
        "two lines with one id",
        "form line 12: fuels[2]/id",
    ),
    "a claim that signing sets": (SMALL + "iss: https://you.example\n", "keeps for itself", "form line 10: iss"),
    "a claim of the format": (SMALL + "_sd: []\n", "keeps for itself", "form line 10: _sd"),
    "a tab": (SMALL + "\tnote: x\n", "not YAML", "form line 10"),
    "an open quote": (SMALL + 'note: "x\n', "not YAML", "form line 11"),
    "an alias": (SMALL.replace("sub: ", "sub: &a ") + "note: *a\n", "anchor or alias", "form line 2"),
    "a tag": (SMALL + "note: !!python/object/apply:os.system [ls]\n", "a tag", "form line 10"),
    "a number by tag": (SMALL.replace("12.50", "!!float 12.50"), "a tag", "form line 7"),
    "a second document": (SMALL + "---\nkind: activity-data\n", "a second document", "form line 10"),
    "a list as a name": (SMALL + "? [a, b]\n: c\n", "a name has to be a text", "form line 10"),
    "a control character": (SMALL + "note: a\x07b\n", "YAML doesn't allow", "form line 10"),
    "half a character": ('{"kind": "activity-data",\n "sub": "\\ud800"}', "surrogate", "form line 2"),
    "nothing": ("", "empty", "form"),
    "comments only": ("# kind: activity-data\n", "empty", "form"),
    "a text": ("kind activity-data\n", "names with values", "form line 1"),
    "a list": ("- kind: activity-data\n", "names with values", "form line 1"),
    "nested too deep": ("note: " + "[" * 40 + "]" * 40, "nested deeper", "form line 1"),
    "JSON nested too deep": ('{"note":' + "[" * 100_000 + "]" * 100_000 + "}", "nested deeper", "form"),
    "JSON without a comma": ('{"kind": "activity-data"\n"sub": "a"}', "not JSON", "form line 2"),
    "JSON with a name twice": (
        '{"kind": "activity-data",\n"sub": "a",\n"sub": "b"}',
        "'sub' is given twice",
        "form line 3",
    ),
    "JSON with NaN": ('{"kind": NaN}', "NaN is no number", "form"),
    "JSON cut short": ('{"kind": "activity-data"', "not JSON", "form line 1"),
}


@pytest.mark.parametrize(("text", "what", "where"), BAD_FORMS.values(), ids=BAD_FORMS.keys())
def test_a_bad_form_is_refused_with_its_place(text: str, what: str, where: str) -> None:
    with pytest.raises(FormError) as caught:
        draft(read_form(text.encode(), "form"), kind=None, random=random)
    assert what in caught.value.what
    assert (caught.value.where == where) or (where.endswith(caught.value.where) and "line" not in where)
    assert "\n" not in str(caught.value)


def test_the_small_form_itself_is_good() -> None:
    """Else the bad ones might be refused for another reason."""
    assert draft(read_form(SMALL.encode(), "form"), kind=None, random=random).unknown == []


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (SMALL.encode("utf-16"), "not UTF-8"),
        ("kind: activity-data\nnote: 电池\n".encode("gbk"), "not UTF-8"),
        (b"#" * (MAX_FORM_BYTES + 1), "larger than"),
    ],
    ids=["UTF-16", "GBK", "oversized"],
)
def test_a_form_in_other_bytes_is_refused(data: bytes, what: str) -> None:
    with pytest.raises(FormError, match=what):
        read_form(data, "form")


@effort(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "replace")))
def test_any_bytes_end_in_our_errors_only(data: bytes) -> None:
    try:
        draft(read_form(data, "form"), kind="activity-data", random=random)
    except FormError as error:
        assert error.where.startswith("form")  # noqa: PT017 - both ends are right


YAML_ISH = st.lists(
    st.sampled_from(
        [
            "kind: ",
            "sub",
            ": ",
            "- ",
            "\n",
            "  ",
            "{",
            "}",
            "[",
            "]",
            ",",
            '"',
            "'",
            "&a ",
            "*a",
            "!",
            "|",
            ">",
            "? ",
            "~",
            "x",
            "1.5",
            "#",
            "\t",
            "%",
            "---",
            "...",
        ]
    ),
    max_size=40,
)


@effort(max_examples=500, deadline=None)
@given(YAML_ISH.map("".join))
def test_anything_like_yaml_ends_in_our_errors_only(text: str) -> None:
    try:
        form = read_form(text.encode(), "form")
    except FormError as error:
        assert error.where.startswith("form")  # noqa: PT017 - both ends are right
    else:
        assert len(form.lines) <= len(text)


def test_a_refused_form_leaves_nothing_behind(desk: Desk) -> None:
    key = desk.key()
    form = desk.form(SMALL.replace("12.50", "12,50"))
    before = sorted(desk.folder.iterdir())
    ran = desk.run("attest", form, "--key", f"file:{key}", "--audience", ORIGIN, "--yes")
    assert ran.code == 1
    assert "form.yaml line 7: outputs[1]/amount" in ran.error
    assert sorted(desk.folder.iterdir()) == before


def test_a_form_is_checked_before_the_passphrase_is_asked(desk: Desk) -> None:
    form = desk.form(SMALL.replace("12.50", "12,50"))
    ran = desk.run(
        "attest", form, "--key", f"file:{desk.key()}", "--audience", ORIGIN, env={"PACKTRACE_PASSPHRASE": None}
    )
    assert ran.code == 1
    assert "outputs[1]/amount" in ran.error


# --- Keys and files -----------------------------------------------------------------------------------------------


def test_a_product_of_another_organisation_is_refused(desk: Desk) -> None:
    key = desk.key(organisation="https://other.example")
    ran = desk.run("attest", desk.form(SMALL), "--key", f"file:{key}", "--audience", ORIGIN, "--yes")
    assert ran.code == 1
    assert "form.yaml line 2: sub" in ran.error


def test_a_key_without_certificate_signs_nothing(desk: Desk) -> None:
    desk.run("key", "new", desk.folder / "k", "--organisation", CATHODES)
    ran = desk.run("attest", desk.form(SMALL), "--key", f"file:{desk.folder}/k", "--audience", ORIGIN, "--yes")
    assert ran.code == 2
    assert "no certificate" in ran.error


@pytest.mark.parametrize("days", [(-1, -0.5), (1, 2)], ids=["expired", "not yet valid"])
def test_a_certificate_that_is_not_valid_signs_nothing(desk: Desk, days: tuple[float, float]) -> None:
    key = desk.key(days=days)
    ran = desk.run("attest", desk.form(SMALL), "--key", f"file:{key}", "--audience", ORIGIN, "--yes")
    assert ran.code == 2
    assert "the certificate is valid from" in ran.error
    assert not (desk.folder / "form.sd-jwt").exists()


@pytest.mark.parametrize(
    "given_options",
    [
        [],
        ["FORM"],
        ["FORM", "--key", "KEY"],
        ["FORM", "--audience", ORIGIN],
        ["FORM", "--key", "pkcs11:x", "--audience", ORIGIN],
        ["FORM", "--key", "file:none", "--audience", ORIGIN],
        ["none.yaml", "--key", "KEY", "--audience", ORIGIN],
        ["FORM", "--key", "KEY", "--audience", ""],
        ["--template", "horoscope"],
    ],
    ids=[
        "nothing",
        "no key",
        "no ledger",
        "no key but a ledger",
        "a foreign key",
        "no such key",
        "no such form",
        "an empty ledger",
        "no such kind",
    ],
)
def test_a_wrong_call_is_told_in_one_line(desk: Desk, given_options: list[str]) -> None:
    names = {"FORM": str(desk.form(SMALL)), "KEY": f"file:{desk.key()}"}
    ran = desk.run("attest", *[names.get(one, one) for one in given_options], "--yes")
    assert ran.code == 2
    assert ran.error
    assert not (desk.folder / "form.sd-jwt").exists()


def test_a_statement_is_never_overwritten(desk: Desk) -> None:
    """The file holds the only copy of its salts."""
    key, form = desk.key(), desk.form(SMALL)
    command = ("attest", form, "--key", f"file:{key}", "--audience", ORIGIN, "--yes")
    assert desk.run(*command).code == 0
    first = (desk.folder / "form.sd-jwt").read_bytes()
    ran = desk.run(*command)
    assert ran.code == 2
    assert "form.sd-jwt" in ran.error
    assert (desk.folder / "form.sd-jwt").read_bytes() == first


def test_the_kind_may_be_an_option(desk: Desk) -> None:
    key, form = desk.key(), desk.form(SMALL.replace("kind: activity-data\n", ""))
    desk.attest(form, key, "s", "--kind", "activity-data")
    ran = desk.run(
        "attest", desk.form(SMALL), "--key", f"file:{key}", "--audience", ORIGIN, "--yes", "--kind", "battery-model"
    )
    assert ran.code == 1
    assert "line 1: kind" in ran.error


def test_the_depth_that_is_read_is_enough_for_every_kind() -> None:
    assert MAX_DEPTH > 5


# --- The page -----------------------------------------------------------------------------------------------------


def test_every_command_of_the_page_runs(desk: Desk) -> None:
    """docs/attest.md, from top to bottom, with the operator's part played in between."""
    page = (ROOT / "docs" / "attest.md").read_text("utf-8")
    commands = re.findall(r"^packtrace (.+)$", "\n".join(re.findall(r"```sh\n(.*?)```", page, re.DOTALL)), re.MULTILINE)
    done: list[str] = []
    for command in commands:
        arguments: list[Any] = [_mine(desk, one) for one in command.partition("  #")[0].split()]
        redirected = arguments[arguments.index(">") + 1] if ">" in arguments else None
        if redirected is not None:
            arguments = arguments[: arguments.index(">")]
        if arguments[:2] == ["org", "certificate"]:
            continue  # asks for a password: tests/exchange/test_partner.py runs it
        if arguments[0] == "push":
            desk.join(desk.folder / "cathodes.key")
            assert desk.admit(Path(arguments[1])).statement.issuer == CATHODES
            continue
        ran = desk.run(*arguments, *(["--yes"] if arguments[0] == "attest" and redirected is None else []))
        assert ran.code == 0, (command, ran.err)
        if redirected is not None:
            assert ran.out
            Path(redirected).write_text(SMALL, "utf-8")
        if arguments[:2] == ["key", "new"]:
            desk.certify(desk.folder / "cathodes.key")
        done.append(" ".join(arguments[:2]) if arguments[0] != "attest" else "attest")
    assert {"key new", "key show", "key csr", "attest", "statement show", "statement verify"} <= set(done)


def test_what_the_page_shows_is_what_is_printed(desk: Desk) -> None:
    page = (ROOT / "docs" / "attest.md").read_text("utf-8")
    error, preview, *_ = re.findall(r"```text\n(.*?)```", page, re.DOTALL)
    filled = re.sub(r"^    amount:.*", "    amount: 1,250", template("activity-data"), count=1, flags=re.MULTILINE)
    filled = filled.replace("  - product:  ", "  - product: https://cathodes.example/x", 1)
    form = desk.form(re.sub(r"^    (unit|obtained):.*", _some, filled, count=2, flags=re.MULTILINE), "january.yaml")
    command = ("--key", f"file:{desk.key()}", "--audience", ORIGIN, "--yes")
    assert desk.run("attest", form, *command).error == error.strip()
    printed = desk.run("attest", CATHODE, *command, "--out", desk.folder / "s").err
    ids = re.compile(r"/[\w-]{22}:")
    assert set(ids.sub("/ID:", preview).splitlines()) <= set(ids.sub("/ID:", printed).splitlines())


def _some(found: re.Match[str]) -> str:
    return {"unit": "    unit: t", "obtained": "    obtained: measured"}[found[1]]


def _mine(desk: Desk, word: str) -> str:
    """The page's file names, in this test's folder; the trust file is where the operator published it."""
    if word == "trust":
        return str(desk.trust())
    if re.fullmatch(r"(file:)?[\w-]+\.(key|yaml|sd-jwt|csr)", word):
        scheme, colon, name = word.rpartition(":")
        return f"{scheme}{colon}{desk.folder / name}"
    return word
