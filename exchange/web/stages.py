"""Stages as they are drawn: a swatch for each, and one bar, in which what is missing is hatched and never has a width of its own.

Widths are percentages of the drawing, so that it stretches with the page and nothing needs a script or an inline style.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from exchange.web.figures import decimals_of, fixed, unit_text

_SWATCHES = 6
#: Width of one hatched gap, in percent: it says that something is missing, not how much. Together they leave room for what is known.
_GAP_WIDTH = 13.0
_ALL_GAPS = 60.0
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StageName:
    """A stage of a rule set: its English and Chinese name and the class of its colour."""

    id: str
    name: str
    name_zh: str
    swatch: str


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a bar; `x`, `width` and `middle` are percentages of the drawing."""

    swatch: str
    x: str
    width: str
    middle: str
    gap: bool
    title: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A stacked bar and the sentence that says the same."""

    label: str
    segments: tuple[Segment, ...]


def stage_names(documents: Iterable[Document]) -> dict[str, StageName]:
    """Return the stages that `documents` (of one rule set) name, by id, each with its colour."""
    found: dict[str, StageName] = {}
    for stage in (stage for document in documents for stage in document["stages"]):
        if stage["id"] not in found:
            swatch = "sealed" if stage["status"] == "sealed" else f"s{len(found) % _SWATCHES}"
            found[stage["id"]] = StageName(stage["id"], stage["name"], stage["name_zh"], swatch)
    return found


def legend(documents: Sequence[Document], names: Mapping[str, StageName]) -> tuple[StageName, ...]:
    """Return the stages as a legend of `documents` shows them: hatched where a stage is a gap in all of them."""
    known = {stage["id"] for document in documents for stage in document["stages"] if stage["value"] is not None}
    return tuple(stage if stage.id in known else replace(stage, swatch="gap") for stage in names.values())


def bar_width(documents: Iterable[Document]) -> float:
    """Return the value whose bar fills its drawing, so that the bars of `documents` can be compared: their largest sum."""
    return max((sum(_sizes(document)) for document in documents), default=0.0)


def gap_slots(documents: Iterable[Document]) -> int:
    """Return for how many gaps the drawings of `documents` keep room."""
    return max((sum(s["value"] is None for s in document["stages"]) for document in documents), default=0)


def stage_bar(document: Document, names: Mapping[str, StageName], full: float, slots: int) -> Bar:
    """Return the bar of a result: its stages to the scale `full`, then its gaps."""
    gap_width = min(_GAP_WIDTH, _ALL_GAPS / slots) if slots else 0.0
    room = 100.0 - slots * gap_width
    segments: list[Segment] = []
    x = 0.0
    for stage in sorted(document["stages"], key=lambda stage: stage["value"] is None):
        gap = stage["value"] is None
        width = gap_width if gap else room * _part(float(stage["value"]), full)
        segments.append(_segment(names[stage["id"]].swatch, x, width, gap=gap, title=_sentence(document, stage)))
        x += width
    return Bar("; ".join(_sentence(document, stage) for stage in document["stages"]), tuple(segments))


def _part(value: float, full: float) -> float:
    return max(0.0, value) / full if full > 0 else 0.0


def _segment(swatch: str, x: float, width: float, *, gap: bool, title: str) -> Segment:
    return Segment(swatch, f"{x:.3f}%", f"{width:.3f}%", f"{x + width / 2:.3f}%", gap, title)


def _sizes(document: Document) -> Sequence[float]:
    return [max(0.0, float(stage["value"])) for stage in document["stages"] if stage["value"] is not None]


def _sentence(document: Document, stage: Document) -> str:
    if stage["value"] is None:
        return f"{stage['name']}: gap, not known, not zero"
    value = fixed(stage["value"], decimals_of(document["headline"]["printed"]))
    return f"{stage['name']}: {value} {unit_text(stage['unit'])}"
