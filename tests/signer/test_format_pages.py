"""The pages on the formats name every code that this package can refuse with."""

import re
from pathlib import Path

import pytest

from signer import KEY_EVENT, KeyStoreError, SignerError

FORMATS = Path(__file__).parents[2] / "docs" / "formats"
PAGES = ("statement.md", "key-event.md", "certificates.md", "time.md")


def refusals(error: type[SignerError]) -> set[str]:
    """Codes of an error's kinds, without those of key files, which are no format."""
    if issubclass(error, KeyStoreError):
        return set()
    return {error.code}.union(*(refusals(kind) for kind in error.__subclasses__()))


def test_every_code_is_on_a_page() -> None:
    pages = "".join((FORMATS / name).read_text(encoding="utf-8") for name in PAGES)
    documented = set(re.findall(r"`([a-z_0-9]+)`", pages))
    assert refusals(SignerError) - {"signer_error"} <= documented


@pytest.mark.parametrize("claim", sorted(KEY_EVENT.open_claims))
def test_every_claim_of_a_key_event_is_on_its_page(claim: str) -> None:
    assert f"`{claim}`" in (FORMATS / "key-event.md").read_text(encoding="utf-8")
