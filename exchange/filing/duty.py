"""Who has to file which models, and how far a maker has come with it: pure, by a file of rules.

What the notice leaves open stands in the file as `unstated`, with our assumption, and is told wherever a duty or a coverage is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from functools import cache, cached_property
from importlib import resources
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bom_graph import Amount, Day, first_defect, name_key, read_json, why_unreadable
from exchange.errors import EvidenceError
from exchange.kinds.filing import Opinion
from exchange.kinds.review import Relation

DUTY = "cn-miit-551"
#: Steps after which a filing counts towards a maker's coverage.
FILED = frozenset({"filed", "accepted"})


class _Rules(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ObligedRoles(_Rules):
    """The roles that have to file."""

    roles: tuple[str, ...]
    what: str
    source: str


class Scope(_Rules):
    """Rated energy above which a model is in scope, in kWh."""

    rated_energy_above_kwh: Amount
    what: str
    source: str


class Trial(_Rules):
    """The trial: to which day, and how many typical models at least."""

    until: Day
    typical_models: Annotated[int, Field(gt=0)]
    what: str
    source: str


class Regular(_Rules):
    """From which day on every model in scope has to be filed."""

    since: Day
    what: str
    source: str


class ChemistryGroup(_Rules):
    """Chemistries that count as one chemical system."""

    id: str
    name: str
    name_zh: str
    chemistries: tuple[str, ...]


class BarringConflicts(_Rules):
    """Conflicts of interest with the filer that keep an authority from reviewing."""

    relations: frozenset[Relation]
    what: str
    source: str


class Trigger(_Rules):
    """What asks for an amendment, and back to which state it takes an accepted filing."""

    id: str
    what: str
    back_to: Literal["registered", "planned", "data_complete", "exported", "reconciled"]
    recalculated: bool
    verified_again: bool


class Unstated(_Rules):
    """What the source doesn't state, and what is assumed here."""

    id: str
    what: str
    assumption: str


class DutyRules(_Rules):
    """The rules of one duty to file. `digest` is the hex SHA-256 of the file's bytes."""

    format: Literal["urn:packtrace:filing-duty:1"]
    id: str
    version: str
    title: str
    title_zh: str
    source: str
    rule_set: str
    obliged_roles: ObligedRoles
    scope: Scope
    trial: Trial
    regular: Regular
    chemistry_groups: tuple[ChemistryGroup, ...]
    platform_digits: Annotated[int, Field(gt=0)]
    explanation_letters: Annotated[int, Field(gt=0)]
    opinions_that_can_be_filed: tuple[Opinion, ...]
    conflicts_that_bar_a_review: BarringConflicts
    retention_years: Annotated[int, Field(gt=0)]
    triggers: tuple[Trigger, ...]
    unstated: tuple[Unstated, ...]
    digest: str = ""

    @classmethod
    def read(cls, data: bytes) -> DutyRules:
        """Return the rules in the file's bytes; EvidenceError for anything else."""
        try:
            rules = cls.model_validate(read_json(data))
        except ValidationError as error:
            steps, what = first_defect(error)
            raise EvidenceError(what, where="/".join(steps), remedy="take the published file") from None
        except ValueError as error:
            raise EvidenceError(
                why_unreadable(error), where="rules of a duty", remedy="take the published file"
            ) from None
        return rules.model_copy(update={"digest": hashlib.sha256(data).hexdigest()})

    @cached_property
    def _groups(self) -> Mapping[str, str]:
        """The group of each listed chemistry, and of the groups' own names, as chemistries are compared."""
        return {
            _plain(one): group.id
            for group in self.chemistry_groups
            for one in (group.id, group.name, group.name_zh, *group.chemistries)
        }

    def group_of(self, chemistry: str) -> str:
        """Return the group of a chemistry; one that isn't listed is a group of its own, under its own name.

        Closing digits tell proportions: NCM712 is of the group of NCM.
        """
        plain = _plain(chemistry)
        found = self._groups.get(plain) or self._groups.get(plain.rstrip("0123456789"))
        return found or chemistry.strip()

    def is_listed(self, group: str) -> bool:
        """Whether a chemistry group is one of the rules; otherwise it is a chemistry that they don't list."""
        return any(group == one.id for one in self.chemistry_groups)

    def in_scope(self, rated_kwh: Decimal) -> bool:
        """Whether a model of this rated energy is in scope: above the limit, not at it."""
        return rated_kwh > self.scope.rated_energy_above_kwh

    def concerns(self, model: Model) -> bool:
        """Whether a model is in scope, as it is stated now or as it was registered: stating it anew takes no filing out of scope."""
        return self.in_scope(max(model.rated_kwh, model.filed_kwh or model.rated_kwh))

    def filed_group(self, model: Model) -> str:
        """Return the chemistry group that a model's filing is of; without a filing that of the model."""
        return self.group_of(model.filed_chemistry or model.chemistry)

    def changed(self, model: Model) -> str | None:
        """Return how a model is stated otherwise than its filing was registered, where that matters to the duty; None where it isn't."""
        now, then = self.group_of(model.chemistry), self.filed_group(model)
        kwh = model.filed_kwh or model.rated_kwh
        if (now, model.rated_kwh) == (then, kwh):
            return None
        stated = f"{model.name} is filed as {then}, {kwh} kWh, and stated as {now}, {model.rated_kwh} kWh, since"
        return f"{stated}: amend its filing, or withdraw it"

    def restates(self, model: Model, older: Model) -> bool:
        """Whether a model is stated otherwise than before, where that matters to the duty: in scope, another chemistry group or energy."""
        now, then = ((self.group_of(one.chemistry), one.rated_kwh) for one in (model, older))
        return now != then and self.in_scope(max(model.rated_kwh, older.rated_kwh))

    def restated(self, model: Model) -> str | None:
        """Return that a model without a filing was stated otherwise before; None for any other."""
        if model.state is not None or model.restated_from is None:
            return None
        return f"{model.name} was stated with another chemistry or rated energy by entry {model.restated_from}, and has no filing"

    def trigger(self, name: str) -> Trigger | None:
        """Return the trigger of that id."""
        return next((one for one in self.triggers if one.id == name), None)

    def assumption(self, name: str) -> str:
        """Return what is assumed where the source states nothing. KeyError for what the file doesn't name."""
        return {one.id: one.assumption for one in self.unstated}[name]


