"""Where events may go: one spelling of a URL, public addresses alone, and the very address that was checked."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from exchange.errors import SetupError
from exchange.events import TargetError, WebhookKey
from exchange.events.addresses import UndeliveredError, hosts_of, is_public, parse_mail, parse_target
from exchange.events.webhooks import WebhookSender
from tests.exchange.receivers import Receiver, certified, free_port, receiving
from tests.flow.world import START

EVENT = {"id": "019b8d6e-2a00-7c3e-9d1f-3b0a5c7e9f10", "type": "packtrace.request.created"}
PUBLIC = "93.184.215.14"

#: Spellings that parsers disagree over, that lead elsewhere than they look, or that aren't allowed.
BAD_URLS = {
    "http": "http://hooks.example/x",
    "other scheme": "ftp://hooks.example/x",
    "file": "file:///etc/passwd",
    "gopher": "gopher://hooks.example:443/x",
    "no scheme": "//hooks.example/x",
    "scheme in capitals": "HTTPS://hooks.example/x",
    "no host": "https:///x",
    "nothing": "",
    "userinfo": "https://user@hooks.example/x",
    "user and password": "https://user:secret@hooks.example/x",
    "host hidden in userinfo": "https://hooks.example@127.0.0.1/x",
    "encoded at sign": "https://hooks.example%40127.0.0.1/x",
    "back slash": "https://hooks.example\\@127.0.0.1/x",
    "fragment before the host": "https://hooks.example#@127.0.0.1/",
    "question mark before the host": "https://hooks.example?@127.0.0.1/#",
    "fragment": "https://hooks.example/x#y",
    "blank": "https://hooks.example/a b",
    "leading blank": " https://hooks.example/",
    "line break": "https://hooks.example/x\r\nHost: internal",
    "trailing line break": "https://hooks.example/x\n",
    "tab": "https://hooks\t.example/",
    "NUL": "https://hooks.example\x00.internal/",
    "letters beyond ASCII": "https://h\u00f6\u00f6ks.example/",
    "full-width digits": "https://\uff11\uff12\uff17.0.0.1/",
    "ideographic full stop": "https://127\u30020\u30020\u30021/",
    "enclosed letters": "https://\u24db\u24de\u24d2\u24d0\u24db.example/",
    "capitals": "https://HOOKS.example/",
    "trailing dot": "https://localhost./",
    "two dots": "https://hooks..example/",
    "dashes at the ends": "https://-hooks.example/",
    "single label": "https://localhost/",
    "name of a service in the network": "https://metadata/computeMetadata/v1/",
    "another port": "https://hooks.example:8443/",
    "port of SSH": "https://hooks.example:22/",
    "port of plain HTTP": "https://hooks.example:80/",
    "port 0": "https://hooks.example:0/",
    "port with zeros": "https://hooks.example:0443/",
    "port that wraps to 443": "https://hooks.example:65979/",
    "negative port": "https://hooks.example:-1/",
    "empty port": "https://hooks.example:/",
    "two ports": "https://hooks.example:443:22/",
    "port with a host after it": "https://hooks.example:443@127.0.0.1/",
    "too long": f"https://hooks.example/{'x' * 1100}",
    "loopback": "https://127.0.0.1/",
    "decimal": "https://2130706433/",
    "public address in decimal": "https://1572395534/",
    "hexadecimal": "https://0x7f000001/",
    "hexadecimal parts": "https://0x7f.0x0.0x0.0x1/",
    "hexadecimal last part": "https://127.0.0.0x1/",
    "octal": "https://0177.0.0.1/",
    "octal in a number": "https://017700000001/",
    "short form": "https://127.1/",
    "two parts": "https://10.1/",
    "zero": "https://0/",
    "unspecified": "https://0.0.0.0/",
    "five parts": "https://127.0.0.1.1/",
    "beyond a byte": "https://256.1.1.1/",
    "cloud metadata": "https://169.254.169.254/latest/meta-data/",
    "private 10": "https://10.0.0.1/",
    "private 172": "https://172.16.0.1/",
    "private 192": "https://192.168.1.1/",
    "shared": "https://100.64.0.1/",
    "multicast": "https://224.0.0.1/",
    "broadcast": "https://255.255.255.255/",
    "IPv6 loopback": "https://[::1]/",
    "IPv6 unspecified": "https://[::]/",
    "IPv6 mapped": "https://[::ffff:7f00:1]/",
    "IPv6 mapped, dotted": "https://[::ffff:127.0.0.1]/",
    "IPv6 mapped public": "https://[::ffff:93.184.215.14]/",
    "IPv6 compatible": "https://[::127.0.0.1]/",
    "IPv6 unique local": "https://[fd00::1]/",
    "IPv6 link-local": "https://[fe80::1]/",
    "IPv6 with zone": "https://[fe80::1%25eth0]/",
    "IPv6 in another spelling": "https://[2606:4700:0:0:0:0:0:1111]/",
    "NAT64": "https://[64:ff9b::7f00:1]/",
    "6to4": "https://[2002:7f00:1::1]/",
    "Teredo": "https://[2001:0:7f00:1::1]/",
    "IPv6 without brackets": "https://::1/",
    "bracket not closed": "https://[::1/",
    "name in brackets": "https://[localhost]/",
}

PRIVATE = [
    *("0.0.0.0", "0.1.2.3", "10.1.2.3", "100.64.0.1", "100.127.255.255", "127.0.0.1", "127.255.255.254"),  # noqa: S104
    *("169.254.0.1", "169.254.169.254", "172.16.0.1", "172.31.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1"),
    *("192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "239.255.255.250"),
    *("240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:93.184.215.14", "::127.0.0.1"),
    *("::ffff:0:127.0.0.1", "64:ff9b::7f00:1", "64:ff9b:1::1", "100::1", "2001::1", "2001:2::1", "2001:10::1"),
    *("2001:20::1", "2001:db8::1", "2002:7f00:1::", "3fff::1", "5f00::1", "fc00::1", "fd12::1", "fe80::1"),
    *("fe80::1%1", "2606:4700::1111%1", "fec0::1", "ff02::1", "ff0e::1", "4000::1", "not an address", ""),
]


@pytest.mark.parametrize("url", BAD_URLS.values(), ids=BAD_URLS.keys())
def test_a_url_that_leads_elsewhere_is_refused(url: str) -> None:
    with pytest.raises(TargetError) as caught:
        parse_target(url, frozenset())
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.example",
        "https://hooks.example/",
        "https://hooks.example:443/a/b?c=d&e=%20f",
        "https://xn--hks-sna.example/x",
        "https://93.184.215.14/",
        "https://[2606:4700::1111]/x",
        "https://1.hooks.example/x",
    ],
)
def test_https_to_a_public_host_is_taken(url: str) -> None:
    target = parse_target(url, frozenset())
    assert (target.scheme, target.port) == ("https", 443)
    assert url.startswith(f"https://{target.authority}")
    assert url.endswith(target.path)


@pytest.mark.parametrize("address", PRIVATE)
def test_an_address_that_is_not_public_is_none(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", [PUBLIC, "1.1.1.1", "223.255.255.254", "2606:4700::1111", "2a00:1450:4001:80b::200e"]
)
def test_a_public_address_is_one(address: str) -> None:
    assert is_public(address)


class Names:
    """A resolver that answers in turn, and counts."""

    def __init__(self, *answers: Sequence[str] | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        found = self.answers.pop(0)
        if isinstance(found, Exception):
            raise found
        return found


def sender(names: Names, *hosts: str, tls: ssl.SSLContext | None = None, seconds: float = 5) -> WebhookSender:
    key = WebhookKey(Ed25519PrivateKey.generate())
    tls = tls or ssl.create_default_context()
    return WebhookSender(key, hosts_of(hosts), resolve=names, tls=tls, seconds=seconds)


@pytest.mark.parametrize("address", [one for one in PRIVATE if one])
@pytest.mark.parametrize("beside", [[], [PUBLIC]], ids=["alone", "beside a public one"])
def test_a_name_of_an_address_that_is_not_public_is_never_connected_to(address: str, beside: list[str]) -> None:
    names = Names([*beside, address], [*beside, address])
    with pytest.raises(TargetError, match="not of the public Internet") as caught:
        sender(names).check("https://hooks.example/x?key=secret")
    assert address not in caught.value.what, "it would tell about the operator's network"
    with pytest.raises(UndeliveredError, match="not of the public Internet"):
        sender(names).send("https://hooks.example/x?key=secret", EVENT, START)
    assert names.asked == [("hooks.example", 443)] * 2


@pytest.mark.parametrize("answer", [OSError("no such host"), UnicodeError("label too long"), []])
def test_a_name_without_address_is_refused(answer: Any) -> None:
    with pytest.raises(TargetError, match="no address"):
        sender(Names(answer)).check("https://hooks.example/")


def test_the_connection_goes_to_the_address_that_was_checked(tmp_path: Path) -> None:
    """The name exists in no real resolver, is asked for once, and would lead elsewhere the second time."""
    server, client = certified(tmp_path, "hooks.example")
    shown: list[str | None] = []
    server.sni_callback = lambda _socket, name, _context: shown.append(name)
    names = Names(["127.0.0.1"], ["127.0.0.2"])
    with receiving(Receiver(tls=server)) as receiver:
        url = f"https://hooks.example:{receiver.port}"
        sender(names, url, tls=client).send(f"{url}/path?key=1", EVENT, START)
    ((path, headers, _body),) = receiver.got
    assert (path, headers["host"]) == ("/path?key=1", f"hooks.example:{receiver.port}")
    assert shown == ["hooks.example"]
    assert names.asked == [("hooks.example", receiver.port)]


def test_of_several_addresses_the_next_is_tried_if_nothing_could_be_sent(tmp_path: Path) -> None:
    server, client = certified(tmp_path, "hooks.example")
    with receiving(Receiver(tls=server)) as receiver:
        url = f"https://hooks.example:{receiver.port}"
        sender(Names(["::1", "127.0.0.1"]), url, tls=client).send(url, EVENT, START)
    assert len(receiver.got) == 1


@pytest.mark.parametrize("case", ["another name", "another authority"])
def test_a_certificate_of_another_is_refused(tmp_path: Path, case: str) -> None:
    (tmp_path / "other").mkdir()
    name = "other.example" if case == "another name" else "hooks.example"
    server, client = certified(tmp_path, name)
    if case == "another authority":
        _server, client = certified(tmp_path / "other", "hooks.example")
    with receiving(Receiver(tls=server)) as receiver:
        url = f"https://hooks.example:{receiver.port}"
        with pytest.raises(UndeliveredError, match="certificate is refused"):
            sender(Names(["127.0.0.1"]), url, tls=client).send(url, EVENT, START)
    assert receiver.got == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int) -> None:
    with receiving(Receiver()) as inner:
        with receiving(Receiver(lambda _event: status, {"Location": f"{inner.address}/internal"})) as receiver:
            url = f"{receiver.address}/x"
            with pytest.raises(UndeliveredError, match=f"{status}; redirects are not followed"):
                sender(Names(["127.0.0.1"]), receiver.address, inner.address).send(url, EVENT, START)
        assert inner.got == []


def test_no_proxy_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with receiving(Receiver()) as proxy, receiving(Receiver()) as receiver:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.address)
        sender(Names(["127.0.0.1"]), receiver.address).send(receiver.address, EVENT, START)
    assert (len(receiver.got), proxy.got) == (1, [])


def test_an_allowed_host_is_that_scheme_host_and_port_alone() -> None:
    allowed = hosts_of(["https://hooks.corp:8443", "http://127.0.0.1:9000/", "https://10.0.0.5"])
    for url in ("https://hooks.corp:8443/x", "http://127.0.0.1:9000/y?z", "https://10.0.0.5/", "https://10.0.0.5:443/"):
        parse_target(url, allowed)
    for url in (
        "http://hooks.corp:8443/x",
        "https://a.hooks.corp:8443/x",
        "http://127.0.0.1:9001/",
        "https://127.0.0.1:9000/",
        "http://localhost:9000/",
        "https://user@hooks.corp:8443/x",
    ):
        with pytest.raises(TargetError):
            parse_target(url, allowed)


@pytest.mark.parametrize("named", ["hooks.corp", "https://hooks.corp/path", "https://u@hooks.corp", "ftp://x", "*", ""])
def test_a_setting_that_names_no_host_stops_the_start(named: str) -> None:
    with pytest.raises(SetupError, match="PACKTRACE_WEBHOOK_HOSTS"):
        hosts_of([named])


def test_an_answer_that_drips_has_an_end() -> None:
    """Each byte comes within the client's own limit; all together has one too."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def drip() -> None:
            connection, _peer = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.1 200 OK\r\nX: ")
                while not over.wait(0.1):
                    try:
                        connection.sendall(b"x")
                    except OSError:
                        return

        thread = threading.Thread(target=drip)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        began = time.monotonic()
        with pytest.raises(UndeliveredError, match=r"no answer within 0\.5 s"):
            sender(Names(["127.0.0.1"]), url, seconds=0.5).send(url, EVENT, START)
        assert time.monotonic() - began < 5
        over.set()
        thread.join()


