"""Options that commands of several nouns have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder (default .packtrace, or PACKTRACE_DATA).")]
Server = Annotated[str, typer.Option(help="Address of the exchange.")]
