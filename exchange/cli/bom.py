"""``packtrace bom``: a product's bill as a tree, where it is used, and a check of forms and statements without a server."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.files import read_up_to
from exchange.cli.guard import guarded
from exchange.cli.output import DONE, REJECTED, UNDECIDABLE, say, say_json
from exchange.cli.partner import Login, connected

if TYPE_CHECKING:
    from bom_graph import Background, Record
    from exchange.partner import Partner

_INDENT = "   "
_KNOWN = {
    "activity_data": "activity data",
    "signed_footprint": "signed footprint",
    "bill_of_materials": "bill of materials",
    "published_factor": "published factor",
    "gap": "GAP",
}


def run_show(login: Login, product: str, reader: str | None, *, as_json: bool) -> int:
    """Print a product's bill."""

    def command(partner: Partner) -> int:
        found = partner.bill(product, reader)
        if as_json:
            say_json(found)
        else:
            for line in _tree(found):
                say(line)
        return DONE

    return connected(login, command)


def run_where_used(login: Login, product: str, reader: str | None, *, as_json: bool) -> int:
    """Print the lines by which a product goes into others."""

    def command(partner: Partner) -> int:
        found = partner.where_used(product, reader)
        if as_json:
            say_json(found)
            return DONE
        say(product)
        for line in _users(found):
            say(line)
        if not found["uses"]:
            say(f"{_INDENT}no statement that you may see takes it")
        return DONE

    return connected(login, command)


def _tree(found: Mapping[str, Any]) -> Iterator[str]:
    """Each product once with its lines; where it comes again it is said to be above."""
    nodes = {one["product"]: one for one in found["products"]}
    top = nodes[found["product"]]
    yield f"{top['product']}{_how(top, top)}"
    shown = {top["product"]}
    waiting = [(1, line) for line in reversed(top["lines"])]
    while waiting:
        depth, line = waiting.pop()
        node = nodes.get(line["product"])
        yield f"{_INDENT * depth}{_amount(line)}  {line['name']}: {line['product'] or line['flow']}{_how(line, node)}"
        if node is None or not node["lines"]:
            continue
        if node["product"] in shown:
            yield f"{_INDENT * (depth + 1)}(its lines stand above)"
            continue
        shown.add(node["product"])
        waiting += [(depth + 1, one) for one in reversed(node["lines"])]
    gaps = sum(line["known_by"] == "gap" for one in found["products"] for line in one["lines"])
    counted = f"{len(nodes)} product{'s' * (len(nodes) > 1)}, {gaps} line{'s' * (gaps != 1)} without data"
    yield f"{counted}; as of {found['size']} entries, for {found['reader']}"


def _amount(line: Mapping[str, Any]) -> str:
    if line["amount_per_unit"] is None:
        return f"? {line['unit']}"
    share = "" if line["share"] is None else f" ({float(line['share']):.4g} of the line)"
    return f"{float(line['amount_per_unit']):.6g} {line['unit']}/{line['per']}{share}"


def _how(line: Mapping[str, Any], node: Mapping[str, Any] | None) -> str:
    """How a branch is known: kind, entries, signer; what is sealed, and what is missing."""
    said = [_KNOWN[line["known_by"]]]
    if node is not None and node["statements"]:
        if line["known_by"] == "signed_footprint":
            said += [_footprint(one) for one in node["statements"] if "total" in one]
        entries = ", ".join(f"{one['kind'].split(':')[2]} {one['index']}" for one in node["statements"])
        said.append(f"{node['supplier']}, entries {entries}")
        if any(one["outputs"] > 1 for one in node["statements"]):
            said.append("made with other products: amounts are of all of them, not yet allocated")
        sealed = [f"{', '.join(one['sealed'])} of entry {one['index']}" for one in node["statements"] if one["sealed"]]
        if sealed and line["known_by"] != "gap":
            said.append(f"sealed: {'; '.join(sealed)}")
    if line.get("citation") is not None:
        said.append(f"cites entry {line['citation']['index']}")
    if line["why"] is not None:
        said.append(line["why"])
    return f"  [{'; '.join(said)}]"


def _footprint(one: Mapping[str, Any]) -> str:
    return f"{one['total']} kg CO2e per {one['per']['amount']} {one['per']['unit']} under {one['rule_set']}"


def _users(found: Mapping[str, Any]) -> Iterator[str]:
    uses: dict[str, list[Mapping[str, Any]]] = {}
    for one in found["uses"]:
        uses.setdefault(one["product"], []).append(one)
    shown = {found["product"]}
    waiting = [(1, one) for one in reversed(uses.get(found["product"], []))]
    while waiting:
        depth, one = waiting.pop()
        place = f"{one['name']}: {one['path']} of entry {one['index']}, {one['issuer']}"
        yield f"{_INDENT * depth}in {one['consumer']}  {_amount(one)}  [{place}]"
        if one["consumer"] in shown:
            continue
        shown.add(one["consumer"])
        waiting += [(depth + 1, higher) for higher in reversed(uses.get(one["consumer"], []))]


# --- Offline -------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Checked:
    """What a file is, and what is found in it."""

    file: str
    kind: str | None = None
    products: list[str] = field(default_factory=list)
    error: dict[str, str] | None = None
    findings: list[dict[str, Any]] = field(default_factory=list)
    sealed: list[str] = field(default_factory=list)

    @property
    def is_refused(self) -> bool:
        return self.error is not None or any(one["level"] == "hard" for one in self.findings)


