# SPDX-License-Identifier: BSD-3-Clause
"""What is installed is whole: a wheel holds every file that the package reads."""

import importlib.metadata
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from bonn_hw import version

ROOT = Path(__file__).parent.parent
FOLDERS = ("bonn_hw", "hw_templates", "flows", "zoo")
PASSING = ("__pycache__", "*.egg-info", "*.pyc")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """A wheel of the sources, built aside: nothing is left in the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    sources = folder / "sources"
    sources.mkdir()
    for name in FOLDERS:
        shutil.copytree(ROOT / name, sources / name, ignore=shutil.ignore_patterns(*PASSING))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, sources / name)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--wheel-dir", str(folder), str(sources)]
    subprocess.run(command, check=True)
    (made,) = folder.glob("*.whl")
    return made


def test_every_file_is_in_it(wheel):
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    expected = set()
    for folder in FOLDERS:
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and "__pycache__" not in path.parts:
                place = path.relative_to(ROOT)
                expected.add(str(place if folder == "bonn_hw" else Path("bonn_hw") / place))
    assert held == expected


def test_its_version_is_the_release_without_a_repository(wheel):
    assert wheel.name == f"bonn_hw-{version.RELEASE}-py3-none-any.whl"


def test_it_runs_from_any_folder(wheel, tmp_path):
    """Installed files are found inside the package, where no checkout stands around it."""
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "import bonn_hw\n"
        "from bonn_hw.cli.main import main\n"
        "from bonn_hw.emit.write import templates_folder\n"
        "from bonn_hw.nn.training.experiment import Experiment\n"
        "print(bonn_hw.__file__, bonn_hw.__version__, (templates_folder() / 'mvu.sv').is_file())\n"
        "print(Experiment.read('flows/experiments/digits.toml').network)"
    )
    command = [sys.executable, "-c", program]
    done = subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": "."}
    )
    package = tmp_path / "bonn_hw" / "__init__.py"
    assert done.stdout.split() == [str(package), version.RELEASE, "True", "digits"]


def test_the_version_of_a_checkout_ends_with_its_commit(tmp_path):
    (tmp_path / "pyproject.toml").touch()
    assert version.version_of(tmp_path) == version.RELEASE  # an archive of the sources

    def git(*words):
        who = ("-c", "user.name=a", "-c", "user.email=a@example.org")
        command = ["git", "-C", str(tmp_path), *who, *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "first")
    commit = git("rev-parse", "HEAD")[:10]
    assert version.version_of(tmp_path) == f"{version.RELEASE}+g{commit}"
    git("pack-refs", "--all")
    assert version.version_of(tmp_path) == f"{version.RELEASE}+g{commit}"
    git("worktree", "add", "--quiet", str(tmp_path / "beside"), "-b", "other/branch")
    assert version.version_of(tmp_path / "beside") == f"{version.RELEASE}+g{commit}"
    git("checkout", "--quiet", "--detach")
    assert version.version_of(tmp_path) == f"{version.RELEASE}+g{commit}"


def test_the_version_of_what_is_installed(tmp_path):
    assert version.version_of(tmp_path) == importlib.metadata.version("bonn-hw")


def test_importing_the_package_imports_nothing_heavy():
    program = "import sys, bonn_hw; bonn_hw.__version__; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT
    )
    assert not {"numpy", "torch", "onnx", "qonnx", "rich"} & set(done.stdout.split())


def test_tools_of_development_are_pinned():
    """Each package that `make setup` asks for has its version; torch is named by the Makefile."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"]
    wanted = [*project["dependencies"], *extras["train"], *extras["dev"]]
    names = {word.replace(">", "=").replace("<", "=").split("=")[0] for word in wanted}
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pinned = {line.split("==")[0] for line in lines if not line.startswith("#")}
    assert names - pinned == {"torch"}
