"""The set-up script .ci/environment, run for real in a small checkout of its own.

Most tests give it a stand-in for uv that makes a real (empty) virtual environment and writes down what it was asked to
install. The last ones install a real wheel with the real tools, from a folder.
"""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

UV = f"""#!/bin/sh
case "$1 $2" in
    "--version "*) exit 0 ;;
    "pip install")
        echo "$*" >>asked
        if [ -e cut-the-next-install ]; then rm cut-the-next-install; kill -9 $PPID; fi
        if [ -e slow ]; then sleep 0.5; fi
        ;;
    *) echo "$*" >>asked; exec "{sys.executable}" -m venv --without-pip .venv ;;
esac
"""
BROKEN = "#!/bin/sh\necho 'pyenv: version 3.9 is not installed' >&2\nexit 127\n"
INTERPRETER = f'#!/bin/sh\nexec "{sys.executable}" "$@"\n'
ALL_NAMES = ("python3", "python3.14", "python3.13", "python3.12", "python3.11")


@dataclass(frozen=True)
class Checkout:
    """A checkout with only what the script reads, and a folder `bin` that comes first on PATH."""

    folder: Path

    def put(self, name: str, script: str) -> None:
        path = self.folder / "bin" / name
        path.write_text(script)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def start(self, purpose: str, **variables: str) -> subprocess.Popen[str]:
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHON"}
        path = f"{self.folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
        return subprocess.Popen(
            ["sh", ".ci/environment", purpose],
            cwd=self.folder,
            env=inherited | {"PATH": path} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, purpose: str, **variables: str) -> tuple[int, str]:
        """Run the script; return its exit code and what it said, after checking that standard output stayed clean."""
        process = self.start(purpose, **variables)
        out, said = process.communicate()
        assert out == ""
        return process.returncode, said

    def asked(self) -> list[str]:
        """What the stand-in for uv was asked since the last look, a word each."""
        path = self.folder / "asked"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return [
            "project"
            if "--editable" in line
            else "venv"
            if line.startswith("venv")
            else line.split(" -r ")[1].split()[0]
            for line in lines
        ]

    @property
    def stamp(self) -> Path:
        return self.folder / ".venv" / "packtrace-stamp"


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    folder = tmp_path / "a check out"
    (folder / ".ci").mkdir(parents=True)
    (folder / "bin").mkdir()
    shutil.copy(ROOT / ".ci" / "environment", folder / ".ci")
    for name in ("runtime.lock", "dev.lock", "pyproject.toml"):
        (folder / name).write_text(f"# {name}\n")
    made = Checkout(folder)
    made.put("uv", UV)
    made.put("python3", INTERPRETER)
    return made


def test_first_run_installs_and_second_does_nothing(checkout: Checkout) -> None:
    assert checkout.run("runtime")[0] == 0
    assert checkout.asked() == ["venv", "runtime.lock", "project"]
    assert checkout.run("runtime") == (0, "")
    assert checkout.asked() == []


def test_only_hashed_wheels_are_installed(checkout: Checkout) -> None:
    checkout.run("runtime")
    lock, project = (checkout.folder / "asked").read_text().splitlines()[1:]
    assert "--require-hashes --only-binary :all: -r runtime.lock" in lock
    assert "--no-index --no-deps --no-build-isolation --editable ." in project


def test_dev_adds_to_runtime_and_serves_it(checkout: Checkout) -> None:
    checkout.run("runtime")
    checkout.asked()
    checkout.run("dev")
    assert checkout.asked() == ["dev.lock", "project"]
    assert checkout.run("runtime") == (0, "")
    assert checkout.run("dev") == (0, "")
    assert checkout.asked() == []


def test_install_that_was_cut_is_made_anew(checkout: Checkout) -> None:
    (checkout.folder / "cut-the-next-install").touch()
    assert checkout.run("dev")[0] == -9
    assert not checkout.stamp.exists()
    checkout.asked()
    assert checkout.run("dev")[0] == 0
    assert checkout.asked() == ["venv", "dev.lock", "project"]


def test_addition_that_was_cut_is_made_anew(checkout: Checkout) -> None:
    checkout.run("runtime")
    (checkout.folder / "cut-the-next-install").touch()
    assert checkout.run("dev")[0] == -9
    checkout.asked()
    assert checkout.run("runtime")[0] == 0
    assert checkout.asked() == ["venv", "runtime.lock", "project"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ("runtime.lock", ["venv", "dev.lock", "project"]),
        ("dev.lock", ["venv", "dev.lock", "project"]),
        ("pyproject.toml", ["project"]),
    ],
)
def test_what_changed_is_installed_again(checkout: Checkout, changed: str, expected: list[str]) -> None:
    checkout.run("dev")
    checkout.asked()
    (checkout.folder / changed).write_text("# changed\n")
    assert checkout.run("dev")[0] == 0
    assert checkout.asked() == expected
    assert checkout.run("dev") == (0, "")


