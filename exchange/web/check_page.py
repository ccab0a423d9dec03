"""The page that checks a statement in the reader's browser, as one file: what is below static/check, with nothing left to fetch.

The folder itself is a page too, for any web server. As one file it can be saved and opened from a disk, where browsers load no modules,
and its content security policy names its script and style by their digests: no connection, no other script.
"""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

_STATIC = Path(__file__).parent / "static"
_FOLDER = _STATIC / "check"
_IMPORT = re.compile(r'^import \{([^}]*)\} from "\./([a-z]+)\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?(?:function|class|const) ([A-Za-z0-9_]+))", re.MULTILINE)
_POLICY = re.compile(r'(<meta http-equiv="Content-Security-Policy" content=")[^"]*')
_STYLES = ("../style.css", "check.css")


class CheckPage(NamedTuple):
    """The page and the content security policy to send with it."""

    html: bytes
    policy: str


@cache
def check_page() -> CheckPage:
    """The page as one file."""
    style = "".join(_text(name) for name in _STYLES)
    script = "".join(_scopes("page", {}).values())
    html = (
        _text("index.html").replace(_linked(_STYLES[1]), "").replace(_linked(_STYLES[0]), f"<style>{style}</style>\n")
    )
    html = html.replace('<script type="module" src="page.js"></script>', f'<script type="module">{script}</script>')
    icon = base64.b64encode((_STATIC / "mark.svg").read_bytes()).decode()
    html = html.replace("../mark.svg", f"data:image/svg+xml;base64,{icon}")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; img-src data:; connect-src 'none'; "
        "form-action 'none'; base-uri 'none'; require-trusted-types-for 'script'"
    )
    html = _POLICY.sub(lambda found: found[1] + policy, html)
    # A page can't say this of itself: only who serves it.
    return CheckPage(html.encode(), f"{policy}; frame-ancestors 'none'")


def _scopes(name: str, made: dict[str, str]) -> dict[str, str]:
    """The module and what it imports, in the order of need, each in a scope of its own: ``const name_js = (() => {...})();``."""
    source = _text(f"{name}.js")
    for _names, module in _IMPORT.findall(source):
        if module not in made:
            _scopes(module, made)
    exported = ", ".join(_EXPORT.findall(source))
    body = _EXPORT.sub("", _IMPORT.sub(r"const {\1} = \2_js;\n", source))
    made[name] = f"const {name}_js = (() => {{\n{body}\nreturn {{ {exported} }};\n}})();\n"
    return made


def _linked(name: str) -> str:
    return f'<link rel="stylesheet" href="{name}">\n'


def _text(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
