"""Every relative link in the documentation leads somewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]

FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
INLINE_CODE = re.compile(r"`[^`\n]*`")
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|^\[[^\]]+\]:\s*<?([^\s>]+)", re.MULTILINE)
ELSEWHERE = re.compile(r"[a-z][a-z0-9+.-]*:|#", re.IGNORECASE)


def relative_links(page: str) -> Iterator[str]:
    """The link targets of a Markdown page that name a file beside it; code is no link."""
    prose = INLINE_CODE.sub("", FENCE.sub("", page))
    for inline, defined in LINK.findall(prose):
        target: str = inline or defined
        if not ELSEWHERE.match(target):
            yield target.partition("#")[0]


def broken_links(pages: list[Path]) -> list[str]:
    """Page and target of each link that leads nowhere."""
    return [
        f"{page}: {target}"
        for page in pages
        for target in relative_links(page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()
    ]


def test_links_resolve() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    assert broken_links(pages) == []


def test_a_broken_link_is_found_in_every_form(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# there")
    page = tmp_path / "page.md"
    page.write_text(
        "[good](there.md) [part](there.md#there) [out](https://example.org/x) [self](#here) `[code](no.md)`\n"
        "```\n[fenced](no.md)\n```\n"
        "[inline](gone.md) ![image](gone.png) [reference][1]\n\n[1]: gone.txt\n"
    )
    assert broken_links([page]) == [f"{page}: {target}" for target in ("gone.md", "gone.png", "gone.txt")]
