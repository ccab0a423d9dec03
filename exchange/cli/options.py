"""Options that commands of several nouns have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
Data = Annotated[Path | None, typer.Option("--data", help="Data folder (default .packtrace, or PACKTRACE_DATA).")]
Server = Annotated[str, typer.Option(help="Address of the exchange.")]
Organisation = Annotated[str, typer.Option(help="Your organisation's URI, for instance https://you.example.")]
Passphrase = Annotated[
    int | None,
    typer.Option(
        "--passphrase-fd",
        min=0,
        help="File descriptor to read the passphrase from; else PACKTRACE_PASSPHRASE, else a prompt.",
    ),
]
ClientId = Annotated[str | None, typer.Option(help="Id of your API client; without it, the data folder's token.")]
SecretFile = Annotated[
    Path | None, typer.Option(help="File of the API client's secret; without it, PACKTRACE_CLIENT_SECRET.")
]
TokenFile = Annotated[
    Path | None, typer.Option("--token-file", help="File with an access token; else the data folder's token is sent.")
]
ForWhom = Annotated[
    str | None, typer.Option("--organisation", help="For whom, where the data folder's token is sent: its URI.")
]
Email = Annotated[str | None, typer.Option(help="Log in as the member with this address; the password is asked.")]
AsReader = Annotated[
    str | None, typer.Option("--reader", help="As whom, where the data folder's token is sent: its URI; else yourself.")
]
Yes = Annotated[bool, typer.Option("--yes", help="Do it without asking.")]
Factors = Annotated[
    list[Path] | None,
    typer.Option(
        "--factors", help="File of a published factor release, in the place of the version that came with the software."
    ),
]
KeyFile = Annotated[Path, typer.Argument(help="Key file; its certificate lies beside it as PATH.crt.")]
Whose = Annotated[str, typer.Option("--organisation", help="URI of the organisation.")]
StatementFile = Annotated[Path, typer.Argument(help="A signed statement: <JWT>, or <JWT>~<disclosure>~...~")]