@cache
def load_duty(name: str = DUTY) -> DutyRules:
    """Return the rules that ship with the package."""
    return DutyRules.read((resources.files("exchange") / "data" / "duties" / f"{name}.json").read_bytes())


@dataclass(frozen=True, slots=True)
class Model:
    """A model as one plant makes it, by its maker's newest battery-model statement.

    `state`: that of its filing, `filed_chemistry`, `filed_kwh` and `filed_as` (model, plant): as what it was registered; all None
    without one. `restated_from`: the newest entry that stated it otherwise, where that matters to the duty.
    """

    product: str
    name: str
    chemistry: str
    rated_kwh: Decimal
    stated_on: date
    on_sale_since: date | None = None
    on_sale_until: date | None = None
    variants: tuple[str, ...] = ()
    state: str | None = None
    filed_chemistry: str | None = None
    filed_kwh: Decimal | None = None
    restated_from: int | None = None
    plant: str = ""
    filed_as: tuple[str, str] | None = None

    @property
    def made(self) -> tuple[str, str]:
        """The model and the plant that makes it, as names are compared: several products of one model and plant are one model."""
        name, plant = self.filed_as or (self.name, self.plant)
        return name_key(name), name_key(plant)

    def ended(self, day: date) -> bool:
        """Whether the model isn't sold any more on that day."""
        return self.on_sale_until is not None and self.on_sale_until < day

    def on_sale(self, day: date) -> bool:
        """Whether the model is sold on that day."""
        since = self.on_sale_since or self.stated_on
        return since <= day and not self.ended(day)


@dataclass(frozen=True, slots=True)
class Duty:
    """What has to be done about one model: `obliged` by the role of its maker, `in_scope` by its energy; `why` in a sentence."""

    product: str
    obliged: bool
    in_scope: bool
    group: str
    filed: bool
    overdue: bool
    why: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """How far a maker has come with the trial. `missing` says exactly what lacks; empty where the trial is covered.

    `unfiled`: the products on sale without a filing, from the regular stage on. `changed`: models that are stated otherwise than filed,
    `restated`: that aren't filed, and were stated otherwise before. `unlisted`: chemistries that the rules don't list, and what is assumed.
    """

    maker: str
    models: int
    out_of_scope: tuple[str, ...]
    needed: int
    filed: int
    under_way: int
    groups: tuple[str, ...]
    groups_filed: tuple[str, ...]
    missing: tuple[str, ...]
    unfiled: tuple[str, ...]
    changed: tuple[str, ...]
    restated: tuple[str, ...]
    unlisted: tuple[str, ...]

    @property
    def covered(self) -> bool:
        """Whether the trial asks for nothing more."""
        return not self.missing


