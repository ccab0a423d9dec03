"""The records that feed arithmetic: what a statement of each calculation kind says.

A reader may hold only part of a record. A field is its value, `SEALED` (it may exist, this reader can't tell) or None (known to be absent);
a list is `Lines(items, complete)`. Amounts are decimal strings in signed data and Decimal here. Unknown fields survive.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal
from functools import cache
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Generic,
    Literal,
    Self,
    TypeAlias,
    TypeVar,
    final,
    get_args,
    get_origin,
)

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    InstanceOf,
    StringConstraints,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from bom_graph.composition import Basis, mass_fractions
from bom_graph.errors import (
    BomGraphError,
    OffsetError,
    RecordError,
    StatedSumError,
    TextError,
    UnitError,
)
from bom_graph.naming import nation_of, unreadable
from bom_graph.quantities import Amount, convert, dimension
from bom_graph.strict_json import UNPLAIN
from bom_graph.wording import first_defect

#: Two figures that must agree may differ by this share: twelve stored digits and a sum of many lines.
SUM_TOLERANCE = Decimal("1e-9")


SHARE_TOLERANCE = Decimal("0.001")


#: Years that a period may be of: no plant meters before, and no forecast reaches beyond.
FIRST_YEAR, LAST_YEAR = 1950, 2200


MAX_LINES = 4096


#: Files that one line may name.
MAX_EVIDENCE = 32


_MEMBER = re.compile(r"[a-z0-9_]+")


#: What a statement may not hold: it would read as if it were taken off the footprint.
OFFSETS = frozenset({"offset", "offsets", "carbon_offsets", "carbon_credits", "compensation"})


_ISO_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@final
class Sealed:
    """The type of `SEALED`: this reader doesn't know whether the field has a value, nor which."""

    def __repr__(self) -> str:
        return "SEALED"


SEALED: Final = Sealed()


T = TypeVar("T")


LineT = TypeVar("LineT", bound="Line")


PartT = TypeVar("PartT", bound="Part")


#: A field as a reader holds it.
Maybe: TypeAlias = T | Sealed | None


Uri = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9+.-]*:[!-~]+$", max_length=512, strict=True)]


def _plain_text(value: str) -> str:
    if found := UNPLAIN.search(value):
        raise PydanticCustomError(
            TextError.code,
            "the text holds the character U+{code}, which breaks a line, controls a screen or turns the writing direction",
            {"code": f"{ord(found[0]):04X}"},
        )
    if not value.strip():
        raise PydanticCustomError(TextError.code, "the text is blank: it says nothing")
    return value


#: One line that reads as it is written: others print it in reports, on screens and on pages.
Text = Annotated[str, StringConstraints(min_length=1, max_length=500, strict=True), AfterValidator(_plain_text)]


def _readable_name(value: str) -> str:
    if (what := unreadable(value)) is not None:
        raise PydanticCustomError(TextError.code, "{what}: it would read as another name", {"what": what})
    return value


#: A name that others compare: without characters that nobody sees, and without words of several alphabets.
Name = Annotated[Text, AfterValidator(_readable_name)]


def _place_code(value: str) -> str:
    if nation_of(value) is None:
        raise ValueError("a region is written as CN-XJ: the nation's two letters, a dash and the region's code")
    return value


#: A nation's code, or a region's or grid's in it: ``CN``, ``CN-XJ``, ``CN-GRID-EAST``.
Place = Annotated[Text, AfterValidator(_place_code)]


Identifier = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._~-]{1,64}$", strict=True)]


Obtained = Literal["measured", "calculated", "estimated", "modelled", "assumed"]


class Part(BaseModel):
    """A frozen part of a record; unknown fields are kept."""

    model_config = ConfigDict(frozen=True, extra="allow", arbitrary_types_allowed=True)


class Line(Part):
    """An element of a list: one disclosure, never split."""

    id: Identifier


@final
class Lines(Generic[LineT]):
    """The elements of a list that this reader holds; `complete` says whether they are all there are."""

    __slots__ = ("complete", "items")

    def __init__(self, items: tuple[LineT, ...], *, complete: bool) -> None:
        self.items = items
        self.complete = complete

    def __iter__(self) -> Iterator[LineT]:
        return iter(self.items)

    def __repr__(self) -> str:
        return f"Lines({len(self.items)} items, complete={self.complete})"


