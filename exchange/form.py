"""A supplier's form: YAML or JSON, read as it is written, with the line on which each value stands.

Nothing is guessed: every value is text, spelled exactly as in the file, so that `12.50`, `NO` and `2026-01-31` stay what they are
and no amount passes through a binary number. What is left blank is left out. Refused, each with its line: a name given twice, tags,
anchors and aliases, a second document, names that are no text, deep nesting, anything but UTF-8. Pure.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

import yaml

from exchange.errors import FormError

MAX_FORM_BYTES = 1024 * 1024
MAX_DEPTH = 16

FormValue: TypeAlias = "str | list[FormValue] | dict[str, FormValue]"
Path: TypeAlias = tuple[str | int, ...]

_BLANK = frozenset({"", "~", "null"})
# A JSON text that has parsed already: strings, brackets, and everything else that is no separator.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]|[^\s{}\[\],:"]+|\n')


@dataclass(frozen=True, slots=True)
class Form:
    """A form by the name of its file. `lines` tells where each value stands, `blank` what was left out."""

    name: str
    values: Mapping[str, FormValue]
    lines: Mapping[Path, int]
    blank: tuple[Path, ...]

    def place(self, path: Path) -> str:
        """File, line (of the value or of what it should stand in) and claim path, for an error."""
        shown = "".join(f"[{step + 1}]" if isinstance(step, int) else f"/{step}" for step in path).removeprefix("/")
        for length in range(len(path), 0, -1):
            if path[:length] in self.lines:
                return f"{self.name} line {self.lines[path[:length]]}: {shown}"
        return f"{self.name}: {shown}"


def read_form(data: bytes, name: str) -> Form:
    """Return the form in `data`; FormError names file and line of the first defect."""
    if len(data) > MAX_FORM_BYTES:
        raise FormError(f"larger than {MAX_FORM_BYTES} bytes", where=name, remedy="split it by site or period")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise FormError("not UTF-8", where=f"{name} line {line}", remedy="save the file as UTF-8") from None
    builder = _Builder(name)
    marks = _json_marks(text, name) if text.lstrip().startswith("{") else _yaml_marks(text, name)
    for mark in marks:
        builder.add(mark)
    return builder.form()


class _Mark(NamedTuple):
    """What stands at a line: an opening `{` or `[`, a closing `}`, or a text."""

    kind: str
    line: int
    text: str = ""
    blank: bool = False


@dataclass(slots=True)
class _Open:
    """A mapping or list that isn't closed yet, by its path; `name` waits for its value."""

    value: dict[str, FormValue] | list[FormValue]
    path: Path
    name: str | None = None
    name_line: int = 0
    names: set[str] = field(default_factory=set)
    touched: bool = False


