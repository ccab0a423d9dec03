"""Where events may be sent: the form of a target, and which addresses a webhook may connect to.

Members name URLs, and the exchange connects to them from inside the operator's network. So a URL has one spelling that every parser reads
alike, its host is resolved once, every address that it has must be one of the public Internet, and the connection goes to the address
that was checked. Hosts that the operator named are trusted as they are.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from exchange.errors import SetupError, UsageError

#: Host and port to addresses as text. Raises OSError where there are none.
Resolve = Callable[[str, int], Sequence[str]]
MAILTO: Final = "mailto:"
MAX_TARGET: Final = 1024
_PORTS: Final[Mapping[str, int]] = {"https": 443, "http": 80}
#: One spelling: lower case, ASCII, no user, no escapes in the host, no fragment, no back slash or blank anywhere.
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?P<host>[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?|\[[0-9a-f:.]{2,45}\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>(?:/[A-Za-z0-9._~%!$&'()*+,;=:@/-]*)?(?:\?[A-Za-z0-9._~%!$&'()*+,;=:@/?-]*)?)"
)
_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
#: Without quotes, comments, escapes or parameters, so that no parser reads two addresses or a header into it.
_MAIL = re.compile(r"[A-Za-z0-9._+=-]{1,64}@(?P<host>[a-z0-9][a-z0-9.-]{0,251}[a-z0-9])")
#: Beside what `ipaddress` knows, whose registry is as old as the Python: carriers of IPv4 addresses, relays, tests.
_REFUSED: Final[tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]] = (
    *map(
        ipaddress.IPv4Network,
        ("0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4"),
    ),
    *map(ipaddress.IPv6Network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")),
)
#: The only unicast of the public Internet; NAT64 (64:ff9b::/96), IPv4-mapped and unique local addresses lie outside.
_GLOBAL_UNICAST = ipaddress.ip_network("2000::/3")
_REMEDY = "give https://host/path, with the host in lower case, on port 443 unless the operator allows another"


class TargetError(UsageError):
    """Events can't be sent there; `what` says why, without the URL's query."""

    code = "target"


class UndeliveredError(Exception):
    """A receiver didn't take an event; the text says why, without secrets, and is shown to the owner of the subscription."""


@dataclass(frozen=True, slots=True)
class Target:
    """A webhook's URL in its parts; `host` without brackets, `path` with the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def origin(self) -> tuple[str, str, int]:
        """Scheme, host and port."""
        return self.scheme, self.host, self.port

    @property
    def authority(self) -> str:
        """Host and port as the header Host has them."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def at(self, address: str) -> str:
        """The URL with the host's checked address in its place."""
        host = f"[{address}]" if ":" in address else address
        return f"{self.scheme}://{host}:{self.port}{self.path or '/'}"

    def __str__(self) -> str:
        """Scheme, host and port: path and query may hold secrets."""
        return f"{self.scheme}://{self.authority}"


Hosts = frozenset[tuple[str, str, int]]


def hosts_of(named: Iterable[str]) -> Hosts:
    """Return the origins that the operator names (``https://hooks.example:8443``). Raises SetupError."""
    found = set()
    for one in named:
        try:
            target = _parse(one)
        except TargetError as error:
            raise _bad_host(one, error.what) from None
        if target.path not in ("", "/"):
            raise _bad_host(one, "it has a path")
        found.add(target.origin)
    return frozenset(found)


def _bad_host(named: str, what: str) -> SetupError:
    remedy = "name scheme, host and port, such as https://hooks.example:8443"
    return SetupError(f"{named} is not a host for webhooks: {what}", where="PACKTRACE_WEBHOOK_HOSTS", remedy=remedy)


def parse_target(url: str, allowed: Hosts) -> Target:
    """Return a webhook's URL in its parts. Raises TargetError for any but https on port 443, unless `allowed` names its origin."""
    target = _parse(url)
    if target.origin in allowed:
        return target
    if target.scheme != "https":
        raise _refused("only https is allowed", _REMEDY)
    if target.port != _PORTS["https"]:
        raise _refused(f"port {target.port} is not allowed", _REMEDY)
    _require_public_name(target.host)
    return target


def parse_mail(target: str) -> str:
    """Return the mail address of a mailto URI. Raises TargetError for what isn't exactly one plain address."""
    address = target.removeprefix(MAILTO)
    found = _MAIL.fullmatch(address) if target.startswith(MAILTO) and len(target) <= MAX_TARGET else None
    local = address.partition("@")[0]
    if found is None or local != local.strip(".") or ".." in local or not _is_name(found["host"]):
        raise _refused("not a mail address", "give mailto:name@host, one address in ASCII with the host in lower case")
    return address


def checked_addresses(target: Target, allowed: Hosts, resolve: Resolve) -> list[str]:
    """Return the addresses to connect to, in order. Raises TargetError where an address isn't public, unless `allowed` names the target."""
    try:
        addresses = list(resolve(target.host, target.port))
    except (OSError, UnicodeError) as error:
        raise _refused(f"the host has no address: {type(error).__name__}", "check the host's name") from None
    if not addresses:
        raise _refused("the host has no address", "check the host's name")
    if target.origin not in allowed and not all(map(is_public, addresses)):
        # Which one it was would tell about the operator's network.
        raise _refused("the host has an address that is not of the public Internet", _REMEDY)
    return addresses


def is_public(address: str) -> bool:
    """Whether an address is global unicast of the public Internet; not if it is anything else, or carries another one."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and (found.scope_id or found not in _GLOBAL_UNICAST):
        return False
    refused = any(found in network for network in _REFUSED if network.version == found.version)
    return found.is_global and not found.is_multicast and not found.is_reserved and not refused


def resolve(host: str, port: int) -> list[str]:
    """Resolve by the system. Raises OSError."""
    return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


def _parse(url: str) -> Target:
    found = _URL.fullmatch(url) if len(url) <= MAX_TARGET else None
    if found is None:
        raise _refused("not a URL for webhooks", _REMEDY)
    host, port = found["host"], int(found["port"] or _PORTS[found["scheme"]])
    if port > 65535:
        raise _refused("there is no such port", _REMEDY)
    if host.startswith("["):
        host = host[1:-1]
        if not _is_address(host):
            raise _refused("the host is not an IPv6 address in its one spelling", _REMEDY)
    elif not (_is_address(host) if _ends_in_number(host) else _is_name(host)):
        # 2130706433, 0x7f.1 and 127.1 are addresses to some parsers and names to others.
        raise _refused("the host is neither a name nor an address in its one spelling", _REMEDY)
    return Target(found["scheme"], host, port, found["path"])


def _require_public_name(host: str) -> None:
    if _is_address(host):
        if not is_public(host):
            raise _refused("the address is not of the public Internet", _REMEDY)
    elif "." not in host:
        raise _refused("a name without a dot is one of the operator's own network", _REMEDY)


def _ends_in_number(host: str) -> bool:
    last = host.rpartition(".")[2]
    return last.isdigit() or re.fullmatch(r"0x[0-9a-f]*", last) is not None


def _is_name(host: str) -> bool:
    return all(_LABEL.fullmatch(label) for label in host.split("."))


def _is_address(host: str) -> bool:
    try:
        return str(ipaddress.ip_address(host)) == host
    except ValueError:
        return False


def _refused(what: str, remedy: str) -> TargetError:
    return TargetError(what, where="target", remedy=remedy)