#: Files that a figure rests on, each by the SHA-256 (hex) of 32 random bytes and the file: without these nobody can try files against it.
EvidenceDigests = Annotated[
    tuple[Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", strict=True)], ...],
    Field(min_length=1, max_length=MAX_EVIDENCE),
]


#: A list as a reader holds it.
ListOf: TypeAlias = InstanceOf[Lines[Any]] | Sealed | None


class Citation(Part):
    """A pointer to an entry of the ledger; `leaf_hash` is SHA-256(0x00 || issuer-signed JWT) in hex."""

    origin: Text
    index: Annotated[int, Field(ge=0, strict=True)]
    leaf_hash: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$", strict=True)]


def _iso_day(value: object) -> object:
    # Without this, pydantic takes numbers and times of day for days as well.
    if not isinstance(value, date) and not (isinstance(value, str) and _ISO_DAY.fullmatch(value)):
        raise ValueError("a day is written as 2026-01-31")
    return value


Day = Annotated[date, BeforeValidator(_iso_day)]


class Period(Part):
    """First and last day that the data covers."""

    start: Day
    end: Day

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.end < self.start:
            raise ValueError("the period ends before it starts")
        if not FIRST_YEAR <= self.start.year <= self.end.year <= LAST_YEAR:
            raise ValueError(f"the period isn't of the years {FIRST_YEAR} to {LAST_YEAR}")
        return self


class Site(Part):
    """Where the process runs: ISO 3166-1 country and, for electricity, the grid's geography code."""

    name: Name
    country: Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$", strict=True)]
    grid: Place | None = None


class Composition(Part):
    """What a mass is stated as: a formula, hydrate water included, for instance ``NiSO4.6H2O``; moist, or as the content of an element."""

    formula: Text
    content_of: Annotated[str, StringConstraints(pattern=r"^[A-Z][a-z]?$", strict=True)] | None = None
    moisture_percent: Annotated[Amount, Field(ge=0, lt=100)] = Decimal(0)

    @property
    def basis(self) -> Basis:
        """What a stated kilogram is."""
        return Basis(self.formula, self.content_of, self.moisture_percent)

    @model_validator(mode="after")
    def _readable(self) -> Self:
        mass_fractions(self.formula)
        self.basis.dry(where="composition")
        if self.content_of is not None and self.moisture_percent:
            raise ValueError("a content of an element has no moisture: state one or the other")
        return self


class Measure(Part):
    """An amount with its unit and how it was obtained."""

    amount: Amount
    unit: Text
    obtained: Obtained

    def to(self, unit: str, *, where: str) -> Decimal:
        """Return the amount in `unit`; UnitError across dimensions."""
        return convert(self.amount, self.unit, unit, where=where)


Score = Literal["1", "2", "3", "4", "5"]


class Quality(Part):
    """What a line's maker says of its quality: 1 (best) to 5, as the Environmental Footprint method counts."""

    technology: Score | None = None
    geography: Score | None = None
    time: Score | None = None
    completeness: Score | None = None
    reliability: Score | None = None


class AmountLine(Line):
    """A line with an amount, its unit and how it was obtained; `quality` only where its maker claims other scores than its data has.

    `evidence` are the files that the amount was read from, a meter's bill for instance.
    """

    amount: Amount
    unit: Text
    obtained: Obtained
    quality: Quality | None = None
    evidence: EvidenceDigests | None = None
    note: Text | None = None

    #: Dimension that the line's unit must have, or one of several; None: any.
    needs: ClassVar[str | tuple[str, ...] | None] = None

    @model_validator(mode="after")
    def _positive_and_known(self) -> Self:
        found = dimension(self.unit, where="unit")
        needed = (self.needs,) if isinstance(self.needs, str) else self.needs
        if needed is not None and found not in needed:
            raise UnitError(
                f"{self.unit} is {found}, this line is stated in a unit of {' or '.join(needed)}",
                where="unit",
                remedy=f"restate the amount in a unit of {' or '.join(needed)}",
            )
        if self.amount < 0:
            raise ValueError("an amount can't be negative here")
        return self

    @property
    def consumed(self) -> Decimal:
        """What counts, in the line's unit: the amount, unless there is a change of stock."""
        return self.amount


class ProcessLine(AmountLine):
    """A line of a process: what it belongs to, where not to all outputs, and when it was metered, where not over the whole period.

    `for_outputs` names outputs of the statement by product: the line is split among them alone.
    """

    for_outputs: Annotated[tuple[Uri, ...], Field(min_length=1)] | None = None
    period: Period | None = None


class StockedLine(ProcessLine):
    """A line whose `amount` was received; `opening` less `closing` stock, in the same unit, adds to what was consumed."""

    opening: Annotated[Amount, Field(ge=0)] | None = None
    closing: Annotated[Amount, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _stock_fits(self) -> Self:
        if (self.opening is None) != (self.closing is None):
            raise ValueError("a change of stock needs both the opening and the closing stock")
        if self.consumed < 0:
            raise ValueError(
                f"consumption is {self.consumed} {self.unit}: the closing stock is above opening stock and receipts"
            )
        return self

    @property
    def consumed(self) -> Decimal:
        """Received, plus opening stock, less closing stock, in the line's unit."""
        return self.amount + (self.opening or 0) - (self.closing or 0)


#: How electricity was made; the flow of its factor is ``electricity-<generation>``. The authorities' release has China's alone.
Generation = Literal["wind", "solar", "hydro", "nuclear", "biomass"]


Month = Annotated[str, StringConstraints(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$", strict=True)]


class Record(Part):
    """Base of the calculation kinds. `required` names the fields that a whole statement can't lack."""

    required: ClassVar[frozenset[str]] = frozenset({"sub"})
    lists: ClassVar[Mapping[str, type[Line]]] = {}

    sub: Maybe[Uri] = None

    @classmethod
    def read(cls, claims: Mapping[str, Any], contents: Mapping[str, Any] | None) -> Self:
        """Return the record that the disclosed `claims` hold.

        `contents` is the statement's own account of its claims and list lengths; without it every undisclosed field is SEALED
        and no list is complete. Raises a BomGraphError that names the place.
        """
        if refused := sorted(name for name in claims if name.casefold() in OFFSETS):
            raise offset_error(refused[0])
        present = None if contents is None else frozenset(contents["claims"])
        values: dict[str, Any] = {}
        for name in cls._claim_names():
            if name in claims:
                values[name] = cls._value(name, claims[name], contents)
            elif present is None or name in present:
                values[name] = SEALED
        values.update({name: value for name, value in claims.items() if name not in values})
        record = _validated(cls, values, where="statement")
        nulls = {name for name, value in claims.items() if value is None}
        record.require((cls.required if present is None else present) - nulls)
        record.check_units()
        record.check()
        return record

    @classmethod
    def draft(cls, claims: Mapping[str, Any]) -> Self:
        """Return the record of an unsigned draft: every claim is present, and lines without an `id` are numbered."""
        lists = {name: value for name, value in claims.items() if name in cls.lists and isinstance(value, list)}
        numbered = {
            name: [{"id": f"{name}-{n}", **line} if isinstance(line, dict) else line for n, line in enumerate(lines, 1)]
            for name, lines in lists.items()
        }
        contents = {"claims": list(claims), "lists": {name: len(lines) for name, lines in lists.items()}}
        return cls.read({**claims, **numbered}, contents)

    @classmethod
    def _claim_names(cls) -> list[str]:
        return [field.alias or name for name, field in cls.model_fields.items()]

    @classmethod
    def _value(cls, name: str, value: Any, contents: Mapping[str, Any] | None) -> Any:
        if name not in cls.lists:
            return value
        if not isinstance(value, list) or len(value) > MAX_LINES:
            raise RecordError(
                f"{name} is not a list of at most {MAX_LINES} lines",
                where=name,
                remedy="state it as a list of lines",
            )
        lines = tuple(_line(cls.lists[name], name, item) for item in value)
        complete = contents is not None and contents["lists"].get(name) == len(lines)
        return Lines(lines, complete=complete)

    def require(self, present: frozenset[str]) -> None:
        """Check that a statement with the claims `present` lacks none that its kind requires."""
        missing = sorted(self.required - present)
        if missing:
            raise RecordError(
                f"{', '.join(missing)} is missing",
                where=missing[0],
                remedy="a statement of this kind states it",
            )

    def check_units(self) -> None:
        """Check that each stated measure has a known unit; raises UnitError."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            if isinstance(value, Measure):
                dimension(value.unit, where=f"{name}/unit")

    @property
    def products(self) -> tuple[str, ...]:
        """The products that this reader knows the record to be about."""
        return (self.sub,) if isinstance(self.sub, str) else ()

    @property
    def unknown_members(self) -> Mapping[str, tuple[str, ...]]:
        """Paths of the members that the kind doesn't know, of lines and parts too; each with the names that its place knows.

        They survive, and nothing is calculated with them.
        """
        found: dict[str, tuple[str, ...]] = {}
        waiting: list[tuple[str, BaseModel]] = [("", self)]
        for path, part in waiting:
            if part.model_extra:
                known = tuple(field.alias or name for name, field in type(part).model_fields.items())
                found |= {f"{path}{name}": known for name in part.model_extra}
            for name, alias in _holding_parts(type(part)):
                value = getattr(part, name)
                inside = f"{path}{alias}/"
                if type(value) is Lines:
                    waiting += [(f"{inside}{line.id}/", line) for line in value]
                elif isinstance(value, BaseModel):
                    waiting.append((inside, value))
        return found

    def is_about_others_than(self, product: str) -> bool:
        """Whether the record is known to be about other products, and `product` is not among them."""
        return bool(self.products) and product not in self.products

    @property
    def is_whole(self) -> bool:
        """Whether this reader holds all of the record: nothing is sealed and every list is complete."""
        return not any(
            type(value) is Sealed or (type(value) is Lines and not value.complete) for value in vars(self).values()
        )

    def check(self) -> None:
        """Check what the record says of itself (stated sums); raises StatedSumError. Sealed parts are not checked."""


@cache
def _holding_parts(kind: Any) -> list[tuple[str, str]]:
    """Name and spelling of the fields of a model that may hold another, or lines."""
    return [
        (name, field.alias or name)
        for name, field in kind.model_fields.items()
        if any(issubclass(one, (BaseModel, Lines)) for one in _classes_in(field.annotation))
    ]


def _classes_in(annotation: Any) -> Iterator[type]:
    """The classes that a type names, through unions and annotations."""
    named = get_origin(annotation) or annotation
    if isinstance(named, type):
        yield named
    for inside in get_args(annotation):
        yield from _classes_in(inside)


def offset_error(where: str) -> OffsetError:
    return OffsetError(
        "offsets, credits and compensation are no lines of a footprint",
        where=where,
        remedy="leave them out; state what the process emits and takes up",
    )


def _line(model: type[LineT], name: str, item: Any) -> LineT:
    where = f"{name}/{item['id']}" if isinstance(item, dict) and isinstance(item.get("id"), str) else name
    return _validated(model, item, where=where)


def _validated(model: type[PartT], values: Any, *, where: str) -> PartT:
    """Validate and turn pydantic's account of the first defect into ours; unit and formula errors keep their class."""
    try:
        return model.model_validate(values)
    except BomGraphError as error:
        place = f"{where}/{error.where}" if where != "statement" else error.where
        raise type(error)(error.what, where=place, remedy=error.remedy) from None
    except ValidationError as error:
        steps, what = first_defect(error)
        # Between the members stand names of union branches (``Period``, ``is-instance[Sealed]``), which no reader knows.
        members = [step for step in steps if _MEMBER.fullmatch(step)]
        place = "/".join([*([] if where == "statement" and members else [where]), *members])
        if error.errors(include_url=False, include_input=False)[0]["type"] == TextError.code:
            raise TextError(what, where=place, remedy="write it as one line of plain text and sign again") from None
        raise RecordError(what, where=place, remedy="correct it and sign the statement again") from None


def check_sum(stated: Decimal, parts: list[Decimal], *, where: str, unit: str) -> None:
    total = sum(parts, Decimal(0))
    if abs(total - stated) > SUM_TOLERANCE * max(abs(stated), *(abs(part) for part in parts), Decimal(0)):
        raise StatedSumError(
            f"{stated} {unit} is stated, the parts add up to {total} {unit}",
            where=where,
            remedy="correct the sum or the lines and sign again",
        )
