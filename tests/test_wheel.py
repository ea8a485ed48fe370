# SPDX-License-Identifier: BSD-3-Clause
"""What is installed is whole: a wheel holds every file that the package reads."""

import importlib.metadata
import os
import re
import resource
import shutil
import subprocess
import sys
import time
import tomllib
import venv
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


EXAMPLE = re.findall(r"^```python\n(.*?)^```", (ROOT / "docs" / "api.md").read_text(), re.S | re.M)[
    0
]


def fresh(wheel, folder, requirement, *options):
    """An environment with nothing but the wheel: the example of docs/api.md, and some commands."""
    assert len(EXAMPLE.splitlines()) <= 10
    venv.create(folder / "env", with_pip=not options)
    python = folder / "env" / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    subprocess.run([*pip, *options, requirement], check=True)
    environment = {name: v for name, v in os.environ.items() if name != "PYTHONPATH"}
    program = f"import torch; torch.manual_seed(0)\n{EXAMPLE}print(bonn_hw.__file__)"
    begin = time.monotonic()
    done = subprocess.run(
        [str(python), "-c", program], cwd=folder, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    *verdicts, place = done.stdout.splitlines()
    assert Path(place).is_relative_to(folder / "env")
    assert len(verdicts) == 6 and all(line.startswith("    ok  ") for line in verdicts), verdicts
    assert time.monotonic() - begin < 300  # the installation apart

    def bonn_hw(*words, **settings):
        command = [str(folder / "env" / "bin" / "bonn-hw"), *words]
        given = {**environment, **settings}
        return subprocess.run(command, cwd=folder, env=given, capture_output=True, text=True)

    said = bonn_hw("report", "build/sequential")
    assert said.returncode == 0 and "20 frames: 0 mismatches" in said.stdout
    said = bonn_hw("doctor")
    assert said.returncode == 0
    assert said.stdout.splitlines()[-1] == "the base works: check, fold, compile, simulate"
    said = bonn_hw("init", "my_project")
    project = folder / "my_project"
    assert said.returncode == 0 and (project / ".github/workflows/accelerator.yml").is_file()
    frames = [str(python), "frames.py"]
    subprocess.run(frames, cwd=project, env=environment, check=True, capture_output=True)
    assert (project / "frames.npy").is_file()
    # The script of the wheel begins, and ends for want of a Python.
    said = bonn_hw("setup", "finn", "--out", "finn", PYTHON="false")
    assert said.returncode == 2 and "setup: environment.sh: bash failed" in said.stderr


@pytest.mark.rtl
@pytest.mark.torch
def test_a_new_user(wheel, tmp_path):
    """From the wheel to a compared build of an own network, in ten lines and five minutes.

    The packages that it needs are those of this environment; test_a_new_machine fetches them.
    """
    pytest.importorskip("brevitas")
    folder = tmp_path / "env" / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    folder.mkdir(parents=True)
    others = [path for path in sys.path if path.endswith("-packages")]
    (folder / "others.pth").write_text("\n".join(others) + "\n")
    fresh(wheel, tmp_path, str(wheel), "--no-deps", "--no-index", "--no-compile")


@pytest.mark.large
@pytest.mark.torch
def test_a_new_machine(wheel, tmp_path):
    """The same, with all packages from the index: minutes, and 2 GB."""
    fresh(wheel, tmp_path, f"bonn-hw[train] @ {wheel.as_uri()}")


@pytest.mark.parametrize(("words", "most"), [(["-c", "import bonn_hw"], 0.3),
                                             (["-m", "bonn_hw.cli", "--help"], 0.2)])  # fmt: skip
def test_import_and_help_are_fast(words, most):
    """Seconds of processor time; the best of five, since other tests run beside this one."""
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, *words], check=True, capture_output=True, cwd=ROOT)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(times) < most