def test_a_body_without_end_is_not_read() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sent = [0]

        def flood() -> None:
            connection, _peer = listener.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n")
                try:
                    while sent[0] < 1_000_000_000:
                        sent[0] += connection.send(b"x" * 65536)
                except OSError:
                    return

        thread = threading.Thread(target=flood)
        thread.start()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        sender(Names(["127.0.0.1"]), url).send(url, EVENT, START)
        thread.join()
        assert sent[0] < 50_000_000


def test_nobody_there_is_a_failure_that_tells_nothing_of_the_url() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    with pytest.raises(UndeliveredError, match="can't be connected to") as caught:
        sender(Names(["127.0.0.1"]), url).send(f"{url}/path?key=secret", EVENT, START)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("address", ["desk@supplier.example", "a.b+c_d=e-f@x-y.example", "1@2.example"])
def test_a_plain_mail_address_is_taken(address: str) -> None:
    assert parse_mail(f"mailto:{address}") == address


@pytest.mark.parametrize(
    "target",
    [
        "mailto:",
        "mailto:desk",
        "mailto:@x.example",
        "mailto:desk@",
        "MAILTO:desk@x.example",
        "mailto:a@x.example,b@x.example",
        "mailto:a@x.example;b@x.example",
        "mailto:a@x.example?cc=b@x.example",
        "mailto:a@b@x.example",
        "mailto:a%0d%0abcc:b@x.example",
        "mailto:a@x.example\r\nBcc: b@x.example",
        "mailto:a\n@x.example",
        "mailto:desk@x.example\n",
        "mailto:Desk <a@x.example>",
        'mailto:"a b"@x.example',
        "mailto:.a@x.example",
        "mailto:a..b@x.example",
        "mailto:a@x..example",
        "mailto:a@[127.0.0.1]",
        "mailto:\u7535\u6c60@x.example",
    ],
)
def test_what_is_not_one_plain_mail_address_is_refused(target: str) -> None:
    with pytest.raises(TargetError, match="not a mail address"):
        parse_mail(target)
