"""Makes the vectors of this folder again, but for system.json, which is written by hand: ``python -m tests.vectors.replay.make``.

Keys and signatures are new each time; the figures aren't.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from bom_graph import FactorRelease, RuleSet, SystemFile, SystemResult, rule_set_ids, solve_file, stored
from exchange.assembly import Demand
from tests.evidence import read_evidence
from tests.exchange.dossier import EverBatt

FOLDER = Path(__file__).parent
EVIDENCE, TRUST, SYSTEM, SOLVED = (
    FOLDER / name for name in ("everbatt.evidence.gz", "trust.json", "system.json", "system.results.json")
)
PACK = "NMC622 recipe"
DRAWS, SEED = 1000, 20261122


def solved() -> dict[str, Any]:
    """What the product system comes to, its draws included, under each rule set as the evidence file has it."""
    _, members = read_evidence(gzip.decompress(EVIDENCE.read_bytes()))
    releases = {name: FactorRelease.read(data) for name, data in members.items() if name.startswith("factors/")}
    found = {}
    for name in sorted(name for name in members if name.startswith("rules/")):
        rule_set = RuleSet.read(members[name])
        used = [releases[f"factors/{release}.json"] for release in rule_set.factor_releases]
        result = solve_file(SystemFile.read(SYSTEM.read_bytes()), rule_set, used, draws=DRAWS, seed=SEED)
        found[rule_set.id] = _document(result)
    return found


def _document(result: SystemResult) -> dict[str, Any]:
    footprint, drawn = result.footprint, result.simulation
    assert footprint is not None
    assert drawn is not None
    return {
        "total": stored(footprint.total),
        "stages": {stage: stored(kg) for stage, kg in footprint.stages.items()},
        "columns": {column: stored(kg) for column, kg in footprint.columns.items()},
        "contributions": {str(part.burden.origin["line"]): stored(part.kg_co2e) for part in footprint.contributions},
        "mean": stored(drawn.mean),
        "sd": stored(drawn.sd),
        "quantiles": {str(quantile): stored(kg) for quantile, kg in drawn.quantiles.items()},
        "variance_shares": {parameter: stored(share) for parameter, share in drawn.shares},
    }


def main() -> None:
    """Write the evidence file, its trust file, and what the product system comes to."""
    chain = EverBatt()
    demand = Demand(chain.packs[PACK])
    results = [chain.dossier.compute(demand, rule_set) for rule_set in rule_set_ids()]
    EVIDENCE.write_bytes(gzip.compress(chain.dossier.file(results), mtime=0))
    TRUST.write_bytes(chain.dossier.trust().document())
    SOLVED.write_text(json.dumps(solved(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
