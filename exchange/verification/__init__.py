"""Offline verification of an evidence file: redoes every arrow from the bytes to the printed figure. Pure.

Steps, in the order of the code (`exchange.verification.run`):
1. file: the archive is exactly what its manifest says, and holds nothing that has no place in it.
2. anchors: log key, authorities, accepted digests and publishers come from the trust file, never from the evidence.
3. ledger: the checkpoint is the log's, and has the cosignatures that are required; every entry is included in it at its index.
4. time: stamped checkpoints of the log that the file's extends, and between which of them each entry was logged.
5. statements: signature, certificate, disclosures, admission, record, citations of every entry; no statement twice.
6. rights: each signer's key and role, by all key events that are known.
7. rules: rule sets, factor releases and policy are accepted ones.
8. results: every figure is computed again, from exactly the entries and disclosures that the result names, and agrees.
9. graph: what each result's graph rests on, and where it ends.
10. gates: the findings, which recomputation found again.
11. report: the text is the text of the results.

What it can't show is said in `limits`: that nothing was left out rests on the word of the operator and of the file's maker.
"""

from __future__ import annotations

import io
from datetime import datetime
from typing import IO

from bom_graph import BomGraphError
from exchange.errors import ExchangeError, UndecidableError
from exchange.trust import TrustFile
from exchange.verification.members import (
    ATTACHMENTS,
    POLICY,
    REPORT,
    TRUST_SUGGESTION,
    ReportPart,
    entry_folder,
    report_text,
    timestamp_folder,
)
from exchange.verification.run import Verification
from exchange.verification.times import stamp_files
from exchange.verification.verdict import Progress, Replay, SealedBranch, Step, Verdict
from ledger import LedgerError, WitnessPolicy
from signer import SignerError

__all__ = [
    "ATTACHMENTS",
    "POLICY",
    "REPORT",
    "TRUST_SUGGESTION",
    "Progress",
    "Replay",
    "ReportPart",
    "SealedBranch",
    "Step",
    "Verdict",
    "entry_folder",
    "report_text",
    "stamp_files",
    "timestamp_folder",
    "verify_evidence",
]


def verify_evidence(
    file: IO[bytes] | bytes,
    trust: TrustFile | None,
    progress: Progress | None = None,
    policy: WitnessPolicy | None = None,
    *,
    at: datetime | None = None,
) -> Verdict:
    """Return the verdict on an evidence file: open for reading, or its bytes.

    Without `trust` the file's own suggestion is used, and the verdict says so. At `at` (aware) the trust file must not have expired.
    The checkpoint has to satisfy the witness policy of the trust file, if it has one, and `policy`, if it is given.

    Never raises for bad content: that is the verdict `rejected`, with the place.
    """
    stream = io.BytesIO(file) if isinstance(file, bytes) else file
    verification = Verification(stream, trust, progress or (lambda _number, _name: None), policy, at)
    try:
        return verification.run()
    except UndecidableError as error:
        return verification.verdict("not_decidable", f"not decidable: {error.what}", error)
    except (ExchangeError, SignerError, LedgerError, BomGraphError) as error:
        return verification.verdict("rejected", f"rejected: {error.what}", error)