class _Builder:
    """Puts marks together. Keeps a list of what is open, so that its depth is a number and not a stack."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.open: list[_Open] = []
        self.root: dict[str, FormValue] | None = None
        self.lines: dict[Path, int] = {}
        self.blank: list[Path] = []

    def add(self, mark: _Mark) -> None:
        if mark.kind in ("{", "["):
            self._start(mark)
        elif mark.kind == "}":
            self._end()
        else:
            self._text(mark)

    def form(self) -> Form:
        if self.root is None:
            raise FormError("the form is empty", where=self.name, remedy="start from packtrace attest --template KIND")
        return Form(self.name, self.root, self.lines, tuple(self.blank))

    def _start(self, mark: _Mark) -> None:
        if len(self.open) >= MAX_DEPTH:
            raise self._bad(f"nested deeper than {MAX_DEPTH} levels", mark.line, "flatten the form")
        if not self.open and mark.kind != "{":
            raise self._bad("a form is names with values", mark.line, "write for instance kind: activity-data")
        path = self._path(mark) if self.open else ()
        self.open.append(_Open({} if mark.kind == "{" else [], path))

    def _end(self) -> None:
        done = self.open.pop()
        if not self.open:
            self.root = done.value if isinstance(done.value, dict) else None
        elif done.value or not done.touched:
            self._put(done.path, done.value)

    def _text(self, mark: _Mark) -> None:
        if not self.open:
            if mark.blank:
                return
            raise self._bad("a form is names with values", mark.line, "write for instance kind: activity-data")
        if not _is_unicode(mark.text):
            raise self._bad("half of a character (a lone surrogate)", mark.line, "write the character itself")
        top = self.open[-1]
        if isinstance(top.value, dict) and top.name is None:
            self._name(top, mark)
            return
        path = self._path(mark)
        if mark.blank:
            self.blank.append(path)
        else:
            self._put(path, mark.text)

    def _name(self, top: _Open, mark: _Mark) -> None:
        if mark.blank:
            raise self._bad("a value without a name", mark.line, "write name: value")
        if mark.text in top.names:
            raise self._bad(f"{mark.text!r} is given twice", mark.line, "give each name once")
        top.names.add(mark.text)
        top.name = mark.text
        top.name_line = mark.line

    def _path(self, mark: _Mark) -> Path:
        """The place of the value that begins here; its name, if it has one, is used up."""
        top = self.open[-1]
        top.touched = True
        if isinstance(top.value, list):
            path: Path = (*top.path, len(top.value))
            self.lines[path] = mark.line
        elif top.name is not None:
            path = (*top.path, top.name)
            self.lines[path] = top.name_line
            top.name = None
        else:
            raise self._bad("a name has to be a text", mark.line, "write name: value")
        return path

    def _put(self, path: Path, value: FormValue) -> None:
        top = self.open[-1]
        if isinstance(top.value, list):
            top.value.append(value)
        else:
            top.value[str(path[-1])] = value

    def _bad(self, what: str, line: int, remedy: str) -> FormError:
        return FormError(what, where=f"{self.name} line {line}", remedy=remedy)


def _is_unicode(text: str) -> bool:
    return not any("\ud800" <= one <= "\udfff" for one in text)


# --- YAML ---------------------------------------------------------------------------------------------------------


def _yaml_marks(text: str, name: str) -> Iterator[_Mark]:
    documents = 0
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            line = event.start_mark.line + 1 if event.start_mark else 1
            documents += isinstance(event, yaml.DocumentStartEvent)
            _refuse_magic(event, documents, f"{name} line {line}")
            if isinstance(event, yaml.MappingStartEvent):
                yield _Mark("{", line)
            elif isinstance(event, yaml.SequenceStartEvent):
                yield _Mark("[", line)
            elif isinstance(event, yaml.CollectionEndEvent):
                yield _Mark("}", line)
            elif isinstance(event, yaml.ScalarEvent):
                yield _Mark("text", line, event.value, blank=event.style is None and event.value in _BLANK)
    except yaml.MarkedYAMLError as error:
        at = error.problem_mark or error.context_mark
        where = f"{name} line {at.line + 1}" if at else name
        remedy = "check indentation, colons and quotes"
        raise FormError(f"not YAML: {error.problem or error.context}", where=where, remedy=remedy) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        what = "a character that YAML doesn't allow"
        raise FormError(what, where=f"{name} line {line}", remedy="take it out") from None


def _refuse_magic(event: yaml.Event, documents: int, where: str) -> None:
    """Refuse what would make a value something else than the text that stands there."""
    if documents > 1:
        raise FormError("a second document", where=where, remedy="one form per file; take out the line ---")
    if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None) is not None:
        raise FormError("an anchor or alias (& or *)", where=where, remedy="write the value, or put it in quotes")
    if getattr(event, "tag", None) is not None:
        raise FormError("a tag (!)", where=where, remedy="write the value, or put it in quotes")


# --- JSON ---------------------------------------------------------------------------------------------------------


def _json_marks(text: str, name: str) -> Iterator[_Mark]:
    """The marks of strict JSON. It is parsed once to check it, and scanned once more for lines and exact numbers."""
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_no_number)
    except json.JSONDecodeError as error:
        where = f"{name} line {error.lineno}"
        raise FormError(f"not JSON: {error.msg}", where=where, remedy="check commas, quotes and brackets") from None
    except RecursionError:
        raise FormError(f"nested deeper than {MAX_DEPTH} levels", where=name, remedy="flatten the form") from None
    except ValueError as error:
        raise FormError(f"not JSON: {error}", where=name, remedy="write the number in digits") from None
    line = 1
    for found in _TOKEN.finditer(text):
        piece = found[0]
        if piece == "\n":
            line += 1
        elif piece in "{[":
            yield _Mark(piece, line)
        elif piece in "}]":
            yield _Mark("}", line)
        elif piece.startswith('"'):
            yield _Mark("text", line, json.loads(piece))
        else:
            yield _Mark("text", line, piece, blank=piece == "null")


def _no_number(name: str) -> str:
    raise ValueError(f"{name} is no number")
