"""Engagements as their parties read them: lists, one with its chain, lines of the result side by side, what to state next.

An engagement is there for its verifier, its filer and authorities. Whom a finding concerns sees that finding, and nothing of whose result
it is in. What the verifier writes for itself (plan, sample, what it examined, its assessment) isn't shown to the filer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal

from sqlalchemy import Engine, or_
from sqlmodel import Session, col, select

from bom_graph import Period, population_digest
from exchange.access import FULL, Principal
from exchange.engagement.chain import AT_WORK, Engagement, Lines
from exchange.engagement.known import Known, recalculated, side_by_side
from exchange.engagement.rules import VerificationRules, allowed
from exchange.engagement.steps import concluding_claims, percentages, sample_of, weigh
from exchange.engagement.tables import EngagementRow, EngagementStepRow, FindingRow, SightRow
from exchange.engagement.taking import Taking
from exchange.errors import ConflictError, EngagementError, NotFoundError, RightsError
from exchange.identity import Accounts, roles_today
from exchange.intake.tables import StatementRow
from exchange.kinds.engagement import EngagementStep
from exchange.requests import Ask, DataRequest, RequestRow, Requests
from exchange.sharing import Sharing, day_of
from ledger.store import begin, entry, head, snapshot

Box = Literal["filer", "verifier"]
Side = Literal["verifier", "filer", "authority", "concerned"]
#: Which statements the filer may read beside those that concern it.
_FOR_THE_FILER: Final = frozenset({"accept", "decline", "visit", "conclude", "withdraw"})
#: So often one input is asked for in an engagement.
_MOST_SIGHTS: Final = 9
_LIST = "take the id from the list of engagements"


@dataclass(frozen=True, slots=True)
class Sight:
    """What is asked of who signed an input of the result: the recipe behind it, over `period`, until `deadline`."""

    leaf_hash: str
    deadline: datetime
    period: Period | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Engagements:
    """Reads engagements. `reader` is for whom: the actor's organisation, or one that it stands in for."""

    engine: Engine
    taking: Taking
    known: Known
    rules: VerificationRules
    accounts: Accounts
    sharing: Sharing
    requests: Requests
    clock: Callable[[], datetime]
    random: Callable[[int], bytes] = field(repr=False)

    def page(
        self, actor: Principal, reader: str, *, box: Box, after: str = "", limit: int = 100
    ) -> list[dict[str, Any]]:
        """Return the engagements of `reader` as verifier or filer, by id."""
        self.accounts.check_speaks_for(actor, reader, "data:read")
        mine = col(EngagementRow.filer if box == "filer" else EngagementRow.verifier) == reader
        with snapshot(self.engine) as connection, Session(connection) as session:
            query = select(EngagementRow).where(mine, col(EngagementRow.id) > after)
            return [_summary(row) for row in session.exec(query.order_by(col(EngagementRow.id)).limit(limit)).all()]

    def of_filing(self, actor: Principal, reader: str, filing: str) -> list[dict[str, Any]]:
        """Return the engagements of a filing that `reader` is a party to, oldest first."""
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            query = select(EngagementRow).where(EngagementRow.filing == filing)
            if "authority" not in roles_today(session, reader, self.clock()):
                query = query.where(or_(col(EngagementRow.filer) == reader, col(EngagementRow.verifier) == reader))
            rows = session.exec(query.order_by(col(EngagementRow.asked_at), col(EngagementRow.id))).all()
            return [_summary(row) for row in rows]

    def show(self, actor: Principal, reader: str, engagement: str) -> dict[str, Any]:
        """Return an engagement as its party sees it."""
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            row, side = self._row(session, reader, engagement)
            found = self.taking.read(row)
            steps = self._steps(session, row, side, reader)
            terms = found.terms
            told: dict[str, Any] = {
                **_summary(row),
                "product": found.product,
                "result": found.result,
                "next": {"origin": head(connection).origin, "index": found.last[0], "leaf_hash": found.last[1]},
                "terms": None if terms is None else terms.model_dump(mode="json"),
                "visits": found.visits,
                "findings": [self._finding(session, found, one.id, side) for one in found.findings],
                "sights": self._sights(session, row),
                "expires": found.expires,
                "lapsed": found.expires is not None and found.expires < day_of(self.clock()),
                "steps": steps,
                "rules": self._rules(),
            }
            if side != "filer":
                told |= {
                    "plan": None if found.plan is None else found.plan.model_dump(mode="json"),
                    "sample": {"certain": list(found.certain), "drawn": list(found.drawn)},
                    "examined": {item: one.model_dump(mode="json") for item, one in found.examined.items()},
                    "assessed": None if found.assessed is None else found.assessed.model_dump(mode="json"),
                }
            return told

    def statements(self, actor: Principal, reader: str, engagement: str) -> list[dict[str, Any]]:
        """Return those of the signed statements that the party may read, with their disclosures. That they went out is logged.

        Whom a finding concerns may read what was stated about that.
        """
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with begin(self.engine) as connection, Session(connection) as session:
            try:
                row, side = self._row(session, reader, engagement)
            except NotFoundError:
                row, side = self._concerning(session, reader, engagement), "concerned"
            steps = self._steps(session, row, side, reader)
            found = [
                {
                    **one,
                    "token": entry(connection, one["index"]).data.decode("ascii"),
                    "disclosures": list(self.sharing.disclosed(connection, one["signer"], one["leaf_hash"])),
                }
                for one in steps
            ]
            self.sharing.took(connection, reader, "read", [one["leaf_hash"] for one in found], opened=(FULL,))
            return found

    def findings(self, actor: Principal, reader: str, after: int = -1, limit: int = 100) -> list[dict[str, Any]]:
        """Return the findings that concern `reader`'s own data, oldest first, each with what its answer has to name."""
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            query = (
                select(FindingRow, EngagementRow)
                .join(EngagementRow, col(EngagementRow.id) == col(FindingRow.engagement))
                .where(col(FindingRow.concerned) == reader, col(FindingRow.index) > after)
                # Where a statement of it was erased it is over, and nothing is to be answered.
                .where(col(EngagementRow.sealed) != b"")
            )
            told = []
            for one, row in session.exec(query.order_by(col(FindingRow.index)).limit(limit)).all():
                last = self.taking.read(row).last
                told.append(
                    {
                        "index": one.index,
                        "engagement": one.engagement,
                        **self._text(session, one),
                        "previous": {"origin": head(connection).origin, "index": last[0], "leaf_hash": last[1]},
                    }
                )
            return told

    # -- lines ---------------------------------------------------------------------------------------------------------

    def lines(self, actor: Principal, reader: str, engagement: str) -> dict[str, Any]:
        """Return the lines of the result that the verifier sees, each recalculated, whom to ask for the rest, and how much that is."""
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with begin(self.engine) as connection, Session(connection) as session:
            found = self._at_work(session, reader, engagement)
            document = self.known.document(session, found)
            lines = self.known.lines(session, found, document, day_of(self.clock()))
            self._took(session, reader, found, document, [unit.id for unit in lines.units])
            contributions = document["contributions"]
            return {
                "engagement": found.id,
                "result": found.result,
                "total_kg_co2e": str(lines.total_kg),
                "unseen_kg_co2e": str(lines.unseen_kg),
                "population": population_digest(lines.units),
                "lines": [
                    {
                        "item": unit.id,
                        "stage": unit.stratum,
                        "kg_co2e": contributions[_number(unit.id)]["kg_co2e"],
                        "name": contributions[_number(unit.id)].get("name"),
                        "signer": lines.signers[unit.id],
                        "forecast": unit.id in lines.forecasts,
                        "agrees": recalculated(contributions[_number(unit.id)])["agrees"],
                    }
                    for unit in lines.units
                ],
                "to_ask": self._to_ask(session, found, document, lines),
            }

    def line(self, actor: Principal, reader: str, engagement: str, number: int) -> dict[str, Any]:
        """Return a line side by side: as it was stated, its evidence, its factor, and its recalculation."""
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with begin(self.engine) as connection, Session(connection) as session:
            found = self._at_work(session, reader, engagement)
            document = self.known.document(session, found)
            lines = self.known.lines(session, found, document, day_of(self.clock()))
            item = f"contributions/{number}"
            if item not in lines.signers:
                raise NotFoundError(
                    "no such line that you see", where="line", remedy="take it from the lines of the engagement"
                )
            part = document["contributions"][number]
            claims: dict[str, Any] = {}
            if "leaf_hash" in part:
                row = session.exec(select(StatementRow).where(StatementRow.leaf_hash == part["leaf_hash"])).one()
                whose = found.filer if row.issuer == found.filer else reader
                stated = self.known.stored.entry(connection, row.index, row.leaf_hash, whose, day_of(self.clock()))
                claims = dict(stated.statement.claims)
            self._took(session, reader, found, document, [item])
            return side_by_side(document, number, claims)

    def _took(self, session: Session, reader: str, found: Engagement, document: Any, items: list[str]) -> None:
        """Log for the lines' owners that they went out: the filer's own are open to the verifier without a grant."""
        own, others = set[str](), set[str]()
        for item in items:
            part = document["contributions"][_number(item)]
            if "leaf_hash" in part:
                (own if part["signer"] == found.filer else others).add(part["leaf_hash"])
        connection = session.connection()
        self.sharing.took(connection, reader, "read", sorted(own), opened=(FULL,))
        self.sharing.took(connection, reader, "read", sorted(others))

    def _to_ask(self, session: Session, found: Engagement, document: Any, lines: Lines) -> list[dict[str, Any]]:
        """Return the inputs that others signed: whether the verifier asked, was `given` an answer, and sees what was made of each.

        An answer may give something else than what the line was made from, which then isn't `opened` by it.
        """
        asked = {one["leaf_hash"]: one for one in self._sights(session, session.get_one(EngagementRow, found.id))}
        hidden = {
            part.get("leaf_hash")
            for number, part in enumerate(document["contributions"])
            if f"contributions/{number}" not in lines.signers
        }
        told = []
        for one in document["inputs"]:
            row = session.exec(select(StatementRow).where(StatementRow.leaf_hash == one["leaf_hash"])).one_or_none()
            if row is not None and row.issuer != found.filer:
                state = asked.get(row.leaf_hash, {"asked_at": None, "given": False})
                told.append(
                    {
                        "leaf_hash": row.leaf_hash,
                        "owner": row.issuer,
                        "kind": row.vct.split(":")[2],
                        "asked_at": state["asked_at"],
                        "given": state["given"],
                        "opened": row.leaf_hash not in hidden,
                    }
                )
        return told

    # -- sight of recipes ----------------------------------------------------------------------------------------------

    def ask(self, actor: Principal, reader: str, engagement: str, sight: Sight) -> dict[str, Any]:
        """Ask who signed an input for the recipe behind it, by a data request of the verifier's own, whose answer is for verification.

        The request says which statement is to be opened. Once it is answered, declined or withdrawn, the same may be asked for again.
        The filer learns that it was asked for, and whether it was given: neither what, nor which of it. Raises what `Requests.ask` raises.
        """
        self.accounts.check_speaks_for(actor, reader, "requests:write")
        now = self.clock()
        with snapshot(self.engine) as connection, Session(connection) as session:
            found = self._at_work(session, reader, engagement)
            document = self.known.document(session, found)
            inputs = {one["leaf_hash"] for one in document["inputs"]}
            row = session.exec(select(StatementRow).where(StatementRow.leaf_hash == sight.leaf_hash)).one_or_none()
            if row is None or row.leaf_hash not in inputs or row.issuer == found.filer:
                raise NotFoundError(
                    "no input of the result that another signed",
                    where="leaf_hash",
                    remedy="take it from the lines of the engagement",
                )
            # Named as the filer may name it: that much it opened by asking for the verification.
            told = self.known.stored.entry(connection, row.index, row.leaf_hash, found.filer, day_of(now)).record
            product = getattr(told, "sub", None)
            period = sight.period or getattr(told, "period", None)
            owner = row.issuer
            needed = (
                f"To be opened: your {row.vct.split(':')[2]} at entry {row.index}, {row.leaf_hash}, and what it was "
                "calculated from"
            )
        if not isinstance(product, str) or not isinstance(period, Period):
            raise EngagementError(
                "the filer isn't told which product or period it is of",
                where="leaf_hash" if not isinstance(product, str) else "period",
                remedy="state the period" if isinstance(product, str) else "ask its owner by a data request",
            )
        ask = Ask(
            owner,
            period,
            # The recipe; and the sealed footprint itself, so that its line can be drawn.
            ("activity-data", "product-footprint"),
            sight.deadline,
            product=product,
            rule_sets=(document["rule_set"]["id"],),
            verifier=reader,
            message=f"{needed}\n{sight.message}".strip(),
        )
        request, existed = self._asked(actor, reader, ask, f"{engagement[:30]}.{sight.leaf_hash[:30]}")
        with begin(self.engine) as connection, Session(connection) as session:
            if not existed or session.get(SightRow, (engagement, sight.leaf_hash)) is None:
                session.merge(
                    SightRow(engagement=engagement, leaf_hash=sight.leaf_hash, request=request.id, asked_at=now)
                )
                session.flush()
        return {"request": request.id, "asked": owner, "deadline": request.deadline, "existed": existed}

    def _asked(self, actor: Principal, reader: str, ask: Ask, client_id: str) -> tuple[DataRequest, bool]:
        """Ask under the first id for this input that is free, or under which the same was asked; one waits at a time."""
        for number in range(1, _MOST_SIGHTS + 1):
            name = client_id if number == 1 else f"{client_id}.{number}"
            try:
                return self.requests.ask(actor, reader, ask, name)
            except ConflictError as error:
                if error.where != "id":
                    raise
            with snapshot(self.engine) as connection, Session(connection) as session:
                mine = (col(RequestRow.asker) == reader, col(RequestRow.client_id) == name)
                there = session.exec(select(RequestRow).where(*mine)).one()
                if there.closed_at is None:
                    raise ConflictError(
                        f"it was asked for already, by the request {there.id}, which waits for its answer",
                        where="leaf_hash",
                        remedy="wait, remind whom you asked, or withdraw that request and ask again",
                    )
        raise ConflictError(
            f"it was asked for {_MOST_SIGHTS} times", where="leaf_hash", remedy="ask its owner by a data request"
        )

    def _sights(self, session: Session, row: EngagementRow) -> list[dict[str, Any]]:
        query = (
            select(SightRow, RequestRow.state)
            .join(RequestRow, col(RequestRow.id) == col(SightRow.request))
            .where(SightRow.engagement == row.id)
            .order_by(col(SightRow.leaf_hash))
        )
        return [
            {"leaf_hash": one.leaf_hash, "asked_at": one.asked_at, "given": state == "answered"}
            for one, state in session.exec(query).all()
        ]

    # -- what to state next --------------------------------------------------------------------------------------------

    def draft(
        self, actor: Principal, reader: str, engagement: str, step: EngagementStep | Literal["conclude"]
    ) -> dict[str, Any]:
        """Return kind and claims of a step as far as the exchange knows them; whoever signs adds the rest."""
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            found = self.taking.read(self._concerning(session, reader, engagement))
            origin = head(connection).origin
            if step == "conclude":
                asked = {"origin": origin, "index": found.asked, "leaf_hash": found.id}
                named = {"sub": found.product, "filing": found.filing, "result": found.result, "target": asked}
                self._check_verifier(found, reader)
                return {"kind": "verification-statement", "claims": {**named, **concluding_claims(found)}}
            previous = {"origin": origin, "index": found.last[0], "leaf_hash": found.last[1]}
            claims: dict[str, Any] = {"engagement": found.id, "event": step, "previous": previous}
            if reader == found.verifier and step in ("accept", "plan", "sample", "assess", "review"):
                claims |= self._drafted(session, found, step)
        return {"kind": "engagement-event", "claims": claims}

    def _drafted(self, session: Session, found: Engagement, step: str) -> dict[str, Any]:
        if step == "accept":
            return {"materiality_percent": str(self.rules.materiality_percent)}
        if step == "review":
            terms = found.terms
            return {} if terms is None else {"reviewer": {"function": terms.reviewer_function, "mark": terms.reviewer}}
        document = self.known.document(session, found)
        lines: Lines = self.known.lines(session, found, document, day_of(self.clock()))
        if step == "plan":
            seed = hashlib.sha256(self.random(32)).hexdigest()
            return {
                "seed": seed,
                "certain_percent": str(self.rules.certain_percent),
                "per_stratum": self.rules.per_stratum,
            }
        if step == "sample":
            drawn = sample_of(found, lines)
            items = [{"id": f"i{_number(one)}", "item": one} for one in (*drawn.certain, *drawn.drawn)]
            return {"population": population_digest(lines.units), "items": items}
        if found.terms is None:
            return {}
        return {name: str(value) for name, value in percentages(weigh(found, lines)).items()}

    def weighing(self, actor: Principal, reader: str, engagement: str) -> dict[str, Any]:
        """Return what examined lines and findings weigh against materiality, net and absolute, and which opinions that allows."""
        self.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(self.engine) as connection, Session(connection) as session:
            found = self._at_work(session, reader, engagement)
            if found.terms is None:
                raise NotFoundError("nothing is weighed yet", where="engagement", remedy="accept the engagement first")
            lines = self.known.lines(session, found, self.known.document(session, found), day_of(self.clock()))
            weighed = weigh(found, lines)
            misstated = weighed.misstatement
            return {
                "engagement": found.id,
                "total_kg_co2e": str(lines.total_kg),
                "materiality_percent": str(found.terms.materiality_percent),
                "materiality_kg_co2e": str(misstated.threshold),
                "net_kg_co2e": str(misstated.net),
                "absolute_kg_co2e": str(misstated.absolute),
                **{name: str(value) for name, value in percentages(weighed).items()},
                "net_is_material": misstated.net_is_material,
                "absolute_is_material": misstated.absolute_is_material,
                "opinions": {
                    opinion: {"allowed": not against, "against": list(against), "rule": self.rules.opinions[opinion]}
                    for opinion, against in allowed(weighed, self.rules).items()
                },
            }

    # -- who sees what -------------------------------------------------------------------------------------------------

    def _row(self, session: Session, reader: str, engagement: str) -> tuple[EngagementRow, Side]:
        """Return the row of an engagement that `reader` is a party to, and as which; NotFoundError for any other."""
        row = session.get(EngagementRow, engagement)
        if row is not None and reader in (row.verifier, row.filer):
            return row, "verifier" if reader == row.verifier else "filer"
        if row is not None and "authority" in roles_today(session, reader, self.clock()):
            return row, "authority"
        raise NotFoundError("no such engagement", where="engagement", remedy=_LIST)

    def _concerning(self, session: Session, reader: str, engagement: str) -> EngagementRow:
        """Return the row of an engagement that has something for `reader` to state."""
        row = session.get(EngagementRow, engagement)
        if row is not None and reader not in (row.verifier, row.filer):
            concerning = (FindingRow.engagement == row.id, FindingRow.concerned == reader)
            row = row if session.exec(select(FindingRow).where(*concerning).limit(1)).first() is not None else None
        if row is None:
            raise NotFoundError("no such engagement", where="engagement", remedy=_LIST)
        return row

    def _at_work(self, session: Session, reader: str, engagement: str) -> Engagement:
        """Return an engagement whose verifier is at work, for that verifier alone."""
        row = session.get(EngagementRow, engagement)
        if row is None or reader != row.verifier:
            raise NotFoundError("no such engagement", where="engagement", remedy=_LIST)
        if row.state not in AT_WORK:
            raise RightsError(
                f"the engagement is {row.state}: the result is open to its verifier while it is at work",
                where="engagement",
                remedy="accept the engagement first; once it is over, read its statements",
            )
        return self.taking.read(row)

    def _check_verifier(self, found: Engagement, reader: str) -> None:
        if reader != found.verifier:
            raise NotFoundError("no such engagement", where="engagement", remedy=_LIST)

    def _steps(self, session: Session, row: EngagementRow, side: Side, reader: str) -> list[dict[str, Any]]:
        query = select(EngagementStepRow).where(EngagementStepRow.engagement == row.id)
        rows = session.exec(query.order_by(col(EngagementStepRow.index))).all()
        return [
            {
                "step": one.step,
                "state": one.state,
                "signer": one.signer,
                "index": one.index,
                "leaf_hash": one.leaf_hash,
                "at": one.at,
            }
            for one in rows
            if side in ("verifier", "authority")
            or one.concerned == reader
            or (side == "filer" and one.step in _FOR_THE_FILER)
        ]

    def _finding(self, session: Session, found: Engagement, name: str, side: Side) -> dict[str, Any]:
        """Return a finding: of one that concerns a supplier the filer learns weight and state, and not whom or what."""
        row = session.get_one(FindingRow, (found.id, name))
        if side == "filer" and row.concerned != found.filer:
            return {"finding": row.finding, "severity": row.severity, "state": row.state}
        return {**self._text(session, row), "concerned": row.concerned}

    def _text(self, session: Session, row: FindingRow) -> dict[str, Any]:
        """Return a finding with what was said of it, by the statements that name it."""
        said = []
        query = select(EngagementStepRow).where(
            EngagementStepRow.engagement == row.engagement,
            col(EngagementStepRow.step).in_(("find", "answer", "close")),
            col(EngagementStepRow.concerned) == row.concerned,
        )
        for one in session.exec(query.order_by(col(EngagementStepRow.index))).all():
            record = self.known.stored.record(session.connection(), one.index, one.leaf_hash, one.signer)
            if getattr(record, "finding", None) == row.finding:
                said.append({"step": one.step, "index": one.index, "text": getattr(record, "text", None), "at": one.at})
        return {"finding": row.finding, "severity": row.severity, "state": row.state, "said": said}

    def _rules(self) -> dict[str, Any]:
        return {
            "id": self.rules.id,
            "version": self.rules.version,
            "source": self.rules.source,
            "unstated": [one.model_dump() for one in self.rules.unstated],
        }


def _summary(row: EngagementRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "filing": row.filing,
        "filer": row.filer,
        "verifier": row.verifier,
        "state": row.state,
        "asked_at": row.asked_at,
        "since": row.entered_at,
    }


def _number(item: str) -> int:
    return int(item.partition("/")[2])
