"""Where the demo's tables are: beside this package in an installed copy, in examples/ of a checkout."""

from __future__ import annotations

from pathlib import Path

from exchange.errors import SetupError

_HERE = Path(__file__).parent
_PLACES = (_HERE / "everbatt", _HERE.parents[1] / "examples" / "everbatt")


def tables_folder() -> Path:
    """Return the folder of the EverBatt tables; SetupError where neither place has it."""
    for folder in _PLACES:
        if (folder / "factors.csv").is_file():
            return folder
    raise SetupError(
        "the demo's tables are missing", where=str(_PLACES[-1]), remedy="run the demo from a whole checkout or install"
    )
