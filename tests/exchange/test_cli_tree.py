"""The command line, put together from as few modules as a call needs."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
import typer

from exchange.cli.main import NOUNS, VERBS, command_line

HEAVY = ("pydantic", "numpy", "scipy", "networkx", "cryptography", "sqlalchemy", "fastapi", "bom_graph", "signer")


def names(app: typer.Typer) -> set[str]:
    root: Any = typer.main.get_command(app)
    return set(root.commands)


def test_all_of_it_has_what_the_parts_name() -> None:
    verbs = {verb for group in VERBS.values() for verb in group}
    assert names(command_line()) == verbs | NOUNS.keys()
    for group in VERBS.values():
        assert names(command_line(group[:1])) == set(group)


@pytest.mark.parametrize("noun", NOUNS)
def test_a_noun_brings_its_own_commands_alone(noun: str) -> None:
    assert names(command_line([noun])) == {noun}


@pytest.mark.parametrize("word", ["", "--help", "nonsense", "-x"])
def test_what_names_nothing_brings_all(word: str) -> None:
    assert names(command_line([word])) == names(command_line())


def test_what_a_verifier_calls_imports_nothing_heavy_for_its_help() -> None:
    code = f"""
import sys
sys.argv = ["packtrace", "verify", "--help"]
from exchange.cli import main
try:
    main()
finally:
    print(sorted(set({HEAVY!r}) & sys.modules.keys()), len([name for name in sys.modules if name.startswith("exchange.cli.")]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    heavy, count = done.stdout.strip().rsplit("\n", 1)[-1].rsplit(" ", 1)
    assert heavy == "[]"
    assert int(count) <= 4
