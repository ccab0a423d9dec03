"""An evidence file of many statements, made by an exchange: each step in a process of its own, so that its memory is its own.

``python -m benchmarks.large_evidence fill|make|verify FOLDER [STATEMENTS]`` prints a JSON object.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from exchange.calculation import Wanted
from exchange.cli.verify import Check, checked
from exchange.intake import Submission
from exchange.kinds import ACTIVITY_DATA
from tests.flow.world import EVERBATT, Exchange, Member, activity, line

STATEMENTS = 20_000
_PARTS = 10  # parts of each product, so that the graph is a tree some levels deep
_BATCH = 500
_COPPER = {"formula": "Cu"}


def fill(folder: Path, statements: int) -> dict[str, Any]:
    """State a tree of products and compute the footprint of the one that holds all."""
    exchange = _opened(folder)
    maker = exchange.member("maker")
    intake = exchange.services.installation.intake
    cited: dict[int, dict[str, Any]] = {}
    # The leaves first: what is cited comes before what cites it.
    for start in range(statements - 1, -1, -_BATCH):
        numbers = _level(start)
        for some in numbers:
            signed = [maker.sign(ACTIVITY_DATA, _claims(maker, number, statements, cited)) for number in some]
            for number, receipt in zip(
                some, intake.submit_all([Submission(one.token, one.disclosures) for one in signed]), strict=True
            ):
                if isinstance(receipt, Exception):
                    raise receipt
                cited[number] = {"origin": exchange.origin, "index": receipt.index, "leaf_hash": receipt.leaf_hash}
    exchange.publish()
    digest = exchange.footprint(maker.product("0"), maker.uri, EVERBATT.id).json()["digest"]
    (folder / "trust").write_bytes(exchange.services.installation.trust_file.document())
    (folder / "result").write_text(digest, "ascii")
    exchange.close()
    return {"statements": statements, "result": digest}


def make(folder: Path) -> dict[str, Any]:
    """Make the evidence file of that footprint."""
    exchange = _opened(folder)
    maker, before = "https://maker.example", time.process_time()
    with (folder / "evidence.packtrace").open("wb") as file:
        services = exchange.services
        services.exporter.export(services.standing_in, maker, [(folder / "result").read_text("ascii")], file, Wanted())
        size = file.tell()
    exchange.close()
    return {"seconds": time.process_time() - before, "bytes": size, "memory_mb": _memory()}


def verify(folder: Path) -> dict[str, Any]:
    """Verify that file, as the command does."""
    before = time.process_time()
    verdict = checked(Check(folder / "evidence.packtrace", folder / "trust"), quiet=True)
    return {"seconds": time.process_time() - before, "verdict": verdict.code, "memory_mb": _memory()}


def _opened(folder: Path) -> Exchange:
    folder.mkdir(exist_ok=True)
    return Exchange.open(folder / "data", f"sqlite:///{folder / 'exchange.sqlite'}")


def _level(start: int) -> Iterator[range]:
    """Yield the numbers from `start` down for one batch, cut where one would cite another of the same batch."""
    low = max(0, start - _BATCH + 1)
    number = start
    while number >= low:
        # The parts of `number` are the ten numbers after ten times it: those at most `number` / 10 cite into this range.
        last = max(low, number // _PARTS + 1) if number else 0
        yield range(number, last - 1, -1)
        number = last - 1


def _claims(maker: Member, number: int, statements: int, cited: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """A kilogram of copper things, from others and the rest from copper: what goes in comes out, so that no gate finds anything."""
    first, product = _PARTS * number + 1, maker.product(str(number))
    parts = [
        line(name=f"part {part}", product=maker.product(str(part)), citation=cited[part], composition=_COPPER)
        | {"amount": "0.09"}
        for part in range(first, min(first + _PARTS, statements))
    ]
    rest = (100 - 9 * len(parts)) / 100
    copper = line(name="copper", flow="copper", composition=_COPPER) | {"amount": f"{rest:.2f}"}
    return activity(product, *parts, copper, outputs=[line(product=product, composition=_COPPER)])


def _memory() -> float:
    """The largest resident set of this process, in MB (1e6 bytes)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    what, where = sys.argv[1], Path(sys.argv[2])
    if what == "fill":
        print(json.dumps(fill(where, int(sys.argv[3]) if len(sys.argv) > 3 else STATEMENTS)))
    else:
        print(json.dumps({"make": make, "verify": verify}[what](where)))
