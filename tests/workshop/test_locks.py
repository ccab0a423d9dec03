"""The locks: whole, hashed, of one mind with pyproject.toml, and free of any machine's registry or path."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
LOCKS = ("runtime.lock", "dev.lock")


def locked_lines(lock: str) -> Iterator[str]:
    """Each requirement of a lock with its continuation lines joined and comments dropped."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / lock).read_text(), flags=re.MULTILINE)
    return (line.strip() for line in text.replace("\\\n", " ").splitlines() if line.strip())


def locked_versions(lock: str) -> dict[str, set[str]]:
    versions: dict[str, set[str]] = {}
    for line in locked_lines(lock):
        name, version = re.split("==", line.split()[0])
        versions.setdefault(canonicalize_name(name), set()).add(version)
    return versions


def declared(lock: str) -> list[Requirement]:
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project = pyproject["project"]
    requirements = [
        *project["dependencies"],
        *project["optional-dependencies"]["server"],
        *pyproject["build-system"]["requires"],
        *(pyproject["dependency-groups"]["dev"] if lock == "dev.lock" else []),
    ]
    return [Requirement(text) for text in requirements]


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_registry_and_no_path(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert "://" not in text
    assert not re.search(r"(^|\s)/|file:|--(index|extra-index|find-links|trusted-host)", text)


@pytest.mark.parametrize("lock", LOCKS)
def test_every_requirement_is_pinned_and_hashed(lock: str) -> None:
    lines = list(locked_lines(lock))
    assert lines
    for line in lines:
        assert re.match(r"[\w.-]+==[^\s;]+ ( ?; .+?)? *--hash=sha256:[0-9a-f]{64}( |$)", line), line


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_fulfils_what_pyproject_declares(lock: str) -> None:
    versions = locked_versions(lock)
    for requirement in declared(lock):
        pinned = versions.get(canonicalize_name(requirement.name), set())
        assert pinned, f"{requirement.name} is missing; run make lock"
        assert all(requirement.specifier.contains(version) for version in pinned), (requirement, pinned)


def test_tests_run_on_the_versions_that_a_server_runs_on() -> None:
    dev = locked_versions("dev.lock")
    for name, versions in locked_versions("runtime.lock").items():
        assert dev[name] == versions