def run_check(files: Sequence[Path], kind: str | None, factors: Sequence[Path], *, as_json: bool) -> int:
    """Check forms or statements; return the exit code."""

    def command() -> int:
        from exchange.cli.factors import background_of

        checked, holds, background = [], dict[str, dict[str, str]](), background_of(factors)
        for file in files:
            one, record = _checked(file, kind, background)
            checked.append(one)
            if record is not None:
                for consumer, component in _components(record):
                    holds.setdefault(consumer, {}).setdefault(component, one.file)
        rings = _rings(holds)
        code = UNDECIDABLE if any(one.sealed for one in checked) else DONE
        if rings or any(one.is_refused for one in checked):
            code = REJECTED
        if as_json:
            documents = [
                {
                    "file": one.file,
                    "kind": one.kind,
                    "products": one.products,
                    "error": one.error,
                    "findings": one.findings,
                    "sealed": one.sealed,
                }
                for one in checked
            ]
            say_json({"exit_code": code, "files": documents, "rings": rings})
        else:
            for line in _report(checked, rings):
                say(line)
        return code

    return guarded(command)


def _checked(file: Path, kind: str | None, background: Background) -> tuple[_Checked, Record | None]:
    from bom_graph import BomGraphError
    from exchange.assembly import annotate
    from exchange.errors import ExchangeError, UsageError
    from exchange.report import annotation_documents
    from signer import SignerError

    found = _Checked(str(file))
    try:
        record, signed = _read(file, kind, background, found)
        found.products = list(record.products)
        found.findings = annotation_documents(annotate(record, background, signed=signed))
    except UsageError:
        raise
    except (BomGraphError, ExchangeError, SignerError) as error:
        found.error = {"code": error.code, "what": error.what, "where": error.where, "remedy": error.remedy}
        return found, None
    return found, record


def _read(file: Path, kind: str | None, background: Background, found: _Checked) -> tuple[Record, date]:
    """Return the record of a form or statement, and the day that it is or would be signed on."""
    from exchange.attestation import draft
    from exchange.cli.statement import MAX_STATEMENT_BYTES, read_statement
    from exchange.form import read_form

    data = read_up_to(file, MAX_STATEMENT_BYTES)
    # A token's header is a JSON object in base64url: no form begins like that.
    if data.lstrip().startswith(b"eyJ"):
        return _of_statement(*read_statement(file), background, found)
    checked = draft(read_form(data, file.name), kind=kind, random=secrets.token_bytes, background=background)
    found.kind = checked.name
    return checked.record, datetime.now(UTC).date()


def _of_statement(
    token: str, disclosures: tuple[str, ...], background: Background, found: _Checked
) -> tuple[Record, date]:
    from exchange.errors import StatementError
    from exchange.kinds import check_own_product, kind_of
    from signer import peek, read_unverified

    said, seen = read_unverified(token, disclosures), peek(token)
    kind = kind_of(seen.vct)
    found.kind = seen.vct.split(":")[2]
    if kind.record is None:
        raise StatementError(
            f"a statement of kind {found.kind} has nothing to check", where="vct", remedy="name a bill or activity data"
        )
    contents: Any = said.contents
    record = kind.record.read(said.disclosed, contents)
    check_own_product(record, seen.issuer)
    background.check(record)
    if not record.is_whole:
        found.sealed = ["contents"] if contents is None else sorted(set(contents["claims"]) - said.disclosed.keys())
        found.sealed = found.sealed or ["lines"]
    return record, seen.issued_at.date()


def _components(record: Record) -> Iterator[tuple[str, str]]:
    """Which product holds which, by a bill of materials. Activity data may go round: such loops are solved."""
    from bom_graph import BillOfMaterials, Lines

    if not isinstance(record, BillOfMaterials) or not isinstance(record.sub, str):
        return
    for lines in (record.components, record.supplier_shares):
        for line in lines if isinstance(lines, Lines) else ():
            if line.product is not None:
                yield record.sub, line.product


def _rings(holds: Mapping[str, Mapping[str, str]]) -> list[dict[str, Any]]:
    """Return the products that hold themselves by the bills of the files, each ring with the files that close it."""
    from graphlib import CycleError, TopologicalSorter

    left, found = {name: dict(parts) for name, parts in holds.items()}, []
    while True:
        try:
            TopologicalSorter({name: list(parts) for name, parts in left.items()}).prepare()
        except CycleError as error:
            # Each is named by the one behind it: the last and the first are the same.
            ring = list(reversed(error.args[1]))
            files = sorted({left[a][b] for a, b in pairwise(ring)})
            found.append({"products": ring, "files": files})
            del left[ring[0]][ring[1]]
            continue
        return found


def _report(checked: Sequence[_Checked], rings: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for one in checked:
        about = f" ({one.kind})" if one.kind else ""
        if one.error is not None:
            error = one.error
            yield f"{one.file}{about}: refused: {error['what']} (at {error['where']}); {error['remedy']}"
            continue
        hard = ", with hard findings" if one.is_refused else ""
        partly = ", as far as it is disclosed" if one.sealed else ""
        yield f"{one.file}{about}: in form{hard}{partly}: {', '.join(one.products) or 'sealed product'}"
        for finding in one.findings:
            yield f"   {finding['level']}: {finding['what']} (at {finding['where']}); {finding['remedy']}"
        if one.sealed:
            yield f"   not decidable: {', '.join(one.sealed)} not disclosed; ask its signer for the whole statement"
    for ring in rings:
        way = " > ".join(ring["products"])
        yield f"ring: {way} (at {', '.join(ring['files'])}); take out the line that closes it"
