"""``packtrace factors``: releases shown, compared, and what a comparison means for a result. Nothing here needs a server."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.files import read_up_to
from exchange.cli.output import DONE, say, say_json
from exchange.cli.rules import rule_set_of
from exchange.errors import SetupError, UsageError

if TYPE_CHECKING:
    from bom_graph import Background, Effect, FactorRelease, FactorRow, ReleaseDifference

_MAX_RESULT = 64 * 1024 * 1024
_NEAREST = 3


def release_of(name: str) -> FactorRelease:
    """Return the shipped release of this id, or the one in this file (.json). Raises FactorError, OSError."""
    from bom_graph import MAX_RELEASE_BYTES, FactorRelease, load_release, release_ids

    path = Path(name)
    if name not in release_ids() and path.suffix == ".json":
        return FactorRelease.read(read_up_to(path, MAX_RELEASE_BYTES))
    return load_release(name)


def background_of(files: Sequence[Path]) -> Background:
    """Return the rule sets and releases that come with the software, with the releases in `files` in the place of older versions."""
    from bom_graph import MAX_RELEASE_BYTES, Background, FactorRelease

    shipped = Background.shipped()
    if not files:
        return shipped
    return shipped.with_releases([FactorRelease.read(read_up_to(file, MAX_RELEASE_BYTES)) for file in files])


def run_list(*, as_json: bool) -> int:
    """Print the releases that ship with this version."""
    from bom_graph import load_release, release_ids

    releases = [load_release(name) for name in release_ids()]
    if as_json:
        members = ("id", "version", "title", "citation", "licence", "digest")
        say_json([{**{name: getattr(one, name) for name in members}, "rows": len(one.rows)} for one in releases])
        return DONE
    for one in releases:
        say(f"{one.id} {one.version}: {one.title}, {len(one.rows)} rows, digest {one.digest}")
    return DONE


def run_show(name: str, flow: str | None, geography: str | None, *, as_json: bool) -> int:
    """Print a release's rows, of one flow or place where these are named. Raises FactorError, OSError, UsageError for what it lacks."""
    release = release_of(name)
    _check_known("--flow", flow, {row.flow for row in release.rows}, release.id)
    of_flow = {row.geography for row in release.rows if flow in (None, row.flow)}
    _check_known("--geography", geography, of_flow, f"{release.id} for {flow}" if flow else release.id)
    rows = [row for row in release.rows if flow in (None, row.flow) and geography in (None, row.geography)]
    if as_json:
        say_json({**release.model_dump(mode="json", exclude={"rows"}), "rows": [_row(row) for row in rows]})
        return DONE
    say(f"{release.id} {release.version}: {release.title}; {release.citation}; {release.licence}")
    for row in rows:
        unit = f"kg CO2{'e' if row.family.startswith('co2e') else ''}/{row.per}"
        side = f", {row.side}" if row.side else ""
        say(
            f"  {row.id}: {row.flow} {row.geography} {row.year}: {row.value:f} {unit} ({row.family}{side}; {row.source})"
        )
    return DONE


def _check_known(option: str, wanted: str | None, known: set[str], where: str) -> None:
    if wanted is None or wanted in known:
        return
    near = difflib.get_close_matches(wanted, sorted(known), _NEAREST, cutoff=0)
    what, remedy = f"no row with {wanted!r} in {where}", f"the nearest are {', '.join(near)}"
    raise UsageError(what, where=option, remedy=remedy)


def run_diff(
    old: str, new: str, result: Path | None, footprint: Path | None, rules: str | None, *, as_json: bool
) -> int:
    """Print how two releases differ, and what that moves in a stored result or a product-system file.

    Raises BomGraphError, OSError, and SetupError for a result that can't be read or a product system without rule set.
    """
    from bom_graph import compare_releases

    before, after = release_of(old), release_of(new)
    difference = compare_releases(before, after)
    effects: tuple[Effect, ...] | None = None
    if result is not None:
        effects = _on_result(result, before, difference)
    elif footprint is not None:
        effects = _on_system(footprint, rules, before, after)
    if as_json:
        say_json(_document(before, after, difference, effects))
    else:
        for line in _lines(before, after, difference, effects):
            say(line)
    return DONE


def _on_result(file: Path, before: FactorRelease, difference: ReleaseDifference) -> tuple[Effect, ...]:
    from bom_graph import effect_on_result

    remedy = "name a result document, or what GET /api/v1/footprints/DIGEST answered"
    try:
        found = json.loads(read_up_to(file, _MAX_RESULT))
        found = found.get("result", found)
        stated = {release["id"]: release["digest"] for release in found["releases"]}
        if stated.get(before.id) != before.digest:
            raise SetupError(
                f"the result wasn't made with this release {before.id}",
                where=str(file),
                remedy="name the release that the result names, by file if another of that id",
            )
        return effect_on_result(found["contributions"], before, difference)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise SetupError(f"no result document: {error}", where=str(file), remedy=remedy) from None


