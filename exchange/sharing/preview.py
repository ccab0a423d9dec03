"""What a reader sees of a statement by a grant, what stays sealed, and what follows from both with what the reader has already."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from exchange.access import ATTACHED, CONTENTS, covers


def seen_of(
    claims: Mapping[str, Any], lists: Collection[str], given: Collection[str], had: Collection[str]
) -> dict[str, Any]:
    """Return what a reader who had the paths `had` sees of a statement once it is `given` more.

    `claims` are the statement's by path, as far as whoever asks may see them: claims, `contents`, and lines as ``<list>/<id>``.
    """
    lines = {name: [path for path in claims if path.startswith(f"{name}/")] for name in lists if name in claims}
    ends = [path for path in claims if not lines.get(path)]
    held = frozenset(given) | frozenset(had)
    seen = [path for path in ends if covers(held, path)]
    return {
        "sees": [{"path": path, "value": claims[path], "had": covers(had, path)} for path in seen],
        "sealed": sorted(set(ends) - set(seen)),
        "derives": [*_of_lists(lines, held), *_of_footprint(claims, lines, held)],
    }


def files_seen(
    named: Mapping[str, Collection[str]], sizes: Mapping[str, int], given: Collection[str], had: Collection[str]
) -> list[dict[str, Any]]:
    """Return the files that a reader who had those at the paths `had` may have once it is `given` more.

    `named` are the digests that the statement names as evidence, by path, as far as whoever asks may have them; `sizes` the bytes of
    those that were handed in.
    """
    return [
        {"path": f"{path}{ATTACHED}", "digest": digest, "bytes": sizes.get(digest), "had": covers(had, path)}
        for path in sorted(named)
        if covers(frozenset(given) | frozenset(had), path)
        for digest in named[path]
    ]


def _of_lists(lines: Mapping[str, list[str]], held: frozenset[str]) -> Iterator[str]:
    knows_contents = covers(held, CONTENTS)
    if knows_contents:
        yield "the names of all claims, and how many lines each list has"
    else:
        yield "no figure of a calculation: that takes `contents`, without which others may be shown something else"
    for name, paths in sorted(lines.items()):
        hidden = sum(not covers(held, path) for path in paths)
        if knows_contents and not hidden:
            yield f"{name}: complete"
        elif knows_contents:
            yield f"{name}: not complete, {hidden} of {len(paths)} lines are sealed"
        elif hidden < len(paths) or covers(held, name):
            yield f"{name}: that there is such a list, and no more than its padded length; not whether it is complete"


def _of_footprint(claims: Mapping[str, Any], lines: Mapping[str, list[str]], held: frozenset[str]) -> Iterator[str]:
    """A product's total is the sum of its stages: of these, whoever has all but one has the last."""
    stages = lines.get("stages", [])
    if "total" not in claims or not stages:
        return
    hidden = [path for path in stages if not covers(held, path)]
    sees_total = covers(held, "total")
    if not sees_total and not hidden:
        yield "total: the sum of the stages"
    elif sees_total and len(hidden) == 1:
        yield f"{hidden[0]}: the total less the other stages"
    elif sees_total and hidden:
        yield f"stages: the sum of the {len(hidden)} that are sealed, the total less the others"