def duty_of(rules: DutyRules, roles: Collection[str], model: Model, day: date) -> Duty:
    """Return the duty of an organisation with `roles` about one of its models on `day`."""
    obliged = not frozenset(roles).isdisjoint(rules.obliged_roles.roles)
    inside = rules.concerns(model)
    filed = model.state in FILED
    overdue = obliged and inside and not filed and day >= rules.regular.since and model.on_sale(day)
    limit = f"{rules.scope.rated_energy_above_kwh} kWh"
    if not obliged:
        why = f"not to be filed by an organisation that is none of: {', '.join(rules.obliged_roles.roles)}"
    elif not inside:
        why = f"out of scope: its rated energy, {model.rated_kwh} kWh, is not above {limit}"
    elif filed:
        why = "filed"
    elif model.ended(day):
        why = f"sold until {model.on_sale_until}: nothing is to be filed any more"
    elif overdue:
        why = f"on sale without a filing; from {rules.regular.since} on every model above {limit} has to be filed"
    elif day >= rules.regular.since:
        why = f"to be filed before it is sold: its rated energy, {model.rated_kwh} kWh, is above {limit}"
    else:
        why = f"in the trial to {rules.trial.until}; to be filed by {rules.regular.since} at the latest where it is sold then"
    if (changed := rules.changed(model) or rules.restated(model)) is not None:
        why = f"{why}; {changed}"
    return Duty(model.product, obliged, inside, rules.group_of(model.chemistry), filed, overdue, why)


def coverage(rules: DutyRules, maker: str, models: Sequence[Model], day: date) -> Coverage:
    """Return how far `maker`, which is obliged, has come with its `models`; one line of `missing` for each thing that lacks."""
    ordered = sorted(models, key=lambda model: model.product)
    # What isn't sold any more is asked for no more; where it is filed, it counts. After the trial, as it was at its end.
    end = min(day, rules.trial.until)
    inside = [model for model in ordered if rules.concerns(model) and (model.state in FILED or not model.ended(end))]
    filed = [model for model in inside if model.state in FILED]
    by_group: dict[str, list[Model]] = {}
    for model in inside:
        # Of a model that was stated anew both have to be represented, and its filing represents what it was filed for.
        for group in {rules.group_of(model.chemistry), rules.filed_group(model)}:
            by_group.setdefault(group, []).append(model)
    groups_filed = {rules.filed_group(model) for model in filed}
    # One model of one plant stands under several products perhaps, and is typical once.
    typical, typical_filed = ({model.made for model in some} for some in (inside, filed))
    needed = min(rules.trial.typical_models, len(typical))
    missing = []
    if len(typical_filed) < needed:
        few = needed < rules.trial.typical_models
        of = f"all {needed} models" if few else f"{needed} typical models"
        count = len(typical_filed)
        so_far = "the only model isn't" if needed == 1 else f"{count} of {of} are"
        missing.append(f"{needed - count} more to be filed: {so_far}")
    for group in sorted(by_group.keys() - groups_filed):
        named = ", ".join(model.name for model in by_group[group])
        missing.append(f"chemistry group {group} is not represented: file one of {named}")
    unfiled = [
        model.product
        for model in inside
        if model.state not in FILED and day >= rules.regular.since and model.on_sale(day)
    ]
    return Coverage(
        maker=maker,
        models=len(typical),
        out_of_scope=tuple(model.product for model in ordered if not rules.concerns(model)),
        needed=needed,
        filed=len(typical_filed),
        under_way=len({model.made for model in inside if model.state not in {None, "withdrawn"}} - typical_filed),
        groups=tuple(sorted(by_group)),
        groups_filed=tuple(sorted(groups_filed)),
        missing=tuple(missing),
        unfiled=tuple(unfiled),
        changed=tuple(said for model in ordered if (said := rules.changed(model)) is not None),
        restated=tuple(said for model in ordered if (said := rules.restated(model)) is not None),
        unlisted=tuple(
            _unlisted(rules, group, by_group[group]) for group in sorted(by_group) if not rules.is_listed(group)
        ),
    )


def _unlisted(rules: DutyRules, group: str, models: Sequence[Model]) -> str:
    named = ", ".join(model.name for model in models)
    return f"{group} ({named}) is none of the rules' chemistries; assumed: {rules.assumption('unlisted_chemistry')}"


def _plain(chemistry: str) -> str:
    """A chemistry as it is compared: NMC 622, nmc-622 and NMC622 are one."""
    return "".join(filter(str.isalnum, name_key(chemistry).upper()))
