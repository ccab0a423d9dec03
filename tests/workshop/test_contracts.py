"""What the import contracts in .importlinter can't say: doors, lazy imports, and that the contracts are whole."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("signer", "ledger", "bom_graph", "connectors", "exchange")
DOORS = {
    "signer": {"signer.keystore", "signer.key_access"},
    "ledger": {"ledger.store", "ledger.audit", "ledger.witness"},
    "bom_graph": {"bom_graph.units"},
}
NOT_FOR_A_HELP_TEXT = {"pydantic", "numpy", "networkx", "sqlalchemy", "fastapi", "cryptography", "yaml"}


def exported(library: str) -> set[str]:
    """The names in a library root's `__all__`."""
    tree = ast.parse((ROOT / library / "__init__.py").read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    raise AssertionError(f"{library}/__init__.py has no __all__")


def names_entered(source: str) -> Iterator[tuple[str, str]]:
    """Each absolute import as (module, name); the name is empty for a plain `import module`."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from ((node.module, alias.name) for alias in node.names)


def is_there(module: str) -> bool:
    path = ROOT / module.replace(".", "/")
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def trespasses(package: str, source: str) -> list[str]:
    """The imports by which a file of `package` enters another library beside its root and doors."""
    found = []
    for module, name in names_entered(source):
        library = module.partition(".")[0]
        if library == package or library not in DOORS:
            continue
        by_root = module == library and (not name or name in exported(library))
        by_door = {module, f"{module}.{name}"} & DOORS[library]
        if not (by_root or by_door):
            found.append(f"{module} {name}".strip())
    return found


def test_libraries_are_entered_by_root_or_door() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {trespass}"
        for package in (*PACKAGES, "examples")
        for path in (ROOT / package).rglob("*.py")
        for trespass in trespasses(package, path.read_text(encoding="utf-8"))
    ]
    assert found == []


@pytest.mark.parametrize("line", ["import ledger.tree", "from ledger.tree import root", "from ledger import tree"])
def test_a_way_round_the_door_is_found(line: str) -> None:
    assert trespasses("exchange", line)
    assert not trespasses("ledger", line)


@pytest.mark.parametrize(
    "line",
    ["import ledger", "from ledger import leaf_hash", "from ledger import store", "from ledger.store import append"],
)
def test_root_and_door_are_open(line: str) -> None:
    assert not trespasses("exchange", line)


def test_contracts_cover_every_package() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    covered = set(contracts["importlinter"]["root_packages"].split())
    assert covered == set(PACKAGES) == set(pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"])


def test_every_layer_below_the_database_is_held_pure() -> None:
    contracts = ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:exchange"]["layers"].partition("\ndatabase\n")[2]
    below = {name for name in re.findall(r"\w+", layers) if name != "settings" and is_there(f"exchange.{name}")}
    pure = contracts["importlinter:contract:pure-exchange"]["source_modules"].split()
    assert {f"exchange.{name}" for name in below} == set(pure)


def test_no_contract_waits_for_a_module_that_is_there() -> None:
    waiting = re.findall(r"^\s*#\s*(\w+(?:\.\w+)+)$", (ROOT / ".importlinter").read_text(), re.MULTILINE)
    present = [name for name in waiting if is_there(name)]
    assert present == [], "take the # away from these lines of .importlinter"


def test_the_command_line_loads_no_library_before_it_needs_one() -> None:
    command = [sys.executable, "-X", "importtime", "-c", "from exchange.cli import main"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = {line.rpartition("|")[2].strip().partition(".")[0] for line in run.stderr.splitlines()}
    assert "exchange" in loaded
    assert not loaded & NOT_FOR_A_HELP_TEXT
