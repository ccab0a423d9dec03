"""Filings as their parties read them: lists, one with its chain, what to sign next, the export, the reconciliation; and a maker's duties.

A filing is there for its filer, the verifier that it names, and authorities; for anybody else it doesn't exist (NotFoundError).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from decimal import Decimal
from typing import Any, Literal

from sqlalchemy import ColumnElement, Engine, or_
from sqlmodel import Session, col, select

from bom_graph import Lines
from exchange.access import FULL, Principal
from exchange.errors import FilingError, NotFoundError
from exchange.filing.chain import Facts, Filing, Link, State, Step
from exchange.filing.duty import Coverage, Duty, DutyRules, Model, coverage, duty_of
from exchange.filing.exporting import digest_of, platform_export
from exchange.filing.hidden import group_key, product_key, show_model, show_told
from exchange.filing.reconciling import Compared, open_differences
from exchange.filing.steps import check_from, compare_with, doubted_said, erased_said, next_steps
from exchange.filing.stored import Stored
from exchange.filing.tables import FilingRemarkRow, FilingRow, FilingStepRow, ModelRow
from exchange.identity import Accounts, roles_today
from exchange.intake.tables import StatementRow
from exchange.kinds.filing import FilingEvent, PlatformResult
from exchange.sharing import Sharing, day_of
from ledger.store import begin, entry, head, snapshot
from signer import new_jti

AUTHORITY = "authority"
Box = Literal["filer", "verifier", "authority"]
_KIND_OF_STEP = {
    "plan": "quality-plan",
    "platform": "platform-result",
    "review": "review",
}
#: Steps that the engagement's statements take, and by which of them.
_ELSEWHERE: Mapping[Step, str] = {
    "verify": "conclude the engagement",
    "decline": "decline the engagement",
    "revoke": "withdraw the verification-statement of the engagement",
}
#: What comes in the place of a step that can't be taken anew by itself.
_ANEW: Mapping[Step, Step] = {"register": "withdraw", "verify": "revoke", "review": "amend"}
_LIST = "take the id from the list of filings"


@dataclass(frozen=True, slots=True)
class Filings:
    """Reads filings. `reader` is for whom: the actor's organisation, or one that it stands in for."""

    engine: Engine
    stored: Stored
    rules: DutyRules
    accounts: Accounts
    sharing: Sharing
    clock: Callable[[], datetime]
    random: Callable[[int], bytes] = field(repr=False)

    # -- lists -------------------------------------------------------------------------------------------------------------

    def page(
        self,
        actor: Principal,
        reader: str,
        *,
        box: Box = "filer",
        state: State | None = None,
        maker: str | None = None,
        group: str | None = None,
        after: str = "",
        limit: int = 100,
    ) -> list[dict[str, Any]]:
        """Return filings of `reader` as filer, verifier or authority, by id; of those in `state`, of `maker`, of a chemistry group."""
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            query = select(FilingRow).where(self._box(session, box, reader), col(FilingRow.id) > after)
            if state is not None:
                query = query.where(col(FilingRow.state) == state)
            if maker is not None:
                query = query.where(col(FilingRow.filer) == maker)
            if group is not None:
                query = query.where(col(FilingRow.group_key) == group_key(self.stored.vault, group))
            rows = session.exec(query.order_by(col(FilingRow.id)).limit(limit)).all()
            stale = self.stored.stale_among(session, [row.id for row in rows])
            return [self._summary(row, is_stale=row.id in stale) for row in rows]

    def _box(self, session: Session, box: Box, reader: str) -> ColumnElement[bool]:
        if box == "authority":
            self.check_authority(session, reader)
            return col(FilingRow.id) != ""
        return col(FilingRow.filer if box == "filer" else FilingRow.verifier) == reader

    def check_authority(self, session: Session, reader: str) -> None:
        """Check that `reader` is an authority today; NotFoundError otherwise, as if there were nothing."""
        if AUTHORITY not in roles_today(session, reader, self.clock()):
            raise NotFoundError(
                "nothing here", where="path", remedy="this is for organisations with the role authority"
            )

    def stale_of(self, session: Session, row: FilingRow) -> tuple[str, ...]:
        """Return why the result that a row names wouldn't come out so today; nothing where there is none."""
        if row.result is None:
            return ()
        facts = self.stored.result(session, row.result, row.filer, day_of(self.clock()))
        return ("the filing's result is gone",) if facts is None else facts.stale

    def doubts_of(self, session: Session, row: FilingRow) -> tuple[str, ...]:
        """Return which statements of a filing, its opinion for instance, are in doubt because a key was declared compromised, and why."""
        return tuple(doubted_said(*one) for one in self.stored.doubted_at(session, row))

    def _summary(self, row: FilingRow, *, is_stale: bool) -> dict[str, Any]:
        told = show_told(self.stored.vault, row.id, row.sealed)
        return {
            "id": row.id,
            "filer": row.filer,
            "product": told.product,
            "model": told.model,
            "plant": told.plant,
            "country": told.country,
            "chemistry": told.chemistry,
            "chemistry_group": told.group,
            "rated_energy_kwh": told.rated_kwh,
            "variants": list(told.variants),
            "state": row.state,
            "fileable": not is_stale and row.state in ("reconciled", "under_verification", "verified"),
            "is_stale": is_stale,
            "verifier": row.verifier,
            "verification_expires": row.expires,
            "result": row.result,
            "figure": told.figure,
            "unit": told.unit,
            "open_remarks": row.open_remarks.split(),
            "registered_at": row.registered_at,
            "since": row.entered_at,
        }

    # -- one ---------------------------------------------------------------------------------------------------------------

    def row(self, session: Session, reader: str, filing: str) -> FilingRow:
        """Return the row of a filing that `reader` is a party to; NotFoundError for any other."""
        mine = or_(col(FilingRow.filer) == reader, col(FilingRow.verifier) == reader)
        if AUTHORITY in roles_today(session, reader, self.clock()):
            mine = col(FilingRow.id) == filing
        row = session.exec(select(FilingRow).where(col(FilingRow.id) == filing, mine)).one_or_none()
        if row is None:
            raise NotFoundError("no such filing", where="filing", remedy=_LIST)
        return row

    def show(self, actor: Principal, reader: str, filing: str) -> dict[str, Any]:
        """Return a filing with its chain of signed statements, its remarks, and which steps can be taken now, by whom."""
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            row = self.row(session, reader, filing)
            steps = session.exec(
                select(FilingStepRow).where(FilingStepRow.filing == row.id).order_by(col(FilingStepRow.index))
            ).all()
            found = self.stored.filing(session, row)
            erased, doubted = self.stored.erased(session, found), self.stored.doubted(session, found)
            said = (*map(erased_said, erased), *(doubted_said(*one) for one in doubted))
            stale = (*said, *self.stale_of(session, row))
            redo = self._redo(session, found, (*erased, *(link for link, _why in doubted))) if stale else None
            remarks = session.exec(
                select(FilingRemarkRow).where(FilingRemarkRow.filing == row.id).order_by(col(FilingRemarkRow.id))
            ).all()
            return {
                **self._summary(row, is_stale=bool(stale)),
                "duty": self._duty(),
                "steps": [
                    {
                        "step": one.step,
                        "state": one.state,
                        "signer": one.signer,
                        "index": one.index,
                        "leaf_hash": one.leaf_hash,
                        "at": one.at,
                    }
                    for one in steps
                ],
                "next": [{"step": step, "party": party} for step, party in next_steps(found, redo)]
                if found.state != "withdrawn"
                else [],
                "remarks": [self.remark(session, one) for one in remarks],
                "shared_data": self._shared_data(session, found),
                "stale": list(stale),
            }

    def _shared_data(self, session: Session, found: Filing) -> list[dict[str, Any]]:
        """Return the entries that are cited for several figures of the plan: which of their lines is which isn't stated."""
        if not found.data:
            return []
        link = found.newest("complete")
        event = self.stored.record(session.connection(), link.index, link.leaf_hash, link.signer)
        lines = event.data if isinstance(event, FilingEvent) and isinstance(event.data, Lines) else ()
        names, cited = {one.id: one.name for one in found.figures}, dict[int, set[str]]()
        for line in lines:
            if line.citation is not None:
                cited.setdefault(line.citation.index, set()).add(names.get(line.figure, line.figure))
        return [{"index": index, "figures": sorted(of)} for index, of in sorted(cited.items()) if len(of) > 1]

    def _redo(self, session: Session, found: Filing, broken: Sequence[Link]) -> Step:
        """Return the earliest step that a stale filing has to take anew; `broken` are statements that it stands on no more."""
        if broken:
            earliest = min(broken, key=lambda link: link.index).step
            return _ANEW.get(earliest, earliest)
        if self.stored.any_taken_back(session, found.data) or self._any_in_doubt(session, found):
            return "complete"
        return "calculate"

    def _any_in_doubt(self, session: Session, found: Filing) -> bool:
        """Whether an entry that a figure is cited from is in doubt."""
        cited = session.exec(select(StatementRow.index).where(col(StatementRow.leaf_hash).in_(found.data))).all()
        return bool(self.stored.in_doubt(session, cited))

    def statements(self, actor: Principal, reader: str, filing: str) -> list[dict[str, Any]]:
        """Return the filing's signed statements with their disclosures, in order, to check the chain offline.

        That they went out is logged for their signers.
        """
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with begin(self.engine) as connection, Session(connection) as session:
            chain = self.stored.filing(session, self.row(session, reader, filing)).chain
            found = [
                {
                    "step": link.step,
                    "index": link.index,
                    "leaf_hash": link.leaf_hash,
                    "token": entry(connection, link.index).data.decode("ascii"),
                    "disclosures": list(self.sharing.disclosed(connection, link.signer, link.leaf_hash)),
                }
                for link in chain
            ]
            self.sharing.took(connection, reader, "read", [link.leaf_hash for link in chain], opened=(FULL,))
            return found

    def remark(self, session: Session, row: FilingRemarkRow) -> dict[str, Any]:
        """Return a remark with its text and, where there is one, the answer's."""
        text = self._line(session, row.review, "remarks", row.id.partition(".")[2])
        answer = None if row.answered is None else self._line(session, row.answered, "answers", row.id)
        return {
            "id": row.id,
            "filing": row.filing,
            "to": row.addressee,
            "step": row.step,
            "text": text,
            "made_at": row.made_at,
            "review": row.review,
            "answered": row.answered,
            "answered_at": row.answered_at,
            "answer": answer,
        }

    def _line(self, session: Session, index: int, name: str, wanted: str) -> str | None:
        row = session.get(StatementRow, index)
        record = None if row is None else self.stored.record(session.connection(), index, row.leaf_hash, row.issuer)
        lines = getattr(record, name, None)
        for line in lines if isinstance(lines, Lines) else ():
            if wanted in (line.id, getattr(line, "remark", None)):
                return str(line.text)
        return None

    def remarks_to(self, actor: Principal, reader: str, after: str = "", limit: int = 100) -> list[dict[str, Any]]:
        """Return the remarks that wait for `reader` as a maintainer, and those that it has answered, by id.

        Rules are the operator's, which is no organisation of the register: its right is its scope.
        """
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            named = ["factor_maintainer"] if "factor_maintainer" in roles_today(session, reader, self.clock()) else []
            if "operator" in actor.scopes and reader == actor.organisation:
                named.append("rule_maintainer")
            query = select(FilingRemarkRow).where(
                col(FilingRemarkRow.addressee).in_(named), col(FilingRemarkRow.id) > after
            )
            rows = session.exec(query.order_by(col(FilingRemarkRow.id)).limit(limit)).all()
            return [self.remark(session, one) for one in rows]

    # -- what to sign next -------------------------------------------------------------------------------------------------

    def draft(
        self, actor: Principal, reader: str, step: Step, *, filing: str | None = None, product: str | None = None
    ) -> dict[str, Any]:
        """Return kind and claims of a step, as far as the exchange knows them; whoever signs adds the rest.

        `product`: the model that is registered. Raises NotFoundError, FilingError where one of the two is missing, StepError for a step
        that isn't taken from where the filing stands.
        """
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            if step == "register":
                return {"kind": "filing-event", "claims": self._registration(session, reader, product)}
            if filing is None:
                raise FilingError("which filing isn't said", where="filing", remedy=_LIST)
            row = self.row(session, reader, filing)
            found = self.stored.filing(session, row)
            if step in _ELSEWHERE:
                raise FilingError(
                    f"{step} is no statement of the filing's own", where="step", remedy=_elsewhere(found, step)
                )
            check_from(found, step)
            origin = head(connection).origin
        kind = _KIND_OF_STEP.get(step, "filing-event")
        cited = {"origin": origin, "index": found.last.index, "leaf_hash": found.last.leaf_hash}
        claims: dict[str, Any] = {"sub": found.product, "filing": found.id}
        claims["target" if step == "review" else "previous"] = cited
        if kind == "filing-event":
            claims["event"] = step
        if step in ("submit", "file") and found.result is not None:
            claims["result"] = found.result
        if step == "export":
            claims["export"] = self.export(actor, reader, filing)[1]
        return {"kind": kind, "claims": claims}

    def _registration(self, session: Session, filer: str, product: str | None) -> dict[str, Any]:
        if product is None:
            raise FilingError("which model isn't said", where="product", remedy="name the product of a battery model")
        row = session.get(ModelRow, product_key(self.stored.vault, product))
        if row is None or row.owner != filer:
            raise NotFoundError(
                "no battery model of yours of this product", where="product", remedy="state its battery-model first"
            )
        stated = session.get_one(StatementRow, row.index)
        origin = head(session.connection()).origin
        return {
            "sub": product,
            "filing": new_jti(self.clock(), self.random),
            "event": "register",
            "model": {"origin": origin, "index": stated.index, "leaf_hash": stated.leaf_hash},
            "rules": {"id": self.rules.id, "version": self.rules.version, "digest": self.rules.digest},
        }

    def export(self, actor: Principal, reader: str, filing: str) -> tuple[bytes, str]:
        """Return the export of the filing's result for the designated platform, and its SHA-256 (hex)."""
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            row = self.row(session, reader, filing)
            found = self.stored.filing(session, row)
            result = None if found.result is None else self.stored.document(connection, found.result)
            if result is None:
                raise NotFoundError("the filing has no result", where="filing", remedy="take the step calculate first")
            data = platform_export(found, show_told(self.stored.vault, row.id, row.sealed), result, self.rules)
        return data, digest_of(data)

    def reconciliation(self, actor: Principal, reader: str, filing: str) -> dict[str, Any]:
        """Return our result beside the platform's newest, line by line. NotFoundError where one of both isn't there (any more)."""
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            found = self.stored.filing(session, self.row(session, reader, filing))
            stated, compared = self._compared(session, found)
        left = open_differences(compared)
        return {
            "filing": found.id,
            "result": found.result,
            "platform": stated.platform,
            "database": stated.database,
            "database_version": stated.database_version,
            "calculated": stated.calculated,
            "unit": stated.unit,
            "fileable": not left,
            "unexplained": [one.line for one in compared if one.line in left and not one.is_own_defect],
            "own_defects": [one.line for one in compared if one.is_own_defect],
            "lines": [_compared(one) for one in compared],
        }

    def _compared(self, session: Session, filing: Filing) -> tuple[PlatformResult, tuple[Compared, ...]]:
        if filing.result is None or not any(link.step == "platform" for link in filing.chain):
            raise NotFoundError(
                "no result of the platform is stated", where="filing", remedy="take the step platform first"
            )
        link = filing.newest("platform")
        record = self.stored.record(session.connection(), link.index, link.leaf_hash, link.signer)
        today = day_of(self.clock())
        facts = Facts(result=self.stored.result(session, filing.result, filing.filer, today))
        if not isinstance(record, PlatformResult) or not record.is_whole or facts.result is None:
            gone = "the filing's result" if facts.result is None else "the platform's result"
            step = "calculate" if facts.result is None else "platform"
            raise NotFoundError(
                f"{gone} was erased", where="filing", remedy=f"take the step {step} anew, as the filing's steps allow"
            )
        return record, compare_with(record, facts, today, self.rules)

    # -- duties ------------------------------------------------------------------------------------------------------------

    def duties(self, actor: Principal, maker: str) -> dict[str, Any]:
        """Return what `maker` has to file, model by model, how far it has come with the trial, and what is assumed."""
        self.accounts.check_speaks_for(actor, maker, "data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            roles, models = roles_today(session, maker, self.clock()), self.models(session, [maker]).get(maker, [])
        day = day_of(self.clock())
        duties = [duty_of(self.rules, roles, model, day) for model in models]
        return {
            "maker": maker,
            "as_of": day,
            "rules": self._duty(),
            "models": [_duty(model, duty) for model, duty in zip(models, duties, strict=True)],
            "coverage": coverage_document(coverage(self.rules, maker, models, day))
            if any(duty.obliged for duty in duties)
            else None,
            "unstated": [one.model_dump() for one in self.rules.unstated],
        }

    def models(self, session: Session, makers: Sequence[str]) -> dict[str, list[Model]]:
        """Return the models of each maker that were stated and not taken back, with the states of their filings."""
        running = (col(FilingRow.product_key) == col(ModelRow.product_key)) & (col(FilingRow.state) != "withdrawn")
        query = (
            select(ModelRow, FilingRow)
            .outerjoin(FilingRow, running)
            .where(col(ModelRow.owner).in_(makers))
            .order_by(col(ModelRow.index))
        )
        found: dict[str, list[Model]] = {}
        vault = self.stored.vault
        for row, filing in session.exec(query).all():
            model = show_model(vault, row.product_key, row.sealed)
            if filing is not None:
                told = show_told(vault, filing.id, filing.sealed)
                model = replace(
                    model,
                    state=filing.state,
                    filed_chemistry=told.chemistry,
                    filed_kwh=Decimal(told.rated_kwh),
                    filed_as=(told.model, told.plant),
                )
            found.setdefault(row.owner, []).append(model)
        return found

    def _duty(self) -> dict[str, str]:
        return {
            "id": self.rules.id,
            "version": self.rules.version,
            "digest": self.rules.digest,
            "source": self.rules.source,
        }


def coverage_document(found: Coverage) -> dict[str, Any]:
    """Return a coverage as it is answered."""
    return {
        "covered": found.covered,
        "missing": list(found.missing),
        "models_in_scope": found.models,
        "out_of_scope": list(found.out_of_scope),
        "needed": found.needed,
        "filed": found.filed,
        "under_way": found.under_way,
        "chemistry_groups": list(found.groups),
        "chemistry_groups_filed": list(found.groups_filed),
        "on_sale_without_filing": list(found.unfiled),
        "stated_otherwise_than_filed": list(found.changed),
        "restated_without_filing": list(found.restated),
        "unlisted": list(found.unlisted),
    }


def _duty(model: Model, duty: Duty) -> dict[str, Any]:
    return {
        "product": model.product,
        "model": model.name,
        "chemistry": model.chemistry,
        "chemistry_group": duty.group,
        "rated_energy_kwh": str(model.rated_kwh),
        "variants": list(model.variants),
        "obliged": duty.obliged,
        "in_scope": duty.in_scope,
        "filed": duty.filed,
        "overdue": duty.overdue,
        "state": model.state,
        "why": duty.why,
    }


def _elsewhere(found: Filing, step: Step) -> str:
    """Say where a step is taken: in which engagement, once there is one."""
    asked = [link.leaf_hash for link in found.chain if link.step == "submit"]
    named = f"{asked[-1]}: /api/v1/engagements/{asked[-1]}" if asked else "that the step submit asks for"
    return f"{_ELSEWHERE[step]} {named}"


def _compared(one: Compared) -> dict[str, Any]:
    def text(value: Decimal | None) -> str | None:
        return None if value is None else format(value, "f")

    return {
        "line": one.line,
        "ours": text(one.ours),
        "platform": text(one.platform),
        "difference": "0" if one.difference == 0 else text(one.difference),
        "agrees": one.agrees,
        "cause": one.cause,
        "explanation": one.explanation,
    }