def test_project_refreshed_for_a_demo_does_not_pass_off_a_stale_dev_lock(checkout: Checkout) -> None:
    checkout.run("dev")
    (checkout.folder / "dev.lock").write_text("# changed\n")
    (checkout.folder / "pyproject.toml").write_text("# changed\n")
    checkout.run("runtime")
    checkout.asked()
    checkout.run("dev")
    assert checkout.asked() == ["venv", "dev.lock", "project"]


def test_interpreter_that_vanished_leads_to_a_new_environment(checkout: Checkout) -> None:
    checkout.run("runtime")
    checkout.asked()
    python = checkout.folder / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    assert checkout.run("runtime")[0] == 0
    assert checkout.asked() == ["venv", "runtime.lock", "project"]


def test_moved_checkout_gets_a_new_environment(checkout: Checkout) -> None:
    checkout.run("runtime")
    moved = Checkout(checkout.folder.rename(checkout.folder.parent / "moved"))
    moved.asked()
    assert moved.run("runtime")[0] == 0
    assert moved.asked() == ["venv", "runtime.lock", "project"]


def test_interpreters_are_tried_by_running_them(checkout: Checkout) -> None:
    for name in ALL_NAMES:
        checkout.put(name, BROKEN)
    checkout.put("python3.12", INTERPRETER)
    assert checkout.run("runtime")[0] == 0
    assert checkout.stamp.exists()


def test_no_interpreter_stops_with_remedies(checkout: Checkout) -> None:
    for name in ALL_NAMES:
        checkout.put(name, BROKEN)
    code, said = checkout.run("runtime")
    assert code == 1
    assert "no Python 3.11 or newer runs here" in said
    assert "apt install python3 python3-venv" in said
    assert checkout.asked() == []


def test_named_interpreter_that_does_not_run_is_said_and_passed_over(checkout: Checkout) -> None:
    code, said = checkout.run("runtime", PYTHON="/nowhere/python3")
    assert code == 0
    assert "PYTHON=/nowhere/python3 does not run" in said


def test_two_at_once_install_once(checkout: Checkout) -> None:
    (checkout.folder / "slow").touch()
    both = [checkout.start("dev"), checkout.start("dev")]
    said = [process.communicate()[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("waiting for it to end" in text for text in said) == 1
    assert checkout.asked() == ["venv", "dev.lock", "project"]


BACKEND = """
import zipfile

def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    name = "probe_project-1.0-py3-none-any.whl"
    info = "probe_project-1.0.dist-info/"
    with zipfile.ZipFile(f"{wheel_directory}/{name}", "w") as wheel:
        wheel.writestr(info + "METADATA", "Metadata-Version: 2.1\\nName: probe-project\\nVersion: 1.0\\n")
        wheel.writestr(info + "WHEEL", "Wheel-Version: 1.0\\nGenerator: probe\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n")
        wheel.writestr(info + "RECORD", "")
    return name
"""
PROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "probe-project"
version = "1.0"
"""


def wheel_of(name: str, folder: Path) -> str:
    """Write a wheel with one empty module; return the line that locks it."""
    info = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": "",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{path},sha256={record_digest(text)},{len(text)}\n" for path, text in files.items())
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for inner, text in {**files, f"{info}/RECORD": record + f"{info}/RECORD,,\n"}.items():
            wheel.writestr(inner, text)
    return f"{name}==1.0 --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def record_digest(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()


@pytest.fixture
def real(checkout: Checkout, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """The checkout with a lock of one real wheel, which lies in a folder, and the machine's own tools."""
    (checkout.folder / "bin" / "uv").unlink()
    wheels = checkout.folder.parent / "wheels"
    wheels.mkdir()
    (checkout.folder / "runtime.lock").write_text(wheel_of("probe", wheels))
    (checkout.folder / "pyproject.toml").write_text(PROJECT)
    (checkout.folder / "backend.py").write_text(BACKEND)
    for tool in ("PIP", "UV"):
        monkeypatch.setenv(f"{tool}_FIND_LINKS", str(wheels))
        monkeypatch.setenv(f"{tool}_NO_INDEX", "1")
    return checkout


def importable(checkout: Checkout, module: str) -> bool:
    python = checkout.folder / ".venv" / "bin" / "python"
    return subprocess.run([python, "-c", f"import {module}"], capture_output=True, check=False).returncode == 0


def test_real_install(real: Checkout) -> None:
    code, said = real.run("runtime")
    assert code == 0, said
    assert importable(real, "probe")


@pytest.mark.long
def test_uv_that_fails_leaves_the_work_to_pip(real: Checkout) -> None:
    real.put("uv", '#!/bin/sh\n[ "$1" = --version ]\n')
    code, said = real.run("runtime")
    if "neither uv nor a pip" in said:
        pytest.skip("no pip on this machine")
    assert code == 0, said
    assert "uv could not finish; trying pip" in said
    assert importable(real, "probe")


@pytest.mark.long
def test_wheel_with_another_hash_is_refused(real: Checkout) -> None:
    lock = real.folder / "runtime.lock"
    lock.write_text(lock.read_text().partition("sha256:")[0] + "sha256:" + 64 * "0" + "\n")
    code, said = real.run("runtime")
    assert code == 1
    assert "the set-up did not finish" in said
    assert not real.stamp.exists()
    assert not importable(real, "probe")
