"""What an authority sees over all filings: how many stand where, how long steps take, how results are spread, who covers the trial.

Counts come from one index, figures from hidden rows that are opened here, so that nothing of it rests in the clear.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, func, select
from sqlmodel import Session, col
from sqlmodel import select as select_rows

from exchange.access import Principal
from exchange.filing.chain import ORDER
from exchange.filing.duty import FILED, coverage
from exchange.filing.hidden import figure_of
from exchange.filing.reading import AUTHORITY, Filings, coverage_document
from exchange.filing.tables import FilingRemarkRow, FilingRow, FilingStepRow, ModelRow
from exchange.identity import roles_today
from exchange.sharing import day_of
from ledger.store import snapshot

_DAY = 86_400
_BATCH = 200


@dataclass(frozen=True, slots=True)
class Authority:
    """Reads for organisations with the role authority; for all others there is nothing (NotFoundError)."""

    filings: Filings

    def overview(self, actor: Principal, reader: str) -> dict[str, Any]:
        """Return counts by state, chemistry group and maker, the time at each step, and the spread of the filed results."""
        filings = self.filings
        filings.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(filings.engine) as connection, Session(connection) as session:
            filings.check_authority(session, reader)
            return {"as_of": filings.clock(), **self._counts(connection), "results": self._spread(connection)}

    def _counts(self, connection: Connection) -> dict[str, Any]:
        """Return what is counted: along one index, and over the steps' times."""
        columns = (col(FilingRow.state), col(FilingRow.group_key), col(FilingRow.filer))
        counted = connection.execute(select(*columns, func.count()).group_by(*columns)).all()
        states: dict[str, int] = dict.fromkeys((*ORDER, "withdrawn"), 0)
        groups: dict[str, dict[str, int]] = {}
        makers: dict[str, dict[str, int]] = {}
        for state, key, filer, count in counted:
            states[state] += count
            for of in (
                groups.setdefault(key, {"filings": 0, "filed": 0}),
                makers.setdefault(filer, {"filings": 0, "filed": 0}),
            ):
                of["filings"] += count
                of["filed"] += count if state in FILED else 0
        names = self._group_names(connection, groups)
        return {
            "filings": sum(states.values()),
            "makers": len(makers),
            "by_state": states,
            "by_chemistry_group": {names[key]: groups[key] for key in sorted(groups, key=names.__getitem__)},
            "by_maker": dict(sorted(makers.items())),
            "time_at_step": self._times(connection),
            "remarks": self._remarks(connection),
        }

    def _group_names(self, connection: Connection, keys: Iterable[str]) -> dict[str, str]:
        """Return the names of chemistry groups, each from one of its rows."""
        newest = select(func.max(col(FilingRow.id))).where(col(FilingRow.group_key).in_(list(keys)))
        query = select(col(FilingRow.group_key), col(FilingRow.id), col(FilingRow.sealed)).where(
            col(FilingRow.id).in_(newest.group_by(col(FilingRow.group_key)))
        )
        vault = self.filings.stored.vault
        return {row.group_key: figure_of(vault, row.id, row.sealed)[0] for row in connection.execute(query)}

    def _times(self, connection: Connection) -> dict[str, Any]:
        """Return for each state how many filings have left it, after how many days in the mean and at most."""
        before, seconds = col(FilingStepRow.before), col(FilingStepRow.seconds)
        query = select(before, func.count(), func.sum(seconds), func.max(seconds)).where(before != "").group_by(before)
        found = {state: (count, total, most) for state, count, total, most in connection.execute(query)}
        return {
            state: {
                "left": found[state][0],
                "mean_days": round(float(found[state][1]) / found[state][0] / _DAY, 2),
                "longest_days": round(float(found[state][2]) / _DAY, 2),
            }
            for state in ORDER
            if state in found
        }

    def _remarks(self, connection: Connection) -> dict[str, Any]:
        to, answered = col(FilingRemarkRow.addressee), col(FilingRemarkRow.answered)
        rows = connection.execute(select(to, func.count(), func.count(answered)).group_by(to)).all()
        return {row[0]: {"made": row[1], "answered": row[2]} for row in sorted(rows, key=lambda row: str(row[0]))}

    def _spread(self, connection: Connection) -> dict[str, Any]:
        """Return how the figures of filed models are spread, by chemistry group; `stale`: how many of them have to be amended."""
        query = select(col(FilingRow.id), col(FilingRow.sealed)).where(col(FilingRow.state).in_(sorted(FILED)))
        vault, figures = self.filings.stored.vault, dict[str, list[Decimal]]()
        stale, counted = self.filings.stored.stale_among(Session(connection)), Counter[str]()
        for row in connection.execute(query):
            group, figure = figure_of(vault, row.id, row.sealed)
            if figure is not None:
                figures.setdefault(group, []).append(Decimal(figure))
                counted[group] += row.id in stale
        return {
            group: _quantiles(sorted(found)) | {"stale": counted[group]} for group, found in sorted(figures.items())
        }

    def is_open_to(self, reader: str) -> bool:
        """Whether `reader` is an authority today."""
        filings = self.filings
        with snapshot(filings.engine) as connection, Session(connection) as session:
            return AUTHORITY in roles_today(session, reader, filings.clock())

    # -- coverage ----------------------------------------------------------------------------------------------------------

    def coverage(self, actor: Principal, reader: str, *, after: str = "", limit: int = 100) -> list[dict[str, Any]]:
        """Return, maker by maker, how far each has come with the trial, and what is on sale without a filing."""
        filings = self.filings
        filings.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(filings.engine) as connection, Session(connection) as session:
            filings.check_authority(session, reader)
            return list(self._coverages(session, self._makers(session, after, limit)))

    def _makers(self, session: Session, after: str, limit: int) -> Sequence[str]:
        owner = col(ModelRow.owner)
        return session.exec(select_rows(owner).where(owner > after).distinct().order_by(owner).limit(limit)).all()

    def _coverages(self, session: Session, makers: Sequence[str]) -> Iterator[dict[str, Any]]:
        filings, day = self.filings, day_of(self.filings.clock())
        models = filings.models(session, makers)
        for maker in makers:
            obliged = not roles_today(session, maker, filings.clock()).isdisjoint(filings.rules.obliged_roles.roles)
            found = coverage_document(coverage(filings.rules, maker, models.get(maker, ()), day))
            if not obliged:
                found |= {"covered": True, "missing": [], "on_sale_without_filing": []}
            yield {"maker": maker, "obliged": obliged, **found}

    # -- summary -----------------------------------------------------------------------------------------------------------

    def trial_summary(self, actor: Principal, reader: str) -> dict[str, Any]:
        """Return the trial in one document: rules, counts, times, spread, each maker's coverage, open remarks, assumptions."""
        filings = self.filings
        filings.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(filings.engine) as connection, Session(connection) as session:
            filings.check_authority(session, reader)
            makers: list[dict[str, Any]] = []
            after = ""
            while page := self._makers(session, after, _BATCH):
                makers.extend(one for one in self._coverages(session, page) if one["obliged"])
                after = page[-1]
            rules = filings.rules
            return {
                "format": "urn:packtrace:trial-summary:1",
                "as_of": filings.clock(),
                "duty": {
                    **{
                        name: getattr(rules, name)
                        for name in ("id", "version", "digest", "title", "title_zh", "source")
                    },
                    "trial_until": rules.trial.until,
                    "typical_models": rules.trial.typical_models,
                    "regular_since": rules.regular.since,
                },
                **self._counts(connection),
                "results": self._spread(connection),
                "coverage": {
                    "makers": len(makers),
                    "covered": sum(one["covered"] for one in makers),
                    "by_maker": makers,
                },
                "unstated": [one.model_dump() for one in rules.unstated],
            }

    def remarks(
        self, actor: Principal, reader: str, *, open_only: bool, after: str = "", limit: int = 100
    ) -> list[dict[str, Any]]:
        """Return remarks of reviews with their answers, by id."""
        filings = self.filings
        filings.accounts.check_speaks_for(actor, reader, "data:read")
        with snapshot(filings.engine) as connection, Session(connection) as session:
            filings.check_authority(session, reader)
            query = select_rows(FilingRemarkRow).where(col(FilingRemarkRow.id) > after)
            if open_only:
                query = query.where(col(FilingRemarkRow.answered).is_(None))
            rows = session.exec(query.order_by(col(FilingRemarkRow.id)).limit(limit)).all()
            return [filings.remark(session, row) for row in rows]


