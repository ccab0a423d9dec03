"""The connection to an exchange that most commands have: its options, and whom they ask as."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any, get_type_hints

from exchange.cli.options import ClientId, Data, Email, Json, SecretFile, Server, TokenFile

if TYPE_CHECKING:
    from exchange.client import Client


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """Where the exchange is, who asks it, and how its answer is printed. Each member is an option of the commands that have one."""

    server: Server
    client_id: ClientId = None
    secret_file: SecretFile = None
    email: Email = None
    token_file: TokenFile = None
    data: Data = None
    as_json: Json = False

    def run(self, command: Callable[[Client], int]) -> int:
        """Run a command with a client; return its exit code."""
        from exchange.cli.partner import Login, connected

        login = Login(self.server, self.client_id, self.secret_file, self.email, self.data, self.token_file)
        return connected(login, command)


def connecting(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of a connection, for its parameter `to`."""
    signature = inspect.signature(command, eval_str=True)
    parameters = [one for name, one in signature.parameters.items() if name != "to"]

    @wraps(command)
    def run(**given: Any) -> None:
        to = Connection(**{one.name: given.pop(one.name) for one in _OPTIONS})
        command(**given, to=to)

    run.__signature__ = signature.replace(parameters=[*parameters, *_OPTIONS])  # type: ignore[attr-defined]
    return run


def _options() -> list[inspect.Parameter]:
    kinds, by_name = get_type_hints(Connection, include_extras=True), inspect.signature(Connection).parameters
    return [
        inspect.Parameter(one.name, one.kind, default=one.default, annotation=kinds[one.name])
        for one in by_name.values()
    ]


_OPTIONS = _options()
