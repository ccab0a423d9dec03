"""What bom_graph raises: one base, one subclass per cause, each with what, where and what to do."""

from __future__ import annotations

from typing import ClassVar


class BomGraphError(Exception):
    """Base of every error of this package.

    `what` says what is wrong, `where` names the place (a path such as ``inputs/<id>``), `remedy` what to do.
    """

    code: ClassVar[str] = "bom_graph_error"

    def __init__(self, what: str, *, where: str, remedy: str) -> None:
        super().__init__(f"{what} (at {where}); {remedy}")
        self.what = what
        self.where = where
        self.remedy = remedy


class UnitError(BomGraphError):
    """A unit is unknown, or of another dimension than its place needs."""

    code = "unit"


class CompositionError(BomGraphError):
    """A chemical formula can't be read."""

    code = "composition"


class RecordError(BomGraphError):
    """A record's claims don't have the shape of its kind."""

    code = "record"


class TextError(RecordError):
    """A text of a record holds control characters, line breaks or changes of writing direction."""

    code = "text"


class AverageError(BomGraphError):
    """The rules of averages can't be read, nothing is of the flow that is asked for, or a contribution isn't above zero."""

    code = "average"


class StatedSumError(BomGraphError):
    """A sum that the record states isn't the sum of its parts."""

    code = "stated_sum"


class CycleError(BomGraphError):
    """A product is, through its bills of materials, made from itself."""

    code = "cycle"


class LoopError(BomGraphError):
    """Products are made from each other, and the loop takes as much of one as it makes, or it is too large."""

    code = "loop"


class FactorError(BomGraphError):
    """No factor fits, two fit equally, or a release can't be read."""

    code = "factor"


class MissingFactorError(FactorError):
    """A record names a flow or grid that no factor release in use has a factor for."""

    code = "missing_factor"


class AmbiguousFactorError(FactorError):
    """Two rows of a release fit equally."""

    code = "ambiguous_factor"


class FactorFamilyError(FactorError):
    """A factor is there, but of another family than was asked for; families never stand in for each other."""

    code = "factor_family"


class GasError(BomGraphError):
    """A gas can't have the origin stated, or can't be removed."""

    code = "gas"


class OffsetError(RecordError):
    """An offset is stated as a line. Offsets, credits and compensation are no part of a product's footprint (ISO 14067:2018)."""

    code = "offset"


class UnknownStageError(BomGraphError):
    """A footprint states a stage that its rule set doesn't have."""

    code = "unknown_stage"


class RuleSetError(BomGraphError):
    """A rule-set file can't be read or contradicts itself."""

    code = "rule_set"


class DeliveredEnergyError(BomGraphError):
    """The denominator can't be computed from the battery model's data."""

    code = "delivered_energy"


class EndOfLifeError(BomGraphError):
    """Shares of what becomes of a material contradict each other."""

    code = "end_of_life"


class UncertaintyError(BomGraphError):
    """A distribution doesn't fit its amount, or draws can't be made."""

    code = "uncertainty"


class SystemFileError(BomGraphError):
    """A product-system file can't be read, or what it says can't be computed."""

    code = "system_file"


class AllocationError(BomGraphError):
    """Several outputs, and nothing to split their lines by."""

    code = "allocation"


class CertificateError(BomGraphError):
    """Electricity certificates are claimed beyond what was taken from the grid, or without being shown."""

    code = "certificates"