def _quantiles(ordered: Sequence[Decimal]) -> dict[str, Any]:
    """Return count, least, quartiles and greatest of sorted figures: each the figure at its rank, nothing interpolated."""

    def at(share: float) -> str:
        return str(ordered[min(len(ordered) - 1, int(share * len(ordered)))])

    return {
        "filings": len(ordered),
        "unit": "kg CO2e/kWh",
        "least": str(ordered[0]),
        "lower_quartile": at(0.25),
        "median": at(0.5),
        "upper_quartile": at(0.75),
        "greatest": str(ordered[-1]),
    }


def summary_text(found: dict[str, Any]) -> str:
    """Return a trial summary as Markdown, for people."""
    duty, covered = found["duty"], found["coverage"]
    lines = [
        f"# {duty['title']}: summary of the trial",
        "",
        f"As of {found['as_of']:%Y-%m-%d %H:%M} UTC. Rules {duty['id']} {duty['version']}. {duty['source']}.",
        "",
        f"{found['filings']} filings of {found['makers']} makers.",
        f"{covered['covered']} of {covered['makers']} makers that are obliged cover the trial (to {duty['trial_until']}).",
        "",
        "## Filings by state",
        "",
        "| state | filings | left after, mean days | longest |",
        "|---|---|---|---|",
    ]
    for state, count in found["by_state"].items():
        time = found["time_at_step"].get(state, {})
        lines.append(f"| {state} | {count} | {time.get('mean_days', '')} | {time.get('longest_days', '')} |")
    lines += [
        "",
        "## Results by chemistry group",
        "",
        "| group | filed | of them stale | least | median | greatest | unit |",
        "|---|---|---|---|---|---|---|",
    ]
    for group, spread in found["results"].items():
        cells = (
            group,
            spread["filings"],
            spread["stale"],
            spread["least"],
            spread["median"],
            spread["greatest"],
            spread["unit"],
        )
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    lines += ["", "## Coverage by maker", "", "| maker | models in scope | filed | missing |", "|---|---|---|---|"]
    for one in covered["by_maker"]:
        missing = "; ".join(
            [*one["missing"], *(f"on sale without a filing: {it}" for it in one["on_sale_without_filing"])]
        )
        row = (one["maker"], one["models_in_scope"], one["filed"], missing or "nothing")
        lines.append(f"| {' | '.join(map(_cell, row))} |")
    lines += ["", "## Not stated by the notice, and assumed here", ""]
    lines += [f"- {one['what']}: {one['assumption']}" for one in found["unstated"]]
    return "\n".join(lines) + "\n"


def _cell(value: object) -> str:
    """A cell of a table: what makers name can't break it, or hold a link or a tag."""
    return "".join(f"\\{sign}" if sign in "\\|[]<>`*_" else sign for sign in str(value))
