"""What of a filing or model rests hidden in its row, and the keyed digests by which rows are found."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import date
from decimal import Decimal

from bom_graph import BatteryModel, Measure, OnSale, Site
from exchange.filing.duty import DutyRules, Model
from exchange.vault import Vault

_FILING, _MODEL = "exchange_filing", "exchange_battery_model"


@dataclass(frozen=True, slots=True)
class Told:
    """What a filing's statements disclosed: the model as it was registered, and the figure of the result that stands, if any."""

    product: str
    model: str
    plant: str
    country: str
    chemistry: str
    group: str
    rated_kwh: str
    variants: tuple[str, ...] = ()
    figure: str | None = None
    unit: str | None = None

    def with_figure(self, figure: str | None, unit: str | None) -> Told:
        """Return the same with another figure."""
        return replace(self, figure=figure, unit=unit)


def product_key(vault: Vault, product: str) -> str:
    """Return the digest by which a product's filing and model are found."""
    return vault.blind(product)


def group_key(vault: Vault, group: str) -> str:
    """Return the digest by which a chemistry group is found; another than a product of that name would have."""
    return vault.blind(f"chemistry group {group}")


def hide_told(vault: Vault, filing: str, told: Told) -> bytes:
    """Return what a filing's row keeps."""
    return vault.hide(json.dumps(asdict(told)), _FILING, filing)


def show_told(vault: Vault, filing: str, sealed: bytes) -> Told:
    """Return what a filing's row keeps. Raises DamagedError."""
    found = json.loads(vault.shown(sealed, _FILING, filing))
    return Told(**{**found, "variants": tuple(found["variants"])})


def figure_of(vault: Vault, filing: str, sealed: bytes) -> tuple[str, str | None]:
    """Return group and figure of a filing's row, for lists of many. Raises DamagedError."""
    found = json.loads(vault.shown(sealed, _FILING, filing))
    return found["group"], found["figure"]


def hide_model(vault: Vault, key: str, model: Model) -> bytes:
    """Return what a model's row keeps."""
    return vault.hide(json.dumps(asdict(model), default=str), _MODEL, key)


def show_model(vault: Vault, key: str, sealed: bytes) -> Model:
    """Return the model that a row keeps, without its filing. Raises DamagedError."""
    found = json.loads(vault.shown(sealed, _MODEL, key))
    days = {name: found[name] and date.fromisoformat(found[name]) for name in ("on_sale_since", "on_sale_until")}
    return Model(
        **{
            **found,
            **days,
            "stated_on": date.fromisoformat(found["stated_on"]),
            "rated_kwh": Decimal(found["rated_kwh"]),
            "variants": tuple(found["variants"]),
        }
    )


def model_of(record: BatteryModel, stated_on: date) -> Model | None:
    """Return the model that a battery-model statement is about; None where it doesn't disclose what duties ask."""
    if not isinstance(record.rated_energy, Measure) or not all(
        isinstance(text, str) for text in (record.sub, record.model, record.chemistry)
    ):
        return None
    sale = record.on_sale if isinstance(record.on_sale, OnSale) else None
    return Model(
        product=str(record.sub),
        name=str(record.model),
        chemistry=str(record.chemistry),
        rated_kwh=record.rated_energy.to("kWh", where="rated_energy"),
        stated_on=stated_on,
        on_sale_since=sale.since if sale is not None else None,
        on_sale_until=sale.until if sale is not None else None,
        variants=record.variants if isinstance(record.variants, tuple) else (),
        plant=record.plant.name if isinstance(record.plant, Site) else "",
    )


def told_of(rules: DutyRules, record: BatteryModel, model: Model) -> Told:
    """Return what a filing's row says of the model that is registered."""
    plant = record.plant if isinstance(record.plant, Site) else None
    return Told(
        product=model.product,
        model=model.name,
        plant=plant.name if plant is not None else "",
        country=plant.country if plant is not None else "",
        chemistry=model.chemistry,
        group=rules.group_of(model.chemistry),
        rated_kwh=str(model.rated_kwh),
        variants=model.variants,
    )
