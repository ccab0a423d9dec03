"""``packtrace footprint stale``: which stored results something newer makes stale, and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from exchange.cli.explain import bar_documents, waterfall_lines
from exchange.cli.files import read_up_to
from exchange.cli.output import DONE, say, say_json, tell
from exchange.cli.server_commands import run_with_settings

if TYPE_CHECKING:
    from exchange.calculation import StaleResult
    from exchange.settings import Settings

_TELL_EVERY = 20
_MAX_TRUST = 1_000_000


def run_stale(reader: str, data: Path | None, *, as_json: bool) -> int:
    """Compute the stored results of one reader again and print those that came out otherwise."""

    def command(settings: Settings) -> int:
        from exchange.calculation import Calculation
        from exchange.database import engine_for
        from exchange.filing import is_filed
        from exchange.identity import Accounts
        from exchange.installation import new_secret, vault_of
        from exchange.kinds import load_policy
        from exchange.services import utc_now
        from exchange.sharing import Sharing
        from exchange.trust import TrustFile

        trust = TrustFile.read(read_up_to(settings.data / "trust", _MAX_TRUST)).signers
        engine, policy = engine_for(settings.url), load_policy()
        try:
            accounts = Accounts(engine, utc_now, new_secret)
            secret = settings.passphrase.get_secret_value() if settings.passphrase else None
            vault = vault_of(settings.data, engine, secret, new_secret, utc_now())
            sharing = Sharing(engine, accounts, trust, policy, utc_now, random=new_secret, vault=vault)
            calculation = Calculation(engine, sharing, accounts, policy, utc_now, vault=vault, relied_on=is_filed)
            found = calculation.stale(reader, _progress)
        finally:
            engine.dispose()
        if as_json:
            say_json({"reader": reader, "stale": [_document(one) for one in found]})
        else:
            for line in _lines(reader, found):
                say(line)
        return DONE

    return run_with_settings(data, None, command)


def _progress(done: int, all_of_them: int) -> None:
    if done % _TELL_EVERY == 0 or (done == all_of_them and done > _TELL_EVERY):
        tell(f"{done:,} of {all_of_them:,} results computed again")


def _document(one: StaleResult) -> dict[str, Any]:
    return {
        "digest": one.digest,
        "product": one.before["demand"]["product"],
        "rule_set": one.before["rule_set"]["id"],
        "before": one.before["headline"],
        "after": None if one.after is None else one.after["headline"],
        "reasons": list(one.reasons),
        "refused": one.refused,
        "bars": None if one.waterfall is None else bar_documents(one.waterfall),
    }


def _lines(reader: str, found: Sequence[StaleResult]) -> Iterator[str]:
    from exchange.report import name_of

    if not found:
        yield f"no result of {reader} is stale"
    for one in found:
        yield f"{name_of(one.before)} under {one.before['rule_set']['id']}, result {one.digest}"
        yield from (f"  because {reason}" for reason in one.reasons)
        if one.refused is not None:
            yield f"  refused: {one.refused}"
        if one.waterfall is not None and one.after is not None:
            unit = one.after["headline"]["unit"]
            yield from (f"  {line}" for line in waterfall_lines(one.waterfall, "then", "today", unit))