def _on_system(file: Path, rules: str | None, before: FactorRelease, after: FactorRelease) -> tuple[Effect, ...]:
    from bom_graph import MAX_SYSTEM_BYTES, SystemFile, effect_on_contributions, load_release, solve_file

    if rules is None:
        raise SetupError("a product system needs a rule set", where="--rules", remedy="name one with --rules")
    rule_set, system = rule_set_of(rules), SystemFile.read(read_up_to(file, MAX_SYSTEM_BYTES))
    solved = []
    for release in (before, after):
        releases = [
            release if name in (before.id, after.id) else load_release(name) for name in rule_set.factor_releases
        ]
        found = solve_file(system, rule_set, releases)
        if found.footprint is None:
            first = next(finding for finding in found.findings if finding.refuses)
            raise SetupError(
                f"with {release.id} {release.version}: {first.what}", where=first.where, remedy=first.remedy
            )
        solved.append(found.footprint.contributions)
    return effect_on_contributions(*solved)


def _document(
    before: FactorRelease, after: FactorRelease, difference: ReleaseDifference, effects: tuple[Effect, ...] | None
) -> dict[str, Any]:
    from bom_graph import stored

    def kilograms(value: float | None) -> str | None:
        return None if value is None else stored(value)

    found: dict[str, Any] = {
        "old": {"id": before.id, "version": before.version, "digest": before.digest},
        "new": {"id": after.id, "version": after.version, "digest": after.digest},
        "added": [_row(row) for row in difference.added],
        "removed": [_row(row) for row in difference.removed],
        "changed": [
            {
                "id": change.old.id,
                "members": list(change.members),
                "old": _row(change.old),
                "new": _row(change.new),
                "relative": None if change.relative is None else stored(change.relative),
            }
            for change in difference.changed
        ],
    }
    if effects is not None:
        found["effect"] = {
            "moved": [
                {
                    "where": one.where,
                    "row": one.row,
                    "old_kg_co2e": kilograms(one.old),
                    "new_kg_co2e": kilograms(one.new),
                }
                for one in effects
            ],
            "moved_kg_co2e": kilograms(_moved(effects)),
            "not_in_it": [one.where for one in _unknown(effects)],
        }
    return found


def _lines(
    before: FactorRelease, after: FactorRelease, difference: ReleaseDifference, effects: tuple[Effect, ...] | None
) -> Iterator[str]:
    yield (
        f"{before.id} {before.version} -> {after.id} {after.version}: {len(difference.added)} rows added, "
        f"{len(difference.removed)} removed, {len(difference.changed)} changed"
    )
    yield from (f"  added: {_named(row)}" for row in difference.added)
    yield from (f"  removed: {_named(row)}" for row in difference.removed)
    for change in difference.changed:
        by = f" ({change.relative:+.2%})" if change.relative else ""
        values = f"{change.old.value:f} -> {change.new.value:f} kg/{change.new.per}{by}" if by else "value kept"
        yield f"  changed: {change.old.id}: {values}; differing: {', '.join(change.members)}"
    if effects is None:
        return
    for one in effects:
        shown = ("unknown" if kg is None else f"{kg:.6g}" for kg in (one.old, one.new))
        yield f"  moves: {one.where}, {one.row}: {' -> '.join(shown)} kg CO2e"
    moved, unknown = _moved(effects), _unknown(effects)
    yield "  together: can't be summed" if moved is None else f"  together {moved:+.6g} kg CO2e"
    if unknown:
        kg = math.fsum(one.old for one in unknown if one.old is not None)
        yield (
            f"  not in it: {len(unknown)} of {len(effects)} lines, {kg:.6g} kg CO2e by the old release, whose rows are gone or in another "
            "unit; compute the result again with the new release"
        )


def _moved(effects: tuple[Effect, ...]) -> float | None:
    """kg CO2e that the effects come to as far as they are known; None where none is."""
    known = [one.new - one.old for one in effects if one.old is not None and one.new is not None]
    return math.fsum(known) if known or not effects else None


def _unknown(effects: tuple[Effect, ...]) -> list[Effect]:
    return [one for one in effects if one.old is None or one.new is None]


def _named(row: FactorRow) -> str:
    return f"{row.id}: {row.flow} {row.geography} {row.year}, {row.value:f} kg/{row.per} ({row.family})"


def _row(row: FactorRow) -> dict[str, Any]:
    return row.model_dump(mode="json", exclude_none=True, by_alias=True)
