"""Two stored results of a pack beside each other: what Article 7 names, and why the EU's and China's figures differ."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Engine

from bom_graph import BatteryModel, Site, load_rule_set
from exchange.access import Principal
from exchange.beside import CHINESE, EUROPEAN, Maker, beside
from exchange.calculation.results import Calculation
from exchange.errors import UsageError
from exchange.evidence import Entry
from exchange.identity import Directory
from exchange.report import Document
from exchange.sharing import Sharing
from ledger.store import begin


@dataclass(frozen=True, slots=True)
class SideBySide:
    """Puts results of the two rule sets beside each other."""

    engine: Engine
    calculation: Calculation
    sharing: Sharing
    directory: Directory

    def show(self, actor: Principal, european: str, chinese: str) -> Document:
        """Return `exchange.beside.beside` of two results of the actor's, with what it may see today of the battery model.

        NotFoundError for no such result, UsageError where the two can't stand beside each other, RightsError where a grant ended meanwhile.
        """
        first, reader = self.calculation.result_and_reader(actor, european)
        second, other = self.calculation.result_and_reader(actor, chinese)
        if reader != other:
            what, remedy = "the two results are of different readers", "give two results of one organisation"
            raise UsageError(what, where="other", remedy=remedy)
        rules = load_rule_set(EUROPEAN), load_rule_set(CHINESE)
        entry, model = self._model(reader, first)
        maker = None if entry is None else self._maker(actor, entry.statement.issuer)
        found = beside(((european, first), (chinese, second)), rules, maker, model)
        disclosed = model is not None and (isinstance(model.model, str) or isinstance(model.plant, Site))
        if entry is not None and disclosed and entry.statement.issuer != reader:
            with begin(self.engine) as connection:
                self.sharing.took(connection, reader, "read", [entry.leaf_hash])
        return found

    def _model(self, reader: str, found: Document) -> tuple[Entry | None, BatteryModel | None]:
        """The battery model that a result rests on, as the reader may see it today."""
        evidence = self.sharing.evidence_for(reader)
        for one in found["inputs"]:
            entry = evidence.get(one["leaf_hash"])
            if entry is not None and isinstance(entry.record, BatteryModel):
                return entry, entry.record
        return None, None

    def _maker(self, actor: Principal, uri: str) -> Maker:
        known = self.directory.organisation(actor, uri)
        if known is None:
            return Maker(uri)
        return Maker(uri, known.name, known.country, known.identifiers)
